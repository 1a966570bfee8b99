package pipelines

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The pipelines of the template that is deployed locally are read in full, and
// nothing in them is unknown here.
func TestParseTheLocalTemplate(t *testing.T) {
	raw, err := os.ReadFile("../../testdata/templates/local-delivery.json")
	if err != nil {
		t.Fatal(err)
	}
	var template struct{ Resources map[string]json.RawMessage }
	if err := json.Unmarshal(raw, &template); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{"AWS::Region": "eu-west-1"}
	for id := range template.Resources {
		ids[id] = "id-of-" + id
	}
	d, err := parse(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"local-infrastructure", "local-app-resources", "local-dockerbuild", "local-review"} {
		p := d.Pipelines[name]
		if p == nil {
			t.Fatalf("no pipeline %s", name)
		}
		if problem := p.unsupported(); problem != "" || p.source() == nil || p.Digest == "" || len(p.Stages) < 2 {
			t.Errorf("%s: %s %+v", name, problem, p)
		}
	}
	p := d.Pipelines["local-app-resources"]
	if ok, err := p.starts(change{Branch: "main", Files: []string{"app-resources/ghost.go"}}); err != nil || !ok {
		t.Errorf("app-resources: %v, %v", ok, err)
	}
	if ok, _ := d.Pipelines["local-infrastructure"].starts(change{Branch: "main", Files: []string{"app-resources/ghost.go"}}); ok {
		t.Error("infrastructure starts for app-resources")
	}
	deploy := p.Stages[len(p.Stages)-1].Actions[0]
	if !strings.HasPrefix(deploy.text("ProjectName"), "id-of-Projectdeploy") || !strings.Contains(deploy.text("EnvironmentVariables"), `"value":"ghost"`) {
		t.Errorf("deploy: %+v", deploy)
	}
	test := d.Projects["local-test"]
	if test == nil || test.Source.Type != "CODEPIPELINE" || !strings.HasSuffix(test.Source.BuildSpec, "test.yml") || test.TimeoutInMinutes == 0 || len(test.Environment.EnvironmentVariables) < 2 {
		t.Errorf("project: %+v", test)
	}
}

func TestParse(t *testing.T) {
	pipeline := func(properties string) string {
		return `{"Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": ` + properties + `}}}`
	}
	ids := map[string]string{"P": "stack-P", "X": "x", "AWS::Region": "eu-west-1"}
	d, err := parse([]byte(pipeline(`{"ExecutionMode": {"Fn::Join": ["-", ["QUE", {"Ref": "X"}]]}, "RoleArn": {"Fn::GetAtt": ["R", "Arn"]}}`)), ids)
	if err != nil || d.Pipelines["stack-P"] == nil || d.Pipelines["stack-P"].ExecutionMode != "QUE-x" {
		t.Errorf("%+v, %v", d, err)
	}
	for properties, want := range map[string]string{
		`{"Name": {"Ref": "Nothing"}}`:         "P (AWS::CodePipeline::Pipeline): function Ref: Nothing names nothing that was deployed",
		`{"Name": {"Fn::Sub": "a"}}`:           "P (AWS::CodePipeline::Pipeline): Fn::Sub is not evaluated here",
		`{"Stages": [{"Actions": ["a"]}]}`:     "cannot unmarshal",
		`{"Name": {"Fn::Select": [0, ["a"]]}}`: "Fn::Select is not evaluated here",
	} {
		if _, err := parse([]byte(pipeline(properties)), ids); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", properties, err)
		}
	}
	if _, err := parse([]byte("{"), nil); err == nil {
		t.Error("half a template is accepted")
	}
}
