package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/plan"
	"k8s-plus-aws-gitops/internal/signtest"
)

// A plan prints what is done and why not, and writes the variables of the pipeline in both cases.
func TestPlanReport(t *testing.T) {
	for name, c := range map[string]struct {
		plan plan.Plan
		code int
		says string
		want string
	}{
		"goes on": {
			plan.Plan{Deploy: map[string][]string{"Network": nil, "Cluster": {"cluster"}}, Order: plan.AWSFirst, Review: reviewOf("1f3a9c2", 0)}, 0,
			"Network        is skipped: no difference", "CLUSTER=deploy\nCLUSTER_STACKS='cluster'\nFIRST=aws\nNETWORK=skip\nNETWORK_STACKS=''\nRELEASE=yes\nSERVICES=''\nSNAPSHOTS=''\n",
		},
		"Kubernetes first": {plan.Plan{Order: plan.KubernetesFirst}, 0, "Kubernetes goes first", "FIRST=kubernetes\nRELEASE=yes\nSERVICES=''\nSNAPSHOTS=''\n"},
		"publishes": {
			plan.Plan{Order: plan.AWSFirst, Services: []string{"npm", "orders"}}, 0,
			"Services       publishes npm, orders", "FIRST=aws\nRELEASE=yes\nSERVICES='npm orders'\nSNAPSHOTS=''\n",
		},
		"refused": {
			plan.Plan{Order: plan.AWSFirst, Refusals: []string{"dev/ghost/Database: is replaced"}}, plan.ExitRefused,
			"Refused: dev/ghost/Database: is replaced", "FIRST=aws\nRELEASE=yes\nSERVICES=''\nSNAPSHOTS=''\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := &planFlags{variables: filepath.Join(dir, "plan.env"), markdown: filepath.Join(dir, "plan.md")}
			var out bytes.Buffer
			cmd := newPlan()
			cmd.SetOut(&out)
			err := f.report(cmd, &c.plan)
			var exit cli.ExitError
			if errors.As(err, &exit); (err != nil) != (c.code != 0) || exit.Code != c.code {
				t.Errorf("error %v, want exit code %d", err, c.code)
			}
			if got, err := os.ReadFile(f.variables); err != nil || string(got) != c.want {
				t.Errorf("variables %q, %v; want %q", got, err, c.want)
			}
			if _, err := os.Stat(f.markdown); (err == nil) != (c.plan.Review != nil) || !strings.Contains(out.String(), c.says) {
				t.Errorf("says %q, want %q; markdown: %v", out.String(), c.says, err)
			}
		})
	}
}

// An execution that is run again after a later release does nothing at all, and one of a rewound branch is refused: neither
// synthesizes anything.
func TestPlanOfAnEarlierCommit(t *testing.T) {
	dir, _ := gatedCheckout(t)
	bucketOf(t, "any") // an account, which is not asked
	commitIn(t, dir)
	gitops(t, 0, "release", "dev")
	for name, c := range map[string]struct {
		at, says, variables string
		code                int
	}{
		"earlier": {"HEAD^", "Nothing is done", "FIRST=aws\nNETWORK=skip\nNETWORK_STACKS=''\nRELEASE=no\nSERVICES=''\nSNAPSHOTS=''\n", 0},
		"rewound": {"", "a release only goes forward", "FIRST=aws\nRELEASE=yes\nSERVICES=''\nSNAPSHOTS=''\n", plan.ExitRefused},
	} {
		t.Run(name, func(t *testing.T) {
			gitIn(t, dir, "checkout", "--quiet", "--detach", "main")
			if c.at != "" {
				gitIn(t, dir, "checkout", "--quiet", "--detach", c.at)
			} else {
				gitIn(t, dir, "commit", "--quiet", "--amend", "--allow-empty", "-m", "another")
			}
			variables := filepath.Join(t.TempDir(), "plan.env")
			said := gitops(t, c.code, "plan", "dev", "--stage", "Network=network", "--variables", variables)
			if got, err := os.ReadFile(variables); err != nil || string(got) != c.variables || !strings.Contains(said, c.says) {
				t.Errorf("says %q, want %q; variables %q, %v, want %q", said, c.says, got, err, c.variables)
			}
		})
	}
}

// A commit that nobody signed is refused where keys are listed, before anything is synthesized.
func TestPlanOfAnUnsignedCommit(t *testing.T) {
	dir, _ := gatedCheckout(t)
	bucketOf(t, "any") // an account, which is not asked
	put(t, dir, "keys/alice.asc", signtest.New(t, "alice").Public())
	put(t, dir, "cdk.json", strings.Replace(gated, `"name": "platform"`, `"name": "platform", "verify": ["keys/alice.asc"]`, 1))
	commit := commitIn(t, dir)
	if said := gitops(t, plan.ExitRefused, "plan", "dev", "--stage", "Network=network"); !strings.Contains(said, "Refused: commit "+commit[:12]+" is not signed; ") {
		t.Errorf("says %q", said)
	}
}
