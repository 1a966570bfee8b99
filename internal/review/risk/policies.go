package risk

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/intstr"

	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/review/kubediff"
)

// networkPolicyRules are about who may talk to pods, and to whom pods may talk. Policies add up: what one allows no other
// forbids, and a pod that none selects is open.
var networkPolicyRules = []objectRule{
	{
		name: "network-policy-lost", kind: Network,
		finds:  "a NetworkPolicy that goes, or no longer selects pods or a direction, when no other policy takes its place",
		means:  "nothing limits these connections any more",
		remedy: "keep the policy, or select the pods with another one in the same change",
		find:   findLost,
	},
	{
		name: "network-policy-wider", kind: Network,
		finds:  "a NetworkPolicy with a peer or port that it, and the others for the same pods, did not allow",
		means:  "more traffic passes than before",
		remedy: "name the pods, the namespace or the addresses, and the ports that are needed",
		find:   findWider,
	},
	{
		name: "network-policy-other", kind: Network,
		finds:  "a changed or removed network policy of another kind (Cilium, Calico, AWS)",
		means:  "what it lets through was not compared",
		remedy: "read its difference below",
		find: func(_ *scene, p kubediff.Pair) []string {
			if p.Old == nil || !strings.HasSuffix(p.Old.Kind, "NetworkPolicy") || group(p.Old) == networkingv1.GroupName {
				return nil
			}
			if p.Now == nil {
				return []string{"is removed"}
			}
			return []string{"changes"}
		},
	},
}

// isolation is a NetworkPolicy in what it says of its namespace's pods.
type isolation struct {
	namespace, name string
	selector        labels.Requirements
	directions      []networkingv1.PolicyType
	spec            networkingv1.NetworkPolicySpec
}

// isolationOf reads a NetworkPolicy; nil if the object is none.
func isolationOf(s *scene, o *manifests.Object) *isolation {
	if !is(o, networkingv1.GroupName, "NetworkPolicy") {
		return nil
	}
	read := as[networkingv1.NetworkPolicy](s, o)
	i := &isolation{namespace: o.Namespace, name: o.Name, selector: requirements(&read.Spec.PodSelector), directions: read.Spec.PolicyTypes, spec: read.Spec}
	if len(i.directions) == 0 { // the API server's defaults
		i.directions = append(i.directions, networkingv1.PolicyTypeIngress)
		if len(read.Spec.Egress) > 0 {
			i.directions = append(i.directions, networkingv1.PolicyTypeEgress)
		}
	}
	return i
}

// isolations reads the other policies in a policy's namespace that limit a direction.
func isolations(s *scene, all []manifests.Object, one *isolation, direction networkingv1.PolicyType) []*isolation {
	var found []*isolation
	for i := range all {
		o := isolationOf(s, &all[i])
		if o != nil && o.namespace == one.namespace && o.name != one.name && slices.Contains(o.directions, direction) {
			found = append(found, o)
		}
	}
	return found
}

// findLost finds pods that a policy no longer isolates.
func findLost(s *scene, p kubediff.Pair) []string {
	old, now := isolationOf(s, p.Old), isolationOf(s, p.Now)
	if old == nil || s.gone(p.Old.Namespace) || now == nil && s.goWith(old.namespace, old.selector) {
		return nil
	}
	var lost []string
	for _, direction := range old.directions {
		left := isolations(s, s.after, old, direction)
		if now != nil && slices.Contains(now.directions, direction) {
			left = append(left, now)
		}
		if !slices.ContainsFunc(left, func(i *isolation) bool { return selects(i.selector, old.selector) }) {
			lost = append(lost, map[networkingv1.PolicyType]string{
				networkingv1.PolicyTypeIngress: "anybody in the network may connect to " + pods(old.selector),
				networkingv1.PolicyTypeEgress:  pods(old.selector) + " may connect to anybody",
			}[direction])
		}
	}
	if len(lost) == 0 {
		return nil
	}
	what := "is removed, so "
	if now != nil {
		what = "selects less than it did, so "
	}
	return []string{what + strings.Join(lost, ", and ")}
}

