//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/pipelines"
)

// statuses proves that the commits of the last deployment that failed and of the last one that succeeded have their status:
// the rule of the deployed stack started the builds that say so.
func (s *system) statuses(ctx context.Context) (string, error) {
	var said []string
	for _, want := range []struct {
		status pipelines.Status
		text   string // after the commit
	}{
		{pipelines.Failed, "failure at %.12s: Test: "},
		{pipelines.Succeeded, "success at %.12s: "},
	} {
		if err := until(ctx, 15*time.Minute, "the status of a deployment that is "+string(want.status), func() error {
			all, err := s.allExecutions(ctx)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(all, func(e pipelines.Shown) bool { return e.Pipeline == "local-deploy" && e.Status == want.status })
			if i < 0 {
				return fmt.Errorf("no deployment is %s: %s", want.status, shown(all))
			}
			line := "gitops/local is " + fmt.Sprintf(want.text, all[i].Commit)
			for _, t := range all[i].Told {
				if t.Project == "local-report" && t.Status == pipelines.Succeeded && strings.HasPrefix(t.Said, line) {
					said = append(said, t.Said)
					return nil
				}
			}
			return fmt.Errorf("nothing says %q: %+v", line, all[i].Told)
		}); err != nil {
			return "", err
		}
	}
	return strings.Join(said, "; "), nil
}
