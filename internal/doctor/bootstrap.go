package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"k8s-plus-aws-gitops/internal/status"
)

const (
	// toolkit is the stack that `cdk bootstrap` makes.
	toolkit = "CDKToolkit"
	// required is the version of the bootstrap that the templates ask for in their rule CheckBootstrapVersion.
	required = 6
	// qualifier is the CDK's own, unless cdk.json has another.
	qualifier = "hnb659fds"
)

// settings are the values of cdk.json that say how the account was bootstrapped.
type settings struct {
	Context struct {
		Qualifier string `json:"@aws-cdk/core:bootstrapQualifier"`
		Boundary  struct {
			Name string `json:"name"`
		} `json:"@aws-cdk/core:permissionsBoundary"`
	} `json:"context"`
}

func (d *Doctor) settings() (settings, error) {
	var s settings
	content, err := os.ReadFile(filepath.Join(d.Root, "cdk.json"))
	if err == nil {
		err = json.Unmarshal(content, &s)
	}
	if s.Context.Qualifier == "" {
		s.Context.Qualifier = qualifier
	}
	return s, err
}

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
	s, err := d.settings()
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
	if got := parameter(found, "Qualifier"); got != "" && got != s.Context.Qualifier {
		return missing(d.mend(), "it has the qualifier %s, and cdk.json %s", got, s.Context.Qualifier)
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

// executionDir has the policies of what CloudFormation may do; hack/bootstrap makes an IAM policy of each.
const executionDir = "infrastructure/delivery/execution"

// documents are the policies that the repository asks for, by ARN, as hack/bootstrap makes them.
func (d *Doctor) documents() (map[string]string, error) {
	s, err := d.settings()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(d.Root, executionDir, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s: has no policies", executionDir)
	}
	all := map[string]string{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		policy := "platform-" + name + "-" + d.Env.Region
		switch bounded := s.Context.Boundary.Name != ""; {
		case name == "boundary" && bounded:
			policy = s.Context.Boundary.Name
		case name == "boundary" || name == "identity-bounded":
			continue
		case name == "identity" && bounded:
			file = filepath.Join(filepath.Dir(file), "identity-bounded.json")
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all[d.Env.ARN("iam", "policy/"+policy)] = strings.NewReplacer("ACCOUNT", d.Env.Account, "REGION", d.Env.Region, "arn:aws:", "arn:"+d.Env.Partition()+":").Replace(string(content))
	}
	return all, nil
}

// policies compares what CloudFormation may do with what the repository says.
func (d *Doctor) policies(ctx context.Context) Line {
	s, err := d.settings()
	if err != nil {
		return unread(err)
	}
	want, err := d.documents()
	if err != nil {
		return unread(err)
	}
	found, err := d.stack(ctx, toolkit)
	if err != nil || found == nil {
		return unread(cmp.Or(err, errors.New("stack "+toolkit+" is gone")))
	}
	given := strings.FieldsFunc(parameter(found, "CloudFormationExecutionPolicies"), func(r rune) bool { return r == ',' || r == ' ' })
	boundary := d.Env.ARN("iam", "policy/"+s.Context.Boundary.Name)
	var differ []string
	var unknown error
	for _, arn := range given {
		if _, ours := want[arn]; !ours || arn == boundary {
			differ = append(differ, short(arn)+" is more than the repository asks for")
		}
	}
	for arn, document := range want {
		if arn != boundary && !slices.Contains(given, arn) {
			differ = append(differ, short(arn)+" is not among them")
			continue
		}
		switch same, err := d.same(ctx, arn, document); {
		case err != nil:
			unknown = err // what differs may be known all the same
		case !same:
			differ = append(differ, short(arn)+" is not as in "+executionDir)
		}
	}
	if len(differ) > 0 {
		slices.Sort(differ)
		return missing(d.mend(), "%s", strings.Join(differ, "; "))
	}
	if unknown != nil {
		return unread(unknown)
	}
	return ok("%d, as in %s", len(want), executionDir)
}

// short is the last part of an ARN.
func short(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// same compares the default version of a policy with a document, as JSON: IAM keeps the text as it was sent, URL-encoded.
func (d *Doctor) same(ctx context.Context, arn, document string) (bool, error) {
	client := iam.NewFromConfig(d.AWS)
	policy, err := client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
	switch {
	case code(err) == "NoSuchEntity":
		return false, nil
	case err != nil:
		return false, err
	}
	version, err := client.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: policy.Policy.DefaultVersionId})
	if err != nil {
		return false, err
	}
	text, err := url.QueryUnescape(aws.ToString(version.PolicyVersion.Document))
	if err != nil {
		return false, fmt.Errorf("%s: %w", short(arn), err)
	}
	var have, want any
	if err := json.Unmarshal([]byte(text), &have); err != nil {
		return false, fmt.Errorf("%s: %w", short(arn), err)
	}
	if err := json.Unmarshal([]byte(document), &want); err != nil {
		return false, fmt.Errorf("%s of this repository: %w", short(arn), err)
	}
	return reflect.DeepEqual(have, want), nil
}
