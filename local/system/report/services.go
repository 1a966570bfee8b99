package report

import (
	"fmt"

	"k8s-plus-aws-gitops/local/system/observe"
)

// listed is the size up to which every service has a row; of a larger fleet only those that are not ready have.
const listed = 12

// unpublished reports whether a service's Kustomization has nothing to apply: its branch is not there yet, or cannot be
// read, which `gitops service status` tells apart.
func unpublished(i observe.Item) bool { return i.Reason == "ArtifactFailed" }

// services are the rows of the services, and their number if they are many.
func services(all []observe.Item) []row {
	var out []row
	ready := 0
	for _, i := range all {
		if i.Ready == "True" && !i.Suspended {
			if ready++; len(all) > listed {
				continue
			}
		}
		r := items("service", []observe.Item{i})[0]
		r.name = i.Name
		if unpublished(i) {
			r.state, r.detail = "waiting", "not published"
		}
		out = append(out, r)
	}
	if len(all) > listed {
		state := "ready"
		if ready < len(all) {
			state = "working"
		}
		out = append(out, row{"services", fmt.Sprintf("%d of %d", ready, len(all)), state, "gitops service status"})
	}
	return out
}
