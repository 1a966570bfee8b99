package risk

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"k8s-plus-aws-gitops/internal/review/kubediff"
)

// exposureRules are about what is reached from outside of the cluster.
var exposureRules = []objectRule{
	{
		name: "ingress-wider", kind: Network,
		finds:  "an Ingress that becomes public, serves another host or path in public, or admits more addresses (`inbound-cidrs`)",
		means:  "more people reach what is behind it",
		remedy: "make sure that what is behind it is meant for them, and asks who they are",
		find:   findIngress,
	},
	{
		name: "ingress-guard-lost", kind: Protection,
		finds:  "an Ingress that loses an annotation for authentication, for the web application firewall, or for HTTPS, or changes one",
		means:  "requests arrive that were refused, or unencrypted",
		remedy: "keep the annotation",
		find:   findIngressGuard,
	},
	{
		name: "service-exposed", kind: Network,
		finds:  "a Service that becomes a LoadBalancer or NodePort, admits more addresses, or gets external addresses",
		means:  "it is reached from outside of the cluster, past every Ingress",
		remedy: "use a Service of type ClusterIP and an Ingress",
		find:   findService,
	},
}

// Annotations of the AWS Load Balancer Controller:
// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/.
const (
	albPrefix    = "alb.ingress.kubernetes.io/"
	albScheme    = albPrefix + "scheme"
	albInbound   = albPrefix + "inbound-cidrs"
	albGroups    = albPrefix + "security-groups"
	publicScheme = "internet-facing"
)

// ingress is what is read of an Ingress.
type ingress struct {
	annotations map[string]string
	spec        networkingv1.IngressSpec
}

func ingressOf(s *scene, p kubediff.Pair) (old, now *ingress) {
	if !of(p, networkingv1.GroupName, "Ingress") {
		return nil, nil
	}
	if p.Old != nil {
		old = &ingress{metadata(s, p.Old).Annotations, as[networkingv1.Ingress](s, p.Old).Spec}
	}
	if p.Now != nil {
		now = &ingress{metadata(s, p.Now).Annotations, as[networkingv1.Ingress](s, p.Now).Spec}
	}
	return old, now
}

// public tells whether the internet reaches an Ingress. The AWS Load Balancer Controller makes an internal load balancer
// unless it is told otherwise; of another controller nothing is known, so it counts as public.
func (i *ingress) public() bool {
	if i == nil {
		return false
	}
	if scheme, said := i.annotations[albScheme]; said {
		return scheme == publicScheme
	}
	return i.spec.IngressClassName == nil || *i.spec.IngressClassName != "alb"
}

// inbound lists the addresses that an Ingress admits.
func (i *ingress) inbound() []string {
	if blocks := split(i.annotations[albInbound]); len(blocks) > 0 {
		return blocks
	}
	if i.annotations[albGroups] != "" {
		return nil // its security groups decide, of which the AWS half tells
	}
	return []string{"0.0.0.0/0"}
}

// serves lists the hosts and paths of an Ingress with what answers there.
func (i *ingress) serves() []string {
	if i == nil {
		return nil
	}
	var all []string
	add := func(where string, backend *networkingv1.IngressBackend) {
		if backend != nil && backend.Service != nil {
			where += " (the Service " + backend.Service.Name + ")"
		}
		all = append(all, where)
	}
	if i.spec.DefaultBackend != nil {
		add("every other host and path", i.spec.DefaultBackend)
	}
	for _, r := range i.spec.Rules {
		host := r.Host
		if host == "" {
			host = "every host"
		}
		if r.HTTP == nil {
			add(host, nil)
			continue
		}
		for _, path := range r.HTTP.Paths {
			add(host+path.Path, &path.Backend)
		}
	}
	return all
}

