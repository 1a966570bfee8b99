//go:build e2e

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s-plus-aws-gitops/local/endpoint/permissions"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/report"
)

// system is the scratch system and what was learned about it.
type system struct {
	t      *testing.T
	ctx    context.Context // ends when the test is interrupted
	root   string          // the repository under test
	repo   string          // its clone
	dir    *layout.Dir
	only   *regexp.Regexp // names of the steps that run; nil for all
	result string         // name of the files in out/ that say how the steps went; e2e when empty
	failed bool
	steps  []step
	cookie string // of the signed-in author
	slug   string // of the post
	// grants are the pods' roles and policies before the removal.
	grants []permissions.Grant
}

type step struct {
	Name    string  `json:"name"`
	OK      bool    `json:"ok"`
	Seconds float64 `json:"seconds"`
	Detail  string  `json:"detail"`
}

func newSystem(t *testing.T) *system {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, root: root, ctx: interruptible(t)}
	tmp := scratch(t, s.cleanUp)
	s.repo = filepath.Join(tmp, "repo")
	s.dir = &layout.Dir{Root: filepath.Join(tmp, "s"), Repo: s.repo}
	if err := os.Mkdir(s.temp(), 0o700); err != nil {
		t.Fatal(err)
	}
	s.clone()
	return s
}

// temp is the TMPDIR of all commands: what is in it at the end was left behind.
func (s *system) temp() string { return filepath.Join(filepath.Dir(s.repo), "t") }

// clone makes the checkout that the scenario edits: HEAD and what is not
// committed yet, so that a change can be proven before it is committed.
func (s *system) clone() {
	s.t.Helper()
	run := func(dir string, in []byte, name string, args ...string) []byte {
		cmd := exec.CommandContext(s.ctx, name, args...)
		cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(in), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			s.t.Fatalf("%s %v: %v", name, args, errors.Join(context.Cause(s.ctx), err))
		}
		return out
	}
	run(s.root, nil, "git", "clone", "--quiet", "--no-hardlinks", s.root, s.repo)
	if diff := run(s.root, nil, "git", "diff", "--binary", "HEAD"); len(diff) > 0 {
		run(s.repo, diff, "git", "apply", "--whitespace=nowarn")
	}
	for name := range strings.SplitSeq(string(run(s.root, nil, "git", "ls-files", "--others", "--exclude-standard", "-z")), "\x00") {
		if name != "" {
			run(s.root, nil, "mkdir", "-p", filepath.Join(s.repo, filepath.Dir(name)))
			run(s.root, nil, "cp", "-R", "--", name, filepath.Join(s.repo, filepath.Dir(name))+"/")
		}
	}
	run(s.repo, nil, "git", "add", "--all")
	for _, kv := range [][2]string{{"user.name", "e2e"}, {"user.email", "e2e@localhost"}} {
		run(s.repo, nil, "git", "config", kv[0], kv[1])
	}
	run(s.repo, nil, "git", "commit", "--quiet", "--all", "--allow-empty", "--no-verify", "-m", "Begin the scenario")
	run(s.repo, nil, "make", "--silent", "bin/gitops", "bin/gitops-local", "bin/services")
}

// cleanUp writes the result, keeps the logs of a failure and stops everything.
func (s *system) cleanUp(tmp string) {
	s.write()
	if s.failed {
		logs := filepath.Join(s.root, "out", "e2e-logs")
		_ = os.RemoveAll(logs)
		for _, d := range []string{"log", "deployments", "pipelines/executions"} {
			_ = os.CopyFS(filepath.Join(logs, d), os.DirFS(s.dir.Path(d)))
		}
		s.t.Logf("logs: %s", logs)
	}
	if err := remove(tmp); err != nil {
		s.t.Errorf("%s is left: %v", tmp, err)
	}
}

// stepLimit is for the slowest step on the slowest machine: the first up, which
// builds the controllers.
const stepLimit = 90 * time.Minute

