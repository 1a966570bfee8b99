package manifests

import (
	"fmt"
	"net/netip"
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"k8s-plus-aws-gitops/internal/services"
)

// portsOf are the ports at which pods reach what an agreed secret has the address of; a database has one of its engine's.
var portsOf = map[string][]int32{
	services.UserThing: {3306, 5432}, services.DatabaseThing: {3306, 5432}, services.CacheEndpointThing: {6379},
}

// reach reports workloads that read the address of a database or of a cache while NetworkPolicies keep their pods from it: they
// would start, and find nobody.
func (c *check) reach() {
	secrets := c.agreedSecrets()
	for _, w := range c.workloads() {
		for _, secret := range secretsOf(w.pod.Spec) {
			thing := secrets[w.namespace+"/"+secret]
			ports := portsOf[thing]
			if len(ports) == 0 || c.letsOut(w, ports) {
				continue
			}
			c.reportOf(w.arrival, fmt.Sprintf("reads the address of its %s in Secret %s, and no NetworkPolicy lets the pods out to the VPC at port %s",
				thing, secret, either(ports)), "let the pods out to ${VPC_CIDR} at that port")
			break
		}
	}
}

func either(ports []int32) string {
	text := fmt.Sprint(ports[0])
	for _, p := range ports[1:] {
		text += fmt.Sprintf(" or %d", p)
	}
	return text
}

// agreedSecrets are the things of agreed names (docs/configuration.md) by the Secret that an ExternalSecret makes of them.
func (c *check) agreedSecrets() map[string]string {
	found := map[string]string{}
	for _, a := range c.arrived {
		if a.kind() != "ExternalSecret" {
			continue
		}
		name := text(a.object, "spec", "target", "name")
		if name == "" {
			name = a.name()
		}
		for _, list := range []string{"dataFrom", "data"} {
			all, _ := value(a.object, "spec", list).([]any)
			for _, entry := range all {
				fields, _ := entry.(map[string]any)
				for _, ref := range []string{"extract", "remoteRef"} {
					if at, ok := fields[ref].(map[string]any); ok && portsOf[path.Base(text(at, "key"))] != nil {
						found[a.in()+"/"+name] = path.Base(text(at, "key"))
					}
				}
			}
		}
	}
	return found
}

// secretsOf are the Secrets that a pod's containers have in variables or files.
func secretsOf(pod corev1.PodSpec) []string {
	var all []string
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, e := range container.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				all = append(all, e.ValueFrom.SecretKeyRef.Name)
			}
		}
		for _, e := range container.EnvFrom {
			if e.SecretRef != nil {
				all = append(all, e.SecretRef.Name)
			}
		}
	}
	for _, v := range pod.Volumes {
		if v.Secret != nil {
			all = append(all, v.Secret.SecretName)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// letsOut reports whether the policies of a namespace let a workload's pods out to the VPC at one of some ports. Without a policy
// they may go everywhere.
func (c *check) letsOut(w podSet, ports []int32) bool {
	selected := false
	for _, a := range c.arrived {
		p, ok := typed[networkingv1.NetworkPolicy](a.object, "networking.k8s.io/v1/NetworkPolicy")
		if !ok || a.in() != w.namespace || !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
		if err != nil || !selector.Matches(labels.Set(w.pod.Labels)) {
			continue
		}
		selected = true
		for _, rule := range p.Spec.Egress {
			if opensPort(rule.Ports, ports) && c.toVPC(rule.To) {
				return true
			}
		}
	}
	return !selected
}

func opensPort(all []networkingv1.NetworkPolicyPort, ports []int32) bool {
	return len(all) == 0 || slices.ContainsFunc(all, func(p networkingv1.NetworkPolicyPort) bool {
		if p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP {
			return false
		}
		return p.Port == nil || slices.ContainsFunc(ports, func(port int32) bool {
			return p.Port.IntVal == port || p.EndPort != nil && p.Port.IntVal <= port && port <= *p.EndPort
		})
	})
}

// toVPC reports whether peers hold an address of the environment's network.
func (c *check) toVPC(peers []networkingv1.NetworkPolicyPeer) bool {
	vpc, err := netip.ParsePrefix(c.settings.Network.CIDR)
	return err != nil || len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		if p.IPBlock == nil {
			return false
		}
		block, err := netip.ParsePrefix(p.IPBlock.CIDR)
		return err == nil && block.Overlaps(vpc)
	})
}
