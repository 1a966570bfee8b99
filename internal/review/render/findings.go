package render

import (
	"strings"

	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/risk"
)

// finding is a finding, with the other environments in which it is the same.
type finding struct {
	risk.Finding
	others []string
}

// elsewhere names the other environments; empty if there are none.
func (f finding) elsewhere() string {
	if len(f.others) == 0 {
		return ""
	}
	return ", also in " + strings.Join(f.others, ", ")
}

// findings lists those of all environments, worst first. One that is the same in several is listed once, unless it needs an
// entry in allowReplacement: each environment has its own.
func findings(r *review.Review) []finding {
	var flat []risk.Finding
	for _, e := range r.Environments {
		flat = append(flat, e.Findings...)
	}
	risk.Sort(flat)
	var all []finding
	seen := map[risk.Finding]int{}
	for _, f := range flat {
		environment, rest, _ := strings.Cut(f.Resource, "/")
		key := f
		key.Resource, key.Path = rest, ""
		if i, known := seen[key]; known && !f.Guarded {
			all[i].others = append(all[i].others, environment)
			continue
		}
		seen[key] = len(all)
		all = append(all, finding{Finding: f})
	}
	return all
}
