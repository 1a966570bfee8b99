// Package validation has CloudFormation's validator look at the templates that changed since they last passed.
//
// The CDK validates every template of an app in each synthesis, with the rules and resource schemas of
// https://github.com/aws-cloudformation/cloudformation-validate. To start that validator takes longer than everything else
// of a synthesis. A person who synthesizes after each edit need not wait for what passed before; checks and pipelines have
// the CDK validate all.
package validation

import (
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/internal/cachedir"
)

// All is the value of the context key "validate" that has everything validated: -c validate=all.
const All = "all"

// variable turns off the CDK's own validation. The CDK reads it in the kernel's process.
const variable = "CDK_VALIDATION"

// Plugin validates an app's templates in the CDK's place, as its plugin of the same name does, without those that passed.
// A nil Plugin leaves everything to the CDK.
type Plugin struct {
	memory memory
	// engine makes the CDK's plugin.
	engine func() awscdk.IPolicyValidationPlugin
}

// ForPerson returns what validates when a person synthesizes: nil in a pipeline (CODEBUILD_BUILD_ID, or CI other than
// "false"), where asked is All, and where the cache cannot be trusted to tell this validator from another. It turns the
// CDK's own validation off for a kernel that is prepared after it, and the plugin must be registered then.
func ForPerson(asked string) *Plugin {
	info, _ := debug.ReadBuildInfo()
	return forPerson(asked, validator(info))
}

func forPerson(asked, validator string) *Plugin {
	folder, err := cachedir.Dir()
	if err != nil || validator == "" || asked == All || !person() {
		return nil
	}
	if err := os.Setenv(variable, "false"); err != nil {
		return nil
	}
	return &Plugin{
		memory: memory{folder: filepath.Join(folder, "validated"), validator: validator},
		engine: func() awscdk.IPolicyValidationPlugin { return awscdk.NewCloudFormationValidatePlugin(nil) },
	}
}

// person reports whether no pipeline runs this, and validation was not turned off.
func person() bool {
	_, build := os.LookupEnv("CODEBUILD_BUILD_ID")
	ci := os.Getenv("CI")
	return !build && (ci == "" || ci == "false") && os.Getenv(variable) != "false"
}

// validator is the version and checksum of the Go module that the validator, its rules and its schemas are embedded in; ""
// where the program was built with another module in its place, or with none that has a checksum.
func validator(of *debug.BuildInfo) string {
	if of == nil {
		return ""
	}
	for _, module := range of.Deps {
		if module.Path == "github.com/aws/aws-cdk-go/awscdk/v2" && module.Replace == nil && module.Sum != "" {
			return module.Version + " " + module.Sum
		}
	}
	return ""
}

// Register has the app use the plugin.
func (p *Plugin) Register(app constructs.IConstruct) {
	if p != nil {
		awscdk.Validations_Of(app).AddPlugins(p)
	}
}

// Name is that of the CDK's plugin: reports and acknowledgements of rules know it by that.
func (p *Plugin) Name() *string { return awscdk.CloudFormationValidatePlugin_PLUGIN_NAME() }

// Version and RuleIds are for the CDK's analytics. The validator would have to be started to know them.
func (p *Plugin) Version() *string { return nil }

// RuleIds is nil.
func (p *Plugin) RuleIds() *[]*string { return nil } //nolint:revive // the CDK names it

// Validate has the CDK's plugin validate the templates that did not pass before, one by one, and repeats the warnings about
// those that did.
func (p *Plugin) Validate(context awscdk.IPolicyValidationContext) *awscdk.PolicyValidationPluginReport {
	all := &awscdk.PolicyValidationPluginReport{Success: jsii.Bool(true), Violations: &[]*awscdk.PolicyViolation{}}
	var engine awscdk.IPolicyValidationPlugin
	for _, stack := range *context.StackTemplates() {
		key, err := p.memory.key(stack)
		warnings, passed := p.memory.get(key, stack)
		if passed && err == nil {
			*all.Violations = append(*all.Violations, warnings...)
			continue
		}
		if engine == nil {
			engine = p.engine()
		}
		report := engine.Validate(&one{context, stack})
		*all.Violations = append(*all.Violations, *report.Violations...)
		*all.Success = *all.Success && *report.Success
		// A template that somebody wrote meanwhile is not the one that was validated.
		if after, err := p.memory.key(stack); err == nil && after == key && passes(report) {
			p.memory.add(key, *report.Violations)
		}
	}
	return all
}

// one is a context with one template. It does not embed the other one, in whose place jsii would then take it.
type one struct {
	all   awscdk.IPolicyValidationContext
	stack *awscdk.PolicyValidationStack
}

// StackTemplates is the template.
func (o *one) StackTemplates() *[]*awscdk.PolicyValidationStack {
	return &[]*awscdk.PolicyValidationStack{o.stack}
}

// TemplatePaths is its path.
func (o *one) TemplatePaths() *[]*string { return &[]*string{o.stack.TemplatePath} }

// AccountId is the template's.
func (o *one) AccountId() *string { return o.stack.AccountId } //nolint:revive // the CDK names it

// Region is the template's.
func (o *one) Region() *string { return o.stack.Region }

// AppConstruct is the app.
func (o *one) AppConstruct() constructs.IConstruct { return o.all.AppConstruct() }
