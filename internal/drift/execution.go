package drift

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"k8s-plus-aws-gitops/config"
)

// executionFolder has what CloudFormation may do: hack/bootstrap makes a policy of each file.
const executionFolder = "infrastructure/delivery/execution"

// Policies is what is used of IAM.
type Policies interface {
	GetPolicy(ctx context.Context, in *iam.GetPolicyInput, options ...func(*iam.Options)) (*iam.GetPolicyOutput, error)
	GetPolicyVersion(ctx context.Context, in *iam.GetPolicyVersionInput, options ...func(*iam.Options)) (*iam.GetPolicyVersionOutput, error)
}

// Execution compares the policies of what CloudFormation may do with the files of the checkout. No pipeline can renew them: it
// would raise its own rights.
func Execution(client Policies, root string, env config.Environment) Check {
	return Check{"rights of CloudFormation", func(ctx context.Context, found *Found) error {
		files, err := executionFiles(root, env)
		if err != nil {
			return err
		}
		var missing, old []string
		for _, name := range files.names {
			same, err := files.same(ctx, client, env, name)
			var none *iamtypes.NoSuchEntityException
			switch {
			case errors.As(err, &none):
				missing = append(missing, name)
			case err != nil:
				return err
			case !same:
				old = append(old, name)
			}
		}
		if len(missing) == len(files.names) {
			found.note("account %s has none of the policies that `make bootstrap` makes: what CloudFormation may do there is not of this repository.", env.Account)
			return nil
		}
		add := func(state State, names []string, detail string) {
			for _, name := range names {
				found.add(Finding{
					State: state, Half: AWS, Object: "policy " + name, Detail: detail + files.of[name],
					Do: "make bootstrap ENV=" + env.Name,
				})
			}
		}
		add(Deleted, missing, "is not in the account; it is made of ")
		add(Behind, old, "is otherwise than ")
		return nil
	}}
}

// execution are the files by the names of their policies.
type execution struct {
	root  string
	names []string
	of    map[string]string
}

// executionFiles names the policies as hack/bootstrap does; a test holds both to each other.
func executionFiles(root string, env config.Environment) (execution, error) {
	e := execution{root: root, of: map[string]string{}}
	paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(executionFolder), "*.json"))
	if err != nil || len(paths) == 0 {
		return e, fmt.Errorf("%s has no policies: %w; run in a checkout of the repository", executionFolder, err)
	}
	boundary, err := boundaryName(root)
	if err != nil {
		return e, err
	}
	for _, path := range paths {
		file := strings.TrimSuffix(filepath.Base(path), ".json")
		name := "platform-" + file + "-" + env.Region
		switch {
		case file == "identity-bounded" || file == "boundary" && boundary == "":
			continue
		case file == "boundary":
			name = boundary
		case file == "identity" && boundary != "":
			file = "identity-bounded"
		}
		e.of[name] = executionFolder + "/" + file + ".json"
		e.names = append(e.names, name)
	}
	slices.Sort(e.names)
	return e, nil
}

// boundaryName is the name of the permissions boundary of all roles; empty when there is none.
func boundaryName(root string) (string, error) {
	content, err := os.ReadFile(filepath.Join(root, "cdk.json"))
	if err != nil {
		return "", err
	}
	var file struct {
		Context struct {
			Boundary struct{ Name string } `json:"@aws-cdk/core:permissionsBoundary"`
		}
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return "", fmt.Errorf("cdk.json: context.@aws-cdk/core:permissionsBoundary: %w", err)
	}
	return file.Context.Boundary.Name, nil
}

// same reports whether the version of a policy that is in use says what its file says.
func (e execution) same(ctx context.Context, client Policies, env config.Environment, name string) (bool, error) {
	arn := env.ARN("iam", "policy/"+name)
	policy, err := client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
	if err != nil {
		return false, err
	}
	version, err := client.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: policy.Policy.DefaultVersionId})
	if err != nil {
		return false, err
	}
	text, err := url.PathUnescape(aws.ToString(version.PolicyVersion.Document))
	if err != nil {
		return false, fmt.Errorf("policy %s: its document must be URL encoded: %w", name, err)
	}
	content, err := os.ReadFile(filepath.Join(e.root, filepath.FromSlash(e.of[name])))
	if err != nil {
		return false, err
	}
	here := strings.NewReplacer("ACCOUNT", env.Account, "REGION", env.Region, "arn:aws:", "arn:"+env.Partition()+":").Replace(string(content))
	var there, want any
	if err := json.Unmarshal([]byte(text), &there); err != nil {
		return false, fmt.Errorf("policy %s: its document must be JSON: %w", name, err)
	}
	if err := json.Unmarshal([]byte(here), &want); err != nil {
		return false, fmt.Errorf("%s: %w", e.of[name], err)
	}
	return reflect.DeepEqual(there, want), nil
}
