package why

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/actions"
	"k8s-plus-aws-gitops/internal/audit"
	"k8s-plus-aws-gitops/internal/stacks"
)

// AWS is what is asked of AWS.
type AWS struct {
	Stacks    Stacks
	Pipelines Pipelines
	Registry  Registry
	Audit     audit.Reader
}

// Stacks is what is used of CloudFormation.
type Stacks interface {
	DescribeStackResource(ctx context.Context, in *cloudformation.DescribeStackResourceInput, options ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error)
	DescribeStackResources(ctx context.Context, in *cloudformation.DescribeStackResourcesInput, options ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourcesOutput, error)
	stacks.TemplateAPI
}

// Resource is what CloudFormation says of a stack's resource.
type Resource struct {
	Stack      string `json:"stack"`
	LogicalID  string `json:"logicalId"`
	PhysicalID string `json:"physicalId"`
	Type       string `json:"type"`
	Status     string `json:"status"`
	// Updated is when the stack changed it last.
	Updated time.Time `json:"updated"`
	// Construct is its path in the CDK app; empty where the template does not say.
	Construct string `json:"construct,omitempty"`
}

// InStack answers for a resource by its stack and logical id.
func (s *Source) InStack(ctx context.Context, stack, id string) (*Answer, error) {
	out, err := s.AWS.Stacks.DescribeStackResource(ctx, &cloudformation.DescribeStackResourceInput{StackName: &stack, LogicalResourceId: &id})
	if err != nil {
		return nil, notThere(err, fmt.Sprintf("stack %s has no resource %s; 'aws cloudformation list-stack-resources --stack-name %[1]s' lists them", stack, id))
	}
	d := out.StackResourceDetail
	return s.resource(ctx, Resource{
		Stack: stack, LogicalID: id, PhysicalID: aws.ToString(d.PhysicalResourceId), Type: aws.ToString(d.ResourceType),
		Status: string(d.ResourceStatus), Updated: aws.ToTime(d.LastUpdatedTimestamp).UTC(),
	}), nil
}

// Physical answers for a resource by its physical id or its ARN, of which the physical id may be the end.
func (s *Source) Physical(ctx context.Context, id string) (*Answer, error) {
	tries := []string{id}
	if strings.HasPrefix(id, "arn:") {
		tries = append(tries, id[strings.LastIndex(id, ":")+1:], id[strings.LastIndexAny(id, ":/")+1:])
	}
	var last error
	for _, try := range slices.Compact(tries) {
		out, err := s.AWS.Stacks.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{PhysicalResourceId: &try})
		if err != nil {
			if last = notThere(err, ""); last.Error() != "" {
				return nil, last
			}
			continue
		}
		for _, r := range out.StackResources {
			if aws.ToString(r.PhysicalResourceId) != try {
				continue // CloudFormation answers with the whole stack
			}
			return s.resource(ctx, Resource{
				Stack: aws.ToString(r.StackName), LogicalID: aws.ToString(r.LogicalResourceId), PhysicalID: try, Type: aws.ToString(r.ResourceType),
				Status: string(r.ResourceStatus), Updated: aws.ToTime(r.Timestamp).UTC(),
			}), nil
		}
	}
	return nil, fmt.Errorf("no stack of this account and region has a resource %s: it was made by hand or by a controller; a stack's resource is STACK/LOGICALID, an object KIND/NAME", id)
}

// notThere replaces what CloudFormation says of what is not there, for which it has no error of its own.
func notThere(err error, instead string) error {
	var said smithy.APIError
	if errors.As(err, &said) && said.ErrorCode() == "ValidationError" && (strings.Contains(said.ErrorMessage(), "does not exist") || strings.Contains(said.ErrorMessage(), "not found")) {
		return errors.New(instead)
	}
	return err
}

