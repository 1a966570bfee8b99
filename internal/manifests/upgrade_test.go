package manifests

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// crd is a definition of Widgets with versions, the first of which is stored.
func crd(versions ...string) string {
	text := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: widgets.example.com\nspec:\n  versions:\n"
	for i, v := range versions {
		text += fmt.Sprintf("    - {name: %s, served: true, storage: %t}\n", v, i == 0)
	}
	return text
}

// widgetChart writes a chart, and returns its folder.
func widgetChart(t *testing.T, version, values, crd, template string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: widget\nversion: " + version + "\n", "values.yaml": values, "crds/widget.yaml": crd, "templates/a.yaml": template,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func widgetRelease(version string) []byte {
	return []byte("apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: widget, namespace: w}\nspec:\n  url: ${CHARTS_URL_W:=https://charts.example.com/}\n---\n" +
		"apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: widget, namespace: w}\nspec:\n  chart:\n    spec:\n      chart: widget\n      version: " + version +
		"\n      sourceRef: {kind: HelmRepository, name: widget}\n  values:\n    color: red\n    free: {copied: whole}\n")
}

// Each thing that a new chart does to what is there is told; what it only adds is not.
func TestUpgrade(t *testing.T) {
	const values, template = "color: blue\nfree: {}\n", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n"
	for name, c := range map[string]struct {
		values, crd, template string
		want                  []string
	}{
		"nothing":                      {values, crd("v1beta1", "v1alpha1"), template, nil},
		"another value":                {values + "size: 1\n", crd("v1beta1", "v1alpha1"), template, nil},
		"a value ignored":              {"free: {}\n", crd("v1beta1", "v1alpha1"), template, []string{"value ignored"}},
		"a newer version beside":       {values, crd("v1", "v1beta1", "v1alpha1"), template, nil},
		"the stored version dropped":   {values, crd("v1", "v1alpha1"), template, []string{"stored version dropped"}},
		"another version dropped":      {values, crd("v1beta1"), template, []string{"version dropped"}},
		"the definition is gone":       {values, "", template, []string{"API removed"}},
		"a template refuses the value": {values, crd("v1beta1", "v1alpha1"), `{{ fail "color must be green" }}`, []string{"does not render"}},
	} {
		old, updated := widgetChart(t, "1.0.0", values, crd("v1beta1", "v1alpha1"), template), widgetChart(t, "2.0.0", c.values, c.crd, c.template)
		charts := func(wanted Chart) (string, error) {
			if wanted.Repository != "https://charts.example.com/" {
				t.Errorf("asked %s", wanted.Repository)
			}
			return map[string]string{"1.0.0": old, "2.0.0": updated}[wanted.Version], nil
		}
		harms, err := Upgrade(widgetRelease("1.0.0"), widgetRelease("2.0.0"), charts)
		var got []string
		for _, h := range harms {
			got = append(got, h.What)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v, want %v", name, harms, err, c.want)
		}
	}
	none := func(Chart) (string, error) { return "", fmt.Errorf("the index has no such chart") }
	if _, err := Upgrade(widgetRelease("1.0.0"), widgetRelease("2.0.0"), none); err == nil || !strings.Contains(err.Error(), "no such chart") {
		t.Errorf("got %v", err)
	}
	if harms, err := Upgrade(widgetRelease("1.0.0"), widgetRelease("1.0.0"), none); err != nil || len(harms) > 0 {
		t.Errorf("nothing changes: %v, %v", harms, err)
	}
}
