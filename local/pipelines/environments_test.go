package pipelines

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"k8s-plus-aws-gitops/internal/httpbody"
)

// stacks serves CloudFormation with a pipeline of the stack's name in each
// stack.
func stacks(t *testing.T, status map[string]string) aws.Config {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, answer := r.FormValue("StackName"), ""
		switch r.FormValue("Action") {
		case "DescribeStacks":
			for stack, word := range status {
				answer += fmt.Sprintf("<member><StackName>%s</StackName><StackStatus>%s</StackStatus><CreationTime>2026-11-20T00:00:00Z</CreationTime></member>", stack, word)
			}
			answer = "<Stacks>" + answer + "</Stacks>"
		case "GetTemplate":
			answer = "<TemplateBody>" + html.EscapeString(`{"Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"PipelineType": {"Ref": "V"}}}}}`) + "</TemplateBody>"
		case "ListStackResources":
			for id, physical := range map[string]string{"P": "pipeline-of-" + name, "V": "V2"} {
				answer += fmt.Sprintf("<member><LogicalResourceId>%s</LogicalResourceId><PhysicalResourceId>%s</PhysicalResourceId></member>", id, physical)
			}
			answer = "<StackResourceSummaries>" + answer + "</StackResourceSummaries>"
		}
		action := r.FormValue("Action")
		fmt.Fprintf(w, "<%sResponse><%sResult>%s</%sResult></%sResponse>", action, action, answer, action, action)
	}))
	t.Cleanup(s.Close)
	return aws.Config{HTTPClient: httpbody.Client(), Region: "eu-west-1", BaseEndpoint: aws.String(s.URL), Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
}

// The stacks of all environments count, but for those that are not whole: a
// failed creation must not stop the pipelines of the others.
func TestLoad(t *testing.T) {
	for _, c := range []struct {
		status map[string]string
		want   string
		busy   bool
	}{
		{map[string]string{"local-delivery": "CREATE_COMPLETE", "local-ghost": "UPDATE_IN_PROGRESS"}, "local-delivery", false},
		{map[string]string{"local-delivery": "UPDATE_COMPLETE", "production-delivery": "UPDATE_ROLLBACK_COMPLETE"}, "local-delivery production-delivery", false},
		{map[string]string{"local-delivery": "UPDATE_IN_PROGRESS"}, "local-delivery", true},
		{map[string]string{"local-delivery": "CREATE_COMPLETE", "production-delivery": "CREATE_IN_PROGRESS"}, "local-delivery", true},
		{map[string]string{"local-delivery": "CREATE_COMPLETE", "production-delivery": "ROLLBACK_COMPLETE"}, "local-delivery", false},
		{map[string]string{"local-delivery": "CREATE_COMPLETE", "production-delivery": "REVIEW_IN_PROGRESS"}, "local-delivery", false},
		{map[string]string{"local-delivery": "DELETE_IN_PROGRESS"}, "", true},
		{map[string]string{}, "", false},
	} {
		d, err := Load(t.Context(), stacks(t, c.status), "-delivery")
		if err != nil {
			t.Fatalf("%v: %v", c.status, err)
		}
		for stack := range strings.FieldsSeq(c.want) {
			if p := d.Pipelines["pipeline-of-"+stack]; p == nil || p.PipelineType != "V2" {
				t.Errorf("%v: %s has the pipeline %+v", c.status, stack, p)
			}
		}
		if len(d.Pipelines) != len(strings.Fields(c.want)) || d.Busy != c.busy {
			t.Errorf("%v: %d pipelines, busy %t", c.status, len(d.Pipelines), d.Busy)
		}
	}
}

// A promotion is a push to the branch of an environment: its own pipelines
// start and wait for their approval, and it is no pull request.
func TestPromotion(t *testing.T) {
	w := newWorld(t)
	w.define("review", "PARALLEL", "", stage("Review", w.project("never", spec(`touch "$OUT/reviewed"`))))
	w.defs.Pipelines["review"].Triggers = []Trigger{{GitConfiguration: GitConfiguration{PullRequest: []GitFilter{{Branches: includes("main")}}}}}
	w.define("app", "QUEUED", "", stage("Approve", approval("Approve")), stage("Deploy", w.project("deploy", spec(`cat app/version > "$OUT/production"`))))
	p := w.defs.Pipelines["app"]
	p.Stages[0].Actions[0].Configuration["BranchName"] = "production"
	p.Triggers[0].GitConfiguration.Push[0].Branches = includes("production")
	w.start()

	first := w.git(w.repo, "rev-parse", "HEAD")
	w.git(w.repo, "push", "-q", w.bare, "HEAD:production")
	w.event(Event{Ref: "refs/heads/production", Before: strings.Repeat("0", 40), After: first})
	promoted := w.push(map[string]string{"app/version": "2"})
	w.git(w.repo, "push", "-q", w.bare, "HEAD:production")
	w.event(Event{Ref: "refs/heads/production", Before: first, After: promoted})

	w.wait("app", promoted, Waiting)
	if _, _, err := Decide(w.root, "app", Decision{Approved: true, By: "t"}); err != nil {
		t.Fatal(err)
	}
	if e := w.wait("app", promoted, Succeeded); e.Branch != "production" || w.file("production") != "2" {
		t.Errorf("%s of %s deployed %q", e.Pipeline, e.Branch, w.file("production"))
	}
	all, err := List(w.root)
	if err != nil || len(all) != 1 {
		t.Errorf("%d executions, want the promotion's alone: %v", len(all), err)
	}
}
