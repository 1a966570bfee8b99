package pipelines

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const templates = "../../testdata/templates/"

// environments are those that have a template of their pipelines.
func environments(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob(templates + "*-delivery.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d templates, %v", len(files), err)
	}
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), "-delivery.json"))
	}
	return names
}

// defined reads what the template of an environment has. Each resource is known as id-of- and its logical id.
func defined(t *testing.T, environment string) *Definitions {
	t.Helper()
	raw, err := os.ReadFile(templates + environment + "-delivery.json")
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
		t.Fatalf("%s: %v", environment, err)
	}
	return d
}

// The pipelines of the template that is deployed locally are read in full, and
// nothing in them is unknown here.
func TestParseTheLocalTemplate(t *testing.T) {
	d := defined(t, "local")
	for _, name := range []string{"local-deploy", "local-dockerbuild", "local-services", "local-review"} {
		p := d.Pipelines[name]
		if p == nil {
			t.Fatalf("no pipeline %s", name)
		}
		if problem := p.unsupported(); problem != "" || p.source() == nil || p.Digest == "" || len(p.Stages) < 2 {
			t.Errorf("%s: %s %+v", name, problem, p)
		}
	}
	p := d.Pipelines["local-deploy"]
	for _, file := range []string{"app-resources/ghost.go", "infrastructure/network.go", "cdk.json"} {
		if ok, err := p.starts(change{Branch: "main", Files: []string{file}}); err != nil || !ok {
			t.Errorf("deploy for %s: %v, %v", file, ok, err)
		}
	}
	if ok, _ := p.starts(change{Branch: "main", Files: []string{"dockerbuild/Dockerfile"}}); ok {
		t.Error("deploy starts for dockerbuild")
	}
	deliveries := slices.IndexFunc(p.Stages, func(s Stage) bool { return s.Name == "Delivery" })
	if deliveries < 0 {
		t.Fatalf("no stage deploys the pipelines: %+v", p.Stages)
	}
	deploy := p.Stages[deliveries].Actions[0]
	if !strings.HasPrefix(deploy.text("ProjectName"), "id-of-DeliveryDeploymentDeployProject") || !strings.Contains(deploy.text("EnvironmentVariables"), `"value":"DELIVERY"`) {
		t.Errorf("deploy: %+v", deploy)
	}
	test := d.Projects["local-test"]
	if test == nil || test.Source.Type != "CODEPIPELINE" || !strings.HasSuffix(test.Source.BuildSpec, "test.yml") || test.TimeoutInMinutes == 0 || len(test.Environment.EnvironmentVariables) < 2 {
		t.Errorf("project: %+v", test)
	}
}

