package delivery

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// A commit waits for the window after its approval and before anything is changed, and in a freeze for an approval.
func TestWindow(t *testing.T) {
	hours := map[string]any{"Conditions": []any{map[string]any{"Result": "FAIL", "Rules": []any{object(map[string]any{
		"RuleTypeId":    map[string]any{"Category": "Rule", "Owner": "AWS", "Provider": "DeploymentWindow", "Version": "1"},
		"Configuration": map[string]any{"Cron": "* * 9-16 ? * MON,TUE", "TimeZone": "Europe/Berlin"},
	})}}}}
	releases := rule("#{Plan.RELEASE}", "yes")
	asks := object(map[string]any{"Name": "Window", "Namespace": "Window", "InputArtifacts": artifacts("Plan")})
	window := object(map[string]any{"Name": "Window", "Actions": []any{asks}, "BeforeEntry": hours})
	frozen := stage("Frozen", []any{releases, rule("#{Window.FROZEN}", "yes")}, assertions.Match_Absent(), object(map[string]any{
		"Name": "Frozen", "TimeoutInMinutes": 60 * 24 * 60, "Configuration": object(map[string]any{"CustomData": pattern(`#\{Window\.UNTIL\}`)}),
	}))
	all := config.Window{TimeZone: "Europe/Berlin", Days: []string{"MON", "TUE"}, Hours: "09:00-17:00", Frozen: []string{"2026-12-24", "2026-12-20/2027-01-03"}}
	only := config.Window{TimeZone: "UTC", Frozen: []string{"2026-12-24"}}
	named := variable("ENVIRONMENT", "dev")
	never := all
	never.Frozen = nil
	for name, c := range map[string]struct {
		window    config.Window
		stages    []any
		variables []any
	}{
		"hours and frozen dates": {all, []any{window, frozen}, []any{named, variable("FROZEN_DATES", "2026-12-24,2026-12-20/2027-01-03"), variable("TIME_ZONE", "Europe/Berlin")}},
		"frozen dates":           {only, []any{stage("Window", []any{releases}, assertions.Match_Absent(), asks), frozen}, []any{named, variable("FROZEN_DATES", "2026-12-24"), variable("TIME_ZONE", "UTC")}},
		"hours":                  {never, []any{window}, []any{named, variable("TIME_ZONE", "Europe/Berlin")}},
	} {
		t.Run(name, func(t *testing.T) {
			env := cdktest.Environment(t)
			env.Delivery.Approval, env.Delivery.Window = true, &c.window
			s := newShared(t, env)
			NewDeployment(s.stack, "Deployment", &DeploymentProps{Env: env, Store: s.store, Notifications: s.told, VPC: vpc(s.stack)})
			template := cdktest.Synthesize(t, s.stack)
			stages := []any{object(map[string]any{"Name": "Source"}), object(map[string]any{"Name": "Plan"}), object(map[string]any{"Name": "Test"}), object(map[string]any{"Name": "Approve"})}
			stages = append(stages, c.stages...)
			for _, name := range []string{"KubernetesFirst", "Network", "Applications", "Cluster", "Delivery", "Release"} {
				stages = append(stages, object(map[string]any{"Name": name}))
			}
			template.Has("AWS::CodePipeline::Pipeline", map[string]any{"Stages": stages})
			template.Has("AWS::CodeBuild::Project", map[string]any{"Name": "dev-window", "Environment": object(map[string]any{
				"EnvironmentVariables": assertions.Match_ArrayEquals(&c.variables),
			})})
		})
	}
}
