package validation

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsbudgets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsce"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
)

// listening keeps what the CDK's own plugin has reported.
type listening struct {
	awscdk.CloudFormationValidatePlugin
	violations []*awscdk.PolicyViolation
}

func (k *listening) Validate(context awscdk.IPolicyValidationContext) *awscdk.PolicyValidationPluginReport {
	report := k.CloudFormationValidatePlugin.Validate(context)
	k.violations = append(k.violations, *report.Violations...)
	return report
}

// nowhere is what the validator says of types that a region does not have.
var nowhere = regexp.MustCompile(`does not exist in '(\S+)'`)

// What config says of regions is what the schemas of CloudFormation say, which differ by region.
func TestTypesByRegion(t *testing.T) {
	engine := &listening{CloudFormationValidatePlugin: awscdk.NewCloudFormationValidatePlugin(nil)}
	context := map[string]any{"@aws-cdk/core:validateAgainstDefaultRules": true}
	app := awscdk.NewApp(&awscdk.AppProps{Context: &context, Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false)})
	plugin := &Plugin{
		memory: memory{folder: filepath.Join(t.TempDir(), "validated"), validator: "1.0"},
		engine: func() awscdk.IPolicyValidationPlugin { return engine },
	}
	plugin.Register(app)
	for _, region := range config.Regions() {
		stack := awscdk.NewStack(app, &region, &awscdk.StackProps{Env: &awscdk.Environment{Account: jsii.String("111111111111"), Region: &region}})
		awsbudgets.NewCfnBudget(stack, jsii.String("Budget"), &awsbudgets.CfnBudgetProps{
			Budget: &awsbudgets.CfnBudget_BudgetDataProperty{BudgetType: jsii.String("COST"), TimeUnit: jsii.String("MONTHLY")},
		})
		awsce.NewCfnAnomalyMonitor(stack, jsii.String("Monitor"), &awsce.CfnAnomalyMonitorProps{MonitorName: jsii.String("account"), MonitorType: jsii.String("DIMENSIONAL")})
	}
	func() {
		defer func() { _ = recover() }() // the CDK throws for what is missing
		app.Synth(nil)
	}()
	missing := map[string]bool{}
	for _, v := range engine.violations {
		if found := nowhere.FindStringSubmatch(*v.Description); found != nil {
			for _, r := range *v.ViolatingResources { // the description names the type of the first
				missing[found[1]+" "+*r.ResourceLogicalId] = true
			}
		}
	}
	if len(missing) == 0 {
		t.Fatal("no type is missing anywhere: the validator says it in other words")
	}
	for _, region := range config.Regions() {
		if strings.HasPrefix(region, "us-gov-") || strings.HasPrefix(region, "cn-") {
			continue // cost is left out there
		}
		for name, has := range map[string]bool{"Budget": config.BudgetsIn(region), "Monitor": config.AnomaliesIn(region)} {
			if missing[region+" "+name] == has {
				t.Errorf("%s in %s: config says %t, the schemas %t", name, region, has, !has)
			}
		}
	}
}