// gone tells whether the change removes a namespace.
func (s *scene) gone(namespace string) bool {
	has := func(all []manifests.Object) bool {
		return slices.ContainsFunc(all, func(o manifests.Object) bool { return is(&o, "", "Namespace") && o.Name == namespace })
	}
	return has(s.before) && !has(s.after)
}

// goWith tells whether there are workloads that a selector selects, and the change removes all of them.
func (s *scene) goWith(namespace string, selector labels.Requirements) bool {
	found := false
	for _, p := range kubediff.Pairs(s.before, s.after) {
		pod := podOf(s, p.Old)
		if pod == nil || p.Old.Namespace != namespace || !labels.NewSelector().Add(selector...).Matches(labels.Set(pod.Labels)) {
			continue
		}
		if p.Now != nil {
			return false
		}
		found = true
	}
	return found
}

// pods names those that a selector selects.
func pods(selector labels.Requirements) string {
	if len(selector) == 0 {
		return "every pod of the namespace"
	}
	return "pods with " + labels.NewSelector().Add(selector...).String()
}

// findWider finds what a policy lets through that was closed.
func findWider(s *scene, p kubediff.Pair) []string {
	old, now := isolationOf(s, p.Old), isolationOf(s, p.Now)
	if now == nil {
		return nil
	}
	var found []string
	for _, direction := range now.directions {
		others := isolations(s, s.before, now, direction)
		isolated := slices.ContainsFunc(others, func(i *isolation) bool { return overlap(i.selector, now.selector) })
		known := old != nil && slices.Contains(old.directions, direction)
		if !known && !isolated {
			continue // these pods were open: a first policy closes
		}
		var allowed []passage
		for _, i := range others {
			if selects(i.selector, now.selector) {
				allowed = append(allowed, i.passages(direction)...)
			}
		}
		if known && (selects(old.selector, now.selector) || !isolated) {
			allowed = append(allowed, old.passages(direction)...)
		}
		for _, passage := range now.passages(direction) {
			if !slices.ContainsFunc(allowed, passage.within) {
				found = append(found, passage.String())
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return []string{shorten(fresh(nil, found))}
}

// passage is one peer and one port that a policy lets through; without a peer everybody, without a port every one.
type passage struct {
	direction networkingv1.PolicyType
	peer      *networkingv1.NetworkPolicyPeer
	port      *networkingv1.NetworkPolicyPort
}

// passages lists what a policy lets through in a direction, in atoms.
func (i *isolation) passages(direction networkingv1.PolicyType) []passage {
	var all []passage
	add := func(peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) {
		for _, peer := range pointers(peers) {
			for _, port := range pointers(ports) {
				all = append(all, passage{direction, peer, port})
			}
		}
	}
	if direction == networkingv1.PolicyTypeIngress {
		for _, r := range i.spec.Ingress {
			add(r.From, r.Ports)
		}
		return all
	}
	for _, r := range i.spec.Egress {
		add(r.To, r.Ports)
	}
	return all
}

// pointers lists pointers to values; one nil if there are none.
func pointers[T any](values []T) []*T {
	if len(values) == 0 {
		return []*T{nil}
	}
	all := make([]*T, len(values))
	for i := range values {
		all[i] = &values[i]
	}
	return all
}

// within tells whether wide lets all of the passage through.
func (p passage) within(wide passage) bool {
	return p.direction == wide.direction && peerWithin(p.peer, wide.peer) && portWithin(p.port, wide.port)
}

// peerWithin compares peers.
func peerWithin(narrow, wide *networkingv1.NetworkPolicyPeer) bool {
	switch {
	case wide == nil:
		return true
	case narrow == nil:
		return false
	case wide.IPBlock != nil || narrow.IPBlock != nil:
		return wide.IPBlock != nil && narrow.IPBlock != nil && blockWithin(*narrow.IPBlock, *wide.IPBlock)
	}
	// Without a selector of namespaces it is the policy's own; without one of pods it is all of them.
	if (wide.NamespaceSelector == nil) != (narrow.NamespaceSelector == nil) {
		return false
	}
	return (wide.NamespaceSelector == nil || selects(requirements(wide.NamespaceSelector), requirements(narrow.NamespaceSelector))) &&
		selects(requirements(wide.PodSelector), requirements(narrow.PodSelector))
}

// blockWithin compares blocks of addresses with their exceptions.
func blockWithin(narrow, wide networkingv1.IPBlock) bool {
	if !cidrCovers(wide.CIDR, narrow.CIDR) {
		return false
	}
	for _, closed := range wide.Except {
		apart := !cidrCovers(closed, narrow.CIDR) && !cidrCovers(narrow.CIDR, closed)
		if !apart && !slices.ContainsFunc(narrow.Except, func(except string) bool { return cidrCovers(except, closed) }) {
			return false
		}
	}
	return true
}

// portWithin compares ports; a named one is only itself.
func portWithin(narrow, wide *networkingv1.NetworkPolicyPort) bool {
	switch {
	case wide == nil:
		return true
	case narrow == nil || protocol(narrow) != protocol(wide):
		return false
	case wide.Port == nil:
		return true
	case narrow.Port == nil:
		return false
	case narrow.Port.Type == intstr.String || wide.Port.Type == intstr.String:
		return *narrow.Port == *wide.Port
	}
	return wide.Port.IntVal <= narrow.Port.IntVal && last(narrow) <= last(wide)
}

func protocol(p *networkingv1.NetworkPolicyPort) corev1.Protocol {
	if p.Protocol == nil {
		return corev1.ProtocolTCP
	}
	return *p.Protocol
}

// last is the last port of a range.
func last(p *networkingv1.NetworkPolicyPort) int32 {
	if p.EndPort != nil {
		return *p.EndPort
	}
	return p.Port.IntVal
}

// String says what passes.
func (p passage) String() string {
	what := "everything"
	switch {
	case p.port == nil:
	case p.port.Port == nil:
		what = "all " + string(protocol(p.port))
	case p.port.EndPort != nil:
		what = fmt.Sprintf("%s %s-%d", protocol(p.port), p.port.Port, *p.port.EndPort)
	default:
		what = fmt.Sprintf("%s %s", protocol(p.port), p.port.Port)
	}
	if p.direction == networkingv1.PolicyTypeIngress {
		return "lets " + what + " through from " + partner(p.peer)
	}
	return "lets " + what + " through to " + partner(p.peer)
}

// partner names a peer.
func partner(p *networkingv1.NetworkPolicyPeer) string {
	switch {
	case p == nil:
		return "anybody"
	case p.IPBlock != nil && len(p.IPBlock.Except) > 0:
		return p.IPBlock.CIDR + " except " + strings.Join(p.IPBlock.Except, ", ")
	case p.IPBlock != nil && strings.HasSuffix(p.IPBlock.CIDR, "/0"):
		return "anywhere (" + p.IPBlock.CIDR + ")"
	case p.IPBlock != nil:
		return p.IPBlock.CIDR
	case p.NamespaceSelector == nil:
		return pods(requirements(p.PodSelector))
	}
	who := "every pod"
	if selector := requirements(p.PodSelector); len(selector) > 0 {
		who = pods(selector)
	}
	if selector := requirements(p.NamespaceSelector); len(selector) > 0 {
		return who + " in namespaces with " + labels.NewSelector().Add(selector...).String()
	}
	return who + " in every namespace"
}

// requirements are the conditions of a selector; none select everything.
func requirements(selector *metav1.LabelSelector) labels.Requirements {
	if selector == nil {
		return nil
	}
	read, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil // the API server refuses it
	}
	all, _ := read.Requirements()
	return all
}

// selects tells whether wide certainly selects all that narrow does: narrow has every condition of it.
func selects(wide, narrow labels.Requirements) bool {
	for _, r := range wide {
		if !slices.ContainsFunc(narrow, func(other labels.Requirement) bool { return other.Equal(r) }) {
			return false
		}
	}
	return true
}

// overlap tells whether something may be selected by both: no condition of one contradicts the other.
func overlap(a, b labels.Requirements) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Key() == y.Key() && oneOf(x) && oneOf(y) && x.Values().Intersection(y.Values()).Len() == 0 {
				return false
			}
		}
	}
	return true
}

// oneOf tells whether a condition asks for one of some values.
func oneOf(r labels.Requirement) bool {
	return r.Operator() == selection.Equals || r.Operator() == selection.DoubleEquals || r.Operator() == selection.In
}
