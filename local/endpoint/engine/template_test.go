package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/google/go-cmp/cmp"
)

// evaluate evaluates a JSON expression in a template with some of everything.
func evaluate(t *testing.T, expr string) (any, error) {
	t.Helper()
	body := `{
	 "Parameters": {"Name": {"Type": "String", "Default": "n"}, "List": {"Type": "CommaDelimitedList", "Default": "a, b"}, "Count": {"Type": "Number", "Default": 3},
	   "Ssm": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/p"}},
	 "Mappings": {"M": {"eu-west-1": {"k": "v"}}},
	 "Conditions": {"Yes": {"Fn::Equals": [{"Ref": "Name"}, "n"]}, "No": {"Fn::Not": [{"Condition": "Yes"}]},
	   "Both": {"Fn::And": [{"Condition": "Yes"}, {"Fn::Or": [{"Condition": "No"}, {"Fn::Equals": [3, "3"]}]}]}},
	 "Resources": {"R": {"Type": "T", "Properties": {"V": ` + expr + `}}, "Other": {"Type": "T"}}}`
	tpl, err := ParseTemplate(body)
	if err != nil {
		return nil, err
	}
	values := fakeValues{parameters: map[string]string{"/p": "resolved"}}
	parameters, err := tpl.resolveParameters(context.Background(), values, nil, nil)
	if err != nil {
		return nil, err
	}
	e := &Engine{opt: Options{Account: "0", Region: "eu-west-1"}, stacks: map[string]*Stack{"x": {ID: "x", Name: "x", Outputs: []Output{{Export: "exp", Value: "imported"}}}}}
	st := &Stack{ID: "arn:stack", Name: "s", Resources: map[string]*Resource{"Other": {PhysicalID: "phys", Attributes: map[string]any{"Arn": "arn:o", "Endpoint.Port": "1", "Nested": map[string]any{"A": "deep"}}}}}
	m, err := e.scope(st, tpl, parameters).properties("R")
	return m["V"], err
}

