package validation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/internal/cdktest"
)

func TestMain(m *testing.M) {
	os.Setenv(variable, "false") // as ForPerson does, before the kernel starts
	os.Exit(cdktest.Run(m, "../.."))
}

// counted counts what the CDK's own plugin is given.
type counted struct {
	awscdk.CloudFormationValidatePlugin
	count int
}

func (c *counted) Validate(context awscdk.IPolicyValidationContext) *awscdk.PolicyValidationPluginReport {
	c.count += len(*context.StackTemplates())
	return c.CloudFormationValidatePlugin.Validate(context)
}

// The CDK's synthesis with its own validator: a bucket's property is edited to one that does not exist, and back.
func TestSynthesisValidatesWhatChanged(t *testing.T) {
	engine := &counted{CloudFormationValidatePlugin: awscdk.NewCloudFormationValidatePlugin(nil)}
	plugin := &Plugin{
		memory: memory{folder: filepath.Join(t.TempDir(), "validated"), validator: "1.0"},
		engine: func() awscdk.IPolicyValidationPlugin { return engine },
	}
	for _, c := range []struct {
		property, value string
		passes          bool
		validated       int
	}{
		{"BucketName", "orders", true, 2}, // both stacks
		{"BucketName", "orders", true, 0},
		{"BucketNam", "orders", false, 1}, // no bucket has this property
		{"BucketNam", "orders", false, 1},
		{"BucketName", "orders", true, 0},
		{"BucketName", "invoices", true, 1},
	} {
		engine.count = 0
		if thrown := synthesize(t, plugin, c.property, c.value); (thrown == nil) != c.passes {
			t.Errorf("%s %s: passes = %v, want %v: %v", c.property, c.value, thrown == nil, c.passes, thrown)
		}
		if engine.count != c.validated {
			t.Errorf("%s %s: %d templates were validated, want %d", c.property, c.value, engine.count, c.validated)
		}
	}
}

// What one construct of the CDK acknowledges does not hide the same mistake elsewhere.
func TestAnAcknowledgementIsOfOneConstruct(t *testing.T) {
	plugin := &Plugin{
		memory: memory{folder: filepath.Join(t.TempDir(), "validated"), validator: "1.0"},
		engine: func() awscdk.IPolicyValidationPlugin { return awscdk.NewCloudFormationValidatePlugin(nil) },
	}
	context, dir := map[string]any{"@aws-cdk/core:validateAgainstDefaultRules": true}, t.TempDir()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &context, Outdir: &dir, AnalyticsReporting: jsii.Bool(false)})
	plugin.Register(app)
	stack := awscdk.NewStack(awscdk.NewStage(app, jsii.String("dev"), nil), jsii.String("network"), nil)
	vpc := awsec2.NewVpc(stack, jsii.String("VPC"), nil)
	vpc.AddFlowLog(jsii.String("FlowLog"), nil)
	awss3.NewCfnBucket(stack, jsii.String("Bucket"), nil).AddPropertyOverride(jsii.String("BucketNam"), "orders")
	for range 2 {
		app.Synth(&awscdk.StageSynthesisOptions{Force: jsii.Bool(true)})
		found, err := Overlooked(dir)
		if err != nil || len(found) != 1 || !strings.HasPrefix(found[0], "dev/network/Bucket: F3002: BucketNam: ") {
			t.Errorf("got %v, %v, want the bucket's property", found, err)
		}
	}
}

// synthesize synthesizes an app of two stacks, one of them in a stage as ours are, and returns what the CDK threw.
func synthesize(t *testing.T, plugin *Plugin, property, value string) (thrown any) {
	t.Helper()
	context := map[string]any{"@aws-cdk/core:validateAgainstDefaultRules": true}
	app := awscdk.NewApp(&awscdk.AppProps{Context: &context, Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false)})
	plugin.Register(app)
	awss3.NewCfnBucket(awscdk.NewStack(app, jsii.String("steady"), nil), jsii.String("Bucket"), nil)
	edited := awscdk.NewStack(awscdk.NewStage(app, jsii.String("dev"), nil), jsii.String("edited"), nil)
	awss3.NewCfnBucket(edited, jsii.String("Bucket"), nil).AddPropertyOverride(jsii.String(property), value)
	defer func() { thrown = recover() }()
	app.Synth(nil)
	return nil
}
