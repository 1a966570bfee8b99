package drift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"k8s-plus-aws-gitops/internal/status"
)

// ChangeSets is what is used of CloudFormation to take drift back.
type ChangeSets interface {
	cloudformation.DescribeStacksAPIClient
	cloudformation.DescribeChangeSetAPIClient
	CreateChangeSet(ctx context.Context, in *cloudformation.CreateChangeSetInput, options ...func(*cloudformation.Options)) (*cloudformation.CreateChangeSetOutput, error)
	ExecuteChangeSet(ctx context.Context, in *cloudformation.ExecuteChangeSetInput, options ...func(*cloudformation.Options)) (*cloudformation.ExecuteChangeSetOutput, error)
	DeleteChangeSet(ctx context.Context, in *cloudformation.DeleteChangeSetInput, options ...func(*cloudformation.Options)) (*cloudformation.DeleteChangeSetOutput, error)
}

// stack takes the drift of a stack back by a drift-aware change set, with the template that it has. CloudFormation takes back a whole
// stack or nothing, so one difference that is not safe leaves all of its stack as it is. A resource that holds data is one, whatever
// differs, and so is what would be replaced or removed, or was not found to differ.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
func (r Repairer) stack(ctx context.Context, name string, report *Report) Repair {
	differs := map[string]bool{}
	for _, f := range report.Findings {
		stack, resource, _ := strings.Cut(f.Object, "/")
		if stack != name || f.PutBack == "" {
			continue
		}
		if holds := r.Holds(f.Type); holds != "" {
			return Repair{Left: fmt.Sprintf("%s holds data, %s: by hand, docs/guides/drift.md#a-resource-of-a-stack", f.Object, holds)}
		}
		differs[resource] = true
	}
	set, updated, err := r.changeSet(ctx, name)
	switch {
	case err != nil:
		return Repair{Left: reason(err)}
	case set == "":
		return Repair{Left: "CloudFormation sees nothing that it can take back"}
	}
	unsafe, err := r.unsafe(ctx, set, differs)
	if err == nil && unsafe == "" {
		if err = r.execute(ctx, name, set, updated); err != nil {
			return Repair{Left: reason(err)}
		}
		return Repair{Done: "CloudFormation has taken it back"}
	}
	_, gone := r.Stacks.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{ChangeSetName: &set})
	if err = errors.Join(err, gone); err != nil {
		return Repair{Left: reason(err)}
	}
	return Repair{Left: unsafe}
}

// changeSet makes the change set and returns its ARN, empty when it would change nothing, and when the stack was updated last.
func (r Repairer) changeSet(ctx context.Context, stack string) (arn string, updated time.Time, err error) {
	now, err := r.Stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return "", updated, err
	}
	updated = aws.ToTime(now.Stacks[0].LastUpdatedTime)
	in := &cloudformation.CreateChangeSetInput{
		StackName: &stack, ChangeSetName: aws.String("revert-drift-" + r.Now().UTC().Format("20060102150405")), UsePreviousTemplate: aws.Bool(true),
		DeploymentMode: types.DeploymentModeRevertDrift, Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam, types.CapabilityCapabilityAutoExpand},
	}
	for _, p := range now.Stacks[0].Parameters {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: p.ParameterKey, UsePreviousValue: aws.Bool(true)})
	}
	made, err := r.Stacks.CreateChangeSet(ctx, in)
	if err != nil {
		return "", updated, err
	}
	for {
		set, err := r.Stacks.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: made.Id})
		if err != nil {
			return "", updated, err
		}
		switch set.Status {
		case types.ChangeSetStatusCreateComplete:
			return *made.Id, updated, nil
		case types.ChangeSetStatusFailed:
			_, err := r.Stacks.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{ChangeSetName: made.Id})
			if why := aws.ToString(set.StatusReason); !strings.Contains(why, "didn't contain changes") && !strings.Contains(why, "No updates") {
				err = errors.Join(errors.New("the change set failed: "+why), err)
			}
			return "", updated, err
		}
		if err := r.Pause(ctx, every); err != nil {
			return "", updated, err
		}
	}
}

// unsafe says what in a change set must not be done without a person; empty: nothing.
func (r Repairer) unsafe(ctx context.Context, set string, differs map[string]bool) (string, error) {
	pages := cloudformation.NewDescribeChangeSetPaginator(r.Stacks, &cloudformation.DescribeChangeSetInput{ChangeSetName: &set})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, c := range page.Changes {
			if c.ResourceChange == nil {
				return "the change set has a " + string(c.Type) + ", which is no resource", nil
			}
			if why := r.refused(*c.ResourceChange, differs); why != "" {
				return fmt.Sprintf("taking it back would touch %s (%s), which %s: by hand, docs/guides/drift.md#a-resource-of-a-stack",
					aws.ToString(c.ResourceChange.LogicalResourceId), aws.ToString(c.ResourceChange.ResourceType), why), nil
			}
		}
	}
	return "", nil
}

// refused says why a change is not made without a person.
func (r Repairer) refused(c types.ResourceChange, differs map[string]bool) string {
	if c.Action == "SyncWithActual" { // what CloudFormation knows changes, and the resource does not
		return ""
	}
	holds := r.Holds(aws.ToString(c.ResourceType))
	switch {
	case holds != "":
		return "holds data, " + holds
	case !differs[aws.ToString(c.LogicalResourceId)]:
		return "was not found to differ"
	case c.Action == types.ChangeActionAdd:
		return ""
	case c.Action != types.ChangeActionModify:
		return "would get the action " + string(c.Action)
	case c.Replacement != "" && c.Replacement != types.ReplacementFalse:
		return "may be replaced"
	}
	return ""
}

// execute executes a change set and waits for the stack, which was updated before at a time.
func (r Repairer) execute(ctx context.Context, stack, set string, before time.Time) error {
	if _, err := r.Stacks.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: &set}); err != nil {
		return err
	}
	for {
		now, err := r.Stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
		if err != nil {
			return err
		}
		state := now.Stacks[0].StackStatus
		switch {
		case strings.HasSuffix(string(state), "_IN_PROGRESS"), !aws.ToTime(now.Stacks[0].LastUpdatedTime).After(before):
		case slices.Contains(status.Whole, state) && !strings.Contains(string(state), "ROLLBACK"):
			return nil
		default:
			return fmt.Errorf("the stack is %s: see its events", state)
		}
		if err := r.Pause(ctx, every); err != nil {
			return err
		}
	}
}
