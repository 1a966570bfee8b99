// Package policy writes IAM's identity policies as plain values, which can be read, compared and tested without the CDK.
package policy

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
)

// Document is a policy document. Its JSON is IAM's.
type Document struct {
	Version   string
	Statement []Statement
}

// Statement is a statement of an identity policy. Actions and resources may hold CDK tokens.
type Statement struct {
	Sid       string `json:",omitempty"`
	Effect    string
	Action    List
	Resource  List
	Condition map[string]any `json:",omitempty"`
}

// List is what a policy may write as one string or as several.
type List []string

// UnmarshalJSON reads one string or several.
func (l *List) UnmarshalJSON(content []byte) error {
	if len(content) > 0 && content[0] == '[' {
		return json.Unmarshal(content, (*[]string)(l))
	}
	var one string
	if err := json.Unmarshal(content, &one); err != nil {
		return err
	}
	*l = List{one}
	return nil
}

// Allow makes a statement that allows actions on resources.
func Allow(sid string, resources List, actions ...string) Statement {
	return Statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources}
}

// PullImage are the actions that pull an image from a repository of ECR:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/security-iam-awsmanpol.html#security-iam-awsmanpol-AmazonEC2ContainerRegistryPullOnly
var PullImage = []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}

// If returns the statement under a condition, for example {"StringEquals": {"ses:FromAddress": "me@example.com"}}.
func (s Statement) If(condition map[string]any) Statement {
	s.Condition = condition
	return s
}

// Of makes a policy of statements.
func Of(statements ...Statement) Document {
	return Document{Version: "2012-10-17", Statement: statements}
}

// Permissions flattens the policy into sorted lines "effect action resource condition". Two policies mean the same if
// their lines are the same, however their statements are cut; CDK cuts them anew.
func (d Document) Permissions() []string {
	var lines []string
	for _, s := range d.Statement {
		condition := encode(s.Condition)
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				lines = append(lines, fmt.Sprintf("%s %s %s %s", s.Effect, action, resource, condition))
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// CDK returns the policy as the CDK takes it.
func (d Document) CDK() awsiam.PolicyDocument {
	var plain map[string]any
	if err := json.Unmarshal(encode(d), &plain); err != nil {
		panic(err) //nolint:forbidigo // it was encoded on the same line
	}
	return awsiam.PolicyDocument_FromJson(plain)
}

// Inline returns the inline policies of a role by name; nil, which the CDK takes for none, if there are none.
func Inline(policies map[string]Document) *map[string]awsiam.PolicyDocument {
	if len(policies) == 0 {
		return nil
	}
	all := make(map[string]awsiam.PolicyDocument, len(policies))
	for name, document := range policies {
		all[name] = document.CDK()
	}
	return &all
}

// encode returns the JSON of a value of this package.
func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) //nolint:forbidigo // strings, lists and maps, from literals or from JSON
	}
	return text
}
