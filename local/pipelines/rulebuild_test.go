package pipelines

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// reports lets a rule start the project "report", whose build writes a line of
// what it asks the API for, as the platform's own does.
func (w *world) reports(commands ...string) {
	w.t.Helper()
	w.project("report", spec(commands...))
	w.defs.Projects["report"].Source.Type = cloneType
	w.defs.Projects["report"].SourceVersion = "main"
	var r EventRule
	if err := json.Unmarshal([]byte(`{
		"Name": "rule", "EventPattern": {"source": ["aws.codepipeline"], "detail": {"pipeline": ["p"]}},
		"Targets": [{"Id": "T", "Arn": "arn:aws:codebuild:eu-west-1:000000000000:project/report", "InputTransformer": {
			"InputPathsMap": {"id": "$.detail.execution-id", "state": "$.detail.state"},
			"InputTemplate": "{\"environmentVariablesOverride\": [{\"name\": \"EXECUTION\", \"value\": <id>}, {\"name\": \"STATE\", \"value\": <state>}]}"}}]}`), &r); err != nil {
		w.t.Fatal(err)
	}
	r.named(nil)
	w.defs.Rules = map[string]*EventRule{"rule": &r}
}

// told waits until so many builds have told of an execution, and returns what
// they said in the order of their starts.
func (w *world) told(e *Execution, count int) []Told {
	w.t.Helper()
	var all []Shown
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		all = []Shown{{Execution: e}}
		if err := Tell(w.root, all); err != nil {
			w.t.Fatal(err)
		}
		ended := 0
		for _, t := range all[0].Told {
			if t.Status.Ended() {
				ended++
			}
		}
		if ended >= count {
			return all[0].Told
		}
	}
	w.t.Fatalf("told %+v, want %d", all[0].Told, count)
	return nil
}

// said is what was said, without an order: two builds of a rule may run at once.
func said(all []Told) []string {
	var lines []string
	for _, t := range all {
		lines = append(lines, t.Said)
	}
	slices.Sort(lines)
	return lines
}

