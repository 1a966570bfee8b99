// Package deployment says in one line how a deployment stands: what CodePipeline knows of an execution, as the status of its
// commit on GitHub.
package deployment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"
)

// API is what is asked of CodePipeline.
type API interface {
	codepipeline.ListPipelineExecutionsAPIClient
	codepipeline.ListActionExecutionsAPIClient
}

// Source reads the executions of one pipeline.
type Source struct {
	API      API
	Pipeline string
	// Pause waits before CodePipeline is asked again; default: 5 seconds.
	Pause func(context.Context) error
}

// Execution is one of the pipeline.
type Execution struct {
	ID string `json:"id"`
	// Commit is empty where its source was not read.
	Commit string                        `json:"commit,omitempty"`
	Status types.PipelineExecutionStatus `json:"status"`
	// Why is what CodePipeline says of the status, if anything.
	Why     string    `json:"why,omitempty"`
	Started time.Time `json:"started"`
}

// Running reports whether the execution goes on.
func (e Execution) Running() bool {
	return e.Status == types.PipelineExecutionStatusInProgress || e.Status == types.PipelineExecutionStatusStopping
}

// Find returns the execution that decides what the status of a commit is: of those of the commit that the execution id
// runs, the one that started last. A pipeline that has changed itself runs a commit again, and an event about the first
// run may come last. Without an id it is the pipeline's last execution. Find waits while the source is not read yet.
func (s Source) Find(ctx context.Context, id string) (Execution, error) {
	for {
		all, err := s.executions(ctx, id)
		if err != nil {
			return Execution{}, err
		}
		at := slices.IndexFunc(all, func(e Execution) bool { return id == "" || e.ID == id })
		if at >= 0 && (all[at].Commit != "" || !all[at].Running()) {
			if all[at].Commit == "" {
				return all[at], nil
			}
			return all[slices.IndexFunc(all, func(e Execution) bool { return e.Commit == all[at].Commit })], nil
		}
		if err := s.pause(ctx); err != nil {
			return Execution{}, fmt.Errorf("pipeline %s: %w", s.Pipeline, missing(id, at >= 0))
		}
	}
}

// Last returns at most so many executions, the last one first.
func (s Source) Last(ctx context.Context, most int) ([]Execution, error) {
	all, err := s.executions(ctx, "")
	return all[:min(most, len(all))], err
}

// missing is why there is nothing to tell.
func missing(id string, there bool) error {
	switch {
	case there:
		return fmt.Errorf("execution %s has read no source yet; look at its action Source", id)
	case id == "":
		return errors.New("has no execution; push, or start it")
	}
	return fmt.Errorf("has no execution %s; take one of the last year", id)
}

// executions are the pipeline's, the last one first, as far back as the one of the id.
func (s Source) executions(ctx context.Context, id string) ([]Execution, error) {
	var all []Execution
	pages := codepipeline.NewListPipelineExecutionsPaginator(s.API, &codepipeline.ListPipelineExecutionsInput{PipelineName: aws.String(s.Pipeline)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.explain(err, "codepipeline:ListPipelineExecutions")
		}
		for _, x := range page.PipelineExecutionSummaries {
			e := Execution{ID: aws.ToString(x.PipelineExecutionId), Status: x.Status, Why: aws.ToString(x.StatusSummary), Started: aws.ToTime(x.StartTime)}
			if x.StopTrigger != nil && aws.ToString(x.StopTrigger.Reason) != "" {
				e.Why = aws.ToString(x.StopTrigger.Reason)
			}
			if len(x.SourceRevisions) > 0 {
				e.Commit = aws.ToString(x.SourceRevisions[0].RevisionId)
			}
			all = append(all, e)
		}
		if id == "" || slices.ContainsFunc(all, func(e Execution) bool { return e.ID == id }) {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b Execution) int { return b.Started.Compare(a.Started) })
	return all, nil
}

// explain adds the remedy of what somebody can mend.
func (s Source) explain(err error, action string) error {
	remedy := ""
	var none *types.PipelineNotFoundException
	var said smithy.APIError
	switch {
	case errors.As(err, &none):
		remedy = "; deploy the stack with the environment's pipelines"
	case errors.As(err, &said) && said.ErrorCode() == "AccessDeniedException":
		remedy = "; grant " + action + " on the pipeline"
	}
	return fmt.Errorf("pipeline %s: %w%s", s.Pipeline, err, remedy)
}

func (s Source) pause(ctx context.Context) error {
	if s.Pause != nil {
		return s.Pause(ctx)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(5 * time.Second):
		return nil
	}
}
