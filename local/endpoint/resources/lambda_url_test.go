package resources

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
)

// The address of a function is a path of the endpoint with its name, and does not change with an update.
func TestFunctionURL(t *testing.T) {
	const arn = "arn:aws:lambda:eu-west-1:000000000000:function:local-flux_alerts"
	typ, r := types["AWS::Lambda::Url"], recording("AWS::Lambda::Url")
	r.AWS.BaseEndpoint = aws.String("http://127.0.0.1:4566")
	given := Properties{"AuthType": "NONE", "TargetFunctionArn": arn}
	want := Result{arn, map[string]any{"FunctionArn": arn, "FunctionUrl": "http://127.0.0.1:4566/_local/function-url/local-flux_alerts/"}}
	made, err := typ.Create(t.Context(), r, given)
	if diff := cmp.Diff(want, made); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	updated, err := typ.Update(t.Context(), r, made.ID, given, given)
	if diff := cmp.Diff(want, updated); err != nil || diff != "" {
		t.Errorf("updated: %v (-want +got):\n%s", err, diff)
	}
}
