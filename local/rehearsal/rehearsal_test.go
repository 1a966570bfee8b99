package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/pipelines"
)

// checkout is a repository with the fixture's configuration: main has one commit, and the branch change one more.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	gitIn(t, dir, "init", "-q", "-b", "main")
	write(t, dir, "cdk.json", string(fixture.Text(t)))
	write(t, dir, "k8s/app.yaml", "replicas: 1\n")
	write(t, dir, ".gitignore", "/bin/\n")
	gitIn(t, dir, "add", ".")
	gitIn(t, dir, "commit", "-qm", "Base")
	gitIn(t, dir, "checkout", "-qb", "change")
	write(t, dir, "k8s/app.yaml", "replicas: 2\n")
	gitIn(t, dir, "commit", "-qam", "Two replicas")
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgSign=false"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func found(t *testing.T, o Options) (*scratch, *change, error) {
	t.Helper()
	s, err := open(t.Context(), filepath.Join(t.TempDir(), "r"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.lease.Close() })
	o.Environment = "local"
	c, err := find(t.Context(), s, o)
	return s, c, err
}

// The change is what a merge would bring: the commits of the branch and what is not committed, not what its base got since.
func TestFind(t *testing.T) {
	repo := checkout(t)
	base := gitIn(t, repo, "rev-parse", "main")
	gitIn(t, repo, "checkout", "-q", "main")
	write(t, repo, "later.txt", "x")
	gitIn(t, repo, "add", ".")
	gitIn(t, repo, "commit", "-qm", "Later")
	gitIn(t, repo, "checkout", "-q", "change")

	s, c, err := found(t, Options{Repo: repo})
	if err != nil {
		t.Fatal(err)
	}
	if c.base != base || c.why != "where HEAD left main" || !slices.Equal(c.Files, []string{"k8s/app.yaml"}) || c.head != gitIn(t, repo, "rev-parse", "HEAD") {
		t.Errorf("got %+v", c)
	}
	app := filepath.Join(s.repo(), "k8s", "app.yaml")
	if text, _ := os.ReadFile(app); string(text) != "replicas: 1\n" {
		t.Errorf("the scratch is not at the base: %q", text)
	}
	if err := s.checkout(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(app); string(text) != "replicas: 2\n" {
		t.Errorf("the scratch has no change: %q", text)
	}

	write(t, repo, "new.txt", "x")
	write(t, repo, "bin/app", "x")
	_, c, err = found(t, Options{Repo: repo, Base: "main"})
	if err != nil || !slices.Equal(c.Files, []string{"k8s/app.yaml", "new.txt"}) || c.head != "" {
		t.Errorf("with the working tree: %+v, %v", c, err)
	}
	if status := gitIn(t, repo, "status", "--short"); status != "?? new.txt" {
		t.Errorf("the checkout was touched: %s", status)
	}
}

func TestFindRefuses(t *testing.T) {
	repo := checkout(t)
	gitIn(t, repo, "checkout", "-q", "--orphan", "foreign")
	gitIn(t, repo, "commit", "-qm", "Foreign")
	for name, c := range map[string]struct{ at, base, says string }{
		"nothing changes":   {"main", "", "nothing differs from"},
		"no such base":      {"change", "nope", `no revision "nope"`},
		"no common history": {"foreign", "main", "no commit in common"},
	} {
		gitIn(t, repo, "checkout", "-qf", c.at)
		if _, _, err := found(t, Options{Repo: repo, Base: c.base}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	gitIn(t, repo, "checkout", "-qf", "change")
	gitIn(t, repo, "branch", "-qD", "main")
	if _, _, err := found(t, Options{Repo: repo}); err == nil || !strings.Contains(err.Error(), "--base") {
		t.Errorf("without the branch: %v", err)
	}
}

// A folder is one rehearsal's: nobody else's files are removed, two rehearsals do not meet, and what one left goes.
func TestScratch(t *testing.T) {
	foreign := t.TempDir()
	write(t, foreign, "mine.txt", "x")
	if _, err := open(t.Context(), foreign, ""); err == nil || !strings.Contains(err.Error(), "holds files") {
		t.Errorf("a foreign folder: %v", err)
	}
	if err := Remove(t.Context(), foreign, "", nil); err == nil || !strings.Contains(err.Error(), "left alone") {
		t.Errorf("removing a foreign folder: %v", err)
	}

	root := filepath.Join(t.TempDir(), "r")
	s, err := open(t.Context(), root, "")
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.repo(), "left.txt", "x")
	if _, err := open(t.Context(), root, ""); err == nil || !strings.Contains(err.Error(), "a rehearsal runs in") {
		t.Errorf("a second rehearsal in the folder: %v", err)
	}
	if err := Remove(t.Context(), root, "", nil); err == nil {
		t.Error("a folder was removed under its rehearsal")
	}
	if err := s.keep(); err != nil {
		t.Fatal(err)
	}
	if s, err = open(t.Context(), root, ""); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(root); len(entries) != 1 {
		t.Errorf("the folder was not emptied: %v", entries)
	}
	if err := s.remove(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
	if err := Remove(t.Context(), root, "", nil); err != nil {
		t.Errorf("removing what is gone: %v", err)
	}
}

// What a killed rehearsal left is removed by the next; what runs, was kept or is about to be locked stays.
func TestSweep(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	folder := func(name string, age time.Duration) string {
		dir := filepath.Join(os.TempDir(), prefix+name)
		write(t, dir, leaseFile, "")
		when := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(dir, leaseFile), when, when); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	killed, kept, runs, begins := folder("killed", time.Hour), folder("kept", time.Hour), folder("runs", time.Hour), folder("begins", 0)
	write(t, kept, keptFile, "")
	lock := flock.New(filepath.Join(runs, leaseFile))
	if ok, err := lock.TryLock(); !ok || err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	sweep(t.Context(), "", nil)
	for dir, stays := range map[string]bool{killed: false, kept: true, runs: true, begins: true} {
		if _, err := os.Stat(dir); (err == nil) != stays {
			t.Errorf("%s: stays %t, want %t", dir, err == nil, stays)
		}
	}
}

func TestStages(t *testing.T) {
	at := func(seconds int) time.Time { return time.Date(2026, 11, 30, 12, 0, seconds, 0, time.UTC) }
	deploy := &pipelines.Execution{
		Pipeline: "local-deploy",
		Stages: []*pipelines.StageState{
			{Name: "Plan", Status: pipelines.Succeeded}, {Name: "Network", Status: pipelines.Skipped}, {Name: "Release", Status: pipelines.Failed, Reason: "an action failed"},
		},
		Actions: []*pipelines.ActionState{
			{Stage: "Plan", Name: "Plan", Status: pipelines.Succeeded, Started: at(0), Ended: at(4)},
			{Stage: "Release", Name: "Release", Status: pipelines.Succeeded, Started: at(5), Ended: at(6)},
			{Stage: "Release", Name: "Verify", Status: pipelines.Failed, Started: at(6), Ended: at(20), Reason: "ghost is not ready"},
		},
	}
	images := &pipelines.Execution{Pipeline: "local-dockerbuild", Stages: []*pipelines.StageState{{Name: "Build", Status: pipelines.InProgress}}}
	got := stages([]*pipelines.Execution{images, deploy})
	want := []rehearsal.Stage{
		{Name: "Plan", Seconds: 4, State: rehearsal.Succeeded},
		{Name: "Network", State: rehearsal.Skipped},
		{Name: "Release", Seconds: 15, State: rehearsal.Failed, Cause: "Verify: ghost is not ready"},
		{Name: "dockerbuild Build"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestCause(t *testing.T) {
	step := &progress.Error{Step: "Pipelines", Err: errors.Join(errors.New("local-deploy: Verify:\n  ghost is not ready"), errors.New("other"))}
	if got, want := cause(errors.Join(step, context.Canceled)), "local-deploy: Verify: ghost is not ready"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := cause(fmt.Errorf("not after %s", time.Minute)); got != "not after 1m0s" {
		t.Errorf("got %q", got)
	}
}

// Only what makes services has them rendered again.
func TestPublishes(t *testing.T) {
	for name, want := range map[string]bool{"k8s/services/npm.yaml": true, "services/app.go": true, "k8s/apps/ghost/service.yaml": false, "docs/guides/services.md": false} {
		if publishes([]string{name}) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}
