//go:build e2e

package rehearsals

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/rehearsal"
)

// line is what a rehearsal said of a pull request.
type line struct {
	Name string `json:"name"`
	// Commit of this repository.
	Commit  string  `json:"commit"`
	Code    int     `json:"code"`
	Seconds float64 `json:"seconds"`
	Said    string  `json:"said"`
	// Merged and Reverted are seconds until both halves were there.
	Merged   float64 `json:"merged"`
	Reverted float64 `json:"reverted"`
}

// Each pull request begins with the same snapshot of the base, which the first makes. The others run side by side, as many as
// -parallel says. out/rehearsals.json has what was said last of each,
// out/rehearsals the whole results.
func TestRehearsals(t *testing.T) {
	all := append(slices.Clone(good), bad...)
	s := prepare(t)
	first := true
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			if !first {
				t.Parallel()
			}
			first = false
			s.rehearse(t, p)
		})
	}
}

// suite is what the rehearsals of a run share.
type suite struct {
	root, commit string
	// clones are those that no rehearsal works in.
	clones chan checkout
	writes sync.Mutex
}

// checkout is a clone of this repository, and the commit of the base in it.
type checkout struct{ repo, base string }

func prepare(t *testing.T) *suite {
	t.Helper()
	s := &suite{root: root(t), clones: make(chan checkout, runtime.GOMAXPROCS(0))}
	s.commit = run(t, s.root, "git", "rev-parse", "HEAD")
	for range cap(s.clones) {
		repo, base := clone(t, s.root)
		s.clones <- checkout{repo, base}
	}
	return s
}

func (s *suite) rehearse(t *testing.T, p pull) {
	t.Helper()
	in := <-s.clones
	defer func() { s.clones <- in }()
	reset(t, in.repo, in.base)
	p.change(t, in.repo)
	l, result := rehearse(t, in.repo, "--base", in.base)
	l.Name, l.Commit = p.name, s.commit
	s.save(t, l, result)
	t.Logf("exit code %d in %.0f s: %s", l.Code, l.Seconds, l.Said)
	if l.Code != p.code || !strings.Contains(l.Said, p.says) {
		t.Errorf("exit code %d, want %d; it says %q, want %q in it\n%s", l.Code, p.code, l.Said, p.says, findings(result))
	}
	if (result.Revert.State == rehearsal.Succeeded) == p.stays {
		t.Errorf("the revert: %s %s", result.Revert.State, result.Revert.Cause)
	}
}

func root(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// clone is a checkout of HEAD and of what is not committed yet in files that git knows; the base is two commits more.
func clone(t *testing.T, root string) (repo, commit string) {
	t.Helper()
	repo = filepath.Join(t.TempDir(), "repo")
	run(t, root, "git", "clone", "--quiet", "--no-hardlinks", root, repo)
	patch := filepath.Join(t.TempDir(), "patch")
	run(t, root, "git", "diff", "--binary", "--output="+patch, "HEAD")
	if info, err := os.Stat(patch); err == nil && info.Size() > 0 {
		run(t, repo, "git", "apply", "--whitespace=nowarn", patch)
	}
	run(t, repo, "git", "config", "user.name", "rehearsals")
	run(t, repo, "git", "config", "user.email", "rehearsals@localhost")
	if err := os.Symlink(filepath.Join(root, "node_modules"), filepath.Join(repo, "node_modules")); err != nil {
		t.Fatal(err)
	}
	run(t, repo, "make", "--silent", "bin/gitops", "bin/gitops-local", "bin/services")
	for _, p := range base {
		p.change(t, repo)
	}
	return repo, run(t, repo, "git", "rev-parse", "HEAD")
}

func reset(t *testing.T, repo, base string) {
	t.Helper()
	run(t, repo, "git", "reset", "--quiet", "--hard", base)
	run(t, repo, "git", "clean", "--quiet", "-fd")
}

// change makes the pull request's commit.
func (p pull) change(t *testing.T, repo string) {
	t.Helper()
	for name, text := range p.files {
		if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range p.edits {
		file := filepath.Join(repo, e.file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), e.old); n != 1 {
			t.Fatalf("%s has %q %d times, must be once", e.file, e.old, n)
		}
		if err := os.WriteFile(file, bytes.Replace(text, []byte(e.old), []byte(e.new), 1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range p.commands {
		run(t, repo, c[0], c[1:]...)
	}
	run(t, repo, "git", "add", "--all")
	run(t, repo, "git", "commit", "--quiet", "--no-verify", "-m", p.name)
}

// rehearse runs the command as a person would.
func rehearse(t *testing.T, repo string, args ...string) (line, *rehearsal.Result) {
	t.Helper()
	began := time.Now()
	cmd := exec.CommandContext(t.Context(), filepath.Join(repo, "bin", "gitops"), append([]string{"rehearse", "--output", "json"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = repo, &out, &errs
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it removes what it made
	cmd.WaitDelay = 3 * time.Minute
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	result := &rehearsal.Result{}
	if err := json.Unmarshal(out.Bytes(), result); err != nil {
		t.Fatalf("%v: %s\n%s", err, out.String(), errs.String())
	}
	if result.Verdict == rehearsal.CouldNotRun {
		t.Fatalf("it could not run: %s\n%s", result.Cause, errs.String())
	}
	l := line{Code: cmd.ProcessState.ExitCode(), Seconds: time.Since(began).Seconds(), Said: result.Headline()}
	l.Merged, l.Reverted = result.Merge.Seconds, result.Revert.Seconds
	return l, result
}

func findings(r *rehearsal.Result) string {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}

// save takes the place of what was said of the same pull request before.
func (s *suite) save(t *testing.T, l line, result *rehearsal.Result) {
	t.Helper()
	s.writes.Lock()
	defer s.writes.Unlock()
	s.write(t, filepath.Join("rehearsals", strings.NewReplacer(" ", "-", ":", "").Replace(l.Name)+".json"), result)
	file := filepath.Join(s.root, "out", "rehearsals.json")
	var all []line
	if raw, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(raw, &all); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	all = append(slices.DeleteFunc(all, func(had line) bool { return had.Name == l.Name }), l)
	s.write(t, "rehearsals.json", all)
}

// write makes a file in out.
func (s *suite) write(t *testing.T, name string, content any) {
	t.Helper()
	file := filepath.Join(s.root, "out", name)
	raw, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(raw, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v: %s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return strings.TrimSpace(out.String())
}
