package pipelines

import (
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/deployment"
	"k8s-plus-aws-gitops/internal/forge"
)

// What `gitops report` makes of the runner's executions, by CodePipeline's API: the status of a commit while its deployment
// waits and at each of its ends, whichever execution an event is about.
func TestStatuses(t *testing.T) {
	w := newWorld(t)
	deploy, verify := w.project("deploy", spec("true")), w.project("verify", spec("true"))
	deploy.Name, verify.Name = config.DeployAction, config.VerifyAction
	network := entry(stage("Network", deploy), resultSkip, rule("#{Source.CommitMessage}", "CONTAINS", "network"))
	w.define("p", "SUPERSEDED", "", stage("Test", w.project("test", spec(`test ! -e p/red`))), stage("Approve", approval("Approve")), network, stage("Release", verify))
	w.start()
	from := deployment.Source{API: w.api(), Pipeline: "p"}
	want := func(e *Execution, state forge.State, text string) {
		t.Helper()
		found, err := from.Find(t.Context(), e.ID)
		if err != nil || found.Commit != e.Commit {
			t.Fatalf("%+v, %v", found, err)
		}
		got, said, err := from.Status(t.Context(), found)
		if err != nil || got != state || !strings.HasPrefix(said, text) {
			t.Errorf("%s %q, %v; want %s %q", got, said, err, state, text)
		}
	}
	decide := func(approved bool) {
		t.Helper()
		if _, _, err := Decide(w.root, "p", Decision{Approved: approved, By: "me", Summary: "not today"}); err != nil {
			t.Fatal(err)
		}
	}

	red := w.push(map[string]string{"p/red": ""})
	want(w.wait("p", red, Failed), forge.Failure, "Test: phase build: error while executing command: test ! -e p/red: exit status 1")
	w.git(w.repo, "rm", "-q", "p/red")
	rejected := w.push(map[string]string{"p/1": ""})
	e := w.wait("p", rejected, Waiting)
	want(e, forge.Pending, "Approve: waits for an approval")
	superseded, both := w.push(map[string]string{"p/2": ""}), w.push(map[string]string{"p/network": ""})
	want(w.wait("p", superseded, Superseded), forge.Errored, "A later commit took its place")
	decide(false)
	want(w.wait("p", rejected, Failed), forge.Failure, "Approve: rejected by me: not today")
	w.wait("p", both, Waiting)
	decide(true)
	want(w.wait("p", both, Succeeded), forge.Success, "AWS: Network; Kubernetes: verified")
	manifests := w.push(map[string]string{"p/3": ""})
	w.wait("p", manifests, Waiting)
	decide(true)
	first := w.wait("p", manifests, Succeeded)
	want(first, forge.Success, "AWS: no difference; Kubernetes: verified")
	// The commit runs again: an event about its first execution tells of the second.
	w.event(Event{Start: "p"})
	w.wait("p", manifests, Waiting)
	want(first, forge.Pending, "Approve: waits for an approval")
}
