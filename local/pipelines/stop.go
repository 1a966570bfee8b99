package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// stopError is why a running execution is stopped.
type stopError struct {
	Reason string `json:"reason"`
}

func (e *stopError) Error() string { return "stopped" + colon(e.Reason) }

// ErrEnded is returned by Stop for an execution that has ended.
var ErrEnded = errors.New("the execution has ended")

func stopFile(root string, e *Execution) string { return filepath.Join(folderOf(root, e), "stop.json") }

// Stop stops an execution, and ends its builds. CodePipeline would abandon them:
// they would go on, and nobody would look at their results.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StopPipelineExecution.html
func Stop(root string, e *Execution, reason string) error {
	if e.Status.Ended() {
		return fmt.Errorf("%s is %s: %w", e.ID, e.Status, ErrEnded)
	}
	raw, err := json.Marshal(stopError{Reason: reason})
	if err != nil {
		return err
	}
	return atomicfile.Write(stopFile(root, e), raw, 0o600)
}

// watch stops an execution once somebody asks for it, until the returned function is called.
func (r *runner) watch(ctx context.Context, e *Execution, stop context.CancelCauseFunc) (end func()) {
	ctx, end = context.WithCancel(ctx)
	file := stopFile(r.Root, e)
	r.jobs.Go(func() {
		for pause(ctx) == nil {
			asked := &stopError{}
			if raw, err := os.ReadFile(file); err == nil && json.Unmarshal(raw, asked) == nil {
				stop(asked)
				return
			}
		}
	})
	return end
}

// stop ends the execution with what of it was running.
func (e *Execution) stop(reason string) {
	e.end(Stopped, reason)
	for _, a := range e.Actions {
		if !a.Status.Ended() {
			a.Status, a.Reason, a.Ended = Abandoned, reason, e.Ended
		}
	}
}

// stopExecution answers StopPipelineExecution.
func stopExecution(q question, p *Pipeline, all []*Execution) (object, error) {
	e, err := find(q.PipelineExecutionID, p, all)
	if err != nil {
		return nil, err
	}
	if !q.Abandon {
		return nil, refuse("ValidationException", "the local pipelines stop an execution at once: abandon must be true")
	}
	switch err := Stop(q.root, e, q.Reason); {
	case errors.Is(err, ErrEnded):
		return nil, refuse("PipelineExecutionNotStoppableException", "%s", err.Error())
	case err != nil:
		return nil, err
	}
	return object{"pipelineExecutionId": e.ID}, nil
}

// startExecution answers StartPipelineExecution: the pipeline runs for the end of its branch.
func startExecution(q question, p *Pipeline, _ []*Execution) (object, error) {
	file, err := record(q.root, Event{Start: p.Name})
	if err != nil {
		return nil, err
	}
	return object{"pipelineExecutionId": executionID(file, p.Name)}, nil
}
