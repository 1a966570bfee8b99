package charts

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/repo"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/internal/manifests/pinned"
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
			source, folder := pinned.Source{Module: "example.com/m", Dir: "charts/demo", CRDs: c.crds}, module(t, c.yaml)
			var archives [2][]byte
			for i := range archives {
				dir := t.TempDir()
				index := repo.NewIndexFile()
				loaded, err := released(source, folder, "v1.0.0")
				if err != nil {
					t.Fatal(err)
				}
				if err := add(index, dir, loaded); err != nil {
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
				if loaded, err = loader.LoadFile(file); err != nil {
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

func TestReleasedRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		source pinned.Source
		err    string
	}{
		"no CRDs":  {pinned.Source{Dir: "charts/demo", CRDs: "config/none"}, "holds no CRDs"},
		"no chart": {pinned.Source{Dir: "charts/none"}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := released(c.source, module(t, release), "v1.0.0"); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestUnknownChart(t *testing.T) {
	if err := Publish(t.Context(), root, t.TempDir(), "nginx"); err == nil || !strings.Contains(err.Error(), "external-dns") {
		t.Errorf("got %v, want the charts that are known", err)
	}
}

const root = "../.."

// The versions that Flux installs here are the versions that are published and built here. Modules are only read where
// they have been downloaded, so that the test needs no network.
func TestManifestsPinTheSameVersions(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	overlay := filepath.Join(root, "k8s", "platform", "controllers-local")
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), overlay)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range pinned.Charts() {
		t.Run(name, func(t *testing.T) {
			published, err := Load(t.Context(), root, name)
			if err != nil && strings.Contains(err.Error(), "GOPROXY=off") {
				t.Skipf("%v; `make check` downloads it", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			var wanted struct {
				Spec struct {
					Chart struct {
						Spec struct{ Chart, Version string }
					}
					Values struct{ Image struct{ Tag string } }
				}
			}
			for _, o := range built.Resources() {
				if o.GetKind() != "HelmRelease" || o.GetName() != name {
					continue
				}
				if err := yaml.Unmarshal([]byte(o.MustYaml()), &wanted); err != nil {
					t.Fatal(err)
				}
			}
			if got := wanted.Spec.Chart.Spec; got.Chart != name || got.Version != published.Metadata.Version {
				t.Errorf("k8s/platform/controllers-local names chart %s %s, %s is published", got.Chart, got.Version, published.Metadata.Version)
			}
			if tag, err := programs.Tag(name); err != nil || wanted.Spec.Values.Image.Tag != tag {
				t.Errorf("k8s/platform/controllers-local names image tag %s, the program is %s, %v", wanted.Spec.Values.Image.Tag, tag, err)
			}
		})
	}
}
