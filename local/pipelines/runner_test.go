package pipelines

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestOnlyTheMatchingPipelineRuns(t *testing.T) {
	w := newWorld(t)
	show := spec(`echo "$CODEBUILD_INITIATOR $CODEBUILD_RESOLVED_SOURCE_VERSION $(pwd)" > "$OUT/$NAME"`, `cat a/x >> "$OUT/$NAME"`)
	a := w.project("deploy-a", show, Variable{Name: "NAME", Value: "a.out"})
	w.define("a", "QUEUED", "", stage("Deploy", a))
	w.define("b", "QUEUED", "", stage("Deploy", a))
	w.start()
	c := w.push(map[string]string{"a/x": "of a"})
	e := w.wait("a", c, Succeeded)
	if got, want := w.file("a.out"), "codepipeline/a "+c+" "+filepath.Join(w.root, "builds", "0", "src")+"\nof a"; got != want && !strings.Contains(got, "builds/1/src") {
		t.Errorf("got %q, want %q", got, want)
	}
	if e.Trigger != "Push" || e.Subject != "change a/x" || e.Stage != "Deploy" || len(e.Actions) != 2 || e.Ended.Before(e.Started) {
		t.Errorf("%+v", e)
	}
	w.push(map[string]string{"c": "1"})
	last := w.push(map[string]string{"b/x": "1", "a/x": "2"})
	w.wait("a", last, Succeeded)
	w.wait("b", last, Succeeded)
	all, err := List(w.root)
	if err != nil || len(all) != 3 {
		t.Errorf("%d executions, %v", len(all), err)
	}
	if seen, err := Seen(w.root, "refs/heads/main"); err != nil || seen != last {
		t.Errorf("seen %s, %v", seen, err)
	}
}

func TestQueueing(t *testing.T) {
	for mode, want := range map[string][]Status{
		"QUEUED":     {Succeeded, Succeeded, Succeeded},
		"SUPERSEDED": {Succeeded, Superseded, Succeeded},
		"PARALLEL":   {Succeeded, Succeeded, Succeeded},
	} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t)
			w.config.Builds = 3
			w.define("p", mode, "", stage("Deploy", w.project("x", spec(
				`echo "$CODEBUILD_RESOLVED_SOURCE_VERSION" >> "$OUT/order"`, `until [ -e "$OUT/go" ]; do sleep 0.02; done`))))
			w.start()
			first := w.push(map[string]string{"p/1": ""})
			w.wait("p", first, InProgress)
			second := w.push(map[string]string{"p/2": ""})
			third := w.push(map[string]string{"p/3": ""})
			if mode == "SUPERSEDED" {
				w.wait("p", third, Queued)
			} else {
				w.wait("p", third, InProgress)
			}
			if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			var order []string
			for i, c := range []string{first, second, third} {
				w.wait("p", c, want[i])
				if want[i] == Succeeded {
					order = append(order, c)
				}
			}
			if got := strings.Fields(w.file("order")); mode != "PARALLEL" && !slices.Equal(got, order) {
				t.Errorf("ran %q, want %q", got, order)
			}
		})
	}
}

func TestApproval(t *testing.T) {
	w := newWorld(t)
	deploy := w.project("deploy", spec(`echo deployed > "$OUT/deployed"`))
	w.define("p", "QUEUED", "", stage("Approve", approval("Approve")), stage("Deploy", deploy))
	w.start()
	c := w.push(map[string]string{"p/1": ""})
	e := w.wait("p", c, Waiting)
	if a := e.waits(); a == nil || a.Reason != "Commit "+c {
		t.Errorf("%+v", a)
	}
	if _, _, err := Decide(w.root, "q", Decision{}); err == nil || !strings.Contains(err.Error(), "no execution of q waits") {
		t.Errorf("another pipeline: %v", err)
	}
	// It goes on to wait under another runner.
	w.stop()
	w.start()
	if _, _, err := Decide(w.root, "", Decision{Approved: false, By: "me", Summary: "not today"}); err != nil {
		t.Fatal(err)
	}
	if e = w.wait("p", c, Failed); e.Reason != "Approve: rejected by me: not today" || e.Interruptions != 0 {
		t.Errorf("%+v", e)
	}
	if w.file("deployed") == "deployed" {
		t.Error("deployed in spite of the rejection")
	}
	c = w.push(map[string]string{"p/2": ""})
	w.wait("p", c, Waiting)
	if _, _, err := Decide(w.root, "", Decision{Approved: true, By: "me"}); err != nil {
		t.Fatal(err)
	}
	w.wait("p", c, Succeeded)
	if w.file("deployed") != "deployed" {
		t.Error("not deployed")
	}
	if _, _, err := Decide(w.root, "", Decision{}); err == nil || !strings.Contains(err.Error(), "nothing waits") {
		t.Errorf("nothing waits: %v", err)
	}
}

