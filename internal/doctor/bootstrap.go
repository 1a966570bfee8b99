package doctor

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"k8s-plus-aws-gitops/internal/bootstrap"
	"k8s-plus-aws-gitops/internal/status"
)

const (
	// toolkit is the stack that `cdk bootstrap` makes.
	toolkit = "CDKToolkit"
	// required is the version of the bootstrap that the templates ask for in their rule CheckBootstrapVersion.
	required = 6
)

// mend is the command that bootstraps the account again, which changes only what differs.
func (d *Doctor) mend() string { return "make bootstrap ENV=" + d.Env.Name }

// stack describes a stack of the account; nil where there is none.
func (d *Doctor) stack(ctx context.Context, name string) (*types.Stack, error) {
	out, err := cloudformation.NewFromConfig(d.AWS).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	switch {
	case code(err) == "ValidationError" && strings.Contains(err.Error(), "does not exist"):
		return nil, nil
	case err != nil:
		return nil, err
	case len(out.Stacks) == 0:
		return nil, nil
	}
	return &out.Stacks[0], nil
}

// parameter is the value of a stack's parameter.
func parameter(s *types.Stack, key string) string {
	for _, p := range s.Parameters {
		if aws.ToString(p.ParameterKey) == key {
			return aws.ToString(p.ParameterValue)
		}
	}
	return ""
}

// bootstrap looks for the CDK's stack and its version.
func (d *Doctor) bootstrap(ctx context.Context) Line {
	s, err := bootstrap.ReadSettings(d.Root)
	if err != nil {
		return unread(err)
	}
	found, err := d.stack(ctx, toolkit)
	switch {
	case err != nil:
		return unread(err)
	case found == nil:
		return missing(d.mend(), "there is no stack %s in %s", toolkit, d.Env.Region)
	case !slices.Contains(status.Whole, found.StackStatus):
		return missing(d.mend(), "stack %s is %s", toolkit, found.StackStatus)
	}
	if got := parameter(found, "Qualifier"); got != "" && got != s.Qualifier {
		return missing(d.mend(), "it has the qualifier %s, and cdk.json %s", got, s.Qualifier)
	}
	for _, o := range found.Outputs {
		if aws.ToString(o.OutputKey) != "BootstrapVersion" {
			continue
		}
		version, err := strconv.Atoi(aws.ToString(o.OutputValue))
		switch {
		case err != nil:
			return unknown("version %q of stack %s", aws.ToString(o.OutputValue), toolkit)
		case version < required:
			return missing(d.mend(), "version %d, the templates need %d", version, required)
		}
		return ok("version %d, the templates need %d", version, required)
	}
	return unknown("stack %s has no output BootstrapVersion", toolkit)
}

// short is the last part of an ARN.
func short(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// policies compares what CloudFormation may do with what the repository says.
func (d *Doctor) policies(ctx context.Context) Line {
	want, err := bootstrap.Policies(d.Root, d.Env)
	if err != nil {
		return unread(err)
	}
	found, err := d.stack(ctx, toolkit)
	if err != nil || found == nil {
		return unread(cmp.Or(err, errors.New("stack "+toolkit+" is gone")))
	}
	given := strings.FieldsFunc(parameter(found, "CloudFormationExecutionPolicies"), func(r rune) bool { return r == ',' || r == ' ' })
	var differ []string
	var unknown error
	for _, arn := range given {
		if !slices.ContainsFunc(want, func(p bootstrap.Policy) bool { return p.ARN == arn && !p.Boundary }) {
			differ = append(differ, short(arn)+" is more than the repository asks for")
		}
	}
	for _, p := range want {
		if !p.Boundary && !slices.Contains(given, p.ARN) {
			differ = append(differ, p.Name+" is not among them")
			continue
		}
		switch current, err := p.Current(ctx, iam.NewFromConfig(d.AWS)); {
		case code(err) == "NoSuchEntity" || err == nil && !current:
			differ = append(differ, p.Name+" is not as in "+bootstrap.Dir)
		case err != nil:
			unknown = err // what differs may be known all the same
		}
	}
	if len(differ) > 0 {
		slices.Sort(differ)
		return missing(d.mend(), "%s", strings.Join(differ, "; "))
	}
	if unknown != nil {
		return unread(unknown)
	}
	return ok("%d, as in %s", len(want), bootstrap.Dir)
}
