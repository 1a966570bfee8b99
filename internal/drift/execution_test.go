package drift

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/bootstrap"
)

// policies are documents by their ARNs, as IAM keeps them.
type policies map[string]string

func (p policies) GetPolicy(_ context.Context, in *iam.GetPolicyInput, _ ...func(*iam.Options)) (*iam.GetPolicyOutput, error) {
	if _, there := p[aws.ToString(in.PolicyArn)]; !there {
		return nil, &iamtypes.NoSuchEntityException{}
	}
	return &iam.GetPolicyOutput{Policy: &iamtypes.Policy{DefaultVersionId: aws.String("v7")}}, nil
}

// GetPolicyVersion encodes the document as RFC 3986 has it, which IAM says that it does.
func (p policies) GetPolicyVersion(_ context.Context, in *iam.GetPolicyVersionInput, _ ...func(*iam.Options)) (*iam.GetPolicyVersionOutput, error) {
	document := ""
	if aws.ToString(in.VersionId) == "v7" {
		document = url.PathEscape(p[aws.ToString(in.PolicyArn)])
	}
	return &iam.GetPolicyVersionOutput{PolicyVersion: &iamtypes.PolicyVersion{Document: &document}}, nil
}

func TestExecution(t *testing.T) {
	root := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cdk.json", `{"context": {}}`)
	for _, name := range []string{"boundary", "identity", "identity-bounded", "network"} {
		write(bootstrap.Dir+"/"+name+".json", `{"Statement": [{"Sid": "`+name+`", "Resource": "arn:aws:s3:::a+b-ACCOUNT-REGION"}]}`)
	}
	env := config.Environment{Name: "dev", Account: "111111111111", Region: "cn-north-1"}
	is := func(sid string) string {
		return `{"Statement":[{"Resource":"arn:aws-cn:s3:::a+b-111111111111-cn-north-1","Sid":"` + sid + `"}]}`
	}
	const at = "arn:aws-cn:iam::111111111111:policy/"
	for name, c := range map[string]struct {
		account  policies
		boundary string
		want     []string
	}{
		"as here":      {policies{at + "platform-identity-cn-north-1": is("identity"), at + "platform-network-cn-north-1": is("network")}, "", nil},
		"older":        {policies{at + "platform-identity-cn-north-1": is("identity"), at + "platform-network-cn-north-1": is("net")}, "", []string{"behind policy platform-network-cn-north-1"}},
		"one is new":   {policies{at + "platform-identity-cn-north-1": is("identity")}, "", []string{"deleted policy platform-network-cn-north-1"}},
		"with a bound": {policies{at + "platform-identity-cn-north-1": is("identity"), at + "platform-network-cn-north-1": is("network"), at + "limit": is("boundary")}, "limit", []string{"behind policy platform-identity-cn-north-1"}},
		"never made":   {policies{}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			write("cdk.json", `{"context": {"@aws-cdk/core:permissionsBoundary": {"name": "`+c.boundary+`"}}}`)
			r := look(t, Execution(c.account, root, env))
			var got []string
			for _, f := range r.Findings {
				got = append(got, string(f.State)+" "+f.Object)
			}
			if !slices.Equal(got, c.want) || len(r.Unseen) > 0 {
				t.Errorf("%q, unseen %+v; want %q", got, r.Unseen, c.want)
			}
			if noted := len(r.Notes) == 1 && strings.Contains(r.Notes[0], "none of the policies"); noted != (len(c.account) == 0) {
				t.Errorf("notes: %q", r.Notes)
			}
		})
	}
	if r := look(t, Execution(policies{}, t.TempDir(), env)); r.Code() != 2 {
		t.Errorf("without files: %+v", r)
	}
}
