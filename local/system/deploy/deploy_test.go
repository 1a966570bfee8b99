package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
	"k8s-plus-aws-gitops/local/system/source"
)

type system struct {
	t    *testing.T
	dir  *layout.Dir
	repo string
	ran  []string
	fail string // fails the command that starts so
	d    Deployer
}

func newSystem(t *testing.T) *system {
	t.Helper()
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	for _, v := range []string{"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"} {
		t.Setenv(v, "t@t")
	}
	tmp, err := os.MkdirTemp("", "gd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	s := &system{t: t, repo: filepath.Join(tmp, "repo")}
	s.git(tmp, "init", "-q", "-b", "main", s.repo)
	s.commit(map[string]string{"main.go": "package main", "package-lock.json": "{}", "k8s/a.yaml": "a: 1"})
	if s.dir, err = layout.Open(filepath.Join(tmp, "s"), s.repo); err != nil {
		t.Fatal(err)
	}
	if err := s.dir.Create(); err != nil {
		t.Fatal(err)
	}
	s.git(tmp, "init", "-q", "--bare", "-b", "main", s.dir.Repository())
	if _, err := source.Seed(t.Context(), s.repo, s.dir.Repository()); err != nil {
		t.Fatal(err)
	}
	s.d = Deployer{Dir: s.dir, Endpoint: "http://127.0.0.1:1",
		run: func(_ context.Context, dir string, out io.Writer, c ...string) error {
			line := filepath.Base(c[0]) + " " + strings.Join(c[1:], " ")
			s.ran = append(s.ran, line)
			if s.fail != "" && strings.HasPrefix(line, s.fail) {
				fmt.Fprintln(out, "local-ghost failed\n\x1b[31mError: it broke\x1b[0m\n\nbye\nmake: *** Error 1")
				return errors.New("exit status 1")
			}
			return nil
		},
		stacks: func(context.Context, aws.Config) ([]observe.Stack, error) {
			return []observe.Stack{{Name: "local-network", Status: "CREATE_COMPLETE"}}, nil
		},
	}
	return s
}

func (s *system) git(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *system) commit(files map[string]string) string {
	s.t.Helper()
	for name, text := range files {
		p := filepath.Join(s.repo, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	s.git(s.repo, "add", ".")
	s.git(s.repo, "commit", "-q", "-m", "change")
	if s.dir != nil {
		s.git(s.repo, "push", "-q", s.dir.Repository(), "HEAD:main")
	}
	return s.git(s.repo, "rev-parse", "HEAD")
}

func TestDeployOnce(t *testing.T) {
	s := newSystem(t)
	head := s.git(s.repo, "rev-parse", "HEAD")
	if ok, err := s.d.Done(t.Context()); err != nil || ok {
		t.Fatalf("before: %v, %v", ok, err)
	}
	r, err := s.d.Deploy(t.Context(), head, io.Discard)
	if err != nil || !r.OK || r.Number != 1 || r.Commit != head {
		t.Fatalf("got %+v, %v", r, err)
	}
	if len(s.ran) != 3 || s.ran[0] != "make --silent --always-make bin/app" || !strings.HasPrefix(s.ran[1], "cdk synth local/* ") || !strings.HasPrefix(s.ran[2], "cdk deploy local/* --app cdk.out ") {
		t.Errorf("ran %q", s.ran)
	}
	if to, err := os.Readlink(s.dir.Path("deployments", "checkout", "node_modules")); err != nil || to != filepath.Join(s.repo, "node_modules") {
		t.Errorf("node_modules: %s, %v", to, err)
	}
	// A later commit is the pipelines' matter; a stack that is not whole is not.
	s.commit(map[string]string{"main.go": "package main // changed"})
	if ok, err := s.d.Done(t.Context()); err != nil || !ok {
		t.Errorf("after: %v, %v", ok, err)
	}
	for _, stacks := range [][]observe.Stack{nil, {{Name: "local-ghost", Status: "UPDATE_ROLLBACK_FAILED"}}} {
		s.d.stacks = func(context.Context, aws.Config) ([]observe.Stack, error) { return stacks, nil }
		if ok, err := s.d.Done(t.Context()); err != nil || ok {
			t.Errorf("%+v: %v, %v", stacks, ok, err)
		}
	}
}

func TestSynthesizedBefore(t *testing.T) {
	s := newSystem(t)
	first := s.git(s.repo, "rev-parse", "HEAD")
	for _, want := range []bool{true, false} {
		if did, err := s.d.Synthesize(t.Context(), first, io.Discard); err != nil || did != want {
			t.Fatalf("synthesized: %v, %v, want %v", did, err, want)
		}
	}
	s.ran = nil
	if _, err := s.d.Deploy(t.Context(), first, io.Discard); err != nil || len(s.ran) != 1 || !strings.HasPrefix(s.ran[0], "cdk deploy ") {
		t.Errorf("ran %q, %v", s.ran, err)
	}
	// What succeeded is not synthesized again: later commits are the pipelines' matter.
	second := s.commit(map[string]string{"main.go": "package main // changed"})
	if did, err := s.d.Synthesize(t.Context(), second, io.Discard); err != nil || did {
		t.Errorf("after a deployment: %v, %v", did, err)
	}
}

func TestAnotherCommitIsSynthesizedAnew(t *testing.T) {
	s := newSystem(t)
	if _, err := s.d.Synthesize(t.Context(), s.git(s.repo, "rev-parse", "HEAD"), io.Discard); err != nil {
		t.Fatal(err)
	}
	s.fail = "cdk synth"
	second := s.commit(map[string]string{"main.go": "package main // changed"})
	if _, err := s.d.Synthesize(t.Context(), second, io.Discard); err == nil || !strings.Contains(err.Error(), "Error: it broke") {
		t.Errorf("got %v", err)
	}
	s.fail, s.ran = "", nil
	if _, err := s.d.Deploy(t.Context(), second, io.Discard); err != nil || len(s.ran) != 3 {
		t.Errorf("after a failure: ran %q, %v", s.ran, err)
	}
}

func TestFailureNamesItsCause(t *testing.T) {
	s := newSystem(t)
	s.fail = "cdk deploy"
	head := s.git(s.repo, "rev-parse", "HEAD")
	r, err := s.d.Deploy(t.Context(), head, io.Discard)
	if err == nil || r.OK || !strings.Contains(r.Error, "Error: it broke") {
		t.Fatalf("got %+v, %v", r, err)
	}
	s.d.stacks = func(context.Context, aws.Config) ([]observe.Stack, error) {
		return []observe.Stack{{Name: "local-ghost", Status: "UPDATE_ROLLBACK_COMPLETE", Cause: "Db (AWS::RDS::DBInstance): no such class", Updated: time.Now().Add(time.Minute)}}, nil
	}
	r, _ = s.d.Deploy(t.Context(), head, io.Discard)
	if want := "exit status 1: stack local-ghost: Db (AWS::RDS::DBInstance): no such class"; r.Error != want {
		t.Errorf("got %q, want %q", r.Error, want)
	}
	last, ok := Last(s.dir)
	if !ok || last.Number != 2 || last.Error != r.Error || last.Ended.IsZero() {
		t.Errorf("last: %+v", last)
	}
	log, err := os.ReadFile(r.Log)
	if err != nil || !strings.Contains(string(log), "it broke") {
		t.Errorf("log %q, %v", log, err)
	}
}

func TestResultsAreForgotten(t *testing.T) {
	s := newSystem(t)
	for range keep + 3 {
		if err := begin(s.dir, &Result{}); err != nil {
			t.Fatal(err)
		}
	}
	all := Results(s.dir)
	if len(all) != keep || all[len(all)-1].Number != keep+3 {
		t.Errorf("%d kept, last %d", len(all), all[len(all)-1].Number)
	}
}

func TestEnvironHidesTheUsersAccount(t *testing.T) {
	t.Setenv("AWS_PROFILE", "production")
	t.Setenv("GITHUB_TOKEN", "of production")
	t.Setenv("KUBECONFIG", "/elsewhere")
	t.Setenv("PATH", "/bin")
	t.Setenv("TMPDIR", "/elsewhere")
	d := &layout.Dir{Root: "/s", Repo: "/repo"}
	env := strings.Join(Environ(d, "http://127.0.0.1:5"), "\n") + "\n"
	for _, want := range []string{"PATH=/repo/node_modules/.bin:/bin\n", "AWS_ENDPOINT_URL=http://127.0.0.1:5\n", "AWS_ACCESS_KEY_ID=test\n", "TMPDIR=/s/tmp\n", "CDK_HOME=/s/cdk\n"} {
		if !strings.Contains(env, want) {
			t.Errorf("lacks %q", want)
		}
	}
	if strings.Contains(env, "production") || strings.Contains(env, "elsewhere") {
		t.Error("the user's account leaks")
	}
}

func TestTail(t *testing.T) {
	for said, want := range map[string]string{
		"building\nERROR DBInstanceClass: 'x' is not valid\n   local/ghost/Database\nSynthesis finished with errors\n": "ERROR DBInstanceClass: 'x' is not valid",
		"# app\n./main.go:3:5: undefined: x\n./main.go:9:5: undefined: y\n":                                            "./main.go:3:5: undefined: x",
		"--- FAIL: TestA (0.00s)\n    a_test.go:5: it is wrong\nFAIL\nmake: *** [Makefile:60: test] Error 1\n":         "a_test.go:5: it is wrong",
		"FAIL  go.mod is tidy\nok    manifests\nmake: *** [Makefile:56: check] Error 1\n":                              "FAIL  go.mod is tidy",
		"one\nit cannot be\ndone\n": "it cannot be",
		"one\ntwo\n\n":              "two",
		"":                          "",
	} {
		var tl Tail
		fmt.Fprint(&tl, said)
		if got := telling(tl.Text()); got != want {
			t.Errorf("%q: got %q", said, got)
		}
	}
}
