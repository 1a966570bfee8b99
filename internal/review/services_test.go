package review_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/review"
)

// fleet adds a service to a project, and a renderer that is quick to build: it writes one object with the service's image.
func fleet(t *testing.T) string {
	t.Helper()
	root := project(t)
	if err := errors.Join(os.MkdirAll(filepath.Join(root, "k8s", "services"), 0o755), os.Mkdir(filepath.Join(root, "k8s", "fleet"), 0o755), os.Mkdir(filepath.Join(root, "docs"), 0o755)); err != nil {
		t.Fatal(err)
	}
	write(t, root, "k8s/fleet/fleet.yaml", "url: https://example.com/manifests.git\nbranch: ${ENVIRONMENT}/${SERVICE}\ninterval: 30s\n")
	write(t, root, "k8s/services/web.yaml", "image: example.com/web:1.0.0\nport: 8080\nhealth: {path: /healthz}\nresources: {cpu: 50m, memory: 128Mi}\n")
	write(t, root, "docs/renderer", `#!/bin/sh
if [ -n "$AWS_SECRET_ACCESS_KEY" ]; then echo "credentials arrived" >&2; exit 1; fi
image=$(sed -n 's/^image: //p' k8s/services/web.yaml)
printf '{"name": "web", "manifest": "apiVersion: v1\\nkind: ConfigMap\\nmetadata:\\n  name: web\\ndata:\\n  image: %s\\n"}\n' "$image"
`)
	if err := os.Chmod(filepath.Join(root, "docs", "renderer"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, root, "Makefile", "bin/services: docs/renderer\n\t@mkdir -p bin && cp docs/renderer bin/services\n")
	write(t, root, ".gitignore", "/bin/\n/node_modules\n")
	write(t, root, "package-lock.json", "{}")
	if err := os.Mkdir(filepath.Join(root, "node_modules"), 0o755); err != nil {
		t.Fatal(err)
	}
	commit(t, root)
	return root
}

// A change of a service shows what its Kustomization will apply, although the manifests are in another repository.
func TestServices(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	root := fleet(t)
	image := func(from, to string) {
		content, err := os.ReadFile(filepath.Join(root, "k8s/services/web.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, root, "k8s/services/web.yaml", strings.Replace(string(content), from, to, 1))
	}
	look := func() *review.Review {
		r, err := review.Run(t.Context(), review.Options{Root: root, Base: "main", Charts: charts})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}

	image("1.0.0", "1.1.0")
	r := look()
	if len(r.Environments) != 1 || len(r.Environments[0].Kustomizations) != 1 {
		t.Fatalf("%+v", r)
	}
	k := r.Environments[0].Kustomizations[0]
	if k.Name != "services/web" || len(k.Objects) != 1 || !strings.Contains(k.Objects[0].Diff, "-  image: example.com/web:1.0.0\n+  image: example.com/web:1.1.0") {
		t.Errorf("%+v", k)
	}

	image("port: 8080", "port: none")
	if r = look(); len(r.Environments[0].Notes) != 1 || !strings.Contains(r.Environments[0].Notes[0], "services: k8s/services/web.yaml") {
		t.Errorf("a mistake: notes %q", r.Environments[0].Notes)
	}

	image("port: none", "port: 8080")
	image("1.1.0", "1.0.0")
	replicas(t, root, "1", "2")
	if err := os.Remove(filepath.Join(root, "docs", "renderer")); err != nil {
		t.Fatal(err)
	}
	if r = look(); len(r.Environments[0].Kustomizations) != 1 || r.Environments[0].Kustomizations[0].Name != "apps" {
		t.Errorf("a change of other things: %+v", r.Environments[0].Kustomizations)
	}
}
