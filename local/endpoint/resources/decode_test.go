package resources

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/google/go-cmp/cmp"
)

func TestDecode(t *testing.T) {
	var in rds.CreateDBInstanceInput
	err := decode(Properties{
		"AllocatedStorage": "20", "MultiAZ": "true", "Port": json.Number("3306"), "Iops": float64(3000),
		"EnableCloudwatchLogsExports": "error", "DBName": "ghost",
	}, &in)
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToInt32(in.AllocatedStorage) != 20 || !aws.ToBool(in.MultiAZ) || aws.ToInt32(in.Port) != 3306 || aws.ToInt32(in.Iops) != 3000 {
		t.Errorf("numbers and booleans: %+v", in)
	}
	if diff := cmp.Diff([]string{"error"}, in.EnableCloudwatchLogsExports); diff != "" {
		t.Errorf("one value for a list: %s", diff)
	}
}

func TestDecodeDocumentAsText(t *testing.T) {
	var in struct{ PolicyDocument *string }
	if err := decode(Properties{"PolicyDocument": map[string]any{"Version": "2012-10-17"}}, &in); err != nil {
		t.Fatal(err)
	}
	if *in.PolicyDocument != `{"Version":"2012-10-17"}` {
		t.Errorf("got %s", *in.PolicyDocument)
	}
}

func TestDecodeErrorsNameTheProperty(t *testing.T) {
	cases := map[string]struct {
		in   Properties
		want string
	}{
		"unknown":       {Properties{"ResourcesVpcConfig": map[string]any{"Subnets": []any{}}}, "ResourcesVpcConfig.Subnets"},
		"boolean":       {Properties{"DeletionProtection": "maybe"}, "DeletionProtection: got maybe, want true or false"},
		"object":        {Properties{"AccessConfig": "API"}, "AccessConfig: got API, want an object"},
		"in a list":     {Properties{"EncryptionConfig": []any{map[string]any{"Key": 1}}}, "EncryptionConfig[0].Key"},
		"map of values": {Properties{"Tags": "x"}, "Tags: got x, want an object"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var in eks.CreateClusterInput
			if err := decode(c.in, &in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTypesAreComplete(t *testing.T) {
	for name, typ := range All() {
		if typ.Create == nil || typ.Delete == nil {
			t.Errorf("%s: Create and Delete are required", name)
		}
		if strings.HasPrefix(name, "AWS::") && len(typ.Properties) == 0 {
			t.Errorf("%s lists no properties", name)
		}
	}
}

func TestTags(t *testing.T) {
	r := &Request{Tags: map[string]string{"a": "stack", "b": "stack", "aws:cloudformation:stack-id": "x"}}
	got := r.tags(Properties{"Tags": []any{map[string]any{"Key": "a", "Value": "own"}}})
	if diff := cmp.Diff(map[string]string{"a": "own", "b": "stack"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b"}, removed(got, map[string]string{"a": "1"})); diff != "" {
		t.Error(diff)
	}
}
