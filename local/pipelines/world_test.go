package pipelines

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"k8s-plus-aws-gitops/internal/httpbody"
)

// world is a repository, a runner and its definitions.
type world struct {
	t          *testing.T
	dir        string
	repo, bare string
	root       string

	mu   sync.Mutex
	defs *Definitions

	config Config
	// creates is set where the pipelines are new to the runner, and run.
	creates bool
	stop    func()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	for _, program := range []string{"git", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	for _, v := range []string{"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"} {
		t.Setenv(v, "t@t")
	}
	dir := t.TempDir()
	w := &world{t: t, dir: dir, repo: filepath.Join(dir, "repo"), bare: filepath.Join(dir, "platform.git"), root: filepath.Join(dir, "pipelines")}
	w.defs = &Definitions{Pipelines: map[string]*Pipeline{}, Projects: map[string]*Project{}}
	w.git(dir, "init", "-q", "--bare", "-b", "main", w.bare)
	w.git(dir, "init", "-q", "-b", "main", w.repo)
	w.config = Config{
		Root: w.root, Repository: w.bare, GitURL: w.bare, Suffix: "-delivery", Account: "000000000000",
		AWS:     aws.Config{HTTPClient: httpbody.Client(), Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")},
		Environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "OUT=" + dir},
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
		load: func(context.Context) (*Definitions, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			d := *w.defs
			return &d, nil
		},
	}
	w.commit(map[string]string{"README": "1"})
	return w
}

func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit pushes files to main and returns the commit.
func (w *world) commit(files map[string]string) string {
	w.t.Helper()
	for name, text := range files {
		p := filepath.Join(w.repo, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	w.git(w.repo, "add", ".")
	w.git(w.repo, "commit", "-q", "-m", "change "+strings.Join(slices.Sorted(mapsKeys(files)), " "))
	w.git(w.repo, "push", "-q", w.bare, "HEAD:main")
	return w.git(w.repo, "rev-parse", "HEAD")
}

func mapsKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// push commits files and tells the runner.
func (w *world) push(files map[string]string) string {
	w.t.Helper()
	before := w.git(w.repo, "rev-parse", "HEAD")
	after := w.commit(files)
	w.event(Event{Ref: "refs/heads/main", Before: before, After: after})
	return after
}

func (w *world) event(e Event) {
	w.t.Helper()
	if err := Record(w.root, e); err != nil {
		w.t.Fatal(err)
	}
}

// define sets a pipeline with the given stages after its source; it starts
// for pushes to its own folder. A changed text is a changed definition.
func (w *world) define(name, mode, text string, stages ...Stage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	source := Action{
		Name: "Source", Namespace: "Source", ActionTypeID: ActionType{"Source", "AWS", "CodeStarSourceConnection", "1"},
		Configuration: map[string]any{"BranchName": "main", "DetectChanges": false, "FullRepositoryId": "o/r"}, OutputArtifacts: []Artifact{{"Source"}},
	}
	defs := &Definitions{Pipelines: map[string]*Pipeline{}, Projects: w.defs.Projects, Rules: w.defs.Rules}
	for n, p := range w.defs.Pipelines {
		defs.Pipelines[n] = p
	}
	defs.Pipelines[name] = &Pipeline{
		Name: name, PipelineType: "V2", ExecutionMode: mode, RestartExecutionOnUpdate: true, Digest: name + text,
		Stages:   append([]Stage{{Name: "Source", Actions: []Action{source}}}, stages...),
		Triggers: []Trigger{{GitConfiguration: GitConfiguration{Push: []GitFilter{{Branches: includes("main"), FilePaths: includes(name + "/**")}}}}},
	}
	w.defs = defs
}

// project sets a project and returns an action that runs it.
func (w *world) project(name, buildspec string, variables ...Variable) Action {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &Project{Name: name, TimeoutInMinutes: 5}
	p.Source.Type, p.Source.BuildSpec = "CODEPIPELINE", buildspec
	p.Environment.EnvironmentVariables = variables
	w.defs.Projects[name] = p
	return Action{Name: name, Namespace: name, ActionTypeID: ActionType{"Build", "AWS", "CodeBuild", "1"}, Configuration: map[string]any{"ProjectName": name}, InputArtifacts: []Artifact{{"Source"}}}
}

func stage(name string, actions ...Action) Stage { return Stage{Name: name, Actions: actions} }

// entry gives a stage an entry condition.
func entry(s Stage, result string, rules ...Rule) Stage {
	s.BeforeEntry = &EntryConditions{Conditions: []Condition{{Result: result, Rules: rules}}}
	return s
}

func rule(variable, operator, value string) Rule {
	return Rule{Name: "Check", RuleTypeID: ActionType{"Rule", "AWS", "VariableCheck", "1"}, Configuration: map[string]any{"Variable": variable, "Operator": operator, "Value": value}}
}

func approval(name string) Action {
	return Action{Name: name, ActionTypeID: ActionType{"Approval", "AWS", "Manual", "1"}, Configuration: map[string]any{"CustomData": "Commit #{Source.CommitId}"}}
}

// spec is a buildspec of one phase.
func spec(commands ...string) string {
	text := "version: 0.2\nphases:\n  build:\n    commands:\n"
	for _, c := range commands {
		text += fmt.Sprintf("      - %q\n", c)
	}
	return text
}

// start runs the runner until the test ends or stop is called.
func (w *world) start() {
	w.t.Helper()
	if !w.creates {
		w.known()
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, w.config) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(w.stop)
}

// known makes the defined pipelines ones that the runner has seen.
func (w *world) known() {
	w.t.Helper()
	s, err := loadState(w.root)
	if err != nil {
		w.t.Fatal(err)
	}
	for name, p := range w.defs.Pipelines {
		if s.Definitions[name] == "" {
			s.Definitions[name] = p.Digest
		}
	}
	if err := os.MkdirAll(w.root, 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := s.save(w.root); err != nil {
		w.t.Fatal(err)
	}
}

// wait waits until an execution of a pipeline for a commit has a status.
func (w *world) wait(pipeline, commit string, status Status) *Execution {
	w.t.Helper()
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		all, err := List(w.root)
		if err != nil {
			w.t.Fatal(err)
		}
		last = ""
		for _, e := range all {
			if e.Pipeline == pipeline && e.Commit == commit {
				last += fmt.Sprintf("%s %s %s; ", e.Shown(), e.Stage, e.Reason)
				if e.Shown() == status {
					return e
				}
			}
		}
	}
	w.t.Fatalf("%s of %.8s does not become %s: %s", pipeline, commit, status, last)
	return nil
}

// waitStage waits until an execution has come to a stage.
func (w *world) waitStage(pipeline, commit, stage string) *Execution {
	w.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if e := w.wait(pipeline, commit, InProgress); e.Stage == stage {
			return e
		}
	}
	w.t.Fatalf("%s of %.8s does not come to %s", pipeline, commit, stage)
	return nil
}

// patience is for a machine on which much else runs.
const patience = 3 * time.Minute

// until waits until a build has written text to $OUT.
func (w *world) until(name, text string) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); w.file(name) != text; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s is %q after %s, want %q", name, w.file(name), patience, text)
		}
	}
}

// file reads what a build wrote to $OUT.
func (w *world) file(name string) string {
	raw, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(raw))
}

func logOf(t *testing.T, e *Execution, action string) string {
	t.Helper()
	for _, a := range e.Actions {
		if a.Name == action {
			raw, err := os.ReadFile(a.Log)
			if err != nil {
				t.Fatal(err)
			}
			return string(raw)
		}
	}
	t.Fatalf("no action %s", action)
	return ""
}

// secrets serves Secrets Manager with one secret.
func secrets(t *testing.T, id, value string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if !strings.Contains(string(body), fmt.Sprintf("%q", id)) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type": "ResourceNotFoundException", "message": "Secrets Manager can't find the specified secret."}`)
			return
		}
		fmt.Fprintf(w, `{"Name": %q, "SecretString": %q}`, id, value)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
