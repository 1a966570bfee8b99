// Package cdktest makes stacks for tests of constructs, and compares what they synthesize.
package cdktest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/fixture"
)

// Run runs the tests of a package that calls the CDK, and returns the exit code. A process has one jsii kernel, which takes
// seconds to start: the tests of a package share it.
func Run(m *testing.M, root string) int {
	// The node of package.json, if it is installed: the system's may be too old for jsii.
	if bin, err := filepath.Abs(filepath.Join(root, "node_modules", ".bin")); err == nil {
		os.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	defer jsii.Close()
	return m.Run()
}

// Environment returns the fixture's environment dev, and Twin another one beside it.
func Environment(t testing.TB) config.Environment {
	t.Helper()
	c, err := config.Load(fixture.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	selected, err := c.Select("dev")
	if err != nil {
		t.Fatal(err)
	}
	return selected[0]
}

// Twin returns an environment like another, with another name and domain.
func Twin(env config.Environment) config.Environment {
	env.Name, env.Domain = "twin", "twin.example.com"
	env.Ghost.Mail.From = "noreply@ghost.twin.example.com"
	return env
}

// App returns an app with the feature flags of cdk.json.
func App(t testing.TB) awscdk.App {
	t.Helper()
	context := fixture.Context(t)
	context["@aws-cdk/core:validateAgainstDefaultRules"] = false // the tests of all stacks validate
	return awscdk.NewApp(&awscdk.AppProps{Context: &context, Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false)})
}

// Stack returns an empty stack of the environment in an app of its own.
func Stack(t testing.TB, env config.Environment) awscdk.Stack {
	t.Helper()
	return NewStack(App(t), "Stack", env)
}

// NewStack returns an empty stack in the environment's account and region.
func NewStack(app awscdk.App, id string, env config.Environment) awscdk.Stack {
	return awscdk.NewStack(app, jsii.String(id), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String(env.Account), Region: jsii.String(env.Region)},
	})
}

// KubectlLayer returns the path of an empty stand-in for the zip with kubectl: its asset hash does not depend on its content.
func KubectlLayer(t testing.TB) string {
	t.Helper()
	layer := filepath.Join(t.TempDir(), "layer.zip")
	if err := os.WriteFile(layer, []byte("PK\x05\x06"+strings.Repeat("\x00", 18)), 0o600); err != nil {
		t.Fatal(err)
	}
	return layer
}

// FunctionHash stands for the hash of a function's code, so that no template depends on a compiler.
const FunctionHash = "database-function-of-the-tests"

// FunctionFolder returns a folder with a stand-in for a compiled function: its asset hash does not depend on its content.
func FunctionFolder(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "bootstrap"), []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// Template is a synthesized template.
type Template struct {
	t testing.TB
	assertions.Template
}

// Synthesize synthesizes a stack. A panic of jsii fails the test and not the whole package.
func Synthesize(t testing.TB, stack awscdk.Stack) Template {
	t.Helper()
	var made assertions.Template
	if err := caught(func() { made = assertions.Template_FromStack(stack, nil) }); err != nil {
		t.Fatal(err)
	}
	return Template{t, made}
}

// Has fails the test unless a resource of the type has the properties, among others.
func (x Template) Has(kind string, properties map[string]any) {
	x.t.Helper()
	if err := caught(func() { x.HasResourceProperties(jsii.String(kind), properties) }); err != nil {
		x.t.Error(err)
	}
}

// Keeps fails the test unless a resource of the type is kept, or else deleted, when its stack goes.
func (x Template) Keeps(kind string, kept bool) {
	x.t.Helper()
	policy := map[bool]string{true: "Retain", false: "Delete"}[kept]
	if err := caught(func() {
		x.HasResource(jsii.String(kind), map[string]any{"DeletionPolicy": policy, "UpdateReplacePolicy": policy})
	}); err != nil {
		x.t.Error(err)
	}
}

// Count fails the test unless the template has so many resources of the type.
func (x Template) Count(kind string, want int) {
	x.t.Helper()
	if err := caught(func() { x.ResourceCountIs(jsii.String(kind), jsii.Number(want)) }); err != nil {
		x.t.Error(err)
	}
}

// caught turns a panic of jsii into an error.
func caught(call func()) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			text, _, _ := strings.Cut(fmt.Sprint(problem), "\n    at ") // the stack trace of JavaScript
			err = fmt.Errorf("%s", strings.TrimSpace(text))
		}
	}()
	call()
	return nil
}