// resource answers for a resource that is there.
func (s *Source) resource(ctx context.Context, r Resource) *Answer {
	a := &Answer{Environment: s.Env.Name, Object: r.Stack + "/" + r.LogicalID, Resource: &r}
	s.construct(ctx, a)
	// The branch is fetched: what was deployed may be in no checkout yet.
	if _, err := s.Tip(ctx); err != nil {
		a.unknown("branch", "%s", reason(err))
	}
	switch name := s.Env.StackName(config.DeployPipeline); {
	case !s.Env.Delivers():
		a.unknown("execution", "%s has no pipelines: it has no connection in cdk.json", s.Env.Name)
		return a
	default:
		found, before, err := s.at(ctx, name, r.Updated)
		switch {
		case err != nil:
			a.unknown("execution", "%s: %s", name, reason(err))
			return a
		case found == nil:
			a.unknown("execution", "%s deployed nothing at %s: somebody deployed the stack by hand, or CodePipeline has forgotten it. CloudTrail has who: aws cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceName,AttributeValue=%s", name, clock(r.Updated), r.Stack)
			return a
		}
		a.Execution = found
		s.approvals(ctx, a)
		s.brought(ctx, a, before)
	}
	s.delivery(ctx, a)
	return a
}

// construct finds the path of the construct that made the resource, which the CDK notes in the template.
func (s *Source) construct(ctx context.Context, a *Answer) {
	template, err := stacks.Template(ctx, s.AWS.Stacks, a.Resource.Stack)
	if err != nil {
		a.unknown("construct", "%s", reason(err))
		return
	}
	metadata, _ := template.Resources()[a.Resource.LogicalID]["Metadata"].(map[string]any)
	if a.Resource.Construct, _ = metadata["aws:cdk:path"].(string); a.Resource.Construct == "" {
		a.unknown("construct", "the template has no aws:cdk:path for it")
	}
}

// slack is how exact CloudFormation's times are, which have no fractions of seconds.
const slack = time.Second

// at finds the execution that deployed stacks at a time, and the commit that had been deployed before.
func (s *Source) at(ctx context.Context, name string, when time.Time) (found *Execution, before string, err error) {
	for pages := codepipeline.NewListPipelineExecutionsPaginator(s.AWS.Pipelines, &codepipeline.ListPipelineExecutionsInput{PipelineName: &name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, "", err
		}
		for _, x := range page.PipelineExecutionSummaries {
			e := execution(name, x)
			switch {
			case found != nil && e.Status == "Succeeded":
				return found, e.Commit, nil
			case found != nil || e.Commit == "" || e.Started.After(when) || e.ended.Add(slack).Before(when):
			default:
				deployed, err := s.deployed(ctx, e, when)
				if err != nil {
					return nil, "", err
				}
				if deployed {
					found = &e
				}
			}
		}
	}
	return found, "", nil
}

// deployed reports whether an action of an execution deployed stacks at a time.
func (s *Source) deployed(ctx context.Context, e Execution, when time.Time) (bool, error) {
	began, err := actions.Of(ctx, s.AWS.Pipelines, e.Pipeline, e.ID)
	return slices.ContainsFunc(began, func(x types.ActionExecutionDetail) bool {
		end := aws.ToTime(x.LastUpdateTime)
		return aws.ToString(x.ActionName) == config.DeployAction && !aws.ToTime(x.StartTime).After(when.Add(slack)) && (x.LastUpdateTime == nil || !end.Add(slack).Before(when))
	}), err
}

// brought finds the commits that the execution brought. One alone is the one that changed the resource.
func (s *Source) brought(ctx context.Context, a *Answer, before string) {
	upTo := a.Execution.Commit
	revisions, options := upTo, []string{"-1"}
	if before != "" && before != upTo {
		revisions, options = before+".."+upTo, []string{"--no-merges", "--max-count=50"}
	}
	all, err := s.log(ctx, revisions, nil, options...)
	if err != nil || len(all) == 0 {
		// A first one, or of another history: the commit itself is known.
		if all, err = s.log(ctx, upTo, nil, "-1"); err != nil || len(all) == 0 {
			a.Commit = &Commit{ID: upTo}
			a.unknown("commit", "%.12s is not in this clone; fetch it", upTo)
			return
		}
	}
	a.Commit, a.Others = &all[0], all[1:]
	if len(a.Others) > 0 {
		a.unknown("change", "the execution brought %d commits; which of them changed the resource, only a review tells: gitops review %.12s --head %.12s --env %s", len(all), before, upTo, s.Env.Name)
	}
}
