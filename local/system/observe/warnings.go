package observe

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/internal/flux"
)

// telling are the kinds whose controllers say in events only what is wrong
// between the cluster and AWS.
var telling = []string{"Ingress", "TargetGroupBinding", "ExternalSecret", "ClusterSecretStore", "Receiver"}

// Warnings returns what the controllers warned of since the given time about
// objects that lead traffic and secrets into the cluster: one line for each
// object, its newest.
func (c *Cluster) Warnings(ctx context.Context, since time.Time) ([]string, error) {
	events, err := c.Kube.CoreV1().Events("").List(ctx, metav1.ListOptions{FieldSelector: "type=" + corev1.EventTypeWarning})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(events.Items, func(a, b corev1.Event) int { return flux.EventTime(b).Compare(flux.EventTime(a)) })
	seen := map[string]bool{}
	var out []string
	for _, e := range events.Items {
		o := e.InvolvedObject
		object := o.Kind + " " + o.Namespace + "/" + o.Name
		if seen[object] || flux.EventTime(e).Before(since) || !slices.Contains(telling, o.Kind) {
			continue
		}
		seen[object] = true
		out = append(out, fmt.Sprintf("%s: %s: %s", object, e.Reason, e.Message))
	}
	return out, nil
}
