// Command schemas generates internal/manifests/schemas/schemas.json from the Go modules of
// Kubernetes and of the controllers, at the versions that internal/manifests/modules pins. Production may run later ones; a
// test of internal/manifests holds that they serve the same API versions and accept the same values.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/internal/manifests/pinned"
	"k8s-plus-aws-gitops/internal/manifests/schemas"
)

// kubernetes is the module whose zip carries the OpenAPI documents of the API server.
const kubernetes = "k8s.io/kubernetes"

// root is the repository, seen from internal/manifests/schemas, where go generate runs this.
const root = "../../.."

// groups are the OpenAPI documents of the built-in kinds that manifests and charts use.
var groups = []string{
	"api__v1", "apis__admissionregistration.k8s.io__v1", "apis__apiextensions.k8s.io__v1", "apis__apps__v1",
	"apis__autoscaling__v2", "apis__batch__v1", "apis__networking.k8s.io__v1", "apis__policy__v1",
	"apis__rbac.authorization.k8s.io__v1", "apis__scheduling.k8s.io__v1", "apis__storage.k8s.io__v1",
}

// crds are the files with CustomResourceDefinitions, by module; a pattern is a filepath.Glob.
var crds = map[string][]string{
	"github.com/fluxcd/source-controller":           {"config/crd/bases/*_helmrepositories.yaml", "config/crd/bases/*_gitrepositories.yaml", "config/crd/bases/*_ocirepositories.yaml"},
	"github.com/fluxcd/kustomize-controller":        {"config/crd/bases/*.yaml"},
	"github.com/fluxcd/helm-controller":             {"config/crd/bases/*.yaml"},
	"github.com/fluxcd/notification-controller":     {"config/crd/bases/*.yaml"},
	"github.com/fluxcd/image-reflector-controller":  {"config/crd/bases/*.yaml"},
	"github.com/fluxcd/image-automation-controller": {"config/crd/bases/*.yaml"},
	"github.com/external-secrets/external-secrets":  {"config/crds/bases/external-secrets.io_externalsecrets.yaml", "config/crds/bases/external-secrets.io_*secretstores.yaml"},
	"sigs.k8s.io/aws-load-balancer-controller":      {"helm/aws-load-balancer-controller/crds/crds.yaml"},
}

func main() {
	out := flag.String("out", "schemas.json", "file to write")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintf(os.Stderr, "schemas: %v\n", err)
		os.Exit(1)
	}
}

func run(out string) error {
	pins, err := pinned.Versions(root)
	if err != nil {
		return err
	}
	file := schemas.File{Sources: map[string]string{}, Kinds: map[string]map[string]any{}, Definitions: map[string]map[string]any{}}
	for _, module := range append(slices.Sorted(maps.Keys(crds)), kubernetes) {
		downloaded, err := pinned.Module(context.Background(), root, module)
		if err != nil {
			return fmt.Errorf("%w; check the network and GOPROXY", err)
		}
		dir := downloaded.Dir
		file.Sources[module] = pins[module]
		if module == kubernetes {
			err = builtin(file, dir)
		} else {
			err = custom(file, dir, crds[module])
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", module, pins[module], err)
		}
	}
	content, err := encode(file)
	if err != nil {
		return err
	}
	return os.WriteFile(out, content, 0o644)
}

// builtin adds the kinds of Kubernetes itself.
func builtin(file schemas.File, dir string) error {
	for _, group := range groups {
		content, err := os.ReadFile(filepath.Join(dir, "api/openapi-spec/v3", group+"_openapi.json"))
		if err != nil {
			return err
		}
		var document struct {
			Components struct {
				Schemas map[string]map[string]any `json:"schemas"`
			} `json:"components"`
		}
		if err := json.Unmarshal(content, &document); err != nil {
			return fmt.Errorf("%s: %w", group, err)
		}
		for name, schema := range document.Components.Schemas {
			addKinds(file, name, schema)
			file.Definitions[name] = convert(schema).(map[string]any)
		}
	}
	prune(file)
	return nil
}

// addKinds registers the kinds that a definition describes, except helpers that belong to every group
// (DeleteOptions, WatchEvent).
func addKinds(file schemas.File, name string, schema map[string]any) {
	kinds, _ := schema["x-kubernetes-group-version-kind"].([]any)
	if len(kinds) != 1 {
		return
	}
	kind := kinds[0].(map[string]any)
	key := schemas.Key(kind["group"].(string), kind["version"].(string), kind["kind"].(string))
	file.Kinds[key] = map[string]any{"$ref": schemas.RefPrefix + name}
}

// prune drops definitions that no kind reaches.
func prune(file schemas.File) {
	used := map[string]bool{}
	for key := range file.Kinds {
		schema, _ := file.Schema(key)
		for name := range schema["definitions"].(map[string]any) {
			used[name] = true
		}
	}
	maps.DeleteFunc(file.Definitions, func(name string, _ map[string]any) bool { return !used[name] })
}

// custom adds the served versions of CustomResourceDefinitions.
func custom(file schemas.File, dir string, patterns []string) error {
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return fmt.Errorf("%s: %w", pattern, err)
		}
		if len(paths) == 0 {
			return fmt.Errorf("%s: no file; the module's layout changed, correct the pattern", pattern)
		}
		for _, path := range paths {
			if err := definitions(file, path); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return nil
}

// definition is what is read of a CustomResourceDefinition.
type definition struct {
	Kind string `json:"kind"`
	Spec struct {
		Group string `json:"group"`
		Names struct {
			Kind string `json:"kind"`
		} `json:"names"`
		Versions []struct {
			Name   string `json:"name"`
			Served bool   `json:"served"`
			Schema struct {
				OpenAPIV3Schema map[string]any `json:"openAPIV3Schema"`
			} `json:"schema"`
		} `json:"versions"`
	} `json:"spec"`
}

func definitions(file schemas.File, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, document := range bytes.Split(content, []byte("\n---")) {
		var crd definition
		if err := yaml.Unmarshal(document, &crd); err != nil {
			return err
		}
		if crd.Kind != "CustomResourceDefinition" {
			continue
		}
		for _, version := range crd.Spec.Versions {
			if version.Served {
				key := schemas.Key(crd.Spec.Group, version.Name, crd.Spec.Names.Kind)
				file.Kinds[key] = convert(version.Schema.OpenAPIV3Schema).(map[string]any)
			}
		}
	}
	return nil
}

// encode writes one kind or definition per line, so that a new version shows as a readable difference.
func encode(file schemas.File) ([]byte, error) {
	var out bytes.Buffer
	sources, err := json.Marshal(file.Sources)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&out, "{\n\"sources\": %s,\n", sources)
	for i, part := range []struct {
		name    string
		content map[string]map[string]any
	}{{"kinds", file.Kinds}, {"definitions", file.Definitions}} {
		fmt.Fprintf(&out, "%q: {", part.name)
		separator := "\n"
		for _, key := range slices.Sorted(maps.Keys(part.content)) {
			line, err := json.Marshal(part.content[key])
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&out, "%s%q: %s", separator, key, line)
			separator = ",\n"
		}
		out.WriteString("\n}" + []string{",", "\n}"}[i] + "\n")
	}
	return out.Bytes(), nil
}
