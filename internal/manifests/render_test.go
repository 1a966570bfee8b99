package manifests

import (
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
