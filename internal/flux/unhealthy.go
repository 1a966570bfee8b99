package flux

import (
	"context"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// unhealthy finds what Flux waited for in vain in what it says of a health check:
// "timeout waiting for: [Ingress/ghost/ghost status: 'InProgress']".
var unhealthy = regexp.MustCompile(`(Ingress|Deployment|StatefulSet|DaemonSet|Job)/([^/ ]+)/([^/ ]+) status:`)

// explainUnhealthy adds the cause to the failures of Kustomizations that wait for the health of an Ingress or of a workload. Flux knows
// that it is not healthy; why is said in events alone: by the load balancer controller of the Ingress, by a kubelet of a pod.
func (c *Cluster) explainUnhealthy(ctx context.Context, all []Item) error {
	waits := func(i Item) bool { return i.Failed() && unhealthy.MatchString(i.Message) }
	if !slices.ContainsFunc(all, waits) {
		return nil
	}
	warnings, err := c.warnings(ctx)
	if err != nil {
		return err
	}
	for n := range all {
		if !waits(all[n]) {
			continue
		}
		found := unhealthy.FindStringSubmatch(all[n].Message)
		for _, e := range slices.Backward(warnings) {
			if about(e.InvolvedObject, found[1], found[2], found[3]) {
				o := e.InvolvedObject
				all[n].Message += "; " + o.Kind + " " + o.Namespace + "/" + o.Name + ": " + e.Reason + ": " + strings.TrimSpace(e.Message)
				break
			}
		}
	}
	return nil
}

// podOf is what follows the name of a workload in the names of its pods, by kind.
var podOf = map[string]*regexp.Regexp{
	"Deployment":  regexp.MustCompile(`^-[a-z0-9]{1,10}-[a-z0-9]{5}$`), // the hash of the template comes first
	"StatefulSet": regexp.MustCompile(`^-[0-9]+$`),
	"DaemonSet":   regexp.MustCompile(`^-[a-z0-9]{5}$`),
	"Job":         regexp.MustCompile(`^-[a-z0-9]{5}$`),
}

// about reports whether an event's object is the one that Flux waited for, or a pod of it.
func about(o corev1.ObjectReference, kind, namespace, name string) bool {
	if o.Namespace != namespace {
		return false
	}
	if o.Kind == kind && o.Name == name {
		return true
	}
	suffix, ofName := strings.CutPrefix(o.Name, name)
	pods := podOf[kind]
	return o.Kind == "Pod" && ofName && pods != nil && pods.MatchString(suffix)
}
