//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"k8s-plus-aws-gitops/local/system/layout"
)

// TestSteps runs the steps whose names TEST_STEPS matches, on a running system.
func TestSteps(t *testing.T) {
	s := running(t)
	s.scenario()
	// The scenario leaves these out: they take minutes, and the tests of their packages have most of it.
	s.step("3 without the webhook a release does not wake Flux", s.withoutWebhook)
	s.step("5 a tag that is no version fails", s.badTag)
	s.step("4 with delivery.rollback an image that does not exist heals alone", s.rollsBack)
	s.step("5 a commit that nobody signed is refused where keys are listed", s.signed)
	s.step("5 a service has a database, a bucket and a queue by one commit", s.needs)
	s.step("5 two services share an instance, and nothing of their databases", s.shares)
	s.step("5 a service in a repository of its own is published by a tag", s.ownRepository)
	s.step("5 a service that asks for another's is refused before anything is made", s.reachesForAnothers)
	s.step("5 twenty services with resources by one commit", s.twenty)
	s.step("5 an application of a Go file is deployed as it is written", s.scaffolded)
	s.step("5 the database's password changes, no request fails", s.rotates)
	s.step("5 a freeze holds both halves until somebody lets them through", s.freeze)
	s.step("5 gitops why leads from both halves to their commit", s.why)
	s.step("5 a kubectl edit is reported, and put back", s.edited)
	s.step("5 a webhook hears of Flux's errors", s.alerted)
	s.step("5 the topic of the pipelines hears of Flux's errors", s.published)
	s.step("5 a schema goes forward, back over expand, and not over contract", s.migrates)
	s.step("5 a backup is restored beside the database, counted and removed", s.restores)
	s.step("5 a second system begins with a snapshot of the first", s.snapshots)
	s.step("5 without the gate Flux follows the branch itself", s.ungated)
}

// running is a system that is up already, for some steps by themselves: TEST_CHECKOUT is its checkout, a clone that may be
// changed, TEST_STATE its state directory, and TEST_STEPS an expression for the names of the steps.
func running(t *testing.T) *system {
	t.Helper()
	checkout, state := os.Getenv("TEST_CHECKOUT"), os.Getenv("TEST_STATE")
	steps := os.Getenv("TEST_STEPS")
	if checkout == "" || state == "" || steps == "" {
		t.Skip("TEST_CHECKOUT, TEST_STATE and TEST_STEPS are not set; TestScenario has these steps")
	}
	only, err := regexp.Compile(steps)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, root: root, ctx: interruptible(t), only: only, repo: checkout, dir: &layout.Dir{Root: state, Repo: checkout}}
	if err := os.MkdirAll(s.temp(), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}
