package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	root := tree(t)
	rendered, err := Render(t.Context(), Options{Root: root, Charts: fakeCharts(root)}, "dev")
	if err != nil {
		t.Fatal(err)
	}
	if len(rendered.Problems) > 0 {
		t.Error(rendered.Problems)
	}
	names := map[string]Kustomization{}
	var order []string
	for _, k := range rendered.Kustomizations {
		names[k.Name] = k
		order = append(order, k.Name)
	}
	if strings.Join(order, " ") != "flux-system apps controllers" && strings.Join(order, " ") != "flux-system controllers apps" {
		t.Errorf("order %v", order)
	}
	for _, o := range names["apps"].Objects {
		if strings.Contains(o.YAML(), "${DOMAIN}") {
			t.Errorf("%s %s is not substituted:\n%s", o.Kind, o.Name, o.YAML())
		}
	}
	var release *Release
	for _, o := range names["controllers"].Objects {
		if o.Release != nil {
			release = o.Release
		}
	}
	if release == nil || release.Chart != "demo" || release.Version != "1.2.3" || release.Values["clusterName"] != "dev" {
		t.Fatalf("release %+v", release)
	}
	objects, err := release.Objects()
	if err != nil || len(objects) != 2 || objects[1].Kind != "Deployment" {
		t.Errorf("objects %+v, %v", objects, err)
	}
}

// What cannot be rendered is told; the rest is rendered.
func TestRenderProblems(t *testing.T) {
	root := tree(t)
	edit(t, root+"/k8s/apps/configmap.yaml", "${DOMAIN}", "${DOMIAN}")
	rendered, err := Render(t.Context(), Options{Root: root, Charts: fakeCharts(root)}, "dev")
	if err != nil {
		t.Fatal(err)
	}
	if len(rendered.Problems) != 1 || !strings.Contains(rendered.Problems[0], "variable ${DOMIAN} has no value") {
		t.Error(rendered.Problems)
	}
	if _, err := Render(t.Context(), Options{Root: root}, "nope"); err == nil {
		t.Error("an unknown environment was rendered")
	}
}

// The base of a review may be older than a rule that refuses its cdk.json today. Its manifests are rendered; a check says it.
func TestRenderOlderThanARule(t *testing.T) {
	root := tree(t)
	edit(t, filepath.Join(root, "cdk.json"), `"branch": "main"}`, `"branch": "main", "mirror": "x"}`)
	rendered, err := Render(t.Context(), Options{Root: root, Charts: fakeCharts(root)}, "dev")
	if err != nil || len(rendered.Problems) > 0 || len(rendered.Kustomizations) != 3 {
		t.Errorf("%d Kustomizations, %v, %v", len(rendered.Kustomizations), rendered.Problems, err)
	}
	if _, err := Check(t.Context(), Options{Root: root, Charts: fakeCharts(root)}); err == nil || !strings.Contains(err.Error(), "dev.mirror: is not a known key") {
		t.Errorf("%v", err)
	}
}

// part declares a Flux Kustomization of this repository in a file.
func part(t *testing.T, file, name, path, source string) {
	t.Helper()
	text := "# yaml-language-server: $schema=https://raw.githubusercontent.com/fluxcd-community/flux2-schemas/main/kustomization-kustomize-v1.json\n" +
		"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: " + name + "\n  namespace: flux-system\nspec:\n  interval: 10m\n  path: " + path +
		"\n  prune: true\n  sourceRef:\n    kind: GitRepository\n    name: " + source + "\n"
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// list makes a folder's kustomization.yaml.
func list(t *testing.T, dir string, resources ...string) {
	t.Helper()
	text := "# yaml-language-server: $schema=https://json.schemastore.org/kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - " + strings.Join(resources, "\n  - ") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A Kustomization that another one applies is rendered as well, as the parts of the fleet are; one of another repository
// is not, and one that leads back to itself ends.
func TestNestedKustomizations(t *testing.T) {
	root := tree(t)
	fleet := filepath.Join(root, "k8s", "fleet")
	part(t, filepath.Join(root, "k8s", "controllers", "fleet.yaml"), "fleet", "./k8s/fleet", "flux-system")
	edit(t, root+"/k8s/controllers/kustomization.yaml", "  - demo.yaml", "  - demo.yaml\n  - fleet.yaml")
	part(t, filepath.Join(fleet, "elsewhere.yaml"), "elsewhere", "./", "manifests")
	part(t, filepath.Join(fleet, "again.yaml"), "again", "./k8s/again", "flux-system")
	list(t, fleet, "elsewhere.yaml", "again.yaml")
	part(t, filepath.Join(root, "k8s", "again", "fleet.yaml"), "fleet", "./k8s/fleet", "flux-system")
	list(t, filepath.Join(root, "k8s", "again"), "fleet.yaml")

	rendered, err := Render(t.Context(), Options{Root: root, Charts: fakeCharts(root)}, "dev")
	if err != nil || len(rendered.Problems) > 0 {
		t.Fatal(err, rendered.Problems)
	}
	found := map[string]int{}
	for _, k := range rendered.Kustomizations {
		found[k.Name] += len(k.Objects)
	}
	if found["fleet"] != 2 || found["again"] != 1 || found["elsewhere"] != 0 {
		t.Errorf("objects by Kustomization: %v", found)
	}
	problems, err := Check(t.Context(), Options{Root: root, Charts: fakeCharts(root), Environments: []string{"dev"}})
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0].String(), "Kustomization flux-system/fleet: applies itself, by way of controllers, fleet, again") {
		t.Errorf("%v, %v", problems, err)
	}
}
