package charts

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/repo"
	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/local/programs"
)

// module writes a module with one chart, in the shapes that the real ones have.
func module(t *testing.T, chartYAML string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"charts/demo/Chart.yaml":                    chartYAML,
		"charts/demo/Chart.lock":                    "dependencies: []\ndigest: sha256:0\ngenerated: \"2025-07-18T07:31:51Z\"\n",
		"charts/demo/values.yaml":                   "replicas: 1\n",
		"charts/demo/.helmignore":                   "ignored.yaml\n",
		"charts/demo/ignored.yaml":                  "x: y\n",
		"charts/demo/templates/cm.yaml":             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Release.Name }}\"}\n",
		"config/crds/bases/example.com_things.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n",
		"config/crds/bases/kustomization.yaml":      "resources: [example.com_things.yaml]\n",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	plain   = "apiVersion: v2\nname: demo\nversion: 1.0.0\nappVersion: v1.0.0\n"
	release = "apiVersion: v2\nname: demo\nversion: 0.9.0\nappVersion: v0.9.0\ndependencies:\n- name: other\n  version: v0.5.1\n  repository: oci://example.com/charts\n"
)

func TestAdd(t *testing.T) {
	for name, c := range map[string]struct {
		yaml string
		crds string
		want []string
	}{
		"as it is": {plain, "", []string{"templates/cm.yaml", "values.yaml", ".helmignore", "Chart.yaml", "Chart.lock"}},
		"released": {release, "config/crds/bases", []string{"templates/cm.yaml", "values.yaml", ".helmignore", "Chart.yaml", "crds/example.com_things.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			chart := Chart{Name: "demo", Version: "1.0.0", AppVersion: "v1.0.0", module: "example.com/m", path: "charts/demo", crds: c.crds}
			source := module(t, c.yaml)
			var archives [2][]byte
			for i := range archives {
				dir := t.TempDir()
				index := repo.NewIndexFile()
				if err := add(index, dir, source, chart); err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(dir, "demo-1.0.0.tgz")
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				archives[i] = b
				entry, err := index.Get("demo", "1.0.0")
				if err != nil {
					t.Fatal(err)
				}
				if entry.AppVersion != "v1.0.0" || len(entry.Digest) != 64 || entry.URLs[0] != "demo-1.0.0.tgz" || !entry.Created.Equal(timestamp) {
					t.Errorf("index entry %+v", entry)
				}
				loaded, err := loader.LoadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				var have []string
				for _, f := range loaded.Raw {
					have = append(have, f.Name)
				}
				if len(have) != len(c.want) {
					t.Errorf("the archive holds %v, want %v", have, c.want)
				}
				for _, w := range c.want {
					if !strings.Contains(strings.Join(have, " ")+" ", w+" ") {
						t.Errorf("the archive holds %v, want %s in it", have, w)
					}
				}
				if len(loaded.Metadata.Dependencies) > 0 || loaded.Metadata.Version != "1.0.0" {
					t.Errorf("metadata %+v", loaded.Metadata)
				}
			}
			if !bytes.Equal(archives[0], archives[1]) {
				t.Error("two archives of one chart differ")
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		yaml  string
		chart Chart
		err   string
	}{
		"another version": {plain, Chart{Name: "demo", Version: "1.0.1", AppVersion: "v1.0.0", path: "charts/demo"}, "change the pins together"},
		"another chart":   {plain, Chart{Name: "other", Version: "1.0.0", AppVersion: "v1.0.0", path: "charts/demo"}, "is demo"},
		"no CRDs":         {release, Chart{Name: "demo", Version: "1.0.0", AppVersion: "v1.0.0", path: "charts/demo", crds: "config/none"}, "holds no CRDs"},
		"no chart":        {plain, Chart{Name: "demo", path: "charts/none"}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			err := add(repo.NewIndexFile(), t.TempDir(), module(t, c.yaml), c.chart)
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestEveryChartHasItsProgram(t *testing.T) {
	for _, c := range Charts() {
		tag, err := programs.Tag(c.Name)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		// external-dns releases its chart between two releases of the program; the values name the tag.
		if tag != c.AppVersion && c.Name != "external-dns" {
			t.Errorf("%s: the chart runs %s, the program is %s", c.Name, c.AppVersion, tag)
		}
	}
}

// The versions that Flux installs are the versions that are published and built here.
func TestManifestsPinTheSameVersions(t *testing.T) {
	for _, c := range Charts() {
		t.Run(c.Name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("..", "..", "k8s", "platform", "controllers", c.Name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var release struct {
				Kind string
				Spec struct {
					Chart struct {
						Spec struct{ Chart, Version string }
					}
					Values struct{ Image struct{ Tag string } }
				}
			}
			for _, doc := range strings.Split(string(b), "\n---") {
				if !strings.Contains(doc, "kind: HelmRelease") {
					continue
				}
				if err := yaml.Unmarshal([]byte(doc), &release); err != nil {
					t.Fatal(err)
				}
			}
			if got := release.Spec.Chart.Spec; got.Chart != c.Name || got.Version != c.Version {
				t.Errorf("the HelmRelease names chart %s %s, want %s", got.Chart, got.Version, c.Version)
			}
			if tag, err := programs.Tag(c.Name); err != nil || release.Spec.Values.Image.Tag != tag {
				t.Errorf("the HelmRelease names image tag %s, the program is %s, %v", release.Spec.Values.Image.Tag, tag, err)
			}
		})
	}
}
