package main

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
)

func testOptions(t *testing.T) options {
	t.Helper()
	dir := t.TempDir()
	return options{
		dir: filepath.Join(dir, "control"), kubeconfig: filepath.Join(dir, "kubeconfig"), egressSocket: filepath.Join(dir, "gate.sock"),
		serviceCIDR: "172.20.0.0/16", apiserver: 1, etcd: 2, etcdPeer: 3, grace: time.Second,
	}
}

// A second start keeps the authorities and the key of tokens: what an earlier one signed stays good.
func TestPrepareKeepsAuthorities(t *testing.T) {
	o := testOptions(t)
	read := func() map[string]string {
		t.Helper()
		if _, err := prepare(o); err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, f := range []string{"ca.key", "ca.crt", "etcd/ca.crt", "etcd/ca.key", "sa.key", "sa.pub"} {
			b, err := os.ReadFile(o.path("pki", f))
			if err != nil {
				t.Fatal(err)
			}
			out[f] = string(b)
		}
		return out
	}
	if first, second := read(), read(); !maps.Equal(first, second) {
		t.Error("an authority or the key of tokens changed at the second start")
	}
	for _, f := range []string{o.path("pki", "ca.key"), o.path("pki", "sa.key"), o.path("pki", "etcd", "server.key"), o.kubeconfig} {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v, want 0600", f, info.Mode(), err)
		}
	}
}

// The kubeconfig reaches a server that has the certificate of kube-apiserver and asks for one of its authority.
func TestKubeconfigIsAdministrators(t *testing.T) {
	o := testOptions(t)
	pool, err := prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	serving, err := tls.LoadX509KeyPair(o.path("pki", "apiserver.crt"), o.path("pki", "apiserver.key"))
	if err != nil {
		t.Fatal(err)
	}
	var seen pkix.Name
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.TLS.PeerCertificates[0].Subject }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{serving}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	server.StartTLS()
	defer server.Close()
	c, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if c.Host != "https://127.0.0.1:1" {
		t.Errorf("the kubeconfig names %s", c.Host)
	}
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if seen.CommonName != "admin" || !slices.Equal(seen.Organization, []string{"system:masters"}) {
		t.Errorf("it is a kubeconfig of %s", seen)
	}
}

func TestCertificatesFollowTheirNames(t *testing.T) {
	o := testOptions(t)
	for cidr, address := range map[string]string{"172.20.0.0/16": "172.20.0.1", "10.100.0.0/16": "10.100.0.1"} {
		o.serviceCIDR = cidr
		if _, err := prepare(o); err != nil {
			t.Fatal(err)
		}
		found, err := cert.CertsFromFile(o.path("pki", "apiserver.crt"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{address, "127.0.0.1", "localhost", "kubernetes.default.svc"} {
			if err := found[0].VerifyHostname(name); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestBrokenAuthorityNamesTheFile(t *testing.T) {
	o := testOptions(t)
	if _, err := prepare(o); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.path("pki", "ca.crt"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := prepare(o); err == nil || !strings.Contains(err.Error(), "ca.crt") || !strings.Contains(err.Error(), "remove") {
		t.Errorf("prepare with a broken authority: %v, want the file and the remedy", err)
	}
}

// A crash of the first start leaves no half of an authority.
func TestPrepareAfterACrash(t *testing.T) {
	o := testOptions(t)
	if err := os.MkdirAll(o.path("pki.new"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.path("pki.new", "ca.key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := prepare(o); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	good := testOptions(t)
	for name, c := range map[string]struct {
		change func(*options)
		want   string
	}{
		"good":          {func(*options) {}, ""},
		"no directory":  {func(o *options) { o.dir = "" }, "--dir is required"},
		"no kubeconfig": {func(o *options) { o.kubeconfig = "" }, "--kubeconfig is required"},
		"no port":       {func(o *options) { o.etcd = 0 }, "--etcd-port is 0"},
		"a port twice":  {func(o *options) { o.etcdPeer = o.etcd }, "which --etcd-port has"},
		"a long socket": {func(o *options) { o.egressSocket = "/" + strings.Repeat("x", 120) }, "shorter state directory"},
		"no grace":      {func(o *options) { o.grace = 0 }, "--grace is 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			o.egressSocket = ""
			c.change(&o)
			err := o.validate()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("validate: %v, want %q", err, c.want)
			}
		})
	}
}
