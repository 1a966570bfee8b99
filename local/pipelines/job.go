package pipelines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s-plus-aws-gitops/local/system/source"
)

// maxInterruptions is how often an execution is taken up again.
const maxInterruptions = 3

// errUpdated ends an execution whose pipeline changed under it.
var errUpdated = errors.New("the pipeline's definition was updated before the execution could be completed")

// job is one running execution.
type job struct {
	*runner
	root      string
	execution *Execution
	pipeline  *Pipeline
	projects  map[string]*Project
	// repeats is the execution that a rollback repeats.
	repeats *Execution
	log     *slog.Logger
}

// interrupted prepares an execution that a runner before this one left
// running: its processes are ended, its action begins anew.
func interrupted(root string, e *Execution) error {
	if e.Status != InProgress {
		return nil
	}
	cut := 0
	for _, a := range e.Actions {
		if a.Status == InProgress {
			if a.Build != "" {
				endBuild(a.Build)
			}
			a.Status, cut = Queued, 1
		}
	}
	if e.Interruptions += cut; e.Interruptions > maxInterruptions {
		e.end(Failed, fmt.Sprintf("interrupted %d times", e.Interruptions))
	}
	return e.save(root)
}

// execute runs an execution to its end, or until ctx ends: then it stays as it
// is for the next runner.
func (r *runner) execute(ctx context.Context, e *Execution) {
	j := &job{runner: r, root: r.Root, execution: e, log: r.Log.With("pipeline", e.Pipeline, "execution", e.ID)}
	err := j.run(ctx)
	var stopped *stopError
	if ctx.Err() != nil && !errors.As(context.Cause(ctx), &stopped) {
		j.log.Info("cut off, goes on at the next start")
		return
	}
	after := ""
	if err != nil && !errors.Is(err, errUpdated) && j.pipeline != nil {
		var rerr error
		if after, rerr = j.rollBack(); rerr != nil {
			j.log.Error("the stage is not rolled back", "error", rerr)
		}
	}
	if serr := j.update(func() {
		switch {
		case stopped != nil:
			e.stop(stopped.Reason)
		case err == nil:
			e.end(Succeeded, "")
		case errors.Is(err, errUpdated):
			e.end(Cancelled, err.Error())
		default:
			e.end(Failed, oneLine(err.Error())+after)
		}
	}); serr != nil {
		j.log.Error("the result is not recorded", "error", serr)
	}
	j.log.Info("execution ended", "status", e.Status, "took", e.Duration(e.Ended).Round(time.Second), "reason", e.Reason)
}

