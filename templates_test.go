package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	appresources "k8s-plus-aws-gitops/app-resources"
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/infrastructure"
	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/golden"
	"k8s-plus-aws-gitops/internal/nag"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/validation"
)

// All tests of whole stacks are in this package: a process has one jsii kernel, and starting one costs more than a synthesis.
func TestMain(m *testing.M) {
	// The node of package.json, if it is installed: the system's may be too old for jsii.
	if bin, err := filepath.Abs(filepath.Join("node_modules", ".bin")); err == nil {
		os.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	code := m.Run()
	closeKernel()
	os.Exit(code)
}

// template is a synthesized template.
type template struct {
	Resources map[string]resource
	Outputs   map[string]any
	raw       []byte
}

// resource is a resource of a template.
type resource struct {
	Type                string
	Properties          map[string]any
	DependsOn           []string
	DeletionPolicy      string
	UpdateReplacePolicy string
	Metadata            map[string]any
}

// others are the applications that a fork has beside Ghost. Their rights and sizes are the fork's: the tests beside them say
// what they must be.
func others() []string {
	var names []string
	for _, a := range appresources.Applications() {
		if a.Name != appresources.Dockerbuild {
			names = append(names, a.Name)
		}
	}
	return names
}

// ofOthers reports whether a stack is of one of the others.
func ofOthers(stack string) bool {
	return slices.ContainsFunc(others(), func(name string) bool {
		_, part, _ := strings.Cut(stack, "-")
		return part == name
	})
}

// ofType returns the resources of a type by logical id.
func (t template) ofType(name string) map[string]resource {
	found := map[string]resource{}
	for id, r := range t.Resources {
		if r.Type == name {
			found[id] = r
		}
	}
	return found
}

// only returns the one resource of a type.
func (t template) only(tb testing.TB, name string) resource {
	tb.Helper()
	found := t.ofType(name)
	if len(found) != 1 {
		tb.Fatalf("%d resources of type %s, want 1", len(found), name)
	}
	for _, r := range found {
		return r
	}
	panic("unreachable")
}

// get follows keys and indexes from value; nil if there is nothing.
func get(value any, path ...any) any {
	for _, step := range path {
		switch key := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[key]
		case int:
			list, _ := value.([]any)
			if key >= len(list) {
				return nil
			}
			value = list[key]
		}
	}
	return value
}

