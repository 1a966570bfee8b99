package drift

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// account answers CloudFormation's query protocol with the shapes of its API reference:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html
type account struct {
	// stacks by name, and their status.
	stacks map[string]string
	// answers by "<action> <stack>", one after the other; the last one stays. An answer is the result's XML, or "!<code>: <message>".
	answers map[string][]string

	mu    sync.Mutex
	asked []string
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // the SDK's own form
	a.mu.Lock()
	defer a.mu.Unlock()
	action, stack := r.Form.Get("Action"), r.Form.Get("StackName")
	if action == "DescribeStacks" {
		a.answer(w, action, a.describe())
		return
	}
	if id := r.Form.Get("StackDriftDetectionId"); id != "" {
		stack = strings.TrimPrefix(id, "detection-of-")
	}
	asked := action + " " + stack
	if token := r.Form.Get("NextToken"); token != "" {
		asked += " " + token
	}
	a.asked = append(a.asked, asked)
	answers := a.answers[asked]
	if len(answers) == 0 {
		switch action {
		case "DetectStackDrift":
			answers = []string{"<StackDriftDetectionId>detection-of-" + stack + "</StackDriftDetectionId>"}
		case "DescribeStackDriftDetectionStatus":
			answers = []string{detected("DETECTION_COMPLETE", "")}
		default:
			answers = []string{""}
		}
	}
	if len(answers) > 1 {
		a.answers[asked] = answers[1:]
	}
	a.answer(w, action, answers[0])
}

func (a *account) describe() string {
	var members strings.Builder
	for name, state := range a.stacks {
		environment, _, _ := strings.Cut(name, "-")
		fmt.Fprintf(&members, `<member><StackName>%s</StackName><StackStatus>%s</StackStatus><CreationTime>2026-11-01T00:00:00Z</CreationTime>
			<Tags><member><Key>environment</Key><Value>%s</Value></member></Tags></member>`, name, state, environment)
	}
	return "<Stacks>" + members.String() + "</Stacks>"
}