// skipped is the detail of a step that did not run.
const skipped = "skipped"

// failures are the failed steps with their reasons. TestMain repeats them at the very end, because who reads the log of
// another machine may see its last lines only.
var failures []string

func TestMain(m *testing.M) {
	signInstead()
	code := m.Run()
	for _, f := range failures {
		fmt.Println("the scenario failed at step", f)
	}
	os.Exit(code)
}

// step runs one step; after a failure the rest is skipped, because each builds
// on the one before.
func (s *system) step(name string, run func(context.Context) (string, error)) {
	if s.only != nil && !s.only.MatchString(name) {
		return
	}
	if s.failed || s.ctx.Err() != nil {
		s.failed = true
		s.steps = append(s.steps, step{Name: name, Detail: skipped})
		return
	}
	s.t.Run(name, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeoutCause(s.ctx, stepLimit, fmt.Errorf("the step took more than %s", stepLimit))
		defer cancel()
		detail, err := run(ctx)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		x := step{Name: name, OK: err == nil, Seconds: time.Since(began).Round(10 * time.Millisecond).Seconds(), Detail: detail}
		if err != nil {
			s.failed, x.Detail = true, err.Error()
			failures = append(failures, name+": "+err.Error())
			t.Error(err)
			if !errors.Is(context.Cause(s.ctx), errInterrupted) {
				t.Log(s.diagnosis())
			}
		}
		s.steps = append(s.steps, x)
	})
	s.write() // after each step, so that an interrupted run tells how far it came
}

func (s *system) write() {
	out := filepath.Join(s.root, "out")
	raw, err := json.MarshalIndent(map[string]any{"steps": s.steps}, "", "  ")
	if err == nil {
		err = os.MkdirAll(out, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(out, cmp.Or(s.result, "e2e")+".json"), append(raw, '\n'), 0o644)
	}
	if err != nil {
		s.t.Error(err)
	}
	var b strings.Builder
	left := 0
	fmt.Fprintf(&b, "%-6s %8s  %s\n", "RESULT", "SECONDS", "STEP")
	for _, x := range s.steps {
		if x.Detail == skipped {
			left++
			continue
		}
		word := "ok"
		if !x.OK {
			word = "FAIL"
		}
		fmt.Fprintf(&b, "%-6s %8.1f  %s\n", word, x.Seconds, x.Name)
		if x.Detail != "" {
			fmt.Fprintf(&b, "%16s  %.200s\n", "", x.Detail)
		}
	}
	if left > 0 {
		fmt.Fprintf(&b, "%16s  %d more steps were skipped\n", "", left)
	}
	if err := os.WriteFile(filepath.Join(out, cmp.Or(s.result, "e2e")+".txt"), []byte(b.String()), 0o644); err != nil {
		s.t.Error(err)
	}
	if n := len(s.steps); n > 0 && (s.failed || s.steps[n-1].Name[0] == '6') {
		s.t.Log("\n" + b.String())
	}
}

// gitops runs the tool in the clone and returns its stdout; the error holds
// what it said. Commands of the plug-in are told the state directory, the others
// ask the plug-in for it.
func (s *system) gitops(ctx context.Context, args ...string) (string, error) {
	if args[0] == "local" {
		args = append(args, "--state", s.dir.Root)
	}
	return s.command(ctx, []string{"GITOPS_LOCAL_STATE=" + s.dir.Root}, filepath.Join(s.repo, "bin", "gitops"), args...)
}

// cdk runs the CDK CLI in the clone as the deployer does; it writes to both
// streams, so both are returned.
func (s *system) cdk(ctx context.Context, args ...string) (string, error) {
	ports, err := s.dir.LoadPorts()
	if err != nil {
		return "", err
	}
	env := []string{"PATH=" + s.dir.NodeBin() + string(os.PathListSeparator) + os.Getenv("PATH"), "CI=true"}
	for k, v := range deploy.Variables(s.dir, ports.URL(layout.AWS)) {
		env = append(env, k+"="+v)
	}
	return s.command(ctx, env, filepath.Join(s.dir.NodeBin(), "cdk"), append(args, "--ci", "--no-notices", "--no-color")...)
}

