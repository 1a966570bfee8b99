package environment

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/golden"
)

// The fixture's entry points are those that Add writes. Its environment local has more than that.
func TestFixture(t *testing.T) {
	root := fixture.Tree(t)
	for _, name := range []string{"dev", "integration", "production"} {
		if err := os.RemoveAll(filepath.Join(root, clusters, name)); err != nil {
			t.Fatal(err)
		}
	}
	files, gone, err := Entries(root)
	if err != nil || len(gone) > 0 || len(files) != 6 {
		t.Fatalf("%d files, gone %v, %v", len(files), gone, err)
	}
	for name, text := range files {
		golden.Compare(t, filepath.Join(fixture.Dir(t), name), []byte(text))
	}
}

func TestEntries(t *testing.T) {
	const dev = "k8s/clusters/dev/kustomization.yaml"
	for name, c := range map[string]struct {
		edit  func(root string)
		files []string
		gone  []string
		err   string
	}{
		"nothing to do": {edit: func(string) {}},
		"renamed": {
			edit:  func(root string) { replace(t, root, "cdk.json", `"dev": {`, `"staging": {`) },
			files: []string{"k8s/clusters/staging/images.yaml", "k8s/clusters/staging/kustomization.yaml"}, gone: []string{"k8s/clusters/dev"},
		},
		"Flux wrote an image": {
			edit: func(root string) {
				replace(t, root, "cdk.json", `"dev": {`, `"staging": {`)
				replace(t, root, "k8s/clusters/dev/images.yaml", "docker.io/library/ghost:", "registry/dev/ghost:1-")
			},
			files: []string{"k8s/clusters/staging/images.yaml", "k8s/clusters/staging/kustomization.yaml"}, gone: []string{"k8s/clusters/dev"},
		},
		"no delivery": {
			edit: func(root string) {
				replace(t, root, "cdk.json", `"delivery": {"connectionArn": "arn:aws:codeconnections:eu-west-1:111`, `"tags": {"a": "`)
			},
			files: []string{dev}, gone: []string{"k8s/clusters/dev/images.yaml"},
		},
		"no delivery, edited by hand": {
			edit: func(root string) {
				replace(t, root, "cdk.json", `"delivery": {"connectionArn": "arn:aws:codeconnections:eu-west-1:111`, `"tags": {"a": "`)
				replace(t, root, dev, "# Flux entry point", "# The entry point")
			},
			err: dev + ": must not list ../base/image-automation, because Flux does not write the image tags of dev (its delivery in cdk.json says so); remove that line",
		},
		"images of another environment": {
			edit: func(root string) {
				replace(t, root, "cdk.json", `"delivery": {"connectionArn": "arn:aws:codeconnections:eu-west-1:111`, `"delivery": {"imagesFrom": "integration", "connectionArn": "arn:aws:codeconnections:eu-west-1:111`)
			},
			files: []string{"k8s/clusters/dev/images.yaml", dev},
		},
		"images of its own again": {
			edit: func(root string) {
				replace(t, root, "cdk.json", `"imagesFrom": "integration",`, "")
			},
			files: []string{"k8s/clusters/production/images.yaml", "k8s/clusters/production/kustomization.yaml"},
		},
		"images of another environment, edited by hand": {
			edit: func(root string) {
				replace(t, root, "k8s/clusters/production/kustomization.yaml", "patches:\n  - path: images.yaml\n", "# mine\n")
			},
			err: "k8s/clusters/production/kustomization.yaml: must patch with images.yaml, in which a promotion names the images of production",
		},
		"gone, edited by hand": {
			edit: func(root string) {
				replace(t, root, "k8s/services/orders.yaml", "  dev: {aws: {cache: {}, database: {shared: true}}}\n", "")
				if err := Remove(root, "dev"); err != nil {
					t.Fatal(err)
				}
				put(t, root, dev, "# mine\n")
			},
			err: `k8s/clusters/dev: cdk.json has no environment "dev", and the folder holds more than what is generated; give it the environment's new name (git mv), remove it (git rm -r k8s/clusters/dev)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := fixture.Tree(t)
			c.edit(root)
			files, gone, err := Entries(root)
			if c.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), c.err) {
					t.Errorf("%v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for name := range files {
				names = append(names, name)
			}
			slices.Sort(names)
			if diff := cmp.Diff([][]string{c.files, c.gone}, [][]string{names, gone}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A folder that changes its writer keeps the image that runs.
func TestEntriesKeepTheImage(t *testing.T) {
	root := fixture.Tree(t)
	const file, runs = "k8s/clusters/production/images.yaml", "registry/production/ghost:1@sha256:0"
	replace(t, root, file, "GHOST_IMAGE: ", "GHOST_IMAGE: "+runs+" # ")
	replace(t, root, file, runs+" # docker.io/library/ghost:6.65.0", runs)
	replace(t, root, "cdk.json", `"imagesFrom": "integration",`, "")
	if files, _, err := Entries(root); err != nil || !strings.Contains(files[file], "GHOST_IMAGE: "+runs+` # {"$imagepolicy"`) {
		t.Errorf("%s (%v)", files[file], err)
	}
}

// replace edits a file below root.
func replace(t *testing.T, root, name, old, now string) {
	t.Helper()
	text := read(t, root, name)
	if !strings.Contains(text, old) {
		t.Fatalf("%s does not hold %q", name, old)
	}
	put(t, root, name, strings.Replace(text, old, now, 1))
}

// put writes a file below root.
func put(t *testing.T, root, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
