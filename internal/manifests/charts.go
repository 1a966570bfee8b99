package manifests

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// Charts returns the folder that holds a chart's source.
type Charts func(chart string) (dir string, err error)

// exactVersion is a version as a HelmRelease must pin it: no range, no "latest".
var exactVersion = regexp.MustCompile(`^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// Module says where a chart's source is: the charts of these controllers lie in their Go modules, so
// the version that the local programs are built from carries the chart too.
type Module struct {
	// Program is the folder below local/programs whose go.mod pins the version.
	Program string
	// Path of the Go module.
	Path string
	// Chart is the chart's folder inside the module.
	Chart string
}

// modules by chart name.
var modules = map[string]Module{
	"aws-load-balancer-controller": {
		Program: "aws-load-balancer-controller", Path: "sigs.k8s.io/aws-load-balancer-controller",
		Chart: "helm/aws-load-balancer-controller",
	},
	"external-dns": {
		Program: "external-dns", Path: "sigs.k8s.io/external-dns", Chart: "charts/external-dns",
	},
	"external-secrets": {
		Program: "external-secrets", Path: "github.com/external-secrets/external-secrets",
		Chart: "deploy/charts/external-secrets",
	},
}

// ModuleCharts finds charts in the Go module cache, at the version that local/programs pins; a module
// that is not there yet is downloaded and verified by the go command.
func ModuleCharts(root string) Charts {
	return func(chart string) (string, error) {
		module, known := modules[chart]
		if !known {
			return "", fmt.Errorf("chart %q is in no module (known: %s)", chart, strings.Join(slices.Sorted(maps.Keys(modules)), ", "))
		}
		version, err := PinnedVersion(root, module)
		if err != nil {
			return "", err
		}
		dir, err := moduleDir(filepath.Join(root, "local", "programs", module.Program), module.Path, version)
		if err != nil {
			return "", err
		}
		return filepath.Join(dir, filepath.FromSlash(module.Chart)), nil
	}
}

// PinnedVersion is the version of a module that local/programs/<program>/go.mod requires.
func PinnedVersion(root string, module Module) (string, error) {
	path := filepath.Join(root, "local", "programs", module.Program, "go.mod")
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%w; it pins %s", err, module.Path)
	}
	parsed, err := modfile.ParseLax(path, content, nil)
	if err != nil {
		return "", err
	}
	for _, required := range parsed.Require {
		if required.Mod.Path == module.Path {
			return required.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("%s does not require %s", relative(root, path), module.Path)
}

// moduleDir asks the go command for a module's folder; it runs in a folder whose go.sum verifies it.
func moduleDir(dir, module, version string) (string, error) {
	command := exec.Command("go", "mod", "download", "-json", module+"@"+version)
	command.Dir = dir
	output, err := command.Output()
	var answer struct{ Dir, Error string }
	if decodeErr := json.Unmarshal(output, &answer); decodeErr != nil {
		return "", fmt.Errorf("go mod download %s@%s: %w", module, version, err)
	}
	if answer.Error != "" {
		return "", fmt.Errorf("go mod download %s@%s: %s", module, version, answer.Error)
	}
	return answer.Dir, nil
}
