package procnode

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http/httpproxy"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"

	"k8s-plus-aws-gitops/local/internal/freeport"
)

func service(ns, name, ip string, ports ...corev1.ServicePort) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Spec: corev1.ServiceSpec{ClusterIP: ip, ClusterIPs: []string{ip}, Ports: ports}}
}

func slice(ns, service, port string, number int32, endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: service + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		Ports:      []discoveryv1.EndpointPort{{Name: &port, Port: &number}}, Endpoints: endpoints,
	}
}

func endpoint(ip string, ready, serving bool) discoveryv1.Endpoint {
	host := "h" + ip[strings.LastIndex(ip, ".")+1:]
	return discoveryv1.Endpoint{Addresses: []string{ip}, Hostname: &host, Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving}}
}

func testResolver(t *testing.T) *resolver {
	services := indexer(t,
		service("default", "kubernetes", "10.96.0.1", corev1.ServicePort{Name: "https", Port: 443}),
		service("flux-system", "source-controller", "10.96.0.2", corev1.ServicePort{Name: "http", Port: 80}),
		service("ns", "draining", "10.96.0.3", corev1.ServicePort{Name: "http", Port: 80}),
		service("ns", "empty", "10.96.0.4", corev1.ServicePort{Name: "http", Port: 80}),
		service("ns", "headless", "None", corev1.ServicePort{Name: "http", Port: 80}),
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "outside"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "db.example.com"}},
	)
	if err := services.AddIndexers(cache.Indexers{byClusterIP: clusterIPIndex}); err != nil {
		t.Fatal(err)
	}
	slices := indexer(t,
		slice("flux-system", "source-controller", "http", 9090, endpoint("10.10.0.1", true, true), endpoint("10.10.0.2", false, false), endpoint("10.10.0.8", true, true)),
		slice("ns", "draining", "http", 8080, endpoint("10.10.0.3", false, true), endpoint("10.10.0.4", false, false)),
		slice("ns", "empty", "http", 8080, endpoint("10.10.0.5", false, false)),
		slice("ns", "headless", "http", 8080, endpoint("10.10.0.6", true, true), endpoint("10.10.0.7", true, true)),
	)
	return &resolver{
		services: corelisters.NewServiceLister(services), index: services, slices: discoverylisters.NewEndpointSliceLister(slices),
		bind:    func(h string) string { return bindAddress("10.10.", "127.10.", h) },
		leaving: func(ip string) bool { return ip == "10.10.0.8" },
		hosts:   map[string]string{"git.localhost:80": "127.0.0.1:4000", "git.localhost:443": ""}, apiServer: "127.0.0.1:6443",
	}
}

func TestResolve(t *testing.T) {
	r := testResolver(t)
	for addr, want := range map[string]string{
		"git.localhost:80":  "127.0.0.1:4000",
		"GIT.localhost:80":  "127.0.0.1:4000",
		"git.localhost:81":  "127.0.0.1:81",
		"git.localhost:443": "! git.localhost:443: not served here",
		"localhost:1":       "127.0.0.1:1",
		"source-controller.flux-system.svc.cluster.local.:80": "127.10.0.1:9090",
		"source-controller.flux-system.svc.cluster.local:80":  "127.10.0.1:9090",
		"source-controller.flux-system.svc:80":                "127.10.0.1:9090",
		"source-controller.flux-system:80":                    "127.10.0.1:9090",
		"10.96.0.2:80":                                        "127.10.0.1:9090",
		"10.10.7.8:2368":                                      "127.10.7.8:2368",
		"127.0.0.1:5":                                         "127.0.0.1:5",
		"kubernetes.default.svc:443":                          "127.0.0.1:6443",
		"10.96.0.1:443":                                       "127.0.0.1:6443",
		"draining.ns.svc:80":                                  "127.10.0.3:8080",
		"h7.headless.ns.svc:1234":                             "127.10.0.7:1234",
		"outside.ns.svc:3306":                                 "db.example.com:3306",
		"aws.github.io:443":                                   "aws.github.io:443",
		"empty.ns.svc:80":                                     "! service ns/empty has no ready endpoints",
		"source-controller.flux-system.svc:81":                "! service flux-system/source-controller has no port 81",
		"none.ns.svc:80":                                      "! no Service none.ns.svc",
		"source-controller:80":                                "! source-controller: the gate does not know the caller's namespace: write name.namespace.svc",
	} {
		got, err := r.resolve(addr)
		text := strings.Join(got, ",")
		if err != nil {
			text = "! " + err.Error()
		}
		if text != want {
			t.Errorf("resolve(%s) = %s, want %s", addr, text, want)
		}
	}
}

