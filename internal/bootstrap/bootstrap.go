// Package bootstrap knows what `make bootstrap` makes in an account: the policies of what CloudFormation may do there. Nothing
// else renews them: a pipeline that could would raise its own rights.
package bootstrap

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"k8s-plus-aws-gitops/config"
)

// Dir has the policies of what CloudFormation may do; hack/bootstrap makes an IAM policy of each file.
const Dir = "infrastructure/delivery/execution"

// Settings are the values of cdk.json that say how an account is bootstrapped.
type Settings struct {
	// Qualifier is part of the names of the CDK's roles; hnb659fds by default, as the CDK's.
	Qualifier string
	// Boundary is the name of the permissions boundary of all roles; empty without one.
	Boundary string
}

// ReadSettings reads the cdk.json of the checkout in root.
func ReadSettings(root string) (Settings, error) {
	var file struct {
		Context struct {
			Qualifier string                `json:"@aws-cdk/core:bootstrapQualifier"`
			Boundary  struct{ Name string } `json:"@aws-cdk/core:permissionsBoundary"`
		}
	}
	content, err := os.ReadFile(filepath.Join(root, "cdk.json"))
	if err != nil {
		return Settings{}, err
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return Settings{}, fmt.Errorf("cdk.json: context: %w", err)
	}
	return Settings{Qualifier: cmp.Or(file.Context.Qualifier, "hnb659fds"), Boundary: file.Context.Boundary.Name}, nil
}

// Policy is one that the repository asks for.
type Policy struct {
	Name, ARN string
	// File is where it is in the repository.
	File string
	// Boundary reports whether it is the boundary of roles, and none of what CloudFormation may do.
	Boundary bool

	document string
}

// Policies are those of an environment's account by their names, as hack/bootstrap makes them of the checkout in root; a test
// of hack/bootstrap holds both to each other.
func Policies(root string, env config.Environment) ([]Policy, error) {
	s, err := ReadSettings(root)
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(Dir), "*.json"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("%s has no policies: %w; run in a checkout of the repository", Dir, cmp.Or(err, os.ErrNotExist))
	}
	var all []Policy
	for _, path := range paths {
		file := strings.TrimSuffix(filepath.Base(path), ".json")
		p := Policy{Name: "platform-" + file + "-" + env.Region}
		switch {
		case file == "identity-bounded" || file == "boundary" && s.Boundary == "":
			continue
		case file == "boundary":
			p.Name, p.Boundary = s.Boundary, true
		case file == "identity" && s.Boundary != "":
			file = "identity-bounded"
		}
		p.ARN, p.File = env.ARN("iam", "policy/"+p.Name), Dir+"/"+file+".json"
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p.File)))
		if err != nil {
			return nil, err
		}
		p.document = strings.NewReplacer("ACCOUNT", env.Account, "REGION", env.Region, "arn:aws:", "arn:"+env.Partition()+":").Replace(string(content))
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Policy) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// API is what is used of IAM.
type API interface {
	GetPolicy(ctx context.Context, in *iam.GetPolicyInput, options ...func(*iam.Options)) (*iam.GetPolicyOutput, error)
	GetPolicyVersion(ctx context.Context, in *iam.GetPolicyVersionInput, options ...func(*iam.Options)) (*iam.GetPolicyVersionOutput, error)
}

// Current reports whether the version of the policy that is in use says what its file says, as JSON. A policy that is not in
// the account is IAM's error NoSuchEntity.
func (p Policy) Current(ctx context.Context, client API) (bool, error) {
	policy, err := client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &p.ARN})
	if err != nil {
		return false, err
	}
	version, err := client.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &p.ARN, VersionId: policy.Policy.DefaultVersionId})
	if err != nil {
		return false, err
	}
	// https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyVersion.html: by RFC 3986, where + is itself.
	text, err := url.PathUnescape(aws.ToString(version.PolicyVersion.Document))
	if err != nil {
		return false, fmt.Errorf("policy %s: its document must be URL encoded: %w", p.Name, err)
	}
	var there, here any
	if err := json.Unmarshal([]byte(text), &there); err != nil {
		return false, fmt.Errorf("policy %s: its document must be JSON: %w", p.Name, err)
	}
	if err := json.Unmarshal([]byte(p.document), &here); err != nil {
		return false, fmt.Errorf("%s: %w", p.File, err)
	}
	return reflect.DeepEqual(there, here), nil
}
