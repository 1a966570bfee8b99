package cost

import (
	"fmt"
	"slices"

	"k8s-plus-aws-gitops/internal/manifests"
)

// group names the load balancer that Ingresses share.
const group = "alb.ingress.kubernetes.io/group.name"

// Group begins the name of a load balancer that Ingresses share.
const Group = "Ingress group "

// LoadBalancers lists the load balancers that the AWS Load Balancer Controller makes for an environment's Ingresses: one
// for each group, and one for each Ingress without a group.
func LoadBalancers(rendered manifests.Rendered) []string {
	var names []string
	for _, k := range rendered.Kustomizations {
		for _, o := range k.Objects {
			if o.Kind != "Ingress" {
				continue
			}
			name := fmt.Sprintf("Ingress %s/%s", o.Namespace, o.Name)
			metadata, _ := o.Values["metadata"].(map[string]any)
			annotations, _ := metadata["annotations"].(map[string]any)
			if shared, ok := annotations[group].(string); ok && shared != "" {
				name = Group + shared
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}