func (a *account) answer(w http.ResponseWriter, action, text string) {
	w.Header().Set("Content-Type", "text/xml")
	if failure, failed := strings.CutPrefix(text, "!"); failed {
		code, message, _ := strings.Cut(failure, ": ")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`, code, message)
		return
	}
	fmt.Fprintf(w, `<%[1]sResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>`, action, text)
}

func detected(status, why string) string {
	return "<StackId>arn</StackId><StackDriftDetectionId>x</StackDriftDetectionId><DetectionStatus>" + status + "</DetectionStatus><DetectionStatusReason>" + why +
		"</DetectionStatusReason><Timestamp>2026-11-30T00:00:00Z</Timestamp>"
}

// drifted is one resource of DescribeStackResourceDrifts.
func drifted(id, kind, status string, differences ...string) string {
	return fmt.Sprintf(`<member><StackId>arn</StackId><LogicalResourceId>%s</LogicalResourceId><PhysicalResourceId>%s-1</PhysicalResourceId><ResourceType>%s</ResourceType>
		<StackResourceDriftStatus>%s</StackResourceDriftStatus><DriftStatusReason>no rights to read it</DriftStatusReason><Timestamp>2026-11-30T00:00:00Z</Timestamp>
		<PropertyDifferences>%s</PropertyDifferences></member>`, id, strings.ToLower(id), kind, status, strings.Join(differences, ""))
}

func property(path, kind, expected, actual string) string {
	return fmt.Sprintf(`<member><PropertyPath>%s</PropertyPath><DifferenceType>%s</DifferenceType><ExpectedValue>%s</ExpectedValue><ActualValue>%s</ActualValue></member>`, path, kind, expected, actual)
}

// listed is one resource of ListStackResources.
func listed(id, kind, drift string) string {
	return fmt.Sprintf(`<member><LogicalResourceId>%s</LogicalResourceId><PhysicalResourceId>%[1]s-1</PhysicalResourceId><ResourceType>%s</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>
		<LastUpdatedTimestamp>2026-11-30T00:00:00Z</LastUpdatedTimestamp><DriftInformation><StackResourceDriftStatus>%s</StackResourceDriftStatus></DriftInformation></member>`, id, kind, drift)
}

// client asks the stand-in. Throttled calls are repeated at once, and not for ever.
func (a *account) client(t *testing.T) *cloudformation.Client {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return cloudformation.New(cloudformation.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.Backoff = 3, retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	})
}

// look runs checks to their end.
func look(t *testing.T, checks ...Check) *Report {
	t.Helper()
	return Look(t.Context(), "dev", checks, func(string) {})
}

func now(context.Context, time.Duration) error { return nil }

// Pages, throttling and a detection that takes its time lead to the same report as none of them.
func TestStacks(t *testing.T) {
	a := &account{
		stacks: map[string]string{"dev-network": "UPDATE_COMPLETE", "development-network": "CREATE_COMPLETE", "production-network": "CREATE_COMPLETE"},
		answers: map[string][]string{
			"DetectStackDrift dev-network": {
				"!ValidationError: Drift detection is already in progress for stack: [dev-network]", "!Throttling: Rate exceeded",
				"<StackDriftDetectionId>detection-of-dev-network</StackDriftDetectionId>",
			},
			"DescribeStackDriftDetectionStatus dev-network": {detected("DETECTION_IN_PROGRESS", ""), "!Throttling: Rate exceeded", detected("DETECTION_COMPLETE", "")},
			"DescribeStackResourceDrifts dev-network": {"<StackResourceDrifts>" +
				drifted("Vpc", "AWS::EC2::VPC", "MODIFIED", property("/EnableDnsHostnames", "NOT_EQUAL", "true", "false"), property("/Tags/2", "ADD", "", "{&quot;Key&quot;:&quot;a&quot;}")) +
				"</StackResourceDrifts><NextToken>second</NextToken>"},
			"DescribeStackResourceDrifts dev-network second": {"<StackResourceDrifts>" + drifted("Log", "AWS::Logs::LogGroup", "DELETED") + "</StackResourceDrifts>"},
			"ListStackResources dev-network": {"<StackResourceSummaries>" + listed("Vpc", "AWS::EC2::VPC", "MODIFIED") +
				listed("Meta", "AWS::CDK::Metadata", "NOT_CHECKED") + "</StackResourceSummaries><NextToken>more</NextToken>"},
			"ListStackResources dev-network more": {"<StackResourceSummaries>" + listed("Meta2", "AWS::CDK::Metadata", "NOT_CHECKED") + listed("Own", "Custom::Own", "NOT_CHECKED") + "</StackResourceSummaries>"},
		},
	}
	r := look(t, Stacks(a.client(t), "dev", now))
	if len(r.Findings) != 2 || len(r.Unseen) != 0 || r.Code() != 1 {
		t.Fatalf("want two findings, the code 1, got %+v", r)
	}
	gone, vpc := r.Findings[0], r.Findings[1]
	if gone.State != Deleted || gone.Object != "dev-network/Log" || gone.Detail != "AWS::Logs::LogGroup log-1" {
		t.Errorf("the worst first: %+v", gone)
	}
	want := []Difference{{"/EnableDnsHostnames", "true", "false"}, {"/Tags/2", "", `{"Key":"a"}`}}
	if vpc.State != Changed || !slices.Equal(vpc.Differences, want) {
		t.Errorf("differences: %+v, want %+v", vpc, want)
	}
	if !slices.Equal(r.Notes, []string{"CloudFormation does not compare resources of AWS::CDK::Metadata, Custom::Own."}) {
		t.Errorf("each type is said once: %q", r.Notes)
	}
	if slices.ContainsFunc(a.asked, func(asked string) bool { return !strings.Contains(asked, " dev-network") }) {
		t.Errorf("stacks of others were looked at: %q", a.asked)
	}
}

// What cannot be looked at is said for its stack and keeps no other from being looked at.
func TestStacksUnseen(t *testing.T) {
	one := "DescribeStackResourceDrifts dev-ok"
	for name, c := range map[string]struct {
		status  string
		answers map[string][]string
		state   State
		unseen  string
	}{
		"in sync":            {"CREATE_COMPLETE", nil, "", ""},
		"being deployed":     {"UPDATE_IN_PROGRESS", nil, "", "it is UPDATE_IN_PROGRESS; ask again when that is over"},
		"failed":             {"ROLLBACK_COMPLETE", nil, Failing, ""},
		"no right":           {"CREATE_COMPLETE", map[string][]string{"DetectStackDrift dev-a": {"!AccessDenied: no"}}, "", "cloudformation:DetectStackDrift is not allowed; docs/guides/drift.md lists the rights"},
		"throttled for ever": {"CREATE_COMPLETE", map[string][]string{"DetectStackDrift dev-a": {"!Throttling: Rate exceeded"}}, "", "Throttling: Rate exceeded"},
		"another endpoint":   {"CREATE_COMPLETE", map[string][]string{"DetectStackDrift dev-a": {"!InvalidAction: The action DetectStackDrift is not supported"}}, "", "this endpoint does not tell: The action DetectStackDrift is not supported"},
		"half a detection":   {"CREATE_COMPLETE", map[string][]string{"DescribeStackDriftDetectionStatus dev-a": {detected("DETECTION_FAILED", "no rights")}}, "", "detection failed for some resources: no rights"},
		"one resource": {"CREATE_COMPLETE", map[string][]string{"DescribeStackResourceDrifts dev-a": {"<StackResourceDrifts>" +
			drifted("Vpc", "AWS::EC2::VPC", "UNKNOWN") + "</StackResourceDrifts>"}}, "", "no rights to read it"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &account{stacks: map[string]string{"dev-a": c.status, "dev-ok": "CREATE_COMPLETE"}, answers: c.answers}
			r := look(t, Stacks(a.client(t), "dev", now))
			if !slices.Contains(a.asked, one) {
				t.Errorf("the other stack was not looked at: %q", a.asked)
			}
			if c.unseen != "" != (len(r.Unseen) == 1) || c.unseen != "" && (r.Unseen[0].Why != c.unseen || r.Code() != 2) {
				t.Errorf("unseen %+v, code %d; want %q", r.Unseen, r.Code(), c.unseen)
			}
			if c.state != "" != (len(r.Findings) == 1) || c.state != "" && r.Findings[0].State != c.state {
				t.Errorf("findings %+v; want %q", r.Findings, c.state)
			}
		})
	}
	if r := look(t, Stacks((&account{}).client(t), "dev", now)); r.Code() != 2 || !strings.Contains(r.Unseen[0].Why, "dev has no stacks") {
		t.Errorf("no stacks: %+v", r)
	}
}

// A detection that does not end is ended by the time, which is no verdict.
func TestStacksTime(t *testing.T) {
	a := &account{stacks: map[string]string{"dev-a": "CREATE_COMPLETE"}, answers: map[string][]string{"DescribeStackDriftDetectionStatus dev-a": {detected("DETECTION_IN_PROGRESS", "")}}}
	r := look(t, Stacks(a.client(t), "dev", func(context.Context, time.Duration) error { return context.DeadlineExceeded }))
	if r.Code() != 2 || r.Unseen[0] != (Unseen{"stack dev-a", "the time was over; give more with --timeout", "stacks"}) {
		t.Errorf("%+v", r)
	}
}

// Values that may be secret are in no report.
func TestDifferenceHides(t *testing.T) {
	for _, c := range []struct {
		path, expected, actual string
		hides                  bool
	}{
		{"/MasterUserPassword", "a", "b", true},
		{"/Environment/Variables/PLAIN", "a", "b", true},
		{"/ContainerDefinitions/0", `{"Name":"x"}`, `{"Environment":[{"Name":"A","Value":"b"}]}`, true},
		{"/Value", "{{resolve:secretsmanager:arn:SecretString:x}}", "b", true},
		{"/Properties", `{"ApiKey":"a"}`, "", true},
		{"/AllocatedStorage", "20", "50", false},
	} {
		a := &account{stacks: map[string]string{"dev-a": "CREATE_COMPLETE"}, answers: map[string][]string{"DescribeStackResourceDrifts dev-a": {
			"<StackResourceDrifts>" + drifted("R", "T", "MODIFIED", property(c.path, "NOT_EQUAL", strings.ReplaceAll(c.expected, `"`, "&quot;"), strings.ReplaceAll(c.actual, `"`, "&quot;"))) + "</StackResourceDrifts>",
		}}}
		d := look(t, Stacks(a.client(t), "dev", now)).Findings[0].Differences[0]
		if hides := d.Expected == hidden; hides != c.hides || c.actual != "" && (d.Actual == hidden) != c.hides {
			t.Errorf("%s: %+v; want hidden %v", c.path, d, c.hides)
		}
	}
}
