package manifests

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
)

// The renderer's services are as kube-score wants them but for what nothing is held to, and they show that each of those
// exceptions is needed. They are the fixture's, so that no change of a manifest breaks this; `make check` grades the manifests.
func TestScore(t *testing.T) {
	root := fixture.Root(t)
	documents := map[string][]byte{}
	files, err := filepath.Glob(filepath.Join(root, "services/testdata/golden/*/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	failed := map[string]bool{}
	notes := Scorer(func(ctx context.Context, content []byte) ([]Scored, error) {
		found, err := KubeScore(root)(ctx, content)
		for _, s := range found {
			for check := range s.failed() {
				failed[check] = true
			}
		}
		return found, err
	})
	for _, environment := range []string{"dev", "production"} { // the same names again: one at a time
		clear(documents)
		for _, file := range files {
			if filepath.Base(filepath.Dir(file)) == environment {
				if documents[file], err = os.ReadFile(file); err != nil {
					t.Fatal(err)
				}
			}
		}
		problems, err := notes.Documents(t.Context(), documents)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Error(p)
		}
	}
	for check := range unasked {
		if !failed[check] {
			t.Errorf("nothing fails %s any more: remove it from unasked", check)
		}
	}
}

// failing is a Scorer's: one object that fails one check.
func failing(t *testing.T, object, check string) Scored {
	t.Helper()
	var s Scored
	text := `{"object_name": "` + object + `", "checks": [
		{"check": {"id": "` + check + `"}, "grade": 1, "comments": [{"path": "main", "summary": "Short", "description": "Do it."}]},
		{"check": {"id": "fine"}, "grade": 10}, {"check": {"id": "skipped"}, "grade": 0, "skipped": true}, {"check": {"id": "deployment-replicas"}, "grade": 5}]}`
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// A finding is told with its file and a remedy, one of a chart at its release; an annotation there accepts it, and is told
// when no environment needs it.
func TestScored(t *testing.T) {
	const (
		app     = "k8s/apps/deployment.yaml"
		release = "k8s/controllers/demo.yaml"
		ofShop  = "Deployment/apps/v1/shop/shop"
		ofDemo  = "Deployment/apps/v1/demo/demo"
	)
	annotated := func(checks string) string {
		return "metadata:\n  annotations:\n    kube-score/ignore: " + checks + "\n"
	}
	cases := map[string]struct {
		object, file, checks string
		environments         []string
		want                 []string // of the problems, in order
	}{
		"of the repository": {ofShop, "", "", nil, []string{
			app + ": Deployment shop/shop: kube-score's check c: main: Do it; correct it, or accept it with the annotation kube-score/ignore: c and the reason in a comment"}},
		"of a chart": {ofDemo, "", "", nil, []string{
			release + ": HelmRelease demo/demo: kube-score's check c: of the chart's Deployment demo/demo: main: Do it; correct spec.values, or accept it"}},
		"accepted":                   {ofShop, app, "c", nil, nil},
		"accepted of a chart":        {ofDemo, release, "c", nil, nil},
		"accepted among others":      {ofShop, app, "a, c,b", []string{"dev"}, nil},
		"another accepted":           {ofShop, app, "a", []string{"dev"}, []string{app + ": Deployment shop/shop: kube-score's check c: "}},
		"accepted without a finding": {ofDemo, app, "c", nil, []string{app + ": Deployment shop/shop: metadata.annotations.kube-score/ignore: no environment fails c; remove it", release}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			root := tree(t)
			if c.file != "" {
				kind := map[string]string{app: "kind: Deployment\n", release: "kind: HelmRelease\n"}[c.file]
				edit(t, filepath.Join(root, c.file), kind+"metadata:\n", kind+annotated(c.checks))
			}
			scorer := Scorer(func(_ context.Context, documents []byte) ([]Scored, error) {
				if !strings.Contains(string(documents), `"kind":"Deployment"`) {
					t.Error("no Deployment is graded")
				}
				return []Scored{failing(t, c.object, "c")}, nil
			})
			problems, err := Check(t.Context(), Options{Root: root, Charts: fakeCharts(root), Score: scorer, Environments: c.environments})
			if err != nil || !slices.EqualFunc(problems, c.want, func(p Problem, want string) bool { return strings.HasPrefix(p.String(), want) }) {
				t.Errorf("%v, got %v\nwant %v", err, problems, c.want)
			}
		})
	}
}

// What a rule refuses is not graded as well, and hides no acceptance that its environment may need.
func TestScoredAfterRules(t *testing.T) {
	root := tree(t)
	edit(t, filepath.Join(root, "k8s/apps/deployment.yaml"), "kind: Deployment\nmetadata:\n", "kind: Deployment\nmetadata:\n  annotations: {kube-score/ignore: c}\n")
	edit(t, filepath.Join(root, "k8s/apps/deployment.yaml"), "replicas: 1", "replicas: one")
	scorer := Scorer(func(context.Context, []byte) ([]Scored, error) {
		t.Error("it was graded")
		return nil, nil
	})
	problems, err := Check(t.Context(), Options{Root: root, Charts: fakeCharts(root), Score: scorer})
	if err != nil || len(problems) != 1 {
		t.Errorf("got %v, %v", problems, err)
	}
}

// A program that does not run is an error with what it said.
func TestKubeScoreThatIsNotThere(t *testing.T) {
	_, err := KubeScore(t.TempDir())(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "tools/kube-score") {
		t.Errorf("got %v", err)
	}
}