// What the platform deploys in any environment is run here too, approvals among it.
func TestTheTemplatesAreSupported(t *testing.T) {
	for _, env := range environments(t) {
		for name, p := range defined(t, env).Pipelines {
			if problem := p.unsupported(); problem != "" {
				t.Errorf("%s: %s: %s", env, name, problem)
			}
		}
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
	// A project's VPC is of another stack, whose exports are not read.
	d, err = parse([]byte(`{"Resources": {"B": {"Type": "AWS::CodeBuild::Project", "Properties": {"Name": "b", "VpcConfig": {"VpcId": {"Fn::ImportValue": "network:Vpc"}}}}}}`), nil)
	if err != nil || d.Projects["b"] == nil {
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

// What the local pipelines do not run, or CodePipeline refuses, is named before anything runs.
func TestUnsupported(t *testing.T) {
	const source = `{"Name": "Source", "Actions": [{"Name": "Source", "Namespace": "Source", "ActionTypeId": {"Category": "Source", "Owner": "AWS", "Provider": "CodeStarSourceConnection", "Version": "1"}, "OutputArtifacts": [{"Name": "Source"}]}]}`
	// build is an action with more properties.
	build := func(more string) string {
		return `{"Name": "B", "ActionTypeId": {"Category": "Build", "Owner": "AWS", "Provider": "CodeBuild", "Version": "1"}, "RunOrder": 1` + more + `}`
	}
	const in = `, "InputArtifacts": [{"Name": "Source"}]`
	const ok = `"Variable": "#{Plan.X}", "Operator": "EQ", "Value": "1"`
	check := func(provider, version, configuration string) string {
		return `{"Name": "R", "RuleTypeId": {"Category": "Rule", "Owner": "AWS", "Provider": "` + provider + `", "Version": "` + version + `"}, "Configuration": {` + configuration + `}}`
	}
	with := func(property string) string {
		return `{"Name": "S", "Actions": [` + build(in) + `], ` + property + `}`
	}
	when := func(result, rules string) string {
		return with(`"BeforeEntry": {"Conditions": [{"Result": "` + result + `", "Rules": [` + rules + `]}]}`)
	}
	actions := func(all ...string) string { return `{"Name": "S", "Actions": [` + strings.Join(all, ", ") + `]}` }
	good := check("VariableCheck", "1", ok)
	for name, c := range map[string]struct{ stage, want string }{
		"skip":                 {when("SKIP", good), ""},
		"fail, five rules":     {when("FAIL", strings.Join([]string{good, good, good, good, good}, ", ")), ""},
		"six rules":            {when("FAIL", strings.Join([]string{good, good, good, good, good, good}, ", ")), "stage S: a condition must have 1 to 5 rules, got 6"},
		"no rule":              {when("FAIL", ""), "stage S: a condition must have 1 to 5 rules, got 0"},
		"no result":            {with(`"BeforeEntry": {"Conditions": [{"Rules": [` + good + `]}]}`), `stage S: the result of an entry condition must be FAIL or SKIP, got ""`},
		"a rollback on entry":  {when("ROLLBACK", good), `stage S: the result of an entry condition must be FAIL or SKIP, got "ROLLBACK"`},
		"two conditions":       {with(`"BeforeEntry": {"Conditions": [{"Result": "FAIL"}, {"Result": "FAIL"}]}`), "stage S: BeforeEntry must have 1 condition, got 2"},
		"a window":             {when("FAIL", check("DeploymentWindow", "1", `"Cron": "* * 9-16 ? * MON,TUE", "TimeZone": "Europe/Berlin"`)), ""},
		"a window's skip":      {when("SKIP", check("DeploymentWindow", "1", `"Cron": "* * * ? * *"`)), "stage S: a condition with a rule of type Rule/AWS/DeploymentWindow must have the result FAIL"},
		"two windows":          {when("FAIL", check("DeploymentWindow", "1", `"Cron": "* * * ? * *"`)+","+check("DeploymentWindow", "1", `"Cron": "* * * ? * *"`)), "stage S: a condition has 2 rules of type Rule/AWS/DeploymentWindow, which the local"},
		"another cron":         {when("FAIL", check("DeploymentWindow", "1", `"Cron": "0 0 9-17 ? * MON-FRI *"`)), `stage S: rule R has the Cron "0 0 9-17 ? * MON-FRI *": it must be like "* * 9-16 ? * MON,TUE", which the local pipelines do not know`},
		"no such hours":        {when("FAIL", check("DeploymentWindow", "1", `"Cron": "* * 9-24 ? * *"`)), `stage S: rule R must have hours from 0 to 23 in their order, got "* * 9-24 ? * *"`},
		"no such day":          {when("FAIL", check("DeploymentWindow", "1", `"Cron": "* * * ? * MON,DAY"`)), "stage S: rule R must have days of SUN, MON"},
		"no such zone":         {when("FAIL", check("DeploymentWindow", "1", `"Cron": "* * * ? * *", "TimeZone": "Mars/Base"`)), `stage S: rule R must have a TimeZone by its IANA name, got "Mars/Base"`},
		"another window":       {when("FAIL", check("DeploymentWindow", "2", `"Cron": "* * * ? * *"`)), "stage S: rule R is of type Rule/AWS/DeploymentWindow, version 2, which"},
		"a function":           {when("SKIP", check("LambdaInvoke", "1", `"FunctionName": "f"`)), "stage S: rule R is of type Rule/AWS/LambdaInvoke, version 1, which the local pipelines do not know"},
		"another version":      {when("SKIP", check("VariableCheck", "2", ok)), "rule R is of type Rule/AWS/VariableCheck, version 2"},
		"no value":             {when("SKIP", check("VariableCheck", "1", `"Variable": "#{Plan.X}", "Operator": "EQ", "Value": ""`)), "stage S: rule R must have a Value"},
		"another operator":     {when("SKIP", check("VariableCheck", "1", `"Variable": "#{Plan.X}", "Operator": "GT", "Value": "1"`)), `stage S: rule R must have an Operator of EQ, NE, CONTAINS or MATCHES, got "GT"`},
		"a reference as value": {when("SKIP", check("VariableCheck", "1", `"Variable": "#{Plan.X}", "Operator": "EQ", "Value": "#{Plan.Y}"`)), "stage S: rule R has a reference in its Value, #{Plan.Y}, which"},
		"Java's expressions":   {when("SKIP", check("VariableCheck", "1", `"Variable": "#{Plan.X}", "Operator": "MATCHES", "Value": "a(?=b)"`)), `stage S: rule R has the expression "a(?=b)" (error parsing regexp`},
		"a rollback":           {with(`"OnFailure": {"Result": "ROLLBACK"}`), ""},
		"a retry":              {with(`"OnFailure": {"Result": "RETRY", "RetryConfiguration": {"RetryMode": "FAILED_ACTIONS"}}`), "stage S has in OnFailure more or other than the result ROLLBACK, which the local pipelines do not know"},
		"on success":           {with(`"OnSuccess": {"Conditions": []}`), "stage S has OnSuccess {"},
		"a blocker":            {with(`"Blockers": [{"Name": "B"}]`), `stage S has Blockers [{"Name":"B"}], which`},
		"an output":            {actions(build(in+`, "OutputArtifacts": [{"Name": "Plan"}]`), build(`, "InputArtifacts": [{"Name": "Plan"}], "RunOrder": 2`)), ""},
		"an output too late":   {actions(build(in+`, "OutputArtifacts": [{"Name": "Plan"}]`), build(`, "InputArtifacts": [{"Name": "Plan"}]`)), `action B of stage S takes the artifact "Plan", which no action before it makes`},
		"an output twice":      {actions(build(in+`, "OutputArtifacts": [{"Name": "Plan"}]`), build(in+`, "OutputArtifacts": [{"Name": "Plan"}]`)), `action B of stage S makes the artifact "Plan", as another one does: rename it`},
		"the source's output":  {actions(build(in + `, "OutputArtifacts": [{"Name": "Source"}]`)), `action B of stage S makes the artifact "Source", as an action before it does: rename it`},
		"a path as a name":     {actions(build(in + `, "OutputArtifacts": [{"Name": "../x"}]`)), `action B of stage S makes the artifact "../x": its name must have letters, digits, - and _ only`},
		"no input":             {actions(build("")), "action B of stage S must take 1 to 5 artifacts and make at most 5, got 0 and 0"},
		"no primary":           {actions(build(in+`, "OutputArtifacts": [{"Name": "Plan"}]`), build(`, "InputArtifacts": [{"Name": "Source"}, {"Name": "Plan"}], "RunOrder": 2`)), `action B of stage S must name one of its input artifacts as PrimarySource, got ""`},
		"another primary":      {actions(build(in + `, "Configuration": {"PrimarySource": "Plan"}`)), `action B of stage S must name one of its input artifacts as PrimarySource, got "Plan"`},
		"an approval's input":  {actions(`{"Name": "A", "ActionTypeId": {"Category": "Approval", "Owner": "AWS", "Provider": "Manual", "Version": "1"}` + in + `}`), "action A of stage S must have no artifacts"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := parse([]byte(`{"Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"PipelineType": "V2", "Stages": [`+source+`, `+c.stage+`]}}}}`), map[string]string{"P": "p"})
			if err != nil {
				t.Fatal(err)
			}
			got := d.Pipelines["p"].unsupported()
			if got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
