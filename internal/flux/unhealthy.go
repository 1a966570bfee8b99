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

// podOf is what follows the name of a workload in the names of its pods, by kind.
var podOf = map[string]*regexp.Regexp{
	"Deployment":  regexp.MustCompile(`^-[a-z0-9]{1,10}-[a-z0-9]{5}$`), // the hash of the template comes first
	"StatefulSet": regexp.MustCompile(`^-[0-9]+$`),
	"DaemonSet":   regexp.MustCompile(`^-[a-z0-9]{5}$`),
	"Job":         regexp.MustCompile(`^-[a-z0-9]{5}$`),
}

// explainUnhealthy adds the cause to the failures of Kustomizations that wait for the health of an Ingress or of a workload. Flux knows
// that it is not healthy; why is said in events alone: by the load balancer controller of the Ingress, by a kubelet of a pod.
func (c *Cluster) explainUnhealthy(ctx context.Context, all []Item) error {
	for n := range all {
		found := unhealthy.FindStringSubmatch(all[n].Message)
		if found == nil || !all[n].Failed() {
			continue
		}
		said, err := c.lastWarning(ctx, found[1], found[2], found[3])
		if err != nil {
			return err
		}
		all[n].Message += said
	}
	return nil
}

// lastWarning is what was said last of an Ingress, or of the pods of a workload.
func (c *Cluster) lastWarning(ctx context.Context, kind, namespace, name string) (string, error) {
	all, err := c.events(ctx, "involvedObject.namespace="+namespace)
	if err != nil {
		return "", err
	}
	all = slices.DeleteFunc(all, func(e corev1.Event) bool { return e.InvolvedObject.Namespace != namespace })
	newest := ""
	if kind == "Deployment" {
		newest = newestReplicaSet(all, name)
	}
	for _, e := range slices.Backward(all) {
		o := e.InvolvedObject
		if e.Type == corev1.EventTypeWarning && about(o, kind, name) && (o.Kind != "Pod" || strings.HasPrefix(o.Name, newest)) {
			return "; " + o.Kind + " " + namespace + "/" + o.Name + ": " + e.Reason + ": " + strings.TrimSpace(e.Message), nil
		}
	}
	return "", nil
}

// about reports whether an event's object is the one that Flux waited for, or a pod of it.
func about(o corev1.ObjectReference, kind, name string) bool {
	if o.Kind == kind && o.Name == name {
		return true
	}
	suffix, ofName := strings.CutPrefix(o.Name, name)
	pods := podOf[kind]
	return o.Kind == "Pod" && ofName && pods != nil && pods.MatchString(suffix)
}

// scaledUp is what the controller of Deployments says of one: https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/deployment/sync.go
var scaledUp = regexp.MustCompile(`^Scaled up replica set (\S+) `)

// newestReplicaSet is the one that a Deployment rolled out last: pods of those before it have failed for other reasons. Empty: that is
// longer ago than events are kept.
func newestReplicaSet(all []corev1.Event, deployment string) string {
	for _, e := range slices.Backward(all) {
		if o := e.InvolvedObject; o.Kind == "Deployment" && o.Name == deployment {
			if found := scaledUp.FindStringSubmatch(e.Message); found != nil {
				return found[1] + "-"
			}
		}
	}
	return ""
}
