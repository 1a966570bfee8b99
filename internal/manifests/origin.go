package manifests

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	yamlv3 "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Origins names the files below root, relative to it, that declare an object of a folder: first the one that has it, then the
// kustomization.yaml of each patch or generator. added is what the Flux Kustomization adds to the folder's own, by the fields of
// its spec. Its error says that the folder declares no such object.
//
// kustomize itself tells them: https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/buildmetadata/
func Origins(root, path string, added map[string]any, kind schema.GroupVersionKind, namespace, name string) ([]string, error) {
	o := overlay{Metadata: []any{"originAnnotations", "transformerAnnotations"}}
	o.Components, _ = added["components"].([]any)
	o.Patches, _ = added["patches"].([]any)
	dir := filepath.Join(root, path)
	disk, err := extend(filesys.MakeFsOnDisk(), dir, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", path, shorten(err, root))
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", path, shorten(err, root))
	}
	for _, r := range built.Resources() {
		if r.GetKind() != kind.Kind || r.GetGvk().Group != kind.Group || r.GetName() != name || cmp.Or(r.GetNamespace(), namespace) != namespace {
			continue
		}
		return originsOf(r, path)
	}
	return nil, fmt.Errorf("no file of %s declares %s %s", path, kind.Kind, name)
}

// originsOf reads what kustomize noted of a resource, each file once.
func originsOf(r *resource.Resource, path string) ([]string, error) {
	var files []string
	add := func(file string) {
		if file = filepath.ToSlash(filepath.Join(path, file)); file != path && !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	origin, err := r.GetOrigin()
	if err != nil {
		return nil, err
	}
	if origin != nil {
		add(cmp.Or(origin.Path, origin.ConfiguredIn))
	}
	transformed, err := r.GetTransformations()
	if err != nil {
		return nil, err
	}
	for _, t := range transformed {
		if t.ConfiguredIn != "" {
			add(t.ConfiguredIn)
		}
	}
	return files, nil
}

// Line is the line at which a file begins to declare an object; 0 where it does not, as of one that kustomize renames.
func Line(content []byte, kind, name string) int {
	line := 0
	each(content, func(document *yamlv3.Node) {
		if scalar(document, "kind") == kind && scalar(document, "metadata", "name") == name && line == 0 {
			line = document.Line
		}
	})
	return line
}

// each walks the documents of a file until one cannot be read.
func each(content []byte, do func(*yamlv3.Node)) {
	decoder := yamlv3.NewDecoder(bytes.NewReader(content))
	for {
		var document yamlv3.Node
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) || err != nil {
			return
		}
		if len(document.Content) == 1 {
			do(document.Content[0])
		}
	}
}

// scalar is the text at a path of keys.
func scalar(node *yamlv3.Node, path ...string) string {
	for _, key := range path {
		if node = child(node, key); node == nil {
			return ""
		}
	}
	return node.Value
}

// child is the value of a key of a mapping; nil without one.
func child(node *yamlv3.Node, key string) *yamlv3.Node {
	if node.Kind != yamlv3.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}
