// Package pinned finds the Go modules that the manifests are checked with, at the versions that internal/manifests/modules
// pins: schemas, and charts. The laboratory serves the charts from there.
package pinned

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/gomodule"
)

// Dir is the folder of the pins in the repository. Its go.sum verifies the modules.
const Dir = "internal/manifests/modules"

// Versions are the pinned versions, by the modules' paths.
func Versions(root string) (map[string]string, error) {
	required, err := gomodule.Required(folder(root))
	if err != nil {
		return nil, err
	}
	versions := map[string]string{}
	for path, m := range required {
		versions[path] = m.Version
	}
	return versions, nil
}

// Module returns a pinned module; the go command downloads it if it is missing.
func Module(ctx context.Context, root, path string) (gomodule.Module, error) {
	return gomodule.Find(ctx, folder(root), path)
}

func folder(root string) string { return filepath.Join(root, filepath.FromSlash(Dir)) }

// Source says where in a Go module a chart is.
type Source struct {
	// Module is the module's path, Dir the chart's folder in it.
	Module, Dir string
	// CRDs is a folder of CustomResourceDefinitions in the module that the project adds when it releases the chart, as it
	// raises the chart's version to the module's then. Empty: the chart is released as it is.
	CRDs string
}

// sources by chart name: the charts of these controllers lie in their Go modules.
var sources = map[string]Source{
	"aws-load-balancer-controller": {Module: "sigs.k8s.io/aws-load-balancer-controller", Dir: "helm/aws-load-balancer-controller"},
	"external-dns":                 {Module: "sigs.k8s.io/external-dns", Dir: "charts/external-dns"},
	// https://github.com/external-secrets/external-secrets/blob/v0.20.4/hack/helm.generate.sh
	"external-secrets": {Module: "github.com/external-secrets/external-secrets", Dir: "deploy/charts/external-secrets", CRDs: "config/crds/bases"},
}

// Charts are the names of the charts that are in a pinned module.
func Charts() []string { return slices.Sorted(maps.Keys(sources)) }

// Chart says where a chart is.
func Chart(name string) (Source, error) {
	source, known := sources[name]
	if !known {
		return Source{}, fmt.Errorf("chart %q is in no module (known: %s): add it to internal/manifests/pinned, and its module to %s", name, strings.Join(Charts(), ", "), Dir)
	}
	return source, nil
}
