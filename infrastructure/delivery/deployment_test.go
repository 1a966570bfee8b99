package delivery

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/buildspec"
	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/pathfilter"
)

// The deployment plans and tests, deploys the stacks in their order, each stage where the plan found a difference, waits for an
// approval where that is asked for, and with the gate releases and verifies, before the stacks or after.
func TestDeployment(t *testing.T) {
	for name, c := range map[string]struct{ approval, gate, rollback, byMerge bool }{
		"all": {true, true, true, true}, "services by tag": {true, true, true, false}, "no rollback": {true, true, false, true}, "no approval": {false, true, false, false},
		"no gate": {true, false, false, false}, "no gate, services by merge": {true, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			env := cdktest.Environment(t)
			env.Delivery.Approval, env.Delivery.Gate, env.Delivery.Rollback = c.approval, c.gate, c.rollback
			s := newShared(t, env)
			NewDeployment(s.stack, "Deployment", &DeploymentProps{Env: env, Store: s.store, Notifications: s.told, ByMerge: c.byMerge, VPC: vpc(s.stack)})
			releases := rule("#{Plan.RELEASE}", "yes")
			configuration := map[string]any{"PrimarySource": "Source", "EnvironmentVariables": assertions.Match_Absent()}
			if c.rollback {
				configuration["EnvironmentVariables"] = `[{"name":"PIPELINE_EXECUTION_ID","type":"PLAINTEXT","value":"#{codepipeline.PipelineExecutionId}"}]`
			}
			// Verify waits for what the release of its own stage has published.
			actions := func(stage string) []any {
				release := map[string]any{"Name": "Release", "RunOrder": 1, "InputArtifacts": artifacts("Source", "Plan"), "Configuration": object(configuration), "Namespace": assertions.Match_Absent()}
				if !c.gate {
					return []any{object(release)}
				}
				waits := `[{"name":"COMMIT","type":"PLAINTEXT","value":"#{Source.CommitId}"}]`
				if c.byMerge {
					release["Namespace"] = stage
					waits = strings.Replace(waits, "]", `,{"name":"PUBLISHED","type":"PLAINTEXT","value":"#{`+stage+`.PUBLISHED}"}]`, 1)
				}
				return []any{object(release), object(map[string]any{"Name": "Verify", "RunOrder": 2, "InputArtifacts": artifacts("Plan"), "Configuration": object(map[string]any{"EnvironmentVariables": waits})})}
			}
			stages := []any{
				object(map[string]any{"Name": "Source", "Actions": []any{object(map[string]any{"Configuration": object(map[string]any{"OutputArtifactFormat": "CODEBUILD_CLONE_REF"})})}}),
				object(map[string]any{"Name": "Plan", "BeforeEntry": assertions.Match_Absent(), "Actions": []any{object(map[string]any{"Namespace": "Plan", "OutputArtifacts": artifacts("Plan")})}}),
				stage("Test", []any{releases}, assertions.Match_Absent(), object(map[string]any{"Name": "Test"})),
			}
			if c.approval {
				stages = append(stages, stage("Approve", []any{releases}, assertions.Match_Absent(), object(map[string]any{"Configuration": object(map[string]any{"ExternalEntityLink": "#{Plan.PLAN_URL}"})})))
			}
			if c.gate {
				stages = append(stages, stage("KubernetesFirst", []any{rule("#{Plan.FIRST}", "kubernetes"), releases}, assertions.Match_Absent(), actions("KubernetesFirst")...))
			}
			for _, name := range []string{"Network", "Applications", "Cluster", "Delivery"} {
				planned := strings.ToUpper(name)
				stages = append(stages, stage(name, []any{rule("#{Plan."+planned+"}", "deploy")}, assertions.Match_Absent(), deploys(planned)))
			}
			if c.gate {
				var failure any = assertions.Match_Absent()
				if c.rollback {
					failure = map[string]any{"Result": "ROLLBACK"}
				}
				stages = append(stages, stage("Release", []any{rule("#{Plan.FIRST}", "aws"), releases}, failure, actions("Release")...))
			} else if c.byMerge {
				stages = append(stages, stage("Release", []any{releases}, assertions.Match_Absent(), actions("Release")...))
			}
			template := cdktest.Synthesize(t, s.stack)
			template.Has("AWS::CodePipeline::Pipeline", map[string]any{"Name": "dev-deploy", "RestartExecutionOnUpdate": true, "Stages": stages})
			projects := map[bool]int{false: 3, true: 5}[c.gate]
			if c.byMerge && !c.gate {
				projects = 4 // the release that publishes
			}
			template.Count("AWS::CodeBuild::Project", projects)
			template.Count("AWS::EKS::AccessEntry", map[bool]int{false: 0, true: 1}[c.gate])
		})
	}
}

// stage is a stage with rules that skip it, what follows a failure, and its actions.
func stage(name string, rules []any, failure any, actions ...any) any {
	return object(map[string]any{"Name": name, "Actions": actions, "OnFailure": failure, "BeforeEntry": map[string]any{"Conditions": []any{
		map[string]any{"Result": "SKIP", "Rules": rules},
	}}})
}

// rule is a rule that wants a value of a variable.
func rule(variable, value string) any {
	return object(map[string]any{
		"RuleTypeId":    map[string]any{"Category": "Rule", "Owner": "AWS", "Provider": "VariableCheck", "Version": "1"},
		"Configuration": map[string]any{"Variable": variable, "Operator": "EQ", "Value": value},
	})
}

