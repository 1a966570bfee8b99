package report

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
	"k8s-plus-aws-gitops/local/system/supervise"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

func healthy() *Status {
	process := func(name string, pid int) Process {
		return Process{Record: supervise.Record{Name: name, PID: pid, Running: true, Ready: true, Since: now.Add(-3 * time.Minute)}, State: "ready"}
	}
	item := func(ns, name, revision string) observe.Item {
		return observe.Item{Namespace: ns, Name: name, Ready: "True", Revision: revision}
	}
	const rev = "main@sha1:0123456789abcdef0123456789abcdef01234567"
	return &Status{
		Processes:      []Process{process("supervisor", 1), process("controlplane", 4711)},
		Programs:       []programs.Binary{{Name: "controlplane"}, {Name: "flux-operator", Image: &programs.Origin{}}, {Name: "external-dns"}},
		Stacks:         []Stack{{Name: "local-network", Status: "CREATE_COMPLETE"}, {Name: "local-ghost", Status: "UPDATE_COMPLETE"}},
		Sources:        []observe.Item{item("flux-system", "flux-system", rev)},
		Kustomizations: []observe.Item{item("flux-system", "apps", rev)},
		HelmReleases:   []observe.Item{item("kube-system", "aws-load-balancer-controller", "3.2.2")},
		Apps:           []observe.App{{Namespace: "ghost", Name: "ghost", Ready: 2, Wanted: 2, Updated: 2, Total: 2}},
		Services:       []observe.Item{item("services", "npm", "local/npm@sha1:0123456789abcdef0123456789abcdef01234567")},
		Deployment:     &deploy.Result{Number: 3, Commit: "0123456789abcdef", Subject: "Make the database larger than it was", OK: true, Started: now.Add(-2 * time.Minute), Ended: now.Add(-time.Minute)},
		Pipelines: []*pipelines.Execution{
			{ID: "5e0c6f1a-", Pipeline: "local-dockerbuild", Status: pipelines.Succeeded, Commit: "0123456789abcdef", Stage: "Deploy", Ended: now.Add(-90 * time.Second)},
			{ID: "7b1d0c2e-", Pipeline: "local-deploy", Status: pipelines.Superseded, Commit: "0123456789abcdef", Stage: "Source", Ended: now.Add(-2 * time.Hour)},
		},
		URLs:     []URL{{Name: "Ghost", URL: "https://ghost.localhost:8443/", Answer: "200"}, {Name: "AWS API", URL: "http://127.0.0.1:20000"}},
		Recorded: []string{"AWS::EC2::FlowLog", "AWS::EKS::Addon", "AWS::IAM::ManagedPolicy", "AWS::Logs::LogGroup"},
	}
}

func broken() *Status {
	s := healthy()
	s.Processes[1] = Process{Record: supervise.Record{Name: "controlplane", Restarts: 4, LastExit: "signal: killed"}, State: "stopped"}
	s.Stacks[1] = Stack{Name: "local-ghost", Status: "UPDATE_ROLLBACK_COMPLETE", Cause: "Database (AWS::RDS::DBInstance): DB instance class db.x9.huge is not offered with MySQL 8.4 in this region"}
	s.Deployment.OK, s.Deployment.Error, s.Deployment.Log = false, "stack local-ghost: Database (AWS::RDS::DBInstance): not offered", "/s/deployments/000003.log"
	s.Pipelines[0].Status, s.Pipelines[0].Reason = pipelines.Failed, "Deploy: phase build: exit status 1: stack local-ghost: Database (AWS::RDS::DBInstance): not offered"
	s.Pipelines[0].Actions = []*pipelines.ActionState{{Status: pipelines.Failed, Log: "/s/pipelines/executions/local-dockerbuild/5e0c6f1a/Deploy-Deploy.log"}}
	s.Pipelines[1] = &pipelines.Execution{ID: "7b1d0c2e-", Pipeline: "local-deploy", Status: pipelines.InProgress, Commit: "0123456789abcdef", Stage: "Approve", Actions: []*pipelines.ActionState{{Status: pipelines.Waiting}}}
	s.Kustomizations = []observe.Item{
		{Namespace: "flux-system", Name: "apps", Ready: "False", Reason: "HealthCheckFailed", Message: "health check failed after 1m30s: timeout waiting for: [Deployment/ghost/ghost status: 'Failed']"},
		{Namespace: "flux-system", Name: "services", Ready: "False", Reason: "DependencyNotReady", Message: "waits"},
		{Namespace: "flux-system", Name: "platform-configs", Ready: "Unknown", Reason: "Progressing"},
	}
	s.Apps[0] = observe.App{Namespace: "ghost", Name: "ghost", Ready: 2, Wanted: 2, Updated: 1, Total: 3, Broken: true, Cause: `ImagePullBackOff: Back-off pulling image "docker.io/library/ghost:9.9.9"`}
	s.Services = []observe.Item{
		{Namespace: "services", Name: "github", Ready: "False", Reason: "ArtifactFailed", Message: "Source artifact not found, retrying in 2s"},
		{Namespace: "services", Name: "info", Ready: "False", Reason: "ReconciliationFailed", Message: "ConfigMap/npm/x dry-run failed (Forbidden)"},
	}
	for n := range listed {
		s.Services = append(s.Services, observe.Item{Namespace: "services", Name: fmt.Sprintf("s%d", n), Ready: "True"})
	}
	s.URLs[0].Answer = "503"
	s.Unknown = []string{"stacks: context deadline exceeded"}
	return s
}

func TestGolden(t *testing.T) {
	for name, s := range map[string]*Status{"healthy": healthy(), "broken": broken()} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			s.Write(&b, now)
			for line := range strings.Lines(b.String()) {
				if n := len([]rune(strings.TrimRight(line, "\n"))); n > width {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			file := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("run the test with -update and review:\n%s", diff)
			}
		})
	}
}

func TestWaiting(t *testing.T) {
	if w := healthy().Waiting(); len(w) != 0 {
		t.Errorf("healthy waits for %q", w)
	}
	if p := healthy().Problems(); len(p) != 0 {
		t.Errorf("healthy has problems %q", p)
	}
	if got, want := strings.Join(broken().Waiting(), " "), "pipeline local-deploy flux-system/services flux-system/platform-configs"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCollectWithoutSystem(t *testing.T) {
	d := &layout.Dir{Root: t.TempDir(), Repo: "../../.."}
	if _, err := Collect(context.Background(), d, time.Second); err == nil || !strings.Contains(err.Error(), "gitops local up") {
		t.Errorf("got %v", err)
	}
	if err := d.Create(); err != nil {
		t.Fatal(err)
	}
	s, err := Collect(context.Background(), d, time.Second)
	if err != nil || len(s.Unknown) != 0 {
		t.Errorf("a stopped system: %+v, %v", s, err)
	}
	d.Repo = t.TempDir() // without a declaration the rest is still told
	if s, err = Collect(context.Background(), d, time.Second); err != nil || len(s.Unknown) != 1 || !strings.Contains(s.Unknown[0], "platform.yaml") {
		t.Errorf("without a declaration: %+v, %v", s, err)
	}
}
