package flux

import (
	"context"
	"regexp"
	"slices"
)

// unhealthyIngress finds an Ingress in what Flux says of a health check: "timeout waiting for: [Ingress/ghost/ghost status: 'InProgress']".
var unhealthyIngress = regexp.MustCompile(`Ingress/([^/ ]+)/([^/ ]+) status:`)

// explainIngresses adds why an Ingress has no address to the failures of Kustomizations that wait for one: Flux knows that it has
// none, and the load balancer controller says why in its events alone.
func (c *Cluster) explainIngresses(ctx context.Context, all []Item) error {
	waits := func(i Item) bool { return i.Failed() && unhealthyIngress.MatchString(i.Message) }
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
		found := unhealthyIngress.FindStringSubmatch(all[n].Message)
		for _, e := range slices.Backward(warnings) {
			if o := e.InvolvedObject; o.Kind == "Ingress" && o.Namespace == found[1] && o.Name == found[2] {
				all[n].Message += "; Ingress " + o.Namespace + "/" + o.Name + ": " + e.Reason + ": " + e.Message
				break
			}
		}
	}
	return nil
}
