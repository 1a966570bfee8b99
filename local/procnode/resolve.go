package procnode

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// errNotServed refuses a static host's port that is known not to be served.
var errNotServed = errors.New("not served here")

// byClusterIP is the index of Services by their cluster IPs.
const byClusterIP = "clusterIP"

func clusterIPIndex(o any) ([]string, error) {
	s, ok := o.(*corev1.Service)
	if !ok {
		return nil, nil
	}
	return s.Spec.ClusterIPs, nil
}

// resolver turns what a pod asks for into addresses of this machine. It stands for cluster DNS and kube-proxy.
type resolver struct {
	services  corelisters.ServiceLister
	index     cache.Indexer // of Services, with byClusterIP
	slices    discoverylisters.EndpointSliceLister
	bind      func(string) string
	leaving   func(ip string) bool // pods that are ending, known here before the EndpointSlices say it
	hosts     map[string]string
	apiServer string // host:port of default/kubernetes, which has no endpoints here
	turn      atomic.Uint32
}

// resolve returns the addresses to try in turn for a static host, name.namespace[.svc[.cluster.local]], ClusterIP or pod IP.
// Anything else is dialed as it is written.
func (r *resolver) resolve(addr string) ([]string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if to, ok := r.hosts[net.JoinHostPort(host, port)]; ok {
		if to == "" {
			return nil, fmt.Errorf("%s:%s: %w", host, port, errNotServed)
		}
		return []string{to}, nil
	}
	if ip := net.ParseIP(host); ip != nil {
		if svc := r.byIP(ip.String()); svc != nil {
			return r.endpoints(svc, "", port)
		}
		return []string{net.JoinHostPort(r.bind(host), port)}, nil
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761; not every resolver keeps it
		return []string{net.JoinHostPort("127.0.0.1", port)}, nil
	}
	svc, pod := r.byName(host)
	if svc == nil {
		if strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".cluster.local") {
			return nil, fmt.Errorf("no Service %s", host)
		}
		if !strings.Contains(host, ".") {
			return nil, fmt.Errorf("%s: the gate does not know the caller's namespace: write name.namespace.svc", host)
		}
		return []string{net.JoinHostPort(host, port)}, nil
	}
	return r.endpoints(svc, pod, port)
}

func (r *resolver) byIP(ip string) *corev1.Service {
	found, err := r.index.ByIndex(byClusterIP, ip)
	if err != nil || len(found) == 0 {
		return nil
	}
	svc, _ := found[0].(*corev1.Service)
	return svc
}

// byName finds name.namespace, name.namespace.svc and pod.name.namespace.svc, the last for a headless Service.
func (r *resolver) byName(host string) (svc *corev1.Service, pod string) {
	parts := strings.Split(strings.TrimSuffix(host, ".cluster.local"), ".")
	if n := len(parts); n > 2 && parts[n-1] == "svc" {
		parts = parts[:n-1]
	}
	switch len(parts) {
	case 3:
		pod, parts = parts[0], parts[1:]
	case 2:
	default:
		return nil, ""
	}
	svc, err := r.services.Services(parts[1]).Get(parts[0])
	if err != nil || pod != "" && svc.Spec.ClusterIP != corev1.ClusterIPNone {
		return nil, ""
	}
	return svc, pod
}

// endpoints are the Service's ready endpoints, beginning with another one each time; where none is ready, those that are
// terminating but still serve, as kube-proxy does.
func (r *resolver) endpoints(svc *corev1.Service, pod, port string) ([]string, error) {
	name := svc.Namespace + "/" + svc.Name
	if name == "default/kubernetes" {
		return []string{r.apiServer}, nil
	}
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		return []string{net.JoinHostPort(svc.Spec.ExternalName, port)}, nil
	}
	portName, err := servicePort(svc, port)
	if err != nil {
		return nil, err
	}
	list, err := r.slices.EndpointSlices(svc.Namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: svc.Name}))
	if err != nil {
		return nil, err
	}
	var ready, serving []string
	for _, s := range list {
		target := slicePort(s, portName, svc.Spec.ClusterIP == corev1.ClusterIPNone, port)
		if target == "" {
			continue
		}
		for _, e := range s.Endpoints {
			if len(e.Addresses) == 0 || pod != "" && (e.Hostname == nil || *e.Hostname != pod) {
				continue
			}
			to := net.JoinHostPort(r.bind(e.Addresses[0]), target)
			if (e.Conditions.Ready == nil || *e.Conditions.Ready) && !r.leaving(e.Addresses[0]) {
				ready = append(ready, to)
			} else if e.Conditions.Serving == nil || *e.Conditions.Serving {
				serving = append(serving, to)
			}
		}
	}
	if len(ready) == 0 {
		ready = serving
	}
	if len(ready) == 0 {
		return nil, fmt.Errorf("service %s has no ready endpoints", name)
	}
	at := int(r.turn.Add(1)) % len(ready)
	return append(ready[at:len(ready):len(ready)], ready[:at]...), nil
}

// servicePort is the name of the Service's port. A headless Service takes any.
func servicePort(svc *corev1.Service, port string) (string, error) {
	for _, p := range svc.Spec.Ports {
		if strconv.Itoa(int(p.Port)) == port {
			return p.Name, nil
		}
	}
	if svc.Spec.ClusterIP == corev1.ClusterIPNone {
		return "", nil
	}
	return "", fmt.Errorf("service %s/%s has no port %s", svc.Namespace, svc.Name, port)
}

// slicePort is the port of the endpoints. For a headless Service DNS gives addresses only, so the caller's port stays.
func slicePort(s *discoveryv1.EndpointSlice, name string, headless bool, port string) string {
	if headless {
		return port
	}
	for _, p := range s.Ports {
		if p.Port != nil && (p.Name == nil && name == "" || p.Name != nil && *p.Name == name) {
			return strconv.Itoa(int(*p.Port))
		}
	}
	return ""
}