func TestIntrinsics(t *testing.T) {
	for expr, want := range map[string]string{
		`{"Ref": "Name"}`:                                          `"n"`,
		`{"Ref": "List"}`:                                          `["a","b"]`,
		`{"Ref": "Ssm"}`:                                           `"resolved"`,
		`{"Ref": "Other"}`:                                         `"phys"`,
		`{"Ref": "AWS::StackName"}`:                                `"s"`,
		`[{"Ref": "AWS::NoValue"}, 1]`:                             `[1]`,
		`{"a": {"Ref": "AWS::NoValue"}, "b": true}`:                `{"b":true}`,
		`{"Fn::GetAtt": ["Other", "Arn"]}`:                         `"arn:o"`,
		`{"Fn::GetAtt": "Other.Endpoint.Port"}`:                    `"1"`,
		`{"Fn::GetAtt": ["Other", "Nested.A"]}`:                    `"deep"`,
		`{"Fn::Sub": "${Name}-${Other.Arn}-${AWS::Region}-${!x}"}`: `"n-arn:o-eu-west-1-${x}"`,
		`{"Fn::Sub": ["${A}${Count}", {"A": {"Ref": "Name"}}]}`:    `"n3"`,
		`{"Fn::Join": ["-", [{"Ref": "Name"}, 1, true]]}`:          `"n-1-true"`,
		`{"Fn::Join": ["", {"Ref": "List"}]}`:                      `"ab"`,
		`{"Fn::Select": ["1", {"Ref": "List"}]}`:                   `"b"`,
		`{"Fn::Select": [0, {"Fn::Split": ["|", "x|y"]}]}`:         `"x"`,
		`{"Fn::If": ["Both", "y", "n"]}`:                           `"y"`,
		`{"Fn::If": ["No", "y", {"Ref": "AWS::NoValue"}]}`:         `null`,
		`{"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "k"]}`:    `"v"`,
		`{"Fn::ImportValue": "exp"}`:                               `"imported"`,
		`{"Fn::GetAZs": ""}`:                                       `["eu-west-1a","eu-west-1b","eu-west-1c"]`,
		`{"Fn::Base64": "hi"}`:                                     `"aGk="`,
		`{"Fn::Cidr": ["10.0.0.0/16", 3, 8]}`:                      `["10.0.0.0/24","10.0.1.0/24","10.0.2.0/24"]`,
		`{"Fn::Cidr": ["2001:db8::/56", "2", "64"]}`:               `["2001:db8::/64","2001:db8:0:1::/64"]`,
		`{"Condition": {"StringEquals": {"a": "b"}}}`:              `{"Condition":{"StringEquals":{"a":"b"}}}`,
		`{"Condition": "Yes"}`:                                     `{"Condition":"Yes"}`,
		`12345678901234567890`:                                     `12345678901234567890`,
	} {
		got, err := evaluate(t, expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		b, _ := json.Marshal(got)
		if string(b) != want {
			t.Errorf("%s = %s, want %s", expr, b, want)
		}
	}
}

func TestIntrinsicErrors(t *testing.T) {
	for expr, want := range map[string]string{
		`{"Fn::Select": [5, {"Ref": "List"}]}`:            "nonexistent value at index 5",
		`{"Fn::GetAtt": ["Other", "Nope"]}`:               "does not support attribute type Nope",
		`{"Fn::FindInMap": ["M", "us-east-1", "k"]}`:      "Unable to get mapping for M::us-east-1::k",
		`{"Fn::ImportValue": "nope"}`:                     "No export named nope",
		`{"Fn::Cidr": ["10.0.0.0/24", 9, 5]}`:             "too small",
		`{"Fn::Sub": "${List}"}`:                          "Fn::Sub cannot use List",
		`{"Fn::If": ["Yes", 1]}`:                          "arguments of Fn::If are malformed",
		`{"Fn::Transform": {"Name": "x"}}`:                "Fn::Transform is not supported",
		`{"Fn::Join": ["-", "x"]}`:                        "expected a list",
		`{"Fn::Join": ["-", [["x"]]]}`:                    "must be text, not a list",
		`{"Fn::GetAtt": ["Other", "Arn"], "Ref": "Name"}`: "must be the only key",
		`{"Fn::If": ["Nope", 1, 2]}`:                      "unresolved condition Nope",
	} {
		if _, err := evaluate(t, expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", expr, err, want)
		}
	}
}

func TestYAMLIsTheSameAsJSON(t *testing.T) {
	y := `
AWSTemplateFormatVersion: 2010-09-09
Description: d
Parameters:
  P: {Type: String, Default: x}
Conditions:
  C: !Equals [!Ref P, x]
  D: !Not [!Condition C]
Resources:
  A:
    Type: Test::A::Thing
    Condition: C
    Properties:
      Name: !Sub ${P}-1
      Value: !GetAtt B.Endpoint.Address
      Values: [!Ref B, 1, 1.5, true, 2012-10-17, "5", !If [C, yes-text, !Ref "AWS::NoValue"]]
      Size: !Sub ["${x}", {x: !Join ["", [a, !Select [0, !Split [",", "b,c"]]]]}]
  B: {Type: Test::A::Thing}
`
	j := `{"AWSTemplateFormatVersion": "2010-09-09", "Description": "d", "Parameters": {"P": {"Type": "String", "Default": "x"}},
	 "Conditions": {"C": {"Fn::Equals": [{"Ref": "P"}, "x"]}, "D": {"Fn::Not": [{"Condition": "C"}]}},
	 "Resources": {"A": {"Type": "Test::A::Thing", "Condition": "C", "Properties": {"Name": {"Fn::Sub": "${P}-1"}, "Value": {"Fn::GetAtt": ["B", "Endpoint.Address"]},
	  "Values": [{"Ref": "B"}, 1, 1.5, true, "2012-10-17", "5", {"Fn::If": ["C", "yes-text", {"Ref": "AWS::NoValue"}]}],
	  "Size": {"Fn::Sub": ["${x}", {"x": {"Fn::Join": ["", ["a", {"Fn::Select": [0, {"Fn::Split": [",", "b,c"]}]}]]}}]}}}, "B": {"Type": "Test::A::Thing"}}}`
	a, err := ParseTemplate(y)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseTemplate(j)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.tree, a.tree); diff != "" {
		t.Error(diff)
	}
}

