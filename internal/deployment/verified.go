package deployment

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"k8s-plus-aws-gitops/config"
)

// mostVerified is how many executions are asked for their actions.
const mostVerified = 20

// Verified lists the commits whose executions succeeded, the last one first and each once; with gate only those that waited until
// Flux had applied the commit. It looks at the last executions, of which CodePipeline lists 100 at once.
func (s Source) Verified(ctx context.Context, gate bool) ([]string, error) {
	all, err := s.executions(ctx, "")
	if err != nil {
		return nil, err
	}
	var commits []string
	asked := 0
	for _, e := range all {
		if e.Status != types.PipelineExecutionStatusSucceeded || e.Commit == "" || slices.Contains(commits, e.Commit) || asked == mostVerified {
			continue
		}
		if gate {
			asked++
			began, err := s.actions(ctx, e.ID)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(began, func(a types.ActionExecutionDetail) bool {
				return aws.ToString(a.ActionName) == config.VerifyAction && a.Status == types.ActionExecutionStatusSucceeded
			}) {
				continue
			}
		}
		commits = append(commits, e.Commit)
	}
	return commits, nil
}