func TestAFailureStopsBeforeTheNextStage(t *testing.T) {
	w := newWorld(t)
	test := w.project("test", spec("true", "echo 'x_test.go:1: it is wrong'; exit 3", "touch $OUT/next-command"))
	beside := w.project("beside", spec("sleep 0.2", "touch $OUT/beside"))
	w.define("p", "QUEUED", "", stage("Test", test, beside), stage("Deploy", w.project("deploy", spec("touch $OUT/deployed"))))
	w.start()
	e := w.wait("p", w.push(map[string]string{"p/1": ""}), Failed)
	for name, want := range map[string]bool{"next-command": false, "beside": true, "deployed": false} {
		if _, err := os.Stat(filepath.Join(w.dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e.Stage != "Test" || !strings.Contains(e.Reason, "test: phase build: error while executing command") || !strings.Contains(e.Reason, "exit status 3") {
		t.Errorf("%+v", e)
	}
	if tail := strings.Join(e.Tail(), "\n"); !strings.Contains(tail, "it is wrong") {
		t.Errorf("tail %s", tail)
	}
}

func TestWhatIsCutOffGoesOn(t *testing.T) {
	w := newWorld(t)
	first := w.project("first", spec(`echo once >> "$OUT/first"`))
	second := w.project("second", spec(`echo began >> "$OUT/second"`, `[ -e "$OUT/again" ] || sleep 600`))
	w.define("p", "QUEUED", "", stage("One", first), stage("Two", second))
	w.start()
	c := w.push(map[string]string{"p/1": ""})
	w.until("second", "began")
	w.stop()
	if e := w.wait("p", c, InProgress); e.Stage != "Two" {
		t.Errorf("%+v", e)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "again"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.event(Event{Ref: "refs/heads/main", Before: c, After: c}) // reported twice
	w.start()
	if e := w.wait("p", c, Succeeded); e.Interruptions != 1 {
		t.Errorf("%+v", e)
	}
	if w.file("first") != "once" || w.file("second") != "began\nbegan" {
		t.Errorf("first %q, second %q", w.file("first"), w.file("second"))
	}
}

func TestInterruptedTooOften(t *testing.T) {
	w := newWorld(t)
	e := &Execution{ID: "1", Pipeline: "p", Status: InProgress, Interruptions: maxInterruptions, Actions: []*ActionState{{Status: InProgress}}, Queued: time.Now()}
	if err := e.save(w.root); err != nil {
		t.Fatal(err)
	}
	w.start()
	if e = w.wait("p", "", Failed); e.Reason != "interrupted 4 times" {
		t.Errorf("%+v", e)
	}
}

func TestAnUpdatedPipelineRunsAgain(t *testing.T) {
	w := newWorld(t)
	hold := w.project("update", spec(`touch "$OUT/began"`, `until [ -e "$OUT/go" ]; do sleep 0.02; done`))
	w.define("p", "QUEUED", "1", stage("Deploy", hold), stage("More", w.project("more", spec(`echo $VERSION >> "$OUT/more"`), Variable{Name: "VERSION", Value: "1"})))
	w.start()
	c := w.push(map[string]string{"p/1": ""})
	w.until("began", "")
	w.define("p", "QUEUED", "2", stage("Other", w.project("other", spec(`echo other >> "$OUT/more"`))))
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if e := w.wait("p", c, Cancelled); !strings.Contains(e.Reason, "definition was updated") {
		t.Errorf("%+v", e)
	}
	e := w.wait("p", c, Succeeded)
	if e.Trigger != "PipelineUpdated" || e.Branch != "main" || w.file("more") != "other" {
		t.Errorf("%+v, more: %s", e, w.file("more"))
	}
}

// A pipeline that was created runs once, for the end of its branch, and so does one that was removed and created again.
func TestANewPipelineRunsOnce(t *testing.T) {
	w := newWorld(t)
	w.creates = true
	deploy := w.project("x", spec(`echo "$CODEBUILD_RESOLVED_SOURCE_VERSION" >> "$OUT/deployed"`))
	w.define("p", "QUEUED", "", stage("Deploy", deploy))
	head := w.git(w.repo, "rev-parse", "HEAD")
	w.start()
	if e := w.wait("p", head, Succeeded); e.Trigger != "CreatePipeline" || e.Branch != "main" {
		t.Errorf("%+v", e)
	}
	w.stop()
	w.start()
	pushed := w.push(map[string]string{"p/1": ""})
	w.wait("p", pushed, Succeeded)
	if want := head + "\n" + pushed; w.file("deployed") != want {
		t.Errorf("after a restart of the runner %q is deployed, want %q", w.file("deployed"), want)
	}
	w.stop()
	w.defs = &Definitions{Pipelines: map[string]*Pipeline{}, Projects: w.defs.Projects}
	r, err := newRunner(w.config)
	if err == nil {
		_, err = r.reconcile(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	w.define("p", "QUEUED", "", stage("Deploy", deploy))
	w.start()
	w.until("deployed", head+"\n"+pushed+"\n"+pushed)
}

func TestStartByHand(t *testing.T) {
	w := newWorld(t)
	w.define("p", "QUEUED", "", stage("Deploy", w.project("x", spec("true"))))
	w.start()
	head := w.commit(map[string]string{"p/1": ""})
	w.event(Event{Start: "nothing"})
	w.event(Event{Start: "p"})
	if e := w.wait("p", head, Succeeded); e.Trigger != "StartPipelineExecution" {
		t.Errorf("%+v", e)
	}
	if names, err := Names(w.root); err != nil || !slices.Equal(names, []string{"p"}) {
		t.Errorf("%q, %v", names, err)
	}
}

func TestRefusals(t *testing.T) {
	lambda := Action{Name: "Hook", ActionTypeID: ActionType{"Invoke", "AWS", "Lambda", "1"}}
	variable := func(kind, value string) func(*world) Stage {
		return func(w *world) Stage {
			return stage("S", w.project("x", spec("true"), Variable{Name: "V", Type: kind, Value: value}))
		}
	}
	for name, c := range map[string]struct {
		stage func(w *world) Stage
		want  string
	}{
		"a type of action": {func(*world) Stage { return stage("S", lambda) }, "Hook: actions of type Invoke/AWS/Lambda are not run here"},
		"an unknown project": {func(w *world) Stage {
			a := w.project("x", "")
			a.Configuration["ProjectName"] = "y"
			return stage("S", a)
		}, `the stack has no project "y"`},
		"a missing buildspec":  {func(w *world) Stage { return stage("S", w.project("x", "gone.yml")) }, "x: YAML_FILE_ERROR: gone.yml: cannot be read"},
		"a malformed file":     {func(w *world) Stage { return stage("S", w.project("x", "p/bad.yml")) }, "x: YAML_FILE_ERROR: p/bad.yml: phases.biuld: is not a known key; use one of"},
		"no YAML":              {func(w *world) Stage { return stage("S", w.project("x", "p/worse.yml")) }, "x: YAML_FILE_ERROR: p/worse.yml: is no YAML: line 2:"},
		"an unset reference":   {variable("", "#{Diff.URL}"), "x: variable V: #{Diff.URL} is not set by an earlier action"},
		"another store":        {variable("PARAMETER_STORE", "/a"), "variable V is of type PARAMETER_STORE: only PLAINTEXT and SECRETS_MANAGER are known here"},
		"a secret that is not": {variable("SECRETS_MANAGER", "/other"), "secret for V: /other: Secrets Manager can't find the specified secret."},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.AWS.BaseEndpoint = aws.String(secrets(t, "/a", "x"))
			w.config.AWS.RetryMaxAttempts = 1
			w.define("p", "QUEUED", "", c.stage(w))
			w.start()
			e := w.wait("p", w.push(map[string]string{"p/bad.yml": "version: 0.2\nphases: {biuld: {commands: [a]}}\n", "p/worse.yml": "version: 0.2\n\tphases:\n"}), Failed)
			if !strings.Contains(e.Reason, c.want) || strings.Contains(e.Reason, "\n") {
				t.Errorf("reason %q, want %q", e.Reason, c.want)
			}
		})
	}
}

func TestAnotherBranchIsAPullRequest(t *testing.T) {
	w := newWorld(t)
	w.define("review", "PARALLEL", "", stage("Review", w.project("x", spec(`git log --format=%s -1 origin/main > "$OUT/base"`, `git merge-base HEAD origin/main > "$OUT/merge-base"`, `echo "$BRANCH $COMMIT" > "$OUT/branch"`),
		Variable{Name: "BRANCH", Value: "#{Source.BranchName}"}, Variable{Name: "COMMIT", Value: "#{Source.CommitId}"})))
	p := w.defs.Pipelines["review"]
	p.Stages[0].Actions[0].Configuration["OutputArtifactFormat"] = "CODEBUILD_CLONE_REF"
	p.Triggers = []Trigger{{GitConfiguration: GitConfiguration{PullRequest: []GitFilter{{Branches: includes("main"), Events: []string{"OPEN", "UPDATED"}}}}}}
	w.start()
	base := w.git(w.repo, "rev-parse", "HEAD")
	w.git(w.repo, "checkout", "-q", "-b", "feature/x")
	w.git(w.repo, "commit", "-q", "--allow-empty", "-m", "mine")
	mine := w.git(w.repo, "rev-parse", "HEAD")
	w.git(w.repo, "push", "-q", w.bare, "HEAD:feature/x")
	w.event(Event{Ref: "refs/heads/feature/x", Before: strings.Repeat("0", 40), After: mine})
	e := w.wait("review", mine, Succeeded)
	if e.Trigger != "PullRequest OPEN" || e.Branch != "feature/x" || w.file("branch") != "feature/x "+mine || w.file("merge-base") != base || w.file("base") != "change README" {
		t.Errorf("%+v: %s, %s, %s", e, w.file("branch"), w.file("merge-base"), w.file("base"))
	}
}

// A tag starts what its name matches, for the commit behind it, also when that is on no branch; a branch of that name and
// a deleted tag do not.
func TestATagStartsARelease(t *testing.T) {
	w := newWorld(t)
	w.config.GitURL = "file://" + w.bare // as from a server: only what was asked for comes
	w.define("services", "QUEUED", "", stage("Publish", w.project("x", spec(
		`git fetch --quiet --tags --force origin`, `{ git tag --points-at HEAD; git rev-parse HEAD; echo "$BRANCH $TAG"; } > "$OUT/$(basename "$TAG")"`),
		Variable{Name: "BRANCH", Value: "#{Source.BranchName}"}, Variable{Name: "TAG", Value: "#{Source.TagName}"})))
	p := w.defs.Pipelines["services"]
	p.Stages[0].Actions[0].Configuration["OutputArtifactFormat"] = "CODEBUILD_CLONE_REF"
	p.Triggers = []Trigger{{GitConfiguration: GitConfiguration{Push: []GitFilter{{Tags: includes("*/v*")}}}}}
	w.start()
	tag := func(name string, args ...string) Event {
		w.git(w.repo, append(args, name)...)
		w.git(w.repo, "push", "-q", w.bare, "refs/tags/"+name)
		return Event{Ref: "refs/tags/" + name, Before: strings.Repeat("0", 40), After: w.git(w.repo, "rev-parse", "refs/tags/"+name)}
	}
	head := w.push(map[string]string{"services/1": ""})
	w.event(tag("other-v1", "tag"))
	w.event(tag("npm/v1.0.0", "tag"))
	e := w.wait("services", head, Succeeded)
	if e.Tag != "npm/v1.0.0" || e.Branch != "main" || e.Trigger != "Push npm/v1.0.0" {
		t.Errorf("%+v", e)
	}
	if got, want := w.file("v1.0.0"), "npm/v1.0.0\nother-v1\n"+head+"\nmain npm/v1.0.0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	w.git(w.repo, "checkout", "-q", "--detach")
	w.git(w.repo, "commit", "-q", "--allow-empty", "-m", "a fix")
	fix := w.git(w.repo, "rev-parse", "HEAD")
	annotated := tag("npm/v1.0.1", "tag", "-a", "-m", "x")
	w.event(annotated)
	w.wait("services", fix, Succeeded)
	if got, want := w.file("v1.0.1"), "npm/v1.0.1\n"+fix+"\nmain npm/v1.0.1"; got != want || annotated.After == fix {
		t.Errorf("got %q, want %q", got, want)
	}
	w.git(w.repo, "push", "-q", w.bare, "HEAD:refs/heads/npm/v2.0.0")
	w.event(Event{Ref: "refs/heads/npm/v2.0.0", Before: strings.Repeat("0", 40), After: fix})
	w.event(Event{Ref: "refs/tags/npm/v1.0.0", Before: head, After: strings.Repeat("0", 40)})
	w.event(annotated) // reported twice
	// Started by hand there is no tag, and a reference to it fails.
	w.event(Event{Start: "services"})
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if all, err := List(w.root); err != nil || len(all) == 3 && all[0].Status.Ended() {
			break
		}
	}
	all, err := List(w.root)
	if err != nil || len(all) != 3 || all[0].Trigger != "StartPipelineExecution" || !strings.Contains(all[0].Reason, "#{Source.TagName} is not set") {
		t.Errorf("%d executions, the last %+v, %v", len(all), all[0], err)
	}
}

func TestForget(t *testing.T) {
	w := newWorld(t)
	for i := range keep + 5 {
		e := &Execution{ID: string(rune('a'+i%26)) + string(rune('a'+i/26)), Pipeline: "p", Status: Succeeded, Queued: time.Unix(int64(i), 0)}
		if i == 0 {
			e.Status = Queued
		}
		if err := e.save(w.root); err != nil {
			t.Fatal(err)
		}
	}
	if err := forget(w.root); err != nil {
		t.Fatal(err)
	}
	all, err := List(w.root)
	if err != nil || len(all) != keep+1 || all[len(all)-1].Status != Queued {
		t.Errorf("%d are left, %v", len(all), err)
	}
	last, err := Last(w.root)
	if err != nil || len(last) != 1 || last[0].Queued.Unix() != keep+4 {
		t.Errorf("%+v, %v", last, err)
	}
}
