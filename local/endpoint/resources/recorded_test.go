package resources

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
)

// recording makes requests without a service behind them.
func recording(kind string) *Request {
	return &Request{
		Services: &Services{Account: "000000000000", Region: "eu-west-1"}, LogicalID: "Thing", Type: kind,
		Name: func(int, bool) string { return "stack-Thing-1" },
	}
}

func TestRecorded(t *testing.T) {
	const rule = "arn:aws:events:eu-west-1:000000000000:rule/stack-Thing-1"
	for kind, c := range map[string]struct {
		given      Properties
		id         string
		attributes map[string]any
	}{
		"AWS::CloudWatch::Alarm": {Properties{"AlarmName": "a"}, "a", map[string]any{"AlarmName": "a", "Arn": "arn:aws:cloudwatch:eu-west-1:000000000000:alarm:a"}},
		"AWS::EC2::FlowLog":      {nil, "fl-45a6983d1c98ba87d", map[string]any{"Id": "fl-45a6983d1c98ba87d"}},
		"AWS::EC2::LaunchTemplate": {nil, "lt-45a6983d1c98ba87d", map[string]any{
			"LaunchTemplateName": "stack-Thing-1", "LaunchTemplateId": "lt-45a6983d1c98ba87d", "LatestVersionNumber": "1", "DefaultVersionNumber": "1"}},
		"AWS::EKS::Nodegroup": {Properties{"ClusterName": "c"}, "c/stack-Thing-1", map[string]any{"NodegroupName": "stack-Thing-1", "Id": "c/stack-Thing-1",
			"Arn": "arn:aws:eks:eu-west-1:000000000000:nodegroup/c/stack-Thing-1/45a6983d1c98ba87d"}},
		"AWS::EKS::Addon": {Properties{"ClusterName": "c", "AddonName": "coredns"}, "c|coredns",
			map[string]any{"Arn": "arn:aws:eks:eu-west-1:000000000000:addon/c/coredns/45a6983d1c98ba87d"}},
		"AWS::Logs::MetricFilter": {nil, "stack-Thing-1", map[string]any{"FilterName": "stack-Thing-1"}},
		"AWS::Events::Rule":       {nil, "stack-Thing-1", map[string]any{"Name": "stack-Thing-1", "Arn": rule}},
	} {
		t.Run(kind, func(t *testing.T) {
			typ, r := types[kind], recording(kind)
			made, err := typ.Create(t.Context(), r, c.given)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Result{c.id, c.attributes}, made); diff != "" {
				t.Errorf("made (-want +got):\n%s", diff)
			}
			r.Attributes = made.Attributes
			updated, err := typ.Update(t.Context(), r, made.ID, c.given, c.given)
			if err != nil {
				t.Fatal(err)
			}
			if _, counts := made.Attributes["LatestVersionNumber"]; counts {
				made.Attributes["LatestVersionNumber"] = "2"
			}
			if diff := cmp.Diff(made, updated); diff != "" {
				t.Errorf("updated (-want +got):\n%s", diff)
			}
		})
	}
}

// The schema says what a template may set and what replaces a resource.
func TestRecordedSchema(t *testing.T) {
	rule := types["AWS::Events::Rule"]
	known := map[string]bool{}
	for _, p := range rule.Properties {
		known[p] = true
	}
	want := map[string]bool{"EventPattern": true, "Arn": false, "Typo": false}
	got := maps.Clone(want)
	for p := range got {
		got[p] = known[p]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("properties of a rule (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Name"}, rule.Immutable); diff != "" {
		t.Errorf("create-only properties of a rule (-want +got):\n%s", diff)
	}
}

func TestFunctionWithoutCode(t *testing.T) {
	empty := httptest.NewServer(http.NotFoundHandler())
	defer empty.Close()
	r := recording("AWS::Lambda::Function")
	r.AWS = aws.Config{Region: "eu-west-1", BaseEndpoint: &empty.URL, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	code := Properties{"Code": map[string]any{"S3Bucket": "assets", "S3Key": "gone.zip"}}
	if _, err := types[r.Type].Create(t.Context(), r, code); err == nil || !strings.Contains(err.Error(), "s3://assets/gone.zip") {
		t.Errorf("got %v, must name the object that is not there", err)
	}
	if _, err := types[r.Type].Create(t.Context(), r, Properties{"Code": map[string]any{"ZipFile": "text"}}); err != nil {
		t.Error(err)
	}
}
