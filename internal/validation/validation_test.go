package validation

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// reader stands in for the validator: a template is in error where it has the word "wrong", and warned of where it has "old".
// It writes down what it is given.
type reader struct {
	awscdk.IPolicyValidationPlugin
	t    *testing.T
	read []string
	// meanwhile is what somebody does while a template is validated.
	meanwhile func()
	fails     bool
}

func (r *reader) Validate(context awscdk.IPolicyValidationContext) *awscdk.PolicyValidationPluginReport {
	report := &awscdk.PolicyValidationPluginReport{Success: jsii.Bool(!r.fails), Violations: &[]*awscdk.PolicyViolation{}}
	for _, stack := range *context.StackTemplates() {
		content, err := os.ReadFile(*stack.TemplatePath)
		if err != nil {
			r.t.Fatal(err)
		}
		r.read = append(r.read, filepath.Base(*stack.TemplatePath))
		for word, severity := range map[string]string{"wrong": "error", "doomed": "fatal", "old": "warning"} {
			if strings.Contains(string(content), word) {
				*report.Success = *report.Success && severity == "warning"
				*report.Violations = append(*report.Violations, &awscdk.PolicyViolation{
					RuleName: jsii.String("R1"), Severity: jsii.String(severity),
					ViolatingResources: &[]*awscdk.PolicyViolatingResource{{TemplatePath: stack.TemplatePath}},
				})
			}
		}
	}
	if r.meanwhile != nil {
		r.meanwhile()
	}
	return report
}

// assembly is a folder of templates.
type assembly struct {
	awscdk.IPolicyValidationContext
	t      *testing.T
	folder string
	region string
}

func (a *assembly) write(name, content string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.folder, name), []byte(content), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *assembly) StackTemplates() *[]*awscdk.PolicyValidationStack {
	found, err := filepath.Glob(filepath.Join(a.folder, "*"))
	if err != nil {
		a.t.Fatal(err)
	}
	all := make([]*awscdk.PolicyValidationStack, len(found))
	for i := range found {
		name := filepath.Base(found[i])
		all[i] = &awscdk.PolicyValidationStack{StackConstructPath: &name, TemplatePath: &found[i], Region: jsii.String(a.region)}
	}
	return &all
}

// world is a plugin with a validator, a cache and an assembly.
type world struct {
	*assembly
	plugin *Plugin
	reader *reader
}

func start(t *testing.T) *world {
	w := &world{assembly: &assembly{t: t, folder: t.TempDir(), region: "eu-west-1"}, reader: &reader{t: t}}
	w.plugin = &Plugin{
		memory: memory{folder: filepath.Join(t.TempDir(), "cache", "validated"), validator: "1.0"},
		engine: func() awscdk.IPolicyValidationPlugin { return w.reader },
	}
	return w
}

// validates holds what the validator is given and whether the assembly passes.
func (w *world) validates(passes bool, want ...string) {
	w.t.Helper()
	w.reader.read = nil
	report := w.plugin.Validate(w)
	if *report.Success != passes {
		w.t.Errorf("passes = %v, want %v", *report.Success, passes)
	}
	if !slices.Equal(w.reader.read, want) {
		w.t.Errorf("validated %v, want %v", w.reader.read, want)
	}
}