func TestResolveTakesTurns(t *testing.T) {
	r := testResolver(t)
	seen := map[string]int{}
	for range 4 {
		to, err := r.resolve("headless.ns.svc:80")
		if err != nil || len(to) != 2 {
			t.Fatal(to, err)
		}
		seen[to[0]]++
	}
	if d := cmp.Diff(map[string]int{"127.10.0.6:80": 2, "127.10.0.7:80": 2}, seen); d != "" {
		t.Error(d)
	}
}

// testGate serves a gate whose every name leads to the given addresses, and returns a client behind it.
func testGate(t *testing.T, socket string, to ...string) *http.Client {
	t.Helper()
	addr := freeport.Address(t)
	g := newGate(func(string) ([]string, error) { return to, nil }, slog.New(slog.DiscardHandler))
	if err := g.serve(t.Context(), addr, socket); err != nil {
		t.Fatal(err)
	}
	proxy := &url.URL{Scheme: "http", Host: addr}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: nil}}
}

func TestGateForwardsUnchanged(t *testing.T) {
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(context.Background())
		io.WriteString(w, "hello")
	}))
	defer s.Close()
	client := testGate(t, "", freeport.Address(t), s.Listener.Addr().String()) // the first endpoint has just gone
	req, _ := http.NewRequest(http.MethodGet, "http://web.ns.svc/a%2Fb?x=1;y=2", nil)
	req.Header.Set("X-Forwarded-Proto", "https")
	req.Host = "ghost.localhost"
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(b) != "hello" || got.Host != "ghost.localhost" || got.Header.Get("X-Forwarded-Proto") != "https" || got.RequestURI != "/a%2Fb?x=1;y=2" || got.Header.Get("X-Forwarded-For") != "" {
		t.Errorf("body %q, host %q, uri %q, header %v", b, got.Host, got.RequestURI, got.Header)
	}
}

func TestGateTunnels(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "secret") }))
	defer s.Close()
	socket := filepath.Join(t.TempDir(), "gate.sock")
	client := testGate(t, socket, s.Listener.Addr().String())
	pool := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	pool.ServerName = "example.com"
	client.Transport.(*http.Transport).TLSClientConfig = pool
	resp, err := client.Get("https://web.ns.svc/")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(b) != "secret" {
		t.Errorf("got %q", b)
	}
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
	if b, _ := io.ReadAll(c); !strings.Contains(string(b), "400 Bad Request") || !strings.Contains(string(b), "forward proxy") {
		t.Errorf("not a proxy request: %q", b)
	}
}

// TestNoProxy guards the list that processes get: the AWS SDKs go straight to 127.0.0.1, git.localhost must not.
func TestNoProxy(t *testing.T) {
	x := &pod{node: &provider{cfg: Config{Gate: "127.0.0.1:3128"}}}
	env := x.baseEnv()
	proxy := (&httpproxy.Config{HTTPProxy: env["HTTP_PROXY"], HTTPSProxy: env["HTTPS_PROXY"], NoProxy: env["NO_PROXY"]}).ProxyFunc()
	for to, want := range map[string]bool{
		"http://127.0.0.1:4566/":                   false,
		"https://127.0.0.1:6443/api":               false,
		"http://127.10.0.3:8080/":                  false,
		"http://git.localhost/platform.git":        true,
		"http://charts.localhost/index.yaml":       true,
		"http://source-controller.flux-system.svc": true,
		"http://10.10.0.3:8080/":                   true,
		"https://aws.github.io/eks-charts":         true,
	} {
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		got, err := proxy(u)
		if err != nil || (got != nil) != want {
			t.Errorf("%s through the gate: %v, %v; want %v", to, got != nil, err, want)
		}
	}
}