// artifacts are an action's, in their order.
func artifacts(names ...string) []any {
	var all []any
	for _, name := range names {
		all = append(all, map[string]any{"Name": name})
	}
	return all
}

// deploys is an action with what the plan found for a stage.
func deploys(stage string) any {
	return object(map[string]any{"InputArtifacts": artifacts("Source", "Plan"), "Configuration": object(map[string]any{
		"EnvironmentVariables": `[{"name":"STAGE","type":"PLAINTEXT","value":"` + stage + `"}]`,
	})})
}

// What renders the services starts a deployment that publishes them, within CodePipeline's number of patterns.
func TestDeployPaths(t *testing.T) {
	env := cdktest.Environment(t)
	for _, c := range []struct {
		gate, byMerge bool
		want          string
	}{{true, false, config.ManifestPaths}, {true, true, servicePaths}, {false, true, servicePaths}, {false, false, ""}} {
		env.Delivery.Gate = c.gate
		got := deployPaths(env, c.byMerge)[len(env.Repository.Paths.Deploy):]
		if strings.Join(got, " ") != c.want {
			t.Errorf("gate %t, by merge %t: %q added, want %q", c.gate, c.byMerge, got, c.want)
		}
	}
	for _, file := range []string{"services/hatches/hatches.go", "k8s/services/npm/assets/img/a.svg", "k8s/fleet/fleet.yaml"} {
		if starts, err := pathfilter.Any([]string{servicePaths}, file); err != nil || !starts {
			t.Errorf("%s starts a deployment: %t, %v", file, starts, err)
		}
	}
	merge := func(string) bool { return true }
	if err := Check("../..", []config.Environment{env}, merge); err != nil {
		t.Error(err)
	}
	env.Repository.Paths.Deploy = []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	if err := Check("../..", []config.Environment{env}, merge); err == nil || !strings.Contains(err.Error(), "must have at most 7 patterns, got 8") {
		t.Errorf("8 patterns and one of services: %v", err)
	}
}

// The plan is told every stage, and exports each variable that the pipeline asks of it, and no other.
func TestPlan(t *testing.T) {
	env := cdktest.Environment(t)
	env.Delivery.Approval = true
	s := newShared(t, env)
	NewDeployment(s.stack, "Deployment", &DeploymentProps{Env: s.env, Store: s.store, Notifications: s.told, VPC: vpc(s.stack)})
	template := cdktest.Synthesize(t, s.stack)
	template.Has("AWS::CodeBuild::Project", map[string]any{"Name": "dev-plan", "Environment": object(map[string]any{
		"EnvironmentVariables": list(variable("STAGES", "Network=network Applications=* Cluster=cluster Delivery=delivery")),
	})})
	text, err := json.Marshal(template.FindResources(jsii.String("AWS::CodePipeline::Pipeline"), nil))
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, match := range regexp.MustCompile(`#\{Plan\.(\w+)\}`).FindAllStringSubmatch(string(text), -1) {
		asked = append(asked, match[1])
	}
	slices.Sort(asked)
	spec, err := buildspec.Load("../..", planBuildspec)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Compact(asked), slices.Sorted(slices.Values(spec.Env.Exported))); diff != "" {
		t.Errorf("variables (-asked for by the pipeline +exported by %s):\n%s", planBuildspec, diff)
	}
}

// The build that asks the cluster runs inside the VPC, in a group of its own, and may sign in as one of a group that lists
// Flux's objects.
func TestVerify(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	NewDeployment(s.stack, "Deployment", &DeploymentProps{Env: s.env, Store: s.store, Notifications: s.told, VPC: vpc(s.stack)})
	template := cdktest.Synthesize(t, s.stack)
	template.Has("AWS::CodeBuild::Project", map[string]any{"Name": "dev-verify", "VpcConfig": map[string]any{
		"VpcId": "vpc-1", "Subnets": []any{"subnet-1", "subnet-2"},
		"SecurityGroupIds": []any{map[string]any{"Fn::GetAtt": []any{pattern("VerifySecurityGroup"), "GroupId"}}},
	}})
	template.Has("AWS::EC2::SecurityGroup", map[string]any{"SecurityGroupIngress": assertions.Match_Absent()})
	template.Has("AWS::EKS::AccessEntry", map[string]any{
		"ClusterName": s.env.ClusterName(), "KubernetesGroups": []any{config.VerifyGroup}, "AccessPolicies": assertions.Match_Absent(),
		"PrincipalArn": map[string]any{"Fn::GetAtt": []any{pattern("VerifyRole"), "Arn"}},
	})
}

// Builds assume the roles of the bootstrap by the qualifier that cdk.json gives it.
func TestDeploymentQualifier(t *testing.T) {
	env := cdktest.Environment(t)
	s := newShared(t, env)
	scope := constructs.NewConstruct(s.stack, jsii.String("Scope"))
	scope.Node().SetContext(jsii.String("@aws-cdk/core:bootstrapQualifier"), "mine")
	NewDeployment(scope, "Deployment", &DeploymentProps{Env: env, Store: s.store, Notifications: s.told, VPC: vpc(s.stack)})
	cdktest.Synthesize(t, s.stack).Has("AWS::IAM::Role", map[string]any{"Policies": []any{object(map[string]any{
		"PolicyName": "deploy", "PolicyDocument": object(map[string]any{"Statement": list(object(map[string]any{
			"Action": "sts:AssumeRole", "Resource": list(env.ARN("iam", "role/cdk-mine-deploy-role-"+env.Account+"-"+env.Region)),
		}))}),
	})}})
}