// text is a value as JSON.
func text(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// sample is the fixture's context, with the feature flags of cdk.json.
func sample(t testing.TB) map[string]any {
	t.Helper()
	return fixture.Context(t)
}

// environments validates a context and selects environments.
func environments(t testing.TB, context map[string]any, selection string) []config.Environment {
	t.Helper()
	c, err := config.Load(context)
	if err != nil {
		t.Fatal(err)
	}
	selected, err := c.Select(selection)
	if err != nil {
		t.Fatal(err)
	}
	return selected
}

// synthesize builds the app, with cdk-nag or not, and returns the assembly's folder. A panic of jsii fails the test and not
// the whole package.
func synthesize(t testing.TB, context map[string]any, selected []config.Environment, check bool) string {
	t.Helper()
	defer func() {
		if problem := recover(); problem != nil {
			t.Fatal(firstLine(fmt.Sprint(problem)))
		}
	}()
	layer := cdktest.KubectlLayer(t)
	dir, err := os.MkdirTemp("", "assembly-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	manifests, err := infrastructure.ReadSecretsController(entered(t, selected), selected)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for _, file := range selected[0].Repository.Verify {
		keys[path.Base(file)] = "the key " + file
	}
	all := definitions(t, environments(t, context, ""))
	function := appresources.FunctionCode{Folder: cdktest.FunctionFolder(t), Hash: cdktest.FunctionHash}
	files := inputs{kubectlLayer: layer, databaseFunction: function, alertsFunction: function, secretsController: manifests, publicKeys: keys, services: all, fleet: fleetOf(t)}
	app, stages := newApp(awscdk.AppProps{Context: &context, Outdir: jsii.String(dir)}, selected, files)
	if check {
		for i, stage := range stages {
			nag.Check(stage, selected[i], accepted(selected[i], all, files.fleet))
		}
	}
	app.Synth(nil)
	return dir
}

// fleetOf is how the fixture's services are published: those of integration by merge.
func fleetOf(t testing.TB) services.Config {
	t.Helper()
	c, err := services.LoadConfig(fixture.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// definitions are the fixture's services. They name all of its environments, of which a test may have less.
func definitions(t testing.TB, all []config.Environment) []services.Service {
	t.Helper()
	all = slices.Clone(all)
	for _, name := range []string{"local", "dev", "integration", "production"} {
		if !slices.ContainsFunc(all, func(e config.Environment) bool { return e.Name == name }) {
			all = append(all, config.Environment{Name: name, Domain: name + ".example.org", Region: "eu-west-1"})
		}
	}
	found, err := services.LoadFiles(fixture.Dir(t), all)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// entered is the fixture's tree with an entry point of Flux for each environment, which make generate would write.
func entered(t testing.TB, selected []config.Environment) string {
	t.Helper()
	tree := fixture.Tree(t)
	clusters := filepath.Join(tree, "k8s", "clusters")
	for _, env := range selected {
		if _, err := os.Stat(filepath.Join(clusters, env.Name)); err == nil {
			continue
		}
		if err := os.CopyFS(filepath.Join(clusters, env.Name), os.DirFS(filepath.Join(clusters, "dev"))); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// read reads the templates of an assembly by stack name.
func read(t testing.TB, dir string) map[string]template {
	t.Helper()
	manifests, err := filepath.Glob(filepath.Join(dir, "assembly-*", "manifest.json"))
	if err != nil || len(manifests) == 0 {
		t.Fatalf("%s: no stages, %v", dir, err)
	}
	templates := map[string]template{}
	for _, name := range manifests {
		for _, a := range artifacts(t, name) {
			if a.Type != "aws:cloudformation:stack" {
				continue
			}
			templates[a.Properties.StackName] = readTemplate(t, filepath.Join(filepath.Dir(name), a.Properties.TemplateFile))
		}
	}
	return templates
}

// readTemplate reads a template of an assembly.
func readTemplate(t testing.TB, name string) template {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	parsed := template{raw: content}
	if err := json.Unmarshal(content, &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// artifact is what the tests need of a cloud assembly's artifact.
type artifact struct {
	Type         string
	DisplayName  string
	Dependencies []string
	Properties   struct {
		TemplateFile, StackName string
		TerminationProtection   bool
	}
}

// artifacts reads the artifacts of a stage's manifest by id.
func artifacts(t testing.TB, manifest string) map[string]artifact {
	t.Helper()
	content, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct{ Artifacts map[string]artifact }
	if err := json.Unmarshal(content, &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed.Artifacts
}

var (
	sampleOnce      sync.Once
	sampleTemplates map[string]template
	sampleArtifacts map[string]map[string]artifact
)

// sampleApp returns the templates of the sample environments, synthesized once with validation as errors.
func sampleApp(t testing.TB) map[string]template {
	t.Helper()
	sampleOnce.Do(func() {
		context := sample(t)
		dir := synthesize(t, context, environments(t, context, ""), false)
		if found, err := validation.Overlooked(dir); err != nil || len(found) > 0 {
			t.Errorf("the CDK left out of its report: %v, %v", found, err)
		}
		sampleTemplates = read(t, dir)
		sampleArtifacts = map[string]map[string]artifact{}
		for _, env := range environments(t, context, "") {
			sampleArtifacts[env.Name] = artifacts(t, filepath.Join(dir, "assembly-"+env.Name, "manifest.json"))
		}
	})
	if sampleTemplates == nil {
		t.Fatal("the sample environments do not synthesize; see the first failure")
	}
	return sampleTemplates
}

var hash = regexp.MustCompile(`[0-9a-f]{64}`)

// The templates of the sample environments are as reviewed. Asset hashes are left out: they change with CDK's own code.
func TestGoldenTemplates(t *testing.T) {
	for name, parsed := range sampleApp(t) {
		golden.Compare(t, filepath.Join("testdata", "templates", name+".json"), append(hash.ReplaceAll(parsed.raw, []byte("HASH")), '\n'))
	}
}

// No finding of cdk-nag is unexplained, and no explanation is left over.
func TestNag(t *testing.T) {
	context := sample(t)
	context["@aws-cdk/core:validateAgainstDefaultRules"] = false // TestGoldenTemplates validates
	selected := environments(t, context, "")
	findings, suppressed, err := nag.Results(synthesize(t, context, selected, true))
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range findings {
		t.Error(finding)
	}
	used := map[string]bool{}
	for _, s := range suppressed {
		used[s.Resource+" "+regexp.MustCompile(`\[.*`).ReplaceAllString(s.Rule, "")] = true
	}
	for _, env := range selected {
		for _, s := range accepted(env, definitions(t, selected), fleetOf(t)) {
			if key := env.Name + "/" + s.Stack + "/" + s.Path + " AwsSolutions-" + s.Rule; !used[key] {
				t.Errorf("%s: nothing to suppress; remove it from internal/nag/suppressions.go", key)
			}
			if len(s.Reason) < 40 {
				t.Errorf("%s %s: the reason is too short: %q", s.Path, s.Rule, s.Reason)
			}
		}
	}
}
