package teardown

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/stacks"
)

// The order of removal: the pipelines first, so that nothing deploys again; the network, which all others import, last, and before
// it the instances that services share, from which some of the services import.
const (
	delivery = iota
	cluster
	application
	shared
	network
)

// Stack is one of the environment's.
type Stack struct {
	Name      string
	Resources []Resource
	// Buckets with what is in them.
	Buckets []Bucket
	// Protected is CloudFormation's termination protection.
	Protected bool

	environment, id string
	status          cfntypes.StackStatus
	reason          string
	created         time.Time
	exports         []string
}

// Resource is one of a stack's that is there.
type Resource struct {
	Type, LogicalID, ID string
	// Policy is what the template says about its end: Delete, Retain, Snapshot or RetainExceptOnCreate.
	Policy string

	properties map[string]any
}

// keeps reports whether something of the resource outlives its stack.
func (r Resource) keeps() bool { return r.Policy != "Delete" }

// waits is how many days KMS waits before it deletes a key:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-key.html
func (r Resource) waits() float64 {
	if days, ok := r.properties["PendingWindowInDays"].(float64); ok {
		return days
	}
	return 30
}

// of lists the resources of a type that go with the stack.
func (s Stack) of(kind string) []Resource {
	return slices.DeleteFunc(slices.Clone(s.Resources), func(r Resource) bool { return r.Type != kind || r.keeps() })
}

// rank is the stack's place in the order.
func (s Stack) rank() int {
	switch name := strings.TrimPrefix(s.Name, s.environment+"-"); {
	case name == "delivery":
		return delivery
	case name == "cluster":
		return cluster
	case name == "network":
		return network
	case services.IsSharedApp(name):
		return shared
	default:
		return application
	}
}

// alone reports whether the stack can go before its environment does.
func (s Stack) alone() bool { return s.rank() == application || s.rank() == shared }

// running reports whether CloudFormation works on the stack. A stack in review was never made.
func (s Stack) running() bool {
	return strings.HasSuffix(string(s.status), "_IN_PROGRESS") && s.status != cfntypes.StackStatusReviewInProgress
}

// listed are the environment's stacks, without what is in them.
func (t *Teardown) listed(ctx context.Context) ([]Stack, error) {
	all, err := stacks.Of(ctx, cloudformation.NewFromConfig(t.AWS), t.Env.Name)
	if err != nil {
		return nil, err
	}
	found := make([]Stack, len(all))
	for i, s := range all {
		found[i] = t.stackOf(s)
	}
	return found, nil
}

// stacks reads the environment's stacks in the order of their removal.
func (t *Teardown) stacks(ctx context.Context) ([]Stack, error) {
	found, err := t.listed(ctx)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if err := t.read(ctx, &found[i]); err != nil {
			return nil, fmt.Errorf("stack %s: %w", found[i].Name, err)
		}
	}
	// Within a place, the newest first: a stack is made after those that it needs.
	slices.SortFunc(found, func(a, b Stack) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), b.created.Compare(a.created), strings.Compare(a.Name, b.Name))
	})
	return found, nil
}

func (t *Teardown) stackOf(s cfntypes.Stack) Stack {
	var exports []string
	for _, o := range s.Outputs {
		if o.ExportName != nil {
			exports = append(exports, *o.ExportName)
		}
	}
	return Stack{
		exports: exports,
		Name:    aws.ToString(s.StackName), Protected: aws.ToBool(s.EnableTerminationProtection),
		environment: t.Env.Name, id: aws.ToString(s.StackId), status: s.StackStatus,
		reason: aws.ToString(s.StackStatusReason), created: aws.ToTime(s.CreationTime),
	}
}

// look asks for a stack anew, by its id, by which CloudFormation knows it also when it is gone.
func (t *Teardown) look(ctx context.Context, nameOrID string) (Stack, error) {
	out, err := cloudformation.NewFromConfig(t.AWS).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &nameOrID})
	if err != nil {
		return Stack{}, err
	}
	return t.stackOf(out.Stacks[0]), nil
}

// read fills in the stack's resources.
func (t *Teardown) read(ctx context.Context, s *Stack) error {
	if s.status == cfntypes.StackStatusReviewInProgress {
		return nil
	}
	client := cloudformation.NewFromConfig(t.AWS)
	parsed, err := stacks.Template(ctx, client, s.id)
	if err != nil {
		return err
	}
	there, err := stacks.Resources(ctx, client, s.id)
	if err != nil {
		return err
	}
	definitions := parsed.Resources()
	for _, r := range there {
		definition := definitions[aws.ToString(r.LogicalResourceId)]
		properties, _ := definition["Properties"].(map[string]any)
		s.Resources = append(s.Resources, Resource{
			Type: aws.ToString(r.ResourceType), LogicalID: aws.ToString(r.LogicalResourceId), ID: aws.ToString(r.PhysicalResourceId),
			Policy: policy(definition, properties), properties: properties,
		})
	}
	return nil
}

