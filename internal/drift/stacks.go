package drift

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"k8s-plus-aws-gitops/internal/stacks"
	"k8s-plus-aws-gitops/internal/status"
)

// CloudFormation is what is used of it. Detection reads every resource with the rights of the caller.
type CloudFormation interface {
	cloudformation.DescribeStacksAPIClient
	cloudformation.ListStackResourcesAPIClient
	cloudformation.DescribeStackResourceDriftsAPIClient
	DetectStackDrift(ctx context.Context, in *cloudformation.DetectStackDriftInput, options ...func(*cloudformation.Options)) (*cloudformation.DetectStackDriftOutput, error)
	DescribeStackDriftDetectionStatus(ctx context.Context, in *cloudformation.DescribeStackDriftDetectionStatusInput, options ...func(*cloudformation.Options)) (*cloudformation.DescribeStackDriftDetectionStatusOutput, error)
}

// Pause waits between two questions; it returns the context's error when that has ended.
type Pause func(ctx context.Context, d time.Duration) error

// Sleep is the Pause of a clock.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

const (
	// every is how often a detection is asked for: it takes from seconds to minutes.
	every = 3 * time.Second
	// together is how many stacks are looked at at the same time: each reads all of its resources, and the APIs of their
	// services are throttled for the whole account.
	together = 4
)

// Stacks compares the environment's stacks with what AWS has, by CloudFormation's drift detection.
func Stacks(client CloudFormation, environment string, pause Pause) Check {
	return Check{"stacks", func(ctx context.Context, found *Found) error {
		all, err := stacks.Of(ctx, client, environment)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return fmt.Errorf("%s has no stacks; deploy it, or take credentials of its account", environment)
		}
		d := detection{CloudFormation: client, pause: pause, found: found, skipped: map[string]bool{}}
		var group errgroup.Group
		group.SetLimit(together)
		for _, s := range all {
			group.Go(func() error {
				if err := d.stack(ctx, s); err != nil {
					found.unseen("stack "+aws.ToString(s.StackName), err)
				}
				return nil
			})
		}
		_ = group.Wait() // no stack returns an error here
		if len(d.skipped) > 0 {
			found.note("CloudFormation does not compare resources of %s.", strings.Join(slices.Sorted(maps.Keys(d.skipped)), ", "))
		}
		return nil
	}}
}

// detection is CloudFormation's of several stacks.
type detection struct {
	CloudFormation
	pause Pause
	found *Found

	mu      sync.Mutex
	skipped map[string]bool // types that are not compared
}

// stack looks at one stack.
func (d *detection) stack(ctx context.Context, s types.Stack) error {
	name := aws.ToString(s.StackName)
	switch {
	case slices.Contains(status.Whole, s.StackStatus):
	case strings.HasSuffix(string(s.StackStatus), "_IN_PROGRESS"):
		return fmt.Errorf("it is %s; ask again when that is over", s.StackStatus)
	default:
		d.found.add(Finding{
			State: Failing, Half: AWS, Object: name, Detail: "the stack is " + string(s.StackStatus),
			Do: "see its events, correct the cause, and run the pipeline again",
		})
		if s.StackStatus != types.StackStatusUpdateRollbackFailed { // of the others CloudFormation refuses to detect drift
			return nil
		}
	}
	if err := d.detect(ctx, name); err != nil {
		return err
	}
	if err := d.compared(ctx, name); err != nil {
		return err
	}
	return d.uncompared(ctx, name)
}

// detect starts a detection and waits for its end. Only one runs for a stack at a time.
func (d *detection) detect(ctx context.Context, name string) error {
	var id *string
	for id == nil {
		started, err := d.DetectStackDrift(ctx, &cloudformation.DetectStackDriftInput{StackName: &name})
		var api smithy.APIError
		switch {
		case err == nil:
			id = started.StackDriftDetectionId
		case !errors.As(err, &api) || !strings.Contains(api.ErrorMessage(), "already in progress"):
			return err
		default:
			if err := d.pause(ctx, every); err != nil {
				return err
			}
		}
	}
	for {
		now, err := d.DescribeStackDriftDetectionStatus(ctx, &cloudformation.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: id})
		if err != nil {
			return err
		}
		switch now.DetectionStatus {
		case types.StackDriftDetectionStatusDetectionInProgress:
			if err := d.pause(ctx, every); err != nil {
				return err
			}
			continue
		case types.StackDriftDetectionStatusDetectionFailed:
			// What was compared before it failed has results.
			d.found.unseen("stack "+name, fmt.Errorf("detection failed for some resources: %s", aws.ToString(now.DetectionStatusReason)))
		}
		return nil
	}
}