// findIngress finds what an Ingress opens.
func findIngress(s *scene, p kubediff.Pair) []string {
	old, now := ingressOf(s, p)
	if !now.public() {
		return nil
	}
	if !old.public() {
		return []string{"is public: the internet reaches " + strings.Join(now.serves(), ", ")}
	}
	var found []string
	if added := fresh(old.serves(), now.serves()); len(added) > 0 {
		found = append(found, "serves "+strings.Join(added, ", ")+" in public")
	}
	if wider := widerBlocks(old.inbound(), now.inbound()); len(wider) > 0 {
		found = append(found, "admits "+strings.Join(wider, ", "))
	}
	return found
}

// widerBlocks returns the blocks that lie in none of the old ones. Without old ones nothing is known.
func widerBlocks(old, now []string) []string {
	if len(old) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(now), func(block string) bool {
		return slices.ContainsFunc(old, func(wide string) bool { return wide == block || cidrCovers(wide, block) })
	})
}

// split splits a list in an annotation.
func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
}

// ingressGuards start the annotations that keep requests out, of the AWS Load Balancer Controller and of ingress-nginx.
var ingressGuards = []string{
	albPrefix + "auth-", albPrefix + "waf", albPrefix + "shield-advanced-protection", albPrefix + "mutual-authentication",
	albPrefix + "ssl-redirect", albPrefix + "ssl-policy", albGroups,
	"nginx.ingress.kubernetes.io/auth-", "nginx.ingress.kubernetes.io/whitelist-source-range", "nginx.ingress.kubernetes.io/denylist-source-range",
	"nginx.ingress.kubernetes.io/enable-modsecurity", "nginx.ingress.kubernetes.io/enable-owasp-core-rules", "nginx.ingress.kubernetes.io/force-ssl-redirect",
}

// findIngressGuard finds annotations that no longer keep requests out, or others.
func findIngressGuard(s *scene, p kubediff.Pair) []string {
	old, now := ingressOf(s, p)
	if old == nil || now == nil {
		return nil
	}
	var found []string
	for name, value := range old.annotations {
		if !slices.ContainsFunc(ingressGuards, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			continue
		}
		switch is, there := now.annotations[name]; {
		case !there:
			found = append(found, fmt.Sprintf("loses the annotation %s (%s)", name, value))
		case is != value:
			found = append(found, fmt.Sprintf("sets the annotation %s to %q instead of %q", name, is, value))
		}
	}
	slices.Sort(found)
	if len(old.spec.TLS) > 0 && len(now.spec.TLS) == 0 {
		found = append(found, "loses its certificate (spec.tls)")
	}
	return found
}

// findService finds Services that are reached from outside.
func findService(s *scene, p kubediff.Pair) []string {
	if p.Now == nil || !of(p, "", "Service") {
		return nil
	}
	old, now := as[corev1.Service](s, p.Old).Spec, as[corev1.Service](s, p.Now).Spec
	var found []string
	outside := now.Type == corev1.ServiceTypeLoadBalancer || now.Type == corev1.ServiceTypeNodePort
	if outside && old.Type != now.Type {
		what := "becomes a " + string(now.Type)
		if metadata(s, p.Now).Annotations["service.beta.kubernetes.io/aws-load-balancer-scheme"] == publicScheme {
			what += " that faces the internet"
		}
		found = append(found, what)
	}
	if outside && old.Type == now.Type {
		if wider := widerBlocks(sources(old), sources(now)); len(wider) > 0 {
			found = append(found, "admits "+strings.Join(wider, ", "))
		}
	}
	if added := fresh(old.ExternalIPs, now.ExternalIPs); len(added) > 0 {
		found = append(found, "answers at "+strings.Join(added, ", "))
	}
	return found
}

// sources lists the addresses that a load balancer admits.
func sources(spec corev1.ServiceSpec) []string {
	if len(spec.LoadBalancerSourceRanges) == 0 {
		return []string{"0.0.0.0/0"}
	}
	return spec.LoadBalancerSourceRanges
}

// compact writes a value on one line.
func compact(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