// policy is a resource's DeletionPolicy, with CloudFormation's defaults:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
func policy(definition, properties map[string]any) string {
	if own, ok := definition["DeletionPolicy"].(string); ok {
		return own
	}
	kind, _ := definition["Type"].(string)
	_, member := properties["DBClusterIdentifier"]
	if kind == "AWS::RDS::DBCluster" || kind == "AWS::RDS::DBInstance" && !member {
		return "Snapshot"
	}
	return "Delete"
}

// removeStack removes a stack and, before each attempt, what would stand in its way.
func (t *Teardown) removeStack(ctx context.Context, name string, plan Plan, r *Report) error {
	for attempt := 1; ; attempt++ {
		s, err := t.settled(ctx, name)
		if err != nil || s.id == "" {
			return err
		}
		if err := t.prepare(ctx, s, plan, r); err != nil {
			return err
		}
		err = t.deleted(ctx, s)
		var failed *failedError
		switch {
		case err == nil || !errors.As(err, &failed):
			return err
		case attempt == attempts && s.rank() == network:
			return fmt.Errorf("%w%s", err, t.occupants(ctx, plan.vpc()))
		case attempt == attempts:
			return err
		}
		t.Say("%v; trying again", err)
		if s.rank() == cluster || s.rank() == network { // a load balancer holds its certificate and its subnets
			if err := t.sweep(ctx, plan.vpc(), r); err != nil {
				return err
			}
		}
	}
}

// settled waits until CloudFormation has ended what it does with a stack. A stack that is gone has no id.
func (t *Teardown) settled(ctx context.Context, name string) (Stack, error) {
	for said := false; ; said = true {
		s, err := t.look(ctx, name)
		switch {
		case err != nil && missing(err):
			return Stack{}, nil
		case err != nil:
			return s, err
		case !s.running():
			return s, t.read(ctx, &s)
		}
		if !said {
			t.Say("%s is %s: waiting", name, s.status)
		}
		if err := t.pause(ctx); err != nil {
			return s, err
		}
	}
}

// prepare removes what CloudFormation would fail on.
func (t *Teardown) prepare(ctx context.Context, s Stack, plan Plan, r *Report) error {
	for _, p := range s.of("AWS::CodeBuild::Project") {
		if err := t.stopBuilds(ctx, p.ID); err != nil {
			return err
		}
	}
	for _, b := range s.of("AWS::S3::Bucket") {
		if err := t.empty(ctx, b.ID, r); err != nil {
			return err
		}
	}
	for range s.of("AWS::Route53::HostedZone") {
		if err := t.emptyZone(ctx, plan.zone(), r); err != nil {
			return err
		}
	}
	return nil
}

// failedError is a removal that CloudFormation gave up.
type failedError struct{ stack, reason string }

func (e *failedError) Error() string { return "stack " + e.stack + " is not removed: " + e.reason }

// deleted deletes a stack and waits for it. It deletes with the role that made it, CDK's for CloudFormation.
func (t *Teardown) deleted(ctx context.Context, s Stack) error {
	t.Say("removing stack %s, %d resources", s.Name, len(s.Resources))
	client := cloudformation.NewFromConfig(t.AWS)
	if _, err := client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &s.id}); err != nil {
		return fmt.Errorf("stack %s: %w", s.Name, err)
	}
	before, last, unmoved := s.status, len(s.Resources), 0
	for {
		now, err := t.look(ctx, s.id)
		if err != nil {
			return err
		}
		switch {
		case now.status == cfntypes.StackStatusDeleteComplete:
			return nil
		case now.status == cfntypes.StackStatusDeleteFailed && (before != now.status || unmoved > 2):
			return &failedError{s.Name, t.reasons(ctx, now)}
		case now.status != cfntypes.StackStatusDeleteInProgress:
			// CloudFormation says so for a moment, and for good when it refuses, as for an export that is in use.
			if unmoved++; unmoved > 3 {
				return &failedError{s.Name, cmp.Or(now.reason, "it is "+string(now.status))}
			}
		default:
			before = now.status
			there, err := stacks.Resources(ctx, cloudformation.NewFromConfig(t.AWS), now.id)
			if err != nil {
				return err
			}
			if len(there) != last {
				last = len(there)
				t.Say("stack %s: %d of %d resources are left", s.Name, last, len(s.Resources))
			}
		}
		if err := t.pause(ctx); err != nil {
			return err
		}
	}
}

// reasons says why a stack's removal failed.
func (t *Teardown) reasons(ctx context.Context, s Stack) string {
	var all []string
	there, err := stacks.Resources(ctx, cloudformation.NewFromConfig(t.AWS), s.id)
	if err != nil {
		return err.Error()
	}
	for _, r := range there {
		if r.ResourceStatus == cfntypes.ResourceStatusDeleteFailed {
			all = append(all, aws.ToString(r.LogicalResourceId)+": "+aws.ToString(r.ResourceStatusReason))
		}
	}
	return cmp.Or(strings.Join(all, "; "), s.reason, "CloudFormation gives no reason")
}

// missing reports whether an error says that something is not there. CloudFormation has no code of its own for it.
func missing(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	code := api.ErrorCode()
	return strings.Contains(code, "NotFound") || strings.Contains(code, "NoSuch") ||
		code == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist")
}

// gone turns the error for what is not there into success.
func gone(err error) error {
	if err != nil && missing(err) {
		return nil
	}
	return err
}