func (s *system) command(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = s.repo
	cmd.Env = append(append(os.Environ(), "TMPDIR="+s.temp()), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 90 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(name), args[0], err, lastText(out.String()+errs.String()))
	}
	return out.String(), nil
}

// lastText is the end of what a command said, on one line.
func lastText(text string) string {
	f := strings.Join(strings.Fields(text), " ")
	if len(f) > 1500 {
		f = "…" + f[len(f)-1500:]
	}
	return f
}

type status struct {
	report.Status
	Problems []string `json:"problems"`
	Waiting  []string `json:"waiting"`
}

func (s *system) status(ctx context.Context) (*status, error) {
	out, err := s.gitops(ctx, "local", "status", "--output", "json")
	if err != nil {
		return nil, err
	}
	st := &status{}
	return st, json.Unmarshal([]byte(out), st)
}

func (s *system) push(ctx context.Context, message string) error {
	_, err := s.gitops(ctx, "local", "push", "--message", message, "--timeout", "25m")
	return err
}

// edit replaces text that occurs exactly once in a file of the clone.
func (s *system) edit(file, from, to string) error {
	path := filepath.Join(s.repo, file)
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n := strings.Count(string(raw), from); n != 1 {
		return fmt.Errorf("%s holds %q %d times, want once", file, from, n)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(raw), from, to, 1)), 0o644)
}

// setDatabase sets a key of the local environment's database in cdk.json; nil
// removes it.
func (s *system) setDatabase(key string, value any) error {
	return s.configure("local", func(at map[string]any) {
		for _, k := range []string{"ghost", "database"} {
			next, ok := at[k].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[k] = next
			}
			at = next
		}
		if at[key] = value; value == nil {
			delete(at, key)
		}
	})
}

// configure changes an environment in cdk.json.
func (s *system) configure(environment string, change func(map[string]any)) error {
	path := filepath.Join(s.repo, "cdk.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return err
	}
	at := doc
	for _, k := range []string{"context", "gitops", "environments", environment} {
		next, ok := at[k].(map[string]any)
		if !ok {
			return fmt.Errorf("cdk.json has no %s", k)
		}
		at = next
	}
	change(at)
	if raw, err = json.MarshalIndent(doc, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}

func (s *system) pid(ctx context.Context, name string) (int, error) {
	st, err := s.status(ctx)
	if err != nil {
		return 0, err
	}
	for _, p := range st.Processes {
		if p.Name == name {
			if p.State == "stopped" {
				return 0, nil
			}
			return p.PID, nil
		}
	}
	return 0, errors.New("no process " + name)
}

func (s *system) killProcess(ctx context.Context, name string) (int, error) {
	pid, err := s.pid(ctx, name)
	if err != nil {
		return 0, err
	}
	if pid == 0 {
		return 0, errors.New(name + " does not run")
	}
	return pid, syscall.Kill(pid, syscall.SIGKILL)
}

// nothingLeft fails when the state directory, or a process that names it,
// exists.
func (s *system) nothingLeft() error {
	if _, err := os.Stat(s.dir.Root); !os.IsNotExist(err) {
		return fmt.Errorf("%s is there: %w", s.dir.Root, err)
	}
	// Whatever a build or a killed process left elsewhere.
	left, err := os.ReadDir(s.temp())
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("left in TMPDIR: %v", left)
	}
	out, err := exec.Command("ps", "-eo", "pid,stat,args").Output()
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, s.dir.Root+"/") || strings.Contains(line, s.dir.Root+" ") {
			return errors.New("a process is left: " + strings.TrimSpace(line))
		}
	}
	return nil
}