// compared reads the resources that differ.
func (d *detection) compared(ctx context.Context, name string) error {
	pages := cloudformation.NewDescribeStackResourceDriftsPaginator(d, &cloudformation.DescribeStackResourceDriftsInput{
		StackName: &name,
		StackResourceDriftStatusFilters: []types.StackResourceDriftStatus{
			types.StackResourceDriftStatusModified, types.StackResourceDriftStatusDeleted, types.StackResourceDriftStatusUnknown,
		},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.StackResourceDrifts {
			d.resource(name, r)
		}
	}
	return nil
}

// resource adds a resource that differs.
func (d *detection) resource(stack string, r types.StackResourceDrift) {
	object, kind := stack+"/"+aws.ToString(r.LogicalResourceId), aws.ToString(r.ResourceType)
	f := Finding{Half: AWS, Object: object, Type: kind, PutBack: "stack " + stack, Detail: kind + " " + aws.ToString(r.PhysicalResourceId)}
	switch r.StackResourceDriftStatus {
	case types.StackResourceDriftStatusDeleted:
		f.State = Deleted
		f.Do = "CloudFormation does not make it again by itself: docs/guides/drift.md#a-resource-of-a-stack"
	case types.StackResourceDriftStatusModified:
		f.State = Changed
		f.Do = "write the change into the repository, or take it back: docs/guides/drift.md#a-resource-of-a-stack"
		for _, p := range r.PropertyDifferences {
			f.Differences = append(f.Differences, difference(p))
		}
	default:
		d.found.unseen(object, errors.New(aws.ToString(r.DriftStatusReason)))
		return
	}
	d.found.add(f)
}

// uncompared notes the types of the resources that CloudFormation did not compare.
func (d *detection) uncompared(ctx context.Context, name string) error {
	pages := cloudformation.NewListStackResourcesPaginator(d, &cloudformation.ListStackResourcesInput{StackName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.StackResourceSummaries {
			if r.ResourceStatus == types.ResourceStatusDeleteComplete || r.DriftInformation == nil {
				continue
			}
			switch r.DriftInformation.StackResourceDriftStatus {
			case types.StackResourceDriftStatusNotChecked, types.StackResourceDriftStatusUnsupported:
				d.mu.Lock()
				d.skipped[aws.ToString(r.ResourceType)] = true
				d.mu.Unlock()
			}
		}
	}
	return nil
}

// hidden takes the place of a value that may be secret.
const hidden = "(hidden)"

var (
	// secret is a property, or a key inside a value, that may hold one. Environments of functions and builds may hold anything.
	secret = regexp.MustCompile(`(?i)(pass(word|phrase)|secret|token|credential|private.?key|access.?key|user.?data|api.?key|environment)`)
	// resolved is a value that CloudFormation reads from a secret.
	resolved = regexp.MustCompile(`\{\{resolve:(secretsmanager|ssm-secure):`)
)

// difference hides both sides where one of them may be secret.
func difference(p types.PropertyDifference) Difference {
	out := Difference{Path: aws.ToString(p.PropertyPath), Expected: aws.ToString(p.ExpectedValue), Actual: aws.ToString(p.ActualValue)}
	if secret.MatchString(out.Path) || slices.ContainsFunc([]string{out.Expected, out.Actual}, func(value string) bool {
		return resolved.MatchString(value) || secret.MatchString(value)
	}) {
		out.Expected, out.Actual = hide(out.Expected), hide(out.Actual)
	}
	switch p.DifferenceType {
	case types.DifferenceTypeAdd:
		out.Expected = ""
	case types.DifferenceTypeRemove:
		out.Actual = ""
	}
	return out
}

func hide(value string) string {
	if value == "" {
		return ""
	}
	return hidden
}