func (j *job) run(ctx context.Context) error {
	if err := j.define(ctx); err != nil {
		return err
	}
	e := j.execution
	if err := j.update(func() {
		e.Status, e.Definition = InProgress, j.pipeline.Digest
		if e.Started.IsZero() {
			e.Started = time.Now()
		}
	}); err != nil {
		return err
	}
	if problem := j.pipeline.unsupported(); problem != "" {
		return errors.New(problem)
	}
	if err := j.aim(); err != nil {
		return err
	}
	for _, s := range j.stages() {
		if err := j.stage(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// define reads the definition. While the API does not answer it waits: the
// process behind it is restarted.
func (j *job) define(ctx context.Context) error {
	for began := time.Now(); ; {
		d, err := j.reconcile(ctx)
		if err == nil {
			p, e := d.Pipelines[j.execution.Pipeline], j.execution
			if p == nil {
				return fmt.Errorf("pipeline %s does not exist any more", e.Pipeline)
			}
			if e.Definition != "" && e.Definition != p.Digest {
				return errUpdated
			}
			j.pipeline, j.projects = p, d.Projects
			return nil
		}
		if time.Since(began) > 2*time.Minute {
			return err
		}
		if perr := pause(ctx); perr != nil {
			return perr
		}
	}
}

// update changes the execution and writes it down.
func (j *job) update(change func()) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	change()
	return j.execution.save(j.root)
}

// stage runs a stage, if its entry condition lets the execution enter.
func (j *job) stage(ctx context.Context, s *Stage) error {
	var state *StageState
	if err := j.update(func() { j.execution.Stage, state = s.Name, j.execution.stage(s.Name) }); err != nil || state.Status.Ended() {
		return err // an earlier runner ran it
	}
	if state.Status == Queued || state.Status == Held {
		if err := j.enter(ctx, s); err != nil {
			return err
		}
		result, reason, err := j.refusal(s)
		switch {
		case err != nil:
			return fmt.Errorf("stage %s: %w", s.Name, err)
		case result == resultSkip:
			return j.update(func() { state.Status, state.Reason = Skipped, reason })
		case result != "":
			return fmt.Errorf("stage %s is not entered: %s", s.Name, reason)
		}
		if err := j.await(ctx, s, state); err != nil {
			return err
		}
		if err := j.update(func() { state.Status = InProgress }); err != nil {
			return err
		}
	}
	for _, actions := range s.orders() {
		if err := j.actions(ctx, s, actions); err != nil {
			return err
		}
	}
	return j.update(func() { state.Status = Succeeded })
}

// orders are the actions by their order.
func (s *Stage) orders() [][]*Action {
	numbers := map[int][]*Action{}
	for i := range s.Actions {
		a := &s.Actions[i]
		numbers[max(a.RunOrder, 1)] = append(numbers[max(a.RunOrder, 1)], a)
	}
	var all [][]*Action
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		all = append(all, numbers[n])
	}
	return all
}

// actions runs the actions of one order at once and all of them to their end.
func (j *job) actions(ctx context.Context, s *Stage, actions []*Action) error {
	var wg sync.WaitGroup
	failures := make([]error, len(actions))
	for i, a := range actions {
		wg.Go(func() { failures[i] = j.action(ctx, s, a) })
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	return j.define(ctx)
}

// action runs one action unless an earlier runner did.
func (j *job) action(ctx context.Context, s *Stage, a *Action) error {
	var state *ActionState
	if err := j.update(func() {
		if state = j.execution.action(s.Name, a.Name, a.ActionTypeID.String()); state.Status != Succeeded {
			if state.Status != Waiting { // since it began to wait, also under another runner
				state.Started = time.Now()
			}
			state.Status, state.Reason = InProgress, ""
		}
	}); err != nil || state.Status == Succeeded {
		return err
	}
	err := j.perform(ctx, s, a, state)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if uerr := j.update(func() {
		state.Status, state.Ended = Succeeded, time.Now()
		if err != nil {
			state.Status, state.Reason = Failed, oneLine(err.Error())
		}
	}); uerr != nil {
		return uerr
	}
	if err != nil {
		return fmt.Errorf("%s: %w", cmp.Or(a.Name, s.Name), err)
	}
	return nil
}

func (j *job) perform(ctx context.Context, s *Stage, a *Action, state *ActionState) error {
	switch a.ActionTypeID.String() {
	case sourceType:
		return j.source(ctx, a, state)
	case approvalType:
		return j.approve(ctx, a, state)
	case buildType, testType:
		return j.build(ctx, s, a, state)
	}
	return fmt.Errorf("actions of type %s are not run here: the local pipelines know %s, %s, %s and %s", a.ActionTypeID, sourceType, buildType, testType, approvalType)
}

// source names the revision; each build makes its own checkout of it. The
// variables are those of the real action:
// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodestarConnectionSource.html
func (j *job) source(ctx context.Context, a *Action, state *ActionState) error {
	e := j.execution
	author, err := source.Author(ctx, j.Repository, e.Commit)
	if err != nil {
		return err
	}
	return j.update(func() {
		state.Reason = e.Subject
		state.Outputs = map[string]string{
			"CommitId": e.Commit, "BranchName": e.Branch, "CommitMessage": e.Subject,
			"FullRepositoryName": a.text("FullRepositoryId"), "ConnectionArn": a.text("ConnectionArn"),
			"AuthorDate": author.Date, "AuthorDisplayName": author.Name, "AuthorEmail": author.Email,
		}
		if e.Tag != "" {
			state.Outputs["TagName"] = e.Tag // there is none otherwise, and a reference to it fails
		}
	})
}

var reference = regexp.MustCompile(`#\{([^{}]+)\}`)

// expand replaces #{namespace.variable} by what earlier actions said.
func (j *job) expand(text string) (string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var missing []string
	out := reference.ReplaceAllStringFunc(text, func(match string) string {
		name := match[2 : len(match)-1]
		if name == "codepipeline.PipelineExecutionId" {
			return j.execution.ID
		}
		for _, s := range j.pipeline.Stages {
			for _, a := range s.Actions {
				variable, ok := strings.CutPrefix(name, a.Namespace+".")
				if !ok || a.Namespace == "" {
					continue
				}
				if value, ok := j.outputs(s.Name, a.Name)[variable]; ok {
					return value
				}
			}
		}
		missing = append(missing, match)
		return ""
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("%s is not set by an earlier action: check the action's namespace and the buildspec's exported-variables", strings.Join(missing, ", "))
	}
	return out, nil
}

// logFile is where an action writes.
func (j *job) logFile(stage, action string) string {
	return filepath.Join(folderOf(j.root, j.execution), stage+"-"+action+".log")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
