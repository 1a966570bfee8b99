package resources

import (
	"context"
	"strings"
)

// FunctionURLPath begins the paths of functions at the endpoint, which on AWS have a host each; the name of the function follows.
const FunctionURLPath = "/_local/function-url/"

func init() {
	result := func(_ context.Context, r *Request, p Properties) (Result, error) {
		arn := p.String("TargetFunctionArn")
		return Result{ID: arn, Attributes: map[string]any{
			"FunctionArn": arn, "FunctionUrl": *r.AWS.BaseEndpoint + FunctionURLPath + arn[strings.LastIndex(arn, ":")+1:] + "/",
		}}, nil
	}
	Register(&Type{
		Name: "AWS::Lambda::Url", Properties: []string{"AuthType", "TargetFunctionArn"}, Identifier: []string{"TargetFunctionArn"},
		Create: result,
		Update: func(ctx context.Context, r *Request, _ string, _, updated Properties) (Result, error) {
			return result(ctx, r, updated)
		},
		// The endpoint looks for the stacks' URLs with each call.
		Delete: func(context.Context, *Request, string, Properties) error { return nil },
	})
}