// entries are the files of the cache.
func (w *world) entries() []string {
	found, err := filepath.Glob(filepath.Join(w.plugin.memory.folder, "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func TestOnlyWhatChangedIsValidated(t *testing.T) {
	w := start(t)
	w.write("a", "one")
	w.write("b", "two")
	w.validates(true, "a", "b")
	w.validates(true)
	w.write("b", "two, edited")
	w.validates(true, "b")
	w.write("b", "two") // reverted
	w.validates(true)
}

// A failing template fails each time, however it came to be, and whatever passed before or beside it.
func TestAFailingTemplateNeverPassesByTheCache(t *testing.T) {
	w := start(t)
	w.write("a", "one")
	w.write("b", "doomed")
	w.validates(false, "a", "b")
	w.validates(false, "b")
	w.write("b", "old, and wrong")
	w.validates(false, "b")
	w.validates(false, "b")
	w.write("b", "right")
	w.validates(true, "b")
	w.write("b", "wrong") // reverted to what failed
	w.validates(false, "b")
	w.write("a", "wrong") // what another template failed with
	w.validates(false, "a", "b")
	w.write("b", "right")
	w.validates(false, "a")
}

func TestWarningsAreSaidEachTime(t *testing.T) {
	w := start(t)
	w.write("a", "old")
	w.write("b", "one")
	said := func() []string {
		var said []string
		for _, v := range *w.plugin.Validate(w).Violations {
			for _, r := range *v.ViolatingResources {
				said = append(said, *v.Severity+" "+*v.RuleName+" "+*r.TemplatePath)
			}
		}
		return said
	}
	want := []string{"warning R1 " + filepath.Join(w.folder, "a")}
	if got := said(); !slices.Equal(got, want) {
		t.Errorf("said %v, want %v", got, want)
	}
	w.validates(true)
	moved := t.TempDir() // another assembly has the same template
	w.folder = moved
	w.write("a", "old")
	if got := said(); !slices.Equal(got, []string{"warning R1 " + filepath.Join(moved, "a")}) {
		t.Errorf("said of the other assembly's template: %v", got)
	}
	w.validates(true)
}

// Another validator or other rules, another region or account: what passed says nothing.
func TestAPassIsOfOneValidatorAndOnePlace(t *testing.T) {
	w := start(t)
	w.write("a", "one")
	w.validates(true, "a")
	w.plugin.memory.validator = "1.1"
	w.validates(true, "a")
	w.region = "eu-central-1"
	w.validates(true, "a")
	w.plugin.memory.validator, w.region = "1.0", "eu-west-1"
	w.validates(true)
}

// A pass that is damaged, that is another's, or that cannot be read is none; and a cache that cannot be written stops nobody.
func TestADamagedCacheIsIgnored(t *testing.T) {
	for name, damage := range map[string]func(file string) error{
		"empty":     func(file string) error { return os.Truncate(file, 0) },
		"cut":       func(file string) error { return os.Truncate(file, 10) },
		"another's": func(file string) error { return os.WriteFile(file, []byte(strings.Repeat("0", 64)+"\n[]"), 0o600) },
		"a folder":  func(file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.write("a", "one")
			w.validates(true, "a")
			if err := damage(w.entries()[0]); err != nil {
				t.Fatal(err)
			}
			w.validates(true, "a")
		})
	}
	w := start(t)
	w.write("a", "one")
	if err := os.WriteFile(filepath.Dir(w.plugin.memory.folder), nil, 0o600); err != nil { // where the folder would be
		t.Fatal(err)
	}
	w.validates(true, "a")
	w.validates(true, "a")
}

// Whoever changes a template while it is validated gets no pass for what the validator did not see.
func TestATemplateThatChangesMeanwhileDoesNotPass(t *testing.T) {
	w := start(t)
	w.write("a", "one")
	w.reader.meanwhile = func() { w.write("a", "wrong") }
	w.validates(true, "a")
	w.reader.meanwhile = nil
	w.validates(false, "a")
}

// A validator that fails without a word has validated nothing.
func TestAFailureWithoutAWordLeavesNoPass(t *testing.T) {
	w := start(t)
	w.write("a", "one")
	w.reader.fails = true
	w.validates(false, "a")
	w.validates(false, "a")
	if found := w.entries(); len(found) > 0 {
		t.Errorf("remembered %v", found)
	}
}

func TestOldPassesAreForgotten(t *testing.T) {
	w := start(t)
	w.write("a", "one")
	w.validates(true, "a")
	then := time.Now().Add(-kept - time.Hour)
	if err := os.Chtimes(w.entries()[0], then, then); err != nil {
		t.Fatal(err)
	}
	w.write("b", "two")
	w.validates(true, "b")
	if found := w.entries(); len(found) != 1 {
		t.Errorf("the cache has %v, want the pass of b", found)
	}
}

func TestPipelinesValidateEverything(t *testing.T) {
	t.Setenv("GITOPS_CACHE", t.TempDir())
	for _, c := range []struct {
		env    map[string]string
		asked  string
		person bool
	}{
		{nil, "", true},
		{map[string]string{"CI": "false"}, "", true},
		{map[string]string{"CI": "true"}, "", false},
		{map[string]string{"CI": "1"}, "", false},
		{map[string]string{"CODEBUILD_BUILD_ID": "build:1"}, "", false},
		{map[string]string{"CODEBUILD_BUILD_ID": ""}, "", false},
		{map[string]string{"CDK_VALIDATION": "false"}, "", false},
		{nil, All, false},
	} {
		for _, name := range []string{"CI", "CODEBUILD_BUILD_ID", "CDK_VALIDATION"} {
			t.Setenv(name, "") // so that the test puts it back
			os.Unsetenv(name)
		}
		for name, value := range c.env {
			t.Setenv(name, value)
		}
		before := os.Getenv("CDK_VALIDATION")
		plugin := forPerson(c.asked, "1.0")
		if (plugin != nil) != c.person {
			t.Errorf("with %v and validate=%q a person synthesizes: %v, want %v", c.env, c.asked, plugin != nil, c.person)
		}
		if off := os.Getenv("CDK_VALIDATION"); plugin == nil && off != before || plugin != nil && off != "false" {
			t.Errorf("with %v and validate=%q CDK_VALIDATION = %q", c.env, c.asked, off)
		}
	}
}

// A program that was built with another module in the CDK's place, or from one without a checksum, remembers nothing.
func TestTheValidatorIsKnownByItsModule(t *testing.T) {
	cdk := func(of debug.Module) *debug.BuildInfo {
		of.Path = "github.com/aws/aws-cdk-go/awscdk/v2"
		return &debug.BuildInfo{Deps: []*debug.Module{{Path: "github.com/aws/constructs-go/constructs/v10", Version: "v10", Sum: "h1:x"}, &of}}
	}
	for _, c := range []struct {
		of   *debug.BuildInfo
		want string
	}{
		{cdk(debug.Module{Version: "v2.270.0", Sum: "h1:abc="}), "v2.270.0 h1:abc="},
		{cdk(debug.Module{Version: "v2.270.0"}), ""},
		{cdk(debug.Module{Version: "v2.270.0", Sum: "h1:abc=", Replace: &debug.Module{Path: "../mine"}}), ""},
		{&debug.BuildInfo{}, ""},
		{nil, ""},
	} {
		if got := validator(c.of); got != c.want {
			t.Errorf("validator(%v) = %q, want %q", c.of, got, c.want)
		}
	}
	t.Setenv("GITOPS_CACHE", t.TempDir())
	if forPerson("", "") != nil {
		t.Error("passes are remembered of a validator that is not known")
	}
}