func TestParameters(t *testing.T) {
	tpl, err := ParseTemplate(`{"Parameters": {
	  "A": {"Type": "String", "AllowedValues": ["x", "y"], "Default": "x"}, "B": {"Type": "Number", "MinValue": 2, "Default": 3},
	  "C": {"Type": "String", "AllowedPattern": "[a-z]+", "Default": "c", "MaxLength": 3}, "S": {"Type": "String", "NoEcho": true, "Default": "secret"}},
	  "Resources": {"R": {"Type": "T"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	give := func(id, v string) map[string]givenParameter {
		return map[string]givenParameter{id: {Value: v, HasValue: true}}
	}
	for _, c := range []struct {
		given map[string]givenParameter
		want  string
	}{
		{give("A", "z"), "AllowedValues (x, y)"}, {give("B", "1"), "not less than 2"}, {give("B", "x"), "be a number"},
		{give("C", "1"), "match pattern"}, {give("C", "abcd"), "at most 3"}, {give("Z", "1"), "Parameters: [Z] do not exist"},
	} {
		if _, err := tpl.resolveParameters(context.Background(), fakeValues{}, c.given, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.given, err, c.want)
		}
	}
	previous := map[string]ParameterValue{"A": {Value: "y"}}
	got, err := tpl.resolveParameters(context.Background(), fakeValues{}, map[string]givenParameter{"A": {UsePrevious: true}}, previous)
	if err != nil || got["A"].Value != "y" || parameterShapes(got)[3].ParameterValue != "****" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestDynamicReferences(t *testing.T) {
	v := fakeValues{parameters: map[string]string{"/a/b": "p"}, secrets: map[string]string{"db": `{"user":"u","n":5}`, "arn:aws:secretsmanager:eu-west-1:0:secret:db-x": `{"user":"arn"}`, "plain": "text"}}
	for in, want := range map[string]string{
		"{{resolve:secretsmanager:db:SecretString:user::}}":                                           "u",
		"a-{{resolve:secretsmanager:db:SecretString:n}}-b":                                            "a-5-b",
		"{{resolve:secretsmanager:arn:aws:secretsmanager:eu-west-1:0:secret:db-x:SecretString:user}}": "arn",
		"{{resolve:secretsmanager:plain}}":                                                            "text",
		"{{resolve:ssm:/a/b}}":                                                                        "p",
	} {
		if got, err := resolveDynamic(context.Background(), v, in); err != nil || got != want {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
	for _, in := range []string{"{{resolve:secretsmanager:nope}}", "{{resolve:secretsmanager:db:SecretString:x}}", "{{resolve:other:x}}", "{{resolve:secretsmanager:plain:SecretString:x}}"} {
		if _, err := resolveDynamic(context.Background(), v, in); err == nil || !strings.Contains(err.Error(), in) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestTemplateURL(t *testing.T) {
	for address, want := range map[string]string{
		"http://127.0.0.1:4566/b/a/k.json":                  "b|a/k.json",
		"https://s3.eu-west-1.amazonaws.com/b/k":            "b|k",
		"https://cdk-assets.s3.eu-west-1.amazonaws.com/k/x": "cdk-assets|k/x",
		"https://127.0.0.1/b":                               "error",
		"nonsense":                                          "error",
	} {
		bucket, key, err := objectAddress(address)
		got := bucket + "|" + key
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

func TestPhysicalNames(t *testing.T) {
	st := &Stack{ID: "arn:1", Name: "local-ghost"}
	long := physicalName(st, strings.Repeat("VeryLong", 20), 0, 63, true)
	if len(long) > 63 || long != strings.ToLower(long) {
		t.Error(long)
	}
	if physicalName(st, "A", 0, 64, false) == physicalName(st, "A", 1, 64, false) {
		t.Error("a replacement has the old name")
	}
	if n := physicalName(st, "A", 0, 8, false); len(n) != 8 {
		t.Error(n)
	}
	if physicalName(st, "A", 0, 64, false) != physicalName(&Stack{ID: "arn:1", Name: "local-ghost"}, "A", 0, 64, false) {
		t.Error("the name is not stable")
	}
}

func TestEventPagesDoNotShift(t *testing.T) {
	w := newWorld(t)
	var b strings.Builder
	for i := range 120 {
		fmt.Fprintf(&b, `,"T%d": {"Type": "Test::A::Thing"}`, i)
	}
	w.deploy("s", `{"Resources": {`+b.String()[1:]+`}}`)
	first, err := w.client.DescribeStackEvents(context.Background(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("s")})
	if err != nil {
		t.Fatal(err)
	}
	w.deploy("s", `{"Resources": {"T1": {"Type": "Test::A::Thing"}}}`) // more events meanwhile
	second, err := w.client.DescribeStackEvents(context.Background(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("s"), NextToken: first.NextToken})
	if err != nil {
		t.Fatal(err)
	}
	last, next := first.StackEvents[len(first.StackEvents)-1], second.StackEvents[0]
	if !next.Timestamp.Before(*last.Timestamp) {
		t.Errorf("page two starts at %v, page one ended at %v", next.Timestamp, last.Timestamp)
	}
}

func TestNames(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"../x", "1a", "a_b", strings.Repeat("a", 129)} {
		if _, err := w.changeSet(name, `{"Resources": {"A": {"Type": "Test::A::Thing"}}}`, "CREATE"); err == nil || !strings.Contains(err.Error(), "stackName") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
