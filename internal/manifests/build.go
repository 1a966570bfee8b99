package manifests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// overlay is what a Flux Kustomization adds to the kustomization.yaml of its folder.
type overlay struct {
	Components []any `json:"components"`
	Patches    []any `json:"patches"`
	// Metadata is what kustomize notes in the objects; no Flux Kustomization has it.
	Metadata []any `json:"-"`
}

// build runs kustomize on a folder, as kustomize-controller does: with what a Flux Kustomization adds.
func build(dir string, added overlay) ([]*resource.Resource, error) {
	disk := filesys.MakeFsOnDisk()
	if len(added.Components)+len(added.Patches) > 0 {
		extended, err := extend(disk, dir, added)
		if err != nil {
			return nil, err
		}
		disk = extended
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, dir)
	if err != nil {
		return nil, err
	}
	return built.Resources(), nil
}

// extended is a file system in which one file reads otherwise than on disk.
type extended struct {
	filesys.FileSystem
	file    string
	content []byte
}

func (e extended) ReadFile(name string) ([]byte, error) {
	if name == e.file {
		return e.content, nil
	}
	return e.FileSystem.ReadFile(name)
}

// extend adds an overlay to the kustomization.yaml of a folder.
func extend(disk filesys.FileSystem, dir string, added overlay) (filesys.FileSystem, error) {
	root, _, err := disk.CleanedAbs(dir)
	if err != nil {
		return nil, err
	}
	e := extended{FileSystem: disk, file: root.Join("kustomization.yaml")}
	content, err := disk.ReadFile(e.file)
	if err != nil {
		return nil, err
	}
	declared, err := parse(content)
	if err != nil {
		return nil, err
	}
	for field, more := range map[string][]any{"components": added.Components, "patches": added.Patches, "buildMetadata": added.Metadata} {
		if len(more) > 0 {
			own, _ := declared[field].([]any)
			declared[field] = append(own, more...)
		}
	}
	e.content, err = yaml.Marshal(declared)
	return e, err
}

// object is a Kubernetes object in plain values.
type object map[string]any

func (o object) apiVersion() string { return text(o, "apiVersion") }
func (o object) kind() string       { return text(o, "kind") }
func (o object) name() string       { return text(o, "metadata", "name") }
func (o object) namespace() string  { return text(o, "metadata", "namespace") }

// String names the object in messages: "Kind namespace/name".
func (o object) String() string {
	name := o.name()
	if o.namespace() != "" {
		name = o.namespace() + "/" + name
	}
	return o.kind() + " " + name
}

// value walks maps by key; nil if the path does not exist.
func value(node map[string]any, path ...string) any {
	var current any = node
	for _, key := range path {
		step, ok := current.(map[string]any)
		if !ok {
			return nil
		}
		current = step[key]
	}
	return current
}

// text is value as a string; empty if there is none.
func text(node map[string]any, path ...string) string {
	found, _ := value(node, path...).(string)
	return found
}

// typed reads an object as a type of its API. False: it is of another kind, or not readable, which the schema says.
func typed[T any](o object, kind string) (T, bool) {
	var read T
	if key(o) != kind {
		return read, false
	}
	content, err := json.Marshal(o)
	return read, err == nil && json.Unmarshal(content, &read) == nil
}

// files maps "Kind/name" to the file below dir that declares it, for messages: kustomize does not
// tell where an object came from. A name declared in several files maps to none.
func files(root, dir string) map[string]string {
	found := map[string]string{}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return nil //nolint:nilerr // kustomize reports what cannot be read; this only names files
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		for _, document := range bytes.Split(content, []byte("\n---")) {
			var declared object
			if yaml.Unmarshal(document, &declared) != nil || declared.kind() == "" {
				continue
			}
			key := declared.kind() + "/" + declared.name()
			if _, twice := found[key]; twice {
				found[key] = ""
				continue
			}
			found[key] = relative(root, path)
		}
		return nil
	})
	return found
}

// parse reads one YAML document; an empty one gives nil.
func parse(document []byte) (object, error) {
	var parsed object
	if err := yaml.Unmarshal(document, &parsed); err != nil {
		return nil, err
	}
	return parsed, nil
}

// shorten drops the machine's paths from an error of kustomize, which names files absolutely.
func shorten(err error, root string) string {
	message := err.Error()
	if absolute, absErr := filepath.Abs(root); absErr == nil {
		message = strings.ReplaceAll(message, absolute+string(filepath.Separator), "")
	}
	return message
}

// folder reports whether path is a folder with a kustomization.yaml.
func folder(path string) error {
	if _, err := os.Stat(filepath.Join(path, "kustomization.yaml")); err != nil {
		return fmt.Errorf("no kustomization.yaml")
	}
	return nil
}
