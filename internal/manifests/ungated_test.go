package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"

	"k8s-plus-aws-gitops/internal/fixture"
)

// ungated is the fixture's tree in which Flux follows the branch of dev itself.
func ungated(t *testing.T) string {
	t.Helper()
	root := fixture.Tree(t)
	const own = `"delivery": {"connectionArn": "arn:aws:codeconnections:eu-west-1:111111111111:`
	edit(t, filepath.Join(root, "cdk.json"), own, strings.Replace(own, `{`, `{"gate": false, `, 1))
	return root
}

// Without a gate each layer waits for the one below it only until that was applied once; with a gate, for its revision. A
// checkout from before the component is rendered as Flux applies it, which ignores that it is missing.
func TestUngatedLayers(t *testing.T) {
	older := ungated(t)
	if err := os.RemoveAll(filepath.Join(older, "k8s/clusters/base/ungated")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		root string
		once bool
	}{"gate": {fixture.Tree(t), false}, "no gate": {ungated(t), true}, "no gate, older": {older, false}} {
		t.Run(name, func(t *testing.T) {
			layers := waiting(t, c.root)
			for _, want := range []string{"platform-configs", "apps", "services", "image-automation"} {
				expression, waits := layers[want]
				if !waits || (expression != "") != c.once {
					t.Errorf("%s depends with the expression %q", want, expression)
				}
				if c.once {
					readyOnce(t, expression)
				}
			}
			problems, err := Check(t.Context(), Options{Root: c.root, Charts: cachedCharts(t), Environments: []string{"dev"}})
			if err != nil || len(problems) > 0 {
				t.Error(problems, err)
			}
		})
	}
}

// waiting returns the expressions of the root's Kustomizations that wait for another one.
func waiting(t *testing.T, root string) map[string]string {
	t.Helper()
	rendered, err := Render(t.Context(), Options{Root: root, Charts: cachedCharts(t)}, "dev")
	if err != nil || len(rendered.Problems) > 0 {
		t.Fatal(err, rendered.Problems)
	}
	layers := map[string]string{}
	for _, o := range rendered.Kustomizations[0].Objects {
		depends, _ := o.Values["spec"].(map[string]any)["dependsOn"].([]any)
		if len(depends) > 1 {
			t.Errorf("%s depends on %d others, and k8s/clusters/base/ungated changes one", o.Name, len(depends))
		}
		for _, d := range depends {
			layers[o.Name], _ = d.(map[string]any)["readyExpr"].(string)
		}
	}
	return layers
}

// readyOnce holds an expression to what it says of a dependency, as kustomize-controller asks it.
func readyOnce(t *testing.T, expression string) {
	t.Helper()
	env, err := cel.NewEnv(cel.Variable("dep", cel.ObjectType("google.protobuf.Struct")))
	if err != nil {
		t.Fatal(err)
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	program, err := env.Program(ast)
	if err != nil {
		t.Fatal(err)
	}
	failed := map[string]any{"type": "Ready", "status": "False"}
	for name, c := range map[string]struct {
		dep   map[string]any
		ready bool
	}{
		"new":               {map[string]any{}, false},
		"never well":        {map[string]any{"status": map[string]any{"conditions": []any{failed}, "lastAttemptedRevision": "main@sha1:2"}}, false},
		"well":              {map[string]any{"status": map[string]any{"lastAppliedRevision": "main@sha1:2"}}, true},
		"well, then failed": {map[string]any{"status": map[string]any{"conditions": []any{failed}, "lastAppliedRevision": "main@sha1:1"}}, true},
	} {
		out, _, err := program.Eval(map[string]any{"dep": c.dep})
		if err != nil || out.Value() != c.ready {
			t.Errorf("%s: ready is %v, want %v; %v", name, out, c.ready, err)
		}
	}
}
