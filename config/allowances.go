package config

import (
	"fmt"
	"strings"
	"time"
)

// leastReason is the least length of a reason: shorter ones explain nothing.
const leastReason = 10

// allowances checks the changes that the review lets pass. An entry that has expired is no problem here: it must not stop
// a deployment on the day after; the review names it.
func (r *report) allowances(path string, e Environment) {
	first := map[string]int{}
	for i, allowance := range e.AllowReplacement {
		at := fmt.Sprintf("%s[%d]", path, i)
		if r.absentParent(at) {
			continue
		}
		if where := at + ".resource"; !r.under(where) {
			r.allowedResource(where, e.Name, allowance.Resource)
			if earlier, twice := first[allowance.Resource]; twice {
				r.add(where, "keep one of them", "%q is also in allowReplacement[%d]", allowance.Resource, earlier)
			} else {
				first[allowance.Resource] = i
			}
		}
		if where := at + ".until"; !r.under(where) {
			if _, err := time.Parse(time.DateOnly, allowance.Until); err != nil {
				r.add(where, "write a day as YYYY-MM-DD, for example \"2026-12-31\"", "%q is no day", allowance.Until)
			}
		}
		if where := at + ".reason"; !r.under(where) && len(strings.TrimSpace(allowance.Reason)) < leastReason {
			r.add(where, "say why the data may go, in a few words", "%q is no reason", allowance.Reason)
		}
	}
}

// allowedResource checks the name of a resource: environment, stack, and a logical id or the rest of a construct path.
func (r *report) allowedResource(path, environment, resource string) {
	parts := strings.Split(resource, "/")
	for _, part := range parts {
		if part == "" || strings.ContainsAny(part, "*? \t\n") {
			r.add(path, "name one resource, without wildcards, as the review does: \""+environment+"/<stack>/<logical id>\"", "%q names no resource", resource)
			return
		}
	}
	switch {
	case len(parts) < 3:
		r.add(path, "name one resource as the review does: \""+environment+"/<stack>/<logical id>\"", "%q names no resource", resource)
	case parts[0] != environment:
		r.add(path, "start with \""+environment+"/\": an entry counts in its own environment only", "%q is of environment %q", resource, parts[0])
	}
}
