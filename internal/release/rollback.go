package release

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// Rollback lets the branch go back. CodePipeline says so of an execution, and nobody else.
type Rollback struct {
	// To is the commit of the execution that is repeated: the stage that released it has succeeded.
	To string
	// From is the commit of the execution that failed; empty when a person rolls back.
	From string
}

// Executions is what is used of CodePipeline.
type Executions interface {
	GetPipelineExecution(ctx context.Context, in *codepipeline.GetPipelineExecutionInput, options ...func(*codepipeline.Options)) (*codepipeline.GetPipelineExecutionOutput, error)
}

// FindRollback asks what an execution rolls back; nil when it does not.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback-view-details.html
func FindRollback(ctx context.Context, c Executions, pipeline, id string) (*Rollback, error) {
	e, err := execution(ctx, c, pipeline, id)
	if err != nil || e.ExecutionType != types.ExecutionTypeRollback {
		return nil, err
	}
	if e.RollbackMetadata == nil || e.Trigger == nil {
		return nil, fmt.Errorf("execution %s of %s rolls back, and CodePipeline does not say to what; release by hand: docs/guides/releases.md", id, pipeline)
	}
	r := &Rollback{}
	if r.To, err = revision(ctx, c, pipeline, aws.ToString(e.RollbackMetadata.RollbackTargetPipelineExecutionId)); err != nil {
		return nil, err
	}
	if e.Trigger.TriggerType != types.TriggerTypeAutomatedRollback {
		return r, nil
	}
	var failed struct {
		ID string `json:"FailedPipelineExecutionId"`
	}
	if err := json.Unmarshal([]byte(aws.ToString(e.Trigger.TriggerDetail)), &failed); err != nil || failed.ID == "" {
		return nil, fmt.Errorf("execution %s of %s rolls back, and its trigger names no failed execution: %q; release by hand: docs/guides/releases.md", id, pipeline, aws.ToString(e.Trigger.TriggerDetail))
	}
	r.From, err = revision(ctx, c, pipeline, failed.ID)
	return r, err
}

func execution(ctx context.Context, c Executions, pipeline, id string) (*types.PipelineExecution, error) {
	out, err := c.GetPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: &pipeline, PipelineExecutionId: &id})
	if err != nil {
		return nil, fmt.Errorf("execution %s of %s: %w", id, pipeline, err)
	}
	return out.PipelineExecution, nil
}

// revision is the commit of an execution, whose pipeline has one source.
func revision(ctx context.Context, c Executions, pipeline, id string) (string, error) {
	e, err := execution(ctx, c, pipeline, id)
	if err != nil {
		return "", err
	}
	if n := len(e.ArtifactRevisions); n != 1 {
		return "", fmt.Errorf("execution %s of %s must have 1 source revision, got %d; release by hand: docs/guides/releases.md", id, pipeline, n)
	}
	return aws.ToString(e.ArtifactRevisions[0].RevisionId), nil
}

// takeBack is a release of a commit that the branch has passed. What another execution has released since stays: what it
// holds may be the remedy.
func (r Result) takeBack(o Options) (Result, error) {
	switch back := o.Rollback; {
	case back.To != r.Commit:
		return r, fmt.Errorf("nothing is taken back: the rollback is to %.12s, and the commit to release is %.12s; release by hand: docs/guides/releases.md", back.To, r.Commit)
	case back.From != "" && back.From != r.Before:
		return r, fmt.Errorf("nothing is taken back: %.12s failed, and %s is at %.12s since; its own execution says whether that is healthy", back.From, o.Branch, r.Before)
	}
	r.Outcome = Back
	return r, nil
}
