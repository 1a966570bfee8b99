package flux

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// PodFailure returns why a pod's image cannot be pulled, if that was said since a time and nothing better after it. Flux finds out
// when the time for the rollout is over. It is read from events, which whoever may not read pods may read. since is asked for the
// time by namespace; zero leaves the namespace out.
func (c *Cluster) PodFailure(ctx context.Context, since func(namespace string) time.Time) error {
	warnings, err := c.warnings(ctx)
	if err != nil {
		return nil // an API server that does not answer is no verdict
	}
	var vague error
	for _, e := range slices.Backward(warnings) {
		o := e.InvolvedObject
		if o.Kind != "Pod" || o.Namespace == ServicesNamespace || !after(EventTime(e), since(o.Namespace)) || !ofImage(e.Message) || !c.stillPulls(ctx, o) {
			continue
		}
		failure := fmt.Errorf("pod %s/%s: %s: %s", o.Namespace, o.Name, e.Reason, e.Message)
		// A kubelet says in the same second that it failed, with the image and why, and "Error: ErrImagePull".
		if !strings.HasPrefix(e.Message, "Error: ") {
			return failure
		}
		vague = failure
	}
	return vague
}

// after reports whether something was said since a time that is known.
func after(said, since time.Time) bool { return !since.IsZero() && said.After(since) }

// ofImage reports whether a kubelet speaks of an image that it does not get.
func ofImage(message string) bool {
	return slices.ContainsFunc([]string{"ImagePull", "pull image", "InvalidImageName"}, func(words string) bool { return strings.Contains(message, words) })
}

// stillPulls reports whether the last that was said of a pod is about pulling: a pull that worked in the end is followed by the
// start of a container.
func (c *Cluster) stillPulls(ctx context.Context, pod corev1.ObjectReference) bool {
	said, err := c.events(ctx, "involvedObject.kind=Pod,involvedObject.namespace="+pod.Namespace+",involvedObject.name="+pod.Name)
	if err != nil || len(said) == 0 {
		return false
	}
	return slices.Contains([]string{"Pulling", "Failed", "BackOff", "InspectFailed"}, said[len(said)-1].Reason)
}
