package risk

import (
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/config"
)

func TestApply(t *testing.T) {
	// Just before midnight in UTC, when it is the next day further east.
	now := time.Date(2026, 11, 21, 0, 30, 0, 0, time.FixedZone("east", 3600))
	allow := func(resource, until string) config.Allowance {
		return config.Allowance{Resource: resource, Until: until, Reason: "it is meant"}
	}
	for name, c := range map[string]struct {
		allowances []config.Allowance
		want       Verdict
		notes      int
	}{
		"no entry":                {nil, Forbidden, 0},
		"by logical id":           {[]config.Allowance{allow("dev/ghost/Database1", "2026-12-01")}, Allowed, 0},
		"by the stack's name":     {[]config.Allowance{allow("dev/dev-ghost/Database1", "2026-12-01")}, Allowed, 0},
		"by path":                 {[]config.Allowance{allow("dev/ghost/Database", "2026-12-01")}, Allowed, 0},
		"by path to the end":      {[]config.Allowance{allow("dev/ghost/Database/Resource", "2026-12-01")}, Allowed, 0},
		"on the last day":         {[]config.Allowance{allow("dev/ghost/Database1", "2026-11-20")}, Allowed, 0},
		"on the day after":        {[]config.Allowance{allow("dev/ghost/Database1", "2026-11-19")}, Forbidden, 1},
		"expired and renewed":     {[]config.Allowance{allow("dev/ghost/Database1", "2026-11-19"), allow("dev/ghost/Database", "2026-12-01")}, Allowed, 1},
		"another resource":        {[]config.Allowance{allow("dev/ghost/Database2", "2026-12-01")}, Forbidden, 1},
		"another stack":           {[]config.Allowance{allow("dev/cluster/Database1", "2026-12-01")}, Forbidden, 1},
		"another environment":     {[]config.Allowance{allow("production/ghost/Database1", "2026-12-01")}, Forbidden, 1},
		"the beginning of a name": {[]config.Allowance{allow("dev/ghost/Database1/x", "2026-12-01")}, Forbidden, 1},
	} {
		t.Run(name, func(t *testing.T) {
			found := []Finding{
				{Kind: IAM, Resource: "dev/ghost/Role"},
				{Kind: Replacement, Resource: "dev/ghost/Database1", Path: "dev/ghost/Database", Guarded: true},
			}
			notes := Apply("dev", found, c.allowances, now)
			if found[0].Verdict != c.want || found[1].Verdict != "" || len(notes) != c.notes {
				t.Errorf("got %+v, %v", found, notes)
			}
			for _, note := range notes {
				if !strings.HasPrefix(note, "context.gitops.environments.dev.allowReplacement[") || !strings.Contains(note, "; remove it") && !strings.Contains(note, "or give a later day") {
					t.Error(note)
				}
			}
		})
	}
}
