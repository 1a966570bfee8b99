package pipelines

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// OnFailure is what follows when a stage has failed.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_FailureConditions.html
type OnFailure struct {
	Result             string
	Conditions         []any
	RetryConfiguration any
}

// resultRollback runs the stage again as the last execution that succeeded in it.
const resultRollback = "ROLLBACK"

// typeRollback is the type of such an execution, and automatedRollback what starts it. Any other is STANDARD.
const (
	typeRollback      = "ROLLBACK"
	automatedRollback = "AutomatedRollback"
)

// kind is the type as the API has it.
func (e *Execution) kind() string { return cmp.Or(e.Type, "STANDARD") }

// rolledBack is what a rollback is to.
func (e *Execution) rolledBack() object {
	return object{}.with("rollbackTargetPipelineExecutionId", e.RollbackTarget)
}

// unsupported names what of it is not run here, or is refused by CodePipeline.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
// https://docs.aws.amazon.com/codepipeline/latest/userguide/execution-modes.html
func (f *OnFailure) unsupported(s *Stage, mode string) string {
	switch {
	case f == nil:
		return ""
	case f.Result != resultRollback || len(f.Conditions) > 0 || f.RetryConfiguration != nil:
		return unknown("stage %s has in OnFailure more or other than the result ROLLBACK", s.Name)
	case slices.ContainsFunc(s.Actions, func(a Action) bool { return a.ActionTypeID.Category == "Source" }):
		return fmt.Sprintf("stage %s must have no rollback: a source is not rolled back", s.Name)
	case mode == "PARALLEL":
		return fmt.Sprintf("stage %s must have no rollback: the pipeline is in PARALLEL mode", s.Name)
	}
	return ""
}

// succeeded reports whether a stage of the execution has.
func (e *Execution) succeeded(stage string) bool {
	for _, s := range e.Stages {
		if s.Name == stage {
			return s.Status == Succeeded
		}
	}
	return false
}

// lastGood is the execution that a stage rolls back to: the last that succeeded in it, began with the present definition, and
// is no rollback itself; nil if there is none.
func lastGood(all []*Execution, p *Pipeline, stage string) *Execution {
	for _, e := range all {
		if e.Pipeline == p.Name && e.Type != typeRollback && e.Definition == p.Digest && e.succeeded(stage) {
			return e
		}
	}
	return nil
}

// rollBack makes the execution that follows a failure, if the stage that failed asks for one. A rollback that fails has none.
// What it returns is told with the reason of the failure.
func (j *job) rollBack() (string, error) {
	e := j.execution
	if e.Type == typeRollback {
		return "", nil
	}
	s := j.failedStage()
	if s == nil || s.OnFailure == nil {
		return "", nil
	}
	all, err := List(j.root)
	if err != nil {
		return "", err
	}
	to := lastGood(all, j.pipeline, s.Name)
	if to == nil {
		return fmt.Sprintf("; stage %s is not rolled back: no execution of this definition has succeeded in it", s.Name), nil
	}
	back := &Execution{
		ID: executionID(e.ID, to.ID), Pipeline: e.Pipeline, Status: Queued, Trigger: automatedRollback, Mode: e.Mode, Queued: time.Now(),
		Commit: to.Commit, Branch: to.Branch, Tag: to.Tag, Subject: to.Subject,
		Type: typeRollback, RollbackTarget: to.ID, Failed: e.ID, Stage: s.Name, Definition: j.pipeline.Digest,
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.executions[back.ID] = back
	j.log.Info("stage is rolled back", "stage", s.Name, "to", to.ID, "commit", to.Commit)
	return fmt.Sprintf("; stage %s is rolled back to %.8s", s.Name, to.Commit), back.save(j.root)
}

// failedStage is the stage in which the execution stands. One that was not entered has not failed.
func (j *job) failedStage() *Stage {
	e := j.execution
	for i := range j.pipeline.Stages {
		s := &j.pipeline.Stages[i]
		if s.Name == e.Stage && e.stage(s.Name).Status == InProgress {
			return s
		}
	}
	return nil
}

// stages are those that the execution goes through: of a rollback it is one.
func (j *job) stages() []*Stage {
	var all []*Stage
	for i := range j.pipeline.Stages {
		if s := &j.pipeline.Stages[i]; j.execution.Type != typeRollback || s.Name == j.execution.Stage {
			all = append(all, s)
		}
	}
	return all
}

// aim reads the execution that a rollback repeats: it has the variables and the artifacts of the stages before.
func (j *job) aim() error {
	if j.execution.Type != typeRollback {
		return nil
	}
	all, err := List(j.root)
	if err != nil {
		return err
	}
	for _, e := range all {
		switch {
		case e.ID == j.execution.RollbackTarget:
			j.repeats = e
		case e.ID == j.execution.Failed && e.Status != Failed:
			return fmt.Errorf("execution %s is %s: it went on when the runner began again", e.ID, e.Status)
		}
	}
	if j.repeats != nil {
		return nil
	}
	return fmt.Errorf("execution %s, to which stage %s is rolled back, is forgotten", j.execution.RollbackTarget, j.execution.Stage)
}

// outputs are the variables of an action; of a rollback also those of the execution that it repeats.
func (j *job) outputs(stage, action string) map[string]string {
	for _, e := range []*Execution{j.execution, j.repeats} {
		if e == nil {
			continue
		}
		for _, a := range e.Actions {
			if a.Stage == stage && a.Name == action {
				return a.Outputs
			}
		}
	}
	return nil
}

// maker is the execution that has made an artifact: of a rollback the one that it repeats, where it has not made it itself.
func (j *job) maker(artifact string) *Execution {
	if j.repeats == nil {
		return j.execution
	}
	for _, s := range j.stages() {
		for _, a := range s.Actions {
			for _, out := range a.OutputArtifacts {
				if out.Name == artifact {
					return j.execution
				}
			}
		}
	}
	return j.repeats
}
