package pipelines

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// pipelineEvent is a state of execution e of pipeline p.
func pipelineEvent(pipeline, state string) event {
	return event{"source": "aws.codepipeline", "detail-type": "CodePipeline Pipeline Execution State Change", "detail": map[string]any{"pipeline": pipeline, "execution-id": "e", "state": state}}
}

// The rule that reports on deployments is carried out in every environment, and that of the notifications starts nothing.
func TestTheTemplatesRules(t *testing.T) {
	for _, env := range environments(t) {
		d := defined(t, env)
		started := 0
		for _, r := range d.Rules {
			for _, target := range r.Targets {
				if r.ScheduleExpression != "" || fmt.Sprint(r.EventPattern["source"]) == "[aws.codebuild]" { // the drill's, the looks for drift, the rehearsals'
					continue
				}
				started++
				for _, state := range []string{"STARTED", "SUCCEEDED", "FAILED", "CANCELED", "SUPERSEDED"} {
					if ok, err := r.hears(pipelineEvent(env+"-deploy", state)); err != nil || !ok {
						t.Errorf("%s: %s of the deployment is not heard: %v", env, state, err)
					}
				}
				if ok, _ := r.hears(pipelineEvent(env+"-review", "FAILED")); ok {
					t.Errorf("%s: hears of a review", env)
				}
				in, err := target.input(pipelineEvent(env+"-deploy", "FAILED"))
				if want := []Variable{{"EXECUTION", "PLAINTEXT", "e"}}; err != nil || !slices.Equal(in.EnvironmentVariablesOverride, want) {
					t.Errorf("%s: %v, %v", env, in, err)
				}
				// Here the ARN's attribute leads to the project by its logical id.
				if !strings.HasPrefix(target.Project, "id-of-DeliveryReportBuildProject") {
					t.Errorf("%s: starts %s", env, target.Project)
				}
			}
		}
		if p := d.Projects[env+"-report"]; started != 1 || p == nil || p.Source.Type != cloneType || p.SourceVersion == "" {
			t.Errorf("%s: %d builds are started, of %+v", env, started, p)
		}
	}
}

func TestHears(t *testing.T) {
	for name, c := range map[string]struct {
		rule, want string // want: yes, no, or an error
	}{
		"all":             {`{"EventPattern": {}}`, "yes"},
		"the source":      {`{"EventPattern": {"source": ["aws.codepipeline"]}}`, "yes"},
		"another source":  {`{"EventPattern": {"source": ["aws.codebuild"]}}`, "no"},
		"one of two":      {`{"EventPattern": {"detail": {"state": ["FAILED", "STARTED"]}}}`, "yes"},
		"one key of two":  {`{"EventPattern": {"source": ["aws.codepipeline"], "detail": {"state": ["FAILED"]}}}`, "no"},
		"a key too much":  {`{"EventPattern": {"detail": {"stage": ["Test"]}}}`, "no"},
		"a key below one": {`{"EventPattern": {"detail": {"state": {"is": ["STARTED"]}}}}`, "no"},
		"switched off":    {`{"State": "DISABLED", "EventPattern": {}}`, "no"},
		"a filter":        {`{"Name": "R", "EventPattern": {"detail": {"state": [{"anything-but": ["FAILED"]}]}}}`, `rule R: the pattern has {"anything-but":["FAILED"]} for state, which the local pipelines do not know`},
		"no list":         {`{"Name": "R", "EventPattern": {"source": "aws.codepipeline"}}`, "rule R: the pattern must have a list for source"},
		"a schedule":      {`{"Name": "R", "ScheduleExpression": "rate(1 day)"}`, "no"},
	} {
		t.Run(name, func(t *testing.T) {
			var r EventRule
			if err := json.Unmarshal([]byte(c.rule), &r); err != nil {
				t.Fatal(err)
			}
			ok, err := r.hears(pipelineEvent("p", "STARTED"))
			got := map[bool]string{true: "yes", false: "no"}[ok]
			if err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestInput(t *testing.T) {
	const paths = `"InputPathsMap": {"id": "$.detail.execution-id", "state": "$.detail.state", "none": "$.detail.none"}`
	with := func(template string) string {
		quoted, _ := json.Marshal(template)
		return `{"Id": "T", "InputTransformer": {` + paths + `, "InputTemplate": ` + string(quoted) + `}}`
	}
	for name, c := range map[string]struct{ target, want string }{
		"nothing":          {`{"Id": "T"}`, `null`},
		"an input":         {`{"Id": "T", "Input": "{\"environmentVariablesOverride\": [{\"name\": \"A\", \"value\": \"b\"}]}"}`, `[{"Name":"A","Type":"","Value":"b"}]`},
		"alone":            {with(`{"environmentVariablesOverride": [{"name": "A", "type": "PLAINTEXT", "value": <id>}]}`), `[{"Name":"A","Type":"PLAINTEXT","Value":"e"}]`},
		"inside of a text": {with(`{"environmentVariablesOverride": [{"name": "A", "value": "\"<id>\" is <state>"}]}`), `[{"Name":"A","Type":"","Value":"\"e\" is STARTED"}]`},
		"no value":         {with(`{"environmentVariablesOverride": [{"name": "A", "value": <none>}]}`), `[{"Name":"A","Type":"","Value":""}]`},
		"no such path":     {with(`{"environmentVariablesOverride": [{"name": "A", "value": <x>}]}`), `target T: <x> is not in InputPathsMap`},
		"something else":   {with(`{"buildspecOverride": "x"}`), `target T: its input is not what the local pipelines know of StartBuild: json: unknown field "buildspecOverride"`},
		"an index":         {`{"Id": "T", "InputTransformer": {"InputPathsMap": {"a": "$.resources[0]"}, "InputTemplate": "<a>"}}`, `target T: the path $.resources[0] of a, which`},
		"a path":           {`{"Id": "T", "InputPath": "$.detail"}`, `target T has an InputPath, which`},
	} {
		t.Run(name, func(t *testing.T) {
			var target RuleTarget
			if err := json.Unmarshal([]byte(c.target), &target); err != nil {
				t.Fatal(err)
			}
			in, err := target.input(pipelineEvent("p", "STARTED"))
			raw, _ := json.Marshal(in.EnvironmentVariablesOverride)
			got := string(raw)
			if err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
