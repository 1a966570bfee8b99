package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Allowance lets one change pass that `gitops review` otherwise forbids: the replacement or removal of a resource that holds data.
type Allowance struct {
	// The resource as the review names it: `<environment>/<stack>/<logical id>`, its construct path `<environment>/<stack>/<construct>/…`, or
	// a Kubernetes object `<environment>/<Kind>/<namespace>/<name>`, without the namespace if it has none. Required.
	Resource string `json:"resource" required:"copy the resource from the review, for example \"dev/ghost/GhostMySQLDatabaseE30388B3\"" example:"\"dev/ghost/GhostMySQLDatabaseE30388B3\""`
	// Last day on which it counts, as `YYYY-MM-DD` in UTC. The review names an entry that has expired; nothing else fails. Required.
	Until string `json:"until" required:"give the last day on which it counts, for example \"2026-12-31\"" example:"\"2026-12-31\""`
	// Why the data may go, for whoever reads the change. Required.
	Reason string `json:"reason" required:"say why the data may go, for example \"restored from the snapshot of 1 December\"" example:"\"restored from the snapshot of 1 December\""`
}

// leastReason is the least length of a reason: shorter ones explain nothing.
const leastReason = 10

// checkAllowances checks the changes that the review lets pass. An entry that has expired is not a problem here: it must not stop
// a deployment on the day after; the review names it.
func checkAllowances(f field, e Environment) {
	first := map[string]int{}
	for i, allowance := range e.AllowReplacement {
		at := f.index(i)
		resource := at.key("resource")
		checkAllowedResource(resource, e.Name, allowance.Resource)
		if earlier, twice := first[allowance.Resource]; twice {
			resource.add("keep one of them", "must be there once, got %q, which is also in allowReplacement[%d]", allowance.Resource, earlier)
		} else if !resource.reported() {
			first[allowance.Resource] = i
		}
		if _, err := time.Parse(time.DateOnly, allowance.Until); err != nil {
			at.key("until").add("write it as YYYY-MM-DD, for example \"2026-12-31\"", "must be a day, got %q", allowance.Until)
		}
		if len(strings.TrimSpace(allowance.Reason)) < leastReason {
			at.key("reason").add("say why the data may go, in a few words", "must be a reason of %d characters or more, got %q", leastReason, allowance.Reason)
		}
	}
}

// checkAllowedResource checks the name of a resource: environment, stack, and a logical id or the rest of a construct path; or
// environment, kind, namespace and name.
func checkAllowedResource(f field, environment, resource string) {
	parts := strings.Split(resource, "/")
	form := fmt.Sprintf("\"%[1]s/<stack>/<logical id>\" or \"%[1]s/<Kind>/<namespace>/<name>\"", environment)
	wild := slices.ContainsFunc(parts, func(part string) bool { return part == "" || strings.ContainsAny(part, "*? \t\n") })
	switch {
	case wild || len(parts) < 3:
		f.add("name it as the review does, without wildcards: "+form, "must name one resource, got %q", resource)
	case parts[0] != environment:
		f.add("start with \""+environment+"/\": an entry counts in its own environment only", "must be a resource of %s, got %q", environment, resource)
	}
}
