package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/stacks"
	"k8s-plus-aws-gitops/internal/status"
)

// Stacks is what is used of CloudFormation.
type Stacks interface {
	DescribeStacks(ctx context.Context, in *cloudformation.DescribeStacksInput, options ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
	stacks.TemplateAPI
}

// reader reads templates, and notes the stacks whose last operation did not succeed.
type reader struct {
	Stacks
	unfit map[string]bool
}

// never are the states of a stack of which nothing was made.
var never = []types.StackStatus{types.StackStatusReviewInProgress, types.StackStatusRollbackComplete, types.StackStatusDeleteComplete}

// read returns the templates of the stacks that exist.
func (r reader) read(ctx context.Context, names []string) (map[string]assembly.Template, error) {
	found := map[string]assembly.Template{}
	for _, name := range names {
		state, err := r.state(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("stack %s: %w", name, err)
		}
		if state == "" {
			continue
		}
		if r.unfit[name] = !slices.Contains(status.Whole, state); slices.Contains(never, state) {
			continue
		}
		if found[name], err = stacks.Template(ctx, r, name); err != nil {
			return nil, fmt.Errorf("stack %s: %w", name, err)
		}
	}
	return found, nil
}

// state of a stack; empty when there is none.
func (r reader) state(ctx context.Context, name string) (types.StackStatus, error) {
	out, err := r.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	var refused smithy.APIError
	// CloudFormation has no error of its own for it.
	if errors.As(err, &refused) && refused.ErrorCode() == "ValidationError" && strings.Contains(refused.ErrorMessage(), "does not exist") {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return out.Stacks[0].StackStatus, nil
}
