package review_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/golden"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
	"k8s-plus-aws-gitops/internal/review/render"
)

// repository is the root of this repository.
const repository = "../.."

// world is what a case edits: the second side of two environments, which begins as a copy of the first.
type world struct {
	t     *testing.T
	c     *review.Case
	trees [2]string
}

// newWorld reads the golden templates and the manifests, both of the fixture.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, c: &review.Case{
		Before: map[string]map[string]assembly.Stack{}, After: map[string]map[string]assembly.Stack{},
		Rendered: map[string][2]manifests.Rendered{}, Allowances: map[string][]config.Allowance{},
		Now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC),
	}}
	for name, e := range map[string]review.Environment{
		"dev":        {Branch: "main", Account: "111111111111"},
		"production": {Branch: "production", Account: "333333333333"},
	} {
		e.Name, e.Region, e.Status = name, "eu-west-1", review.Kept
		w.c.Environments = append(w.c.Environments, e)
		w.c.Before[name], w.c.After[name] = stacks(t, name), stacks(t, name)
	}
	if w.c.Environments[0].Name != "dev" {
		w.c.Environments[0], w.c.Environments[1] = w.c.Environments[1], w.c.Environments[0]
	}
	for i := range w.trees {
		w.trees[i] = fixture.Tree(t)
	}
	return w
}

// stacks are the golden templates of an environment.
func stacks(t *testing.T, environment string) map[string]assembly.Stack {
	t.Helper()
	found := map[string]assembly.Stack{}
	for _, part := range []string{"network", "cluster", "ghost"} {
		s := assembly.Stack{Environment: environment, Part: part, Name: environment + "-" + part}
		content, err := os.ReadFile(filepath.Join(repository, "testdata", "templates", s.Name+".json"))
		if err == nil {
			err = json.Unmarshal(content, &s.Template)
		}
		if err != nil {
			t.Fatal(err)
		}
		found[part] = s
	}
	return found
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// resource is the one resource of a type in a stack of the second side; behind the type may be how its id begins.
func (w *world) resource(environment, part, kind string) (string, map[string]any) {
	w.t.Helper()
	kind, begin, _ := strings.Cut(kind, " ")
	for id, r := range w.c.After[environment][part].Template.Resources() {
		if r["Type"] == kind && strings.HasPrefix(id, begin) {
			return id, r
		}
	}
	w.t.Fatalf("%s-%s has no %s", environment, part, kind)
	return "", nil
}

// properties of a resource of the second side.
func (w *world) properties(environment, part, kind string) map[string]any {
	w.t.Helper()
	_, r := w.resource(environment, part, kind)
	return r["Properties"].(map[string]any)
}

// remove takes a resource out of the second side.
func (w *world) remove(environment, part, kind string) {
	w.t.Helper()
	id, _ := w.resource(environment, part, kind)
	delete(w.c.After[environment][part].Template["Resources"].(map[string]any), id)
}

// edit replaces text in a manifest of the second side.
func (w *world) edit(file, old, now string) {
	w.t.Helper()
	path := filepath.Join(w.trees[1], filepath.FromSlash(file))
	content, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.Contains(string(content), old) {
		w.t.Fatalf("%s does not hold %q", file, old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(content), old, now, 1)), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// demoChart replaces the manifests by the ones that internal/manifests tests with: one release of a small chart, whose
// next version has more replicas, a new object, and a password that it makes up.
func (w *world) demoChart() {
	w.t.Helper()
	for i := range w.trees {
		w.trees[i] = w.t.TempDir()
		copyTree(w.t, filepath.Join(repository, "internal", "manifests", "testdata", "good"), w.trees[i])
	}
	w.edit("k8s/controllers/demo.yaml", "version: 1.2.3", "version: 1.3.0")
	w.edit("k8s/controllers/demo.yaml", "${REPLICAS:=2}", "${REPLICAS:=3}")
	for i := range w.trees {
		text := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: demo\nstringData:\n  fixed: " + []string{"one", "two"}[i] + "\n  password: {{ randAlphaNum 20 }}\n"
		path := filepath.Join(w.trees[i], "charts", "demo", "templates", "secret.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: demo-new\ndata:\n  cluster: {{ .Values.clusterName }}\n  anew: {{ randAlphaNum 20 }}\n"
	if err := os.WriteFile(filepath.Join(w.trees[1], "charts", "demo", "templates", "new.yaml"), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.c.Environments = w.c.Environments[:1]
}

// render renders both trees.
func (w *world) render() {
	w.t.Helper()
	for _, e := range w.c.Environments {
		var both [2]manifests.Rendered
		for i, root := range w.trees {
			charts := func(wanted manifests.Chart) (string, error) { return filepath.Join(root, "charts", wanted.Name), nil }
			rendered, err := manifests.Render(w.t.Context(), manifests.Options{Root: root, Charts: charts}, e.Name)
			if err != nil {
				w.t.Fatal(err)
			}
			both[i] = rendered
		}
		w.c.Rendered[e.Name] = both
	}
}

// The outputs of typical changes, as files to read.
func TestReviews(t *testing.T) {
	var all []*review.Case
	for _, c := range cases {
		w := newWorld(t)
		c.change(w)
		w.render()
		all = append(all, w.c)
	}
	reviews, err := review.CompareAll(t.Context(), cfndiff.NodeOf(repository), all)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			r := reviews[i]
			if code := r.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			var text strings.Builder
			render.Text(&text, r)
			markdown := render.Markdown(r, render.Limit)
			for _, want := range c.says {
				if !strings.Contains(text.String(), want) {
					t.Errorf("does not say %q", want)
				}
			}
			for _, not := range c.never {
				if strings.Contains(text.String(), not) || strings.Contains(markdown, not) {
					t.Errorf("says %q", not)
				}
			}
			file := filepath.Join("testdata", strings.ReplaceAll(c.name, " ", "-"))
			golden.Compare(t, file+".txt", []byte(text.String()))
			golden.Compare(t, file+".md", []byte(markdown))
		})
	}
}
