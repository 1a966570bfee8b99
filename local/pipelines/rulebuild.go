package pipelines

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/system/source"
)

// ruleFolder holds the builds that rules started, each as an execution of a
// pipeline that has nothing but this build.
func ruleFolder(root string) string { return filepath.Join(root, "rules") }

// untold is the event of an execution of which no rule has heard yet.
const untold = "UNTOLD"

// states are what EventBridge calls the statuses of an execution.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
var states = map[Status]string{
	InProgress: "STARTED", Succeeded: "SUCCEEDED", Failed: "FAILED", Cancelled: "CANCELED", Superseded: "SUPERSEDED",
}

// news are the events of an execution that rules have not heard of, in their
// order. One that an earlier version of this program ran has none.
func (e *Execution) news() []string {
	var all []string
	if e.Event == untold && !e.Started.IsZero() {
		all = append(all, states[InProgress])
	}
	if e.Event != "" && e.Status.Ended() && e.Event != states[e.Status] {
		all = append(all, states[e.Status])
	}
	return all
}

// tell lets the rules hear of what executions came to.
func (r *runner) tell() error {
	if !r.reconciling.TryLock() {
		return nil // the definitions are being read, which may take long; the next turn tells
	}
	d := r.known
	r.reconciling.Unlock()
	if d == nil {
		return nil // which rules there are is not known yet
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var problems []error
	for _, e := range r.executions {
		for _, state := range e.news() {
			problems = append(problems, r.emit(d, e, state))
			e.Event = state
			problems = append(problems, e.save(r.Root))
		}
	}
	return errors.Join(problems...)
}

// emit starts the builds of the rules that match an event. The caller holds the lock.
func (r *runner) emit(d *Definitions, e *Execution, state string) error {
	happened := event{
		"version": "0", "id": executionID(e.ID, state), "source": "aws.codepipeline", "detail-type": "CodePipeline Pipeline Execution State Change",
		"account": r.Account, "region": r.AWS.Region, "time": time.Now().UTC().Format(time.RFC3339),
		"resources": []any{"arn:aws:codepipeline:" + r.AWS.Region + ":" + r.Account + ":" + e.Pipeline},
		"detail":    map[string]any{"pipeline": e.Pipeline, "execution-id": e.ID, "state": state},
	}
	var problems []error
	for _, rule := range d.Rules {
		if len(rule.Targets) == 0 {
			continue
		}
		ok, err := rule.hears(happened)
		if err != nil || !ok {
			problems = append(problems, err)
			continue
		}
		for _, t := range rule.Targets {
			b := &Execution{
				// The same for the same event, so that one that is told twice starts one build.
				ID: executionID(rule.Name, t.ID, e.ID, state), Pipeline: t.Project, Trigger: "rule/" + rule.Name, Mode: "PARALLEL",
				Status: Queued, Queued: time.Now(), About: e.ID,
			}
			in, err := t.input(happened)
			if b.Variables = in.EnvironmentVariablesOverride; err != nil {
				b.end(Failed, oneLine(err.Error()))
			}
			problems = append(problems, r.keep(b))
		}
	}
	return errors.Join(problems...)
}

// keep remembers a build unless it is there already.
func (r *runner) keep(b *Execution) error {
	folder := ruleFolder(r.Root)
	if _, err := os.Stat(filepath.Join(folderOf(folder, b), executionFile)); err == nil {
		return nil
	}
	r.Log.Info("build", "project", b.Pipeline, "started by", b.Trigger, "of execution", b.About)
	r.builds[b.ID] = b
	return errors.Join(b.save(folder), forget(folder))
}

// restore takes up what an earlier runner left: builds that have not ended, and
// executions of whose end no rule has heard.
func (r *runner) restore(executions []*Execution) error {
	for _, e := range executions {
		if e.Status.Ended() && len(e.news()) > 0 {
			r.executions[e.ID] = e
		}
	}
	all, err := List(ruleFolder(r.Root))
	if err != nil {
		return err
	}
	for _, b := range all {
		if !b.Status.Ended() {
			if err := interrupted(ruleFolder(r.Root), b); err != nil {
				return err
			}
			r.builds[b.ID] = b
		}
	}
	return nil
}

// launchBuilds runs what rules started.
func (r *runner) launchBuilds(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, b := range r.builds {
		switch {
		case b.Status.Ended():
			delete(r.builds, id)
		case !r.running[id]:
			r.running[id] = true
			r.jobs.Go(func() {
				r.ruleBuild(ctx, b)
				r.mu.Lock()
				defer r.mu.Unlock()
				delete(r.running, id)
			})
		}
	}
}

// ruleBuild runs a project as CodeBuild does for StartBuild: its source is its own.
func (r *runner) ruleBuild(ctx context.Context, e *Execution) {
	j := &job{runner: r, root: ruleFolder(r.Root), execution: e, log: r.Log.With("project", e.Pipeline, "build", e.ID)}
	err := j.startBuild(ctx)
	if ctx.Err() != nil {
		return // it goes on at the next start
	}
	if serr := j.update(func() {
		if e.end(Succeeded, ""); err != nil {
			e.end(Failed, oneLine(err.Error()))
		}
	}); serr != nil {
		j.log.Error("the result is not recorded", "error", serr)
	}
	j.log.Info("build ended", "status", e.Status, "reason", e.Reason)
}

// cloneType is the source of a project that no pipeline runs. The local
// repository stands for every one on GitHub.
const cloneType = "GITHUB"

func (j *job) startBuild(ctx context.Context) error {
	d, err := j.reconcile(ctx)
	if err != nil {
		return err
	}
	e := j.execution
	project := d.Projects[e.Pipeline]
	if project == nil {
		return fmt.Errorf("no stack has a project %q", e.Pipeline)
	}
	commit, err := source.Resolve(ctx, j.Repository, "refs/heads/"+project.SourceVersion)
	if err != nil {
		return fmt.Errorf("branch %q, the source of project %s, cannot be read: %w", project.SourceVersion, project.Name, err)
	}
	variables, err := json.Marshal(e.Variables)
	if err != nil {
		return err
	}
	from := Action{
		ActionTypeID:    ActionType{"Source", "AWS", "CodeStarSourceConnection", "1"},
		OutputArtifacts: []Artifact{{"Source"}}, Configuration: map[string]any{"OutputArtifactFormat": "CODEBUILD_CLONE_REF"},
	}
	build := Action{
		Name: "Build", ActionTypeID: ActionType{"Build", "AWS", "CodeBuild", "1"}, InputArtifacts: from.OutputArtifacts,
		Configuration: map[string]any{"ProjectName": project.Name, "EnvironmentVariables": string(variables)},
	}
	stage := Stage{Name: "Build", Actions: []Action{build}}
	j.pipeline, j.projects = &Pipeline{Name: e.Pipeline, Stages: []Stage{{Name: "Source", Actions: []Action{from}}, stage}}, d.Projects
	if err := j.update(func() {
		e.Status, e.Commit, e.Stage = InProgress, commit, stage.Name
		if e.Started.IsZero() {
			e.Started = time.Now()
		}
	}); err != nil {
		return err
	}
	return j.action(ctx, &stage, &build)
}

// Told is what a build that a rule started said of an execution.
type Told struct {
	Project string `json:"project"`
	Status  Status `json:"status"`
	// Said is the last line that the build's own commands wrote, or why it failed.
	Said string `json:"said,omitempty"`
	Log  string `json:"log,omitempty"`
}

// Tell adds to executions what builds told of them, in the order of their starts.
func Tell(root string, all []Shown) error {
	builds, err := List(ruleFolder(root))
	if err != nil {
		return err
	}
	for i := range all {
		for _, b := range slices.Backward(builds) {
			if b.About != all[i].ID {
				continue
			}
			t := Told{Project: b.Pipeline, Status: b.Status, Said: b.Reason}
			if len(b.Actions) > 0 {
				t.Log = b.Actions[0].Log
				t.Said = cmp.Or(t.Said, lastSaid(t.Log))
			}
			all[i].Told = append(all[i].Told, t)
		}
	}
	return nil
}

// WriteTold writes what builds told of the last execution of which any did.
func WriteTold(w io.Writer, all []Shown) {
	i := slices.IndexFunc(all, func(e Shown) bool { return len(e.Told) > 0 })
	if i < 0 {
		return
	}
	fmt.Fprintf(w, "\n%s %s:\n", all[i].Pipeline, all[i].ID[:8])
	for _, t := range all[i].Told {
		fmt.Fprintf(w, "  %s %s: %s\n", t.Project, strings.ToLower(string(t.Status)), cmp.Or(t.Said, "-"))
	}
}

// lastSaid is the last line of a log that is not CodeBuild's.
func lastSaid(log string) string {
	for _, line := range slices.Backward(strings.Split(text(log), "\n")) {
		if line = strings.TrimSpace(colours.ReplaceAllString(line, "")); line != "" && !strings.HasPrefix(line, "[Container] ") {
			return line
		}
	}
	return ""
}