// A rule's build hears of the start and of each end: it asks the API, as on
// AWS, and not the event. Its source is a clone of its own branch.
func TestRules(t *testing.T) {
	w := newWorld(t)
	w.config.Builds = 4
	w.reports(
		`test "$(git rev-parse HEAD)" = "$CODEBUILD_RESOLVED_SOURCE_VERSION"`,
		`echo "$CODEBUILD_INITIATOR" > "$OUT/initiator"`,
		`echo "$STATE of $EXECUTION"`,
	)
	w.define("p", "SUPERSEDED", "", stage("Approve", approval("Approve")), stage("Test", w.project("test", spec(`test ! -e red`))))
	w.define("q", "QUEUED", "", stage("Test", w.project("other", spec("true"))))
	w.start()
	decide := func(approved bool) {
		t.Helper()
		if _, _, err := Decide(w.root, "p", Decision{Approved: approved, By: "me", Summary: "not today"}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(e *Execution, states ...string) {
		t.Helper()
		var lines []string
		for _, s := range states {
			lines = append(lines, s+" of "+e.ID)
		}
		slices.Sort(lines)
		if got := said(w.told(e, len(states))); !slices.Equal(got, lines) {
			t.Errorf("told %q, want %q", got, lines)
		}
	}

	c := w.push(map[string]string{"p/1": ""})
	e := w.wait("p", c, Waiting)
	want(e, "STARTED")
	later, last := w.push(map[string]string{"p/2": ""}), w.push(map[string]string{"p/3": "", "q/1": ""})
	want(w.wait("p", later, Superseded), "SUPERSEDED")
	decide(false)
	e = w.wait("p", c, Failed)
	want(e, "STARTED", "FAILED")
	w.wait("p", last, Waiting)
	decide(true)
	want(w.wait("p", last, Succeeded), "STARTED", "SUCCEEDED")
	w.wait("q", last, Succeeded)
	if got := w.file("initiator"); got != "rule/rule" {
		t.Errorf("started by %s", got)
	}
	// A build of a rule is no execution of a pipeline.
	all, err := List(w.root)
	if err != nil || len(all) != 4 {
		t.Errorf("%d executions, %v", len(all), err)
	}
	// What failed says why.
	w.stop()
	w.reports("echo no right >&2; exit 1")
	w.start()
	c = w.push(map[string]string{"p/4": "", "red": ""})
	w.wait("p", c, Waiting)
	decide(true)
	e = w.wait("p", c, Failed)
	for _, told := range w.told(e, 2) {
		if told.Status != Failed || !strings.Contains(told.Said, "exit status 1") || !strings.Contains(text(told.Log), "no right") {
			t.Errorf("%+v", told)
		}
	}
}

// A person reads it below the table.
func TestWriteTold(t *testing.T) {
	var b bytes.Buffer
	WriteTold(&b, []Shown{
		{Execution: &Execution{ID: "22222222-", Pipeline: "local-review"}},
		{Execution: &Execution{ID: "11111111-", Pipeline: "local-deploy"}, Told: []Told{{Project: "local-report", Status: Succeeded, Said: "gitops/local is success"}, {Project: "local-report", Status: Queued}}},
	})
	if got, want := b.String(), "\nlocal-deploy 11111111:\n  local-report succeeded: gitops/local is success\n  local-report queued: -\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Of an end that came while the runner was killed the rules hear at its next
// start, and a build that was cut off runs again.
func TestRulesAfterAKill(t *testing.T) {
	w := newWorld(t)
	w.config.Builds = 3
	w.reports(`echo x >> "$OUT/runs"`, `until [ -e "$OUT/go" ]; do sleep 0.02; done`, `echo "$STATE"`)
	w.define("p", "QUEUED", "", stage("Test", w.project("test", spec("true"))))
	w.start()
	e := w.wait("p", w.push(map[string]string{"p/1": ""}), Succeeded)
	w.until("runs", "x\nx") // both builds wait
	w.stop()
	// As a kill leaves it that comes between the end and the news of it.
	e = w.wait("p", e.Commit, Succeeded)
	e.Event = states[InProgress]
	if err := e.save(w.root); err != nil {
		t.Fatal(err)
	}
	ended, err := List(ruleFolder(w.root))
	if err != nil || len(ended) != 2 {
		t.Fatalf("%d builds, %v", len(ended), err)
	}
	for _, b := range ended {
		if slices.ContainsFunc(b.Variables, func(v Variable) bool { return v.Value == "SUCCEEDED" }) {
			if err := os.RemoveAll(folderOf(ruleFolder(w.root), b)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	if got := said(w.told(e, 2)); !slices.Equal(got, []string{"STARTED", "SUCCEEDED"}) {
		t.Errorf("told %q", got)
	}
}

// What cannot be started here is said where the build would be.
func TestRulesRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world)
		want   string
	}{
		"a pipeline's project": {func(w *world) { w.defs.Projects["report"].Source.Type = "CODEPIPELINE" }, `project report has a source of type "CODEPIPELINE": only GITHUB is run here`},
		"no project":           {func(w *world) { delete(w.defs.Projects, "report") }, `no stack has a project "report"`},
		"no branch":            {func(w *world) { w.defs.Projects["report"].SourceVersion = "released/p" }, `branch "released/p", the source of project report, cannot be read`},
		"no input":             {func(w *world) { w.defs.Rules["rule"].Targets[0].InputTransformer.InputTemplate = `{"x": 1}` }, "target T: its input is not what the local pipelines know"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.reports("true")
			c.change(w)
			w.define("p", "QUEUED", "", stage("Test", w.project("test", spec("true"))))
			w.start()
			e := w.wait("p", w.push(map[string]string{"p/1": ""}), Succeeded)
			for _, told := range w.told(e, 2) {
				if told.Status != Failed || !strings.Contains(told.Said, c.want) {
					t.Errorf("%+v, want %s", told, c.want)
				}
			}
		})
	}
}
