// Package schemas holds the JSON schemas that manifests are checked against: Kubernetes' own kinds
// and the custom resources of the pinned controllers.
//
// They are generated from the OpenAPI documents and CustomResourceDefinitions inside the Go modules
// that the file names (`go generate ./internal/manifests/schemas`), without descriptions, and
// committed, so that a check needs neither a network nor a cluster. What JSON schema cannot say, the
// CEL rules of a CustomResourceDefinition, only an API server checks.
package schemas

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
)

//go:generate go run k8s-plus-aws-gitops/internal/manifests/cmd/schemas -out schemas.json

//go:embed schemas.json
var file []byte

// File is the content of schemas.json.
type File struct {
	// Sources are the modules, by path, whose version the schemas were generated from.
	Sources map[string]string `json:"sources"`
	// Kinds maps "group/version/Kind" (the core group is empty: "/v1/Service") to a schema.
	Kinds map[string]map[string]any `json:"kinds"`
	// Definitions are what "#/definitions/…" references in Kinds point to.
	Definitions map[string]map[string]any `json:"definitions"`
}

// Load returns the schemas.
var Load = sync.OnceValues(func() (File, error) {
	var content File
	if err := json.Unmarshal(file, &content); err != nil {
		return File{}, fmt.Errorf("internal/manifests/schemas/schemas.json: %w; run go generate ./internal/manifests/schemas", err)
	}
	return content, nil
})

// Key names a kind in File.Kinds.
func Key(group, version, kind string) string {
	return group + "/" + version + "/" + kind
}

// Schema returns one self-contained schema: the kind's own, with the definitions that it reaches.
func (f File) Schema(key string) (map[string]any, bool) {
	root, found := f.Kinds[key]
	if !found {
		return nil, false
	}
	reached := map[string]any{}
	f.collect(root, reached)
	schema := map[string]any{}
	for name, value := range root {
		schema[name] = value
	}
	schema["definitions"] = reached
	return schema, true
}

// collect adds to reached every definition that node refers to, directly or through others.
func (f File) collect(node any, reached map[string]any) {
	switch node := node.(type) {
	case map[string]any:
		if ref, ok := node["$ref"].(string); ok {
			name := ref[len(RefPrefix):]
			if _, seen := reached[name]; !seen {
				reached[name] = f.Definitions[name]
				f.collect(f.Definitions[name], reached)
			}
		}
		for _, child := range node {
			f.collect(child, reached)
		}
	case []any:
		for _, child := range node {
			f.collect(child, reached)
		}
	}
}

// RefPrefix starts every reference inside schemas.json.
const RefPrefix = "#/definitions/"
