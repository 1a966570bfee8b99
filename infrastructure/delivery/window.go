package delivery

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
)

// windowNamespace is the namespace of what is known at the entry: FROZEN, and UNTIL when.
const windowNamespace = "Window"

// freezeDays is how long a commit may wait for an approval in a freeze: CodePipeline's most.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
const freezeDays = 60

// windowStages hold a commit, both halves, until it may change the environment: Window waits for the days and hours, and finds
// out whether the date is frozen; Frozen then waits for an approval. docs/design/20261129.change-windows.md
func windowStages(d *Deployment, props *DeploymentProps, releases map[string]string) []Stage {
	env, w := props.Env, props.Env.Delivery.Window
	variables := map[string]string{"TIME_ZONE": w.TimeZone}
	if len(w.Frozen) > 0 {
		variables["FROZEN_DATES"] = strings.Join(w.Frozen, ",")
	}
	build := NewProject(d, "Window", &ProjectProps{
		Env: env, Store: props.Store, Name: "window", Description: "Looks for frozen dates", Buildspec: windowBuildspec, Minutes: 10,
		Variables: variables,
	})
	at := Stage{Name: "Window", If: releases, Actions: []Action{{Name: "Window", Project: build, Input: planNamespace, Namespace: windowNamespace}}}
	if w.Cron() != "" {
		at.If, at.Window = nil, w
	}
	if len(w.Frozen) == 0 {
		return []Stage{at}
	}
	frozen := map[string]string{"#{" + windowNamespace + ".FROZEN}": "yes"}
	for variable, value := range releases { // the window lets pass what has nothing to release
		frozen[variable] = value
	}
	return []Stage{at, {Name: "Frozen", If: frozen, Actions: []Action{{Name: "Frozen", Approval: &Approval{
		Text: "Frozen until #{" + windowNamespace + ".UNTIL}. Approve commit " + commit + " if it cannot wait, or when the freeze is over.",
		Link: planned("PLAN_URL"), Days: freezeDays,
	}}}}}
}

// open waits at the entry of a stage until the window is open. A result must be given, for whatever ends the wait; CodePipeline
// skips by other rules only.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-DeploymentWindow.html
func open(w *config.Window) *awscodepipeline.Conditions {
	rule := awscodepipeline.NewRule(&awscodepipeline.RuleProps{
		Name: jsii.String("Open"), Provider: jsii.String("DeploymentWindow"), Version: jsii.String("1"),
		Configuration: &map[string]any{"Cron": w.Cron(), "TimeZone": w.TimeZone},
	})
	return &awscodepipeline.Conditions{Conditions: &[]*awscodepipeline.Condition{{Result: awscodepipeline.Result_FAIL, Rules: &[]awscodepipeline.Rule{rule}}}}
}
