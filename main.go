// The CDK app: configuration, a stage per environment, synthesis.
//
// The CDK CLI runs it as cdk.json says. Select environments with -c env=dev,production, and check them against cdk-nag
// with -c nag=true. CloudFormation's validator looks at the templates that changed since they last passed, at all of them in
// pipelines and with -c validate=all.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	appresources "k8s-plus-aws-gitops/app-resources"
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/infrastructure"
	"k8s-plus-aws-gitops/infrastructure/delivery"
	"k8s-plus-aws-gitops/internal/nag"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/signature"
	"k8s-plus-aws-gitops/internal/validation"
)

// kubectlLayer is the zip with kubectl and helm that npm brings.
var kubectlLayer = filepath.Join("node_modules", filepath.FromSlash(config.KubectlLayer().Package), "lib", "layer.zip")

func main() { os.Exit(run(os.Stderr)) }

// run synthesizes the app and returns the exit code. Everything that can be wrong with the input is found before the
// first call into CDK; what CDK itself refuses arrives as a panic.
func run(stderr io.Writer) (code int) {
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Fprintln(stderr, "cdk: "+firstLine(fmt.Sprint(problem)))
			code = 1
		}
	}()
	context, environments, files, err := load()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	defer closeKernel()
	props := awscdk.AppProps{Context: &context, Outdir: jsii.String(outdir())}
	validator := startKernel(fmt.Sprint(context["validate"]))
	app, stages := newApp(props, environments, files)
	validator.Register(app)
	check := fmt.Sprint(context["nag"]) == "true" // the CDK CLI turns the text of -c into a bool
	if check {
		for i, stage := range stages {
			nag.Check(stage, environments[i], accepted(environments[i], files.services, files.fleet))
		}
	}
	app.Synth(nil)
	if code := overlooked(stderr, validator != nil); code != 0 || !check {
		return code
	}
	return report(stderr)
}

// overlooked prints the errors of templates that the CDK leaves out, and returns the exit code. Where nothing was validated,
// the folder may have the report of another synthesis.
func overlooked(stderr io.Writer, changed bool) int {
	if !changed && os.Getenv("CDK_VALIDATION") == "false" {
		return 0
	}
	found, err := validation.Overlooked(outdir())
	if err != nil {
		found = []string{err.Error()}
	}
	for _, line := range found {
		fmt.Fprintln(stderr, line)
	}
	return min(len(found), 1)
}

// accepted are the findings of cdk-nag that have a reason: the product's, and those of applications that bring their own.
func accepted(env config.Environment, all []services.Service, fleet services.Config) []nag.Suppression {
	list := nag.Suppressions(env, all, fleet)
	for _, a := range appresources.Applications() {
		if a.Accepted != nil {
			list = append(list, nag.Of(a.Name, a.Accepted(env)...)...)
		}
	}
	return list
}

// outdir is where the assembly goes: where the CDK CLI says, else its default.
func outdir() string {
	if dir := os.Getenv("CDK_OUTDIR"); dir != "" {
		return dir
	}
	return "cdk.out"
}

// report prints what cdk-nag found, and returns the exit code.
func report(stderr io.Writer) int {
	findings, suppressed, err := nag.Results(outdir())
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	for _, finding := range findings {
		fmt.Fprintln(stderr, finding)
	}
	fmt.Fprintf(stderr, "cdk-nag AwsSolutions: %d findings, %d accepted with a reason\n", len(findings), len(suppressed))
	if len(findings) > 0 {
		return 1
	}
	return 0
}

// load reads and validates all input.
func load() (map[string]any, []config.Environment, inputs, error) {
	files := inputs{kubectlLayer: kubectlLayer}
	context, err := config.Context(os.LookupEnv)
	if err != nil {
		return nil, nil, files, err
	}
	c, err := config.Load(context)
	if err != nil {
		return nil, nil, files, err
	}
	selection, _ := context["env"].(string)
	environments, err := c.Select(selection)
	if err != nil {
		return nil, nil, files, err
	}
	// Environments that are named are to be deployed, and not only to be checked. A review names them as well, of
	// commits whose branches may not be there yet, and says so.
	if selection != "" && fmt.Sprint(context["checkBranches"]) != "false" {
		if err := c.CheckBranches(environments, config.Branches()); err != nil {
			return nil, nil, files, err
		}
	}
	keys, err := signature.Read(".", c.Repository)
	if err != nil {
		return nil, nil, files, err
	}
	files.publicKeys = signature.Secret(keys)
	if files.fleet, err = services.LoadConfig("."); err != nil {
		return nil, nil, files, err
	}
	byMerge := func(environment string) bool { return files.fleet.For(environment).ByMerge() }
	if err := delivery.Check(".", environments, byMerge); err != nil {
		return nil, nil, files, err
	}
	if _, err := os.Stat(kubectlLayer); err != nil {
		return nil, nil, files, fmt.Errorf("%s: not found; run npm ci", kubectlLayer)
	}
	if files.databaseFunction, err = appresources.ReadFunction(".", appresources.DatabaseFunction); err != nil {
		return nil, nil, files, err
	}
	if files.alertsFunction, err = appresources.ReadFunction(".", appresources.AlertsFunction); err != nil {
		return nil, nil, files, err
	}
	all, err := c.Select("")
	if err != nil {
		return nil, nil, files, err
	}
	if files.services, err = services.LoadFiles(".", all); err == nil {
		err = appresources.Check(files.services)
	}
	if err != nil {
		return nil, nil, files, err
	}
	files.secretsController, err = infrastructure.ReadSecretsController(".", environments)
	return context, environments, files, err
}

// firstLine is the message of a jsii error without its JavaScript stack trace.
func firstLine(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	return strings.TrimSpace(line)
}
