package manifests

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	kresource "github.com/yannh/kubeconform/pkg/resource"
	"github.com/yannh/kubeconform/pkg/validator"

	"k8s-plus-aws-gitops/internal/manifests/schemas"
)

// schemaValidator validates objects with kubeconform against the committed schemas. kubeconform reads
// schemas from files, so those that are needed are written to a scratch folder first.
type schemaValidator struct {
	dir       string
	content   schemas.File
	validator validator.Validator
}

func newValidator() (*schemaValidator, error) {
	content, err := schemas.Load()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "schemas-")
	if err != nil {
		return nil, fmt.Errorf("scratch folder for schemas: %w; make room in %s", err, os.TempDir())
	}
	location := filepath.Join(dir, "{{ .Group }}_{{ .ResourceAPIVersion }}_{{ .ResourceKind }}.json")
	kubeconform, err := validator.New([]string{location}, validator.Opts{Strict: true})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return &schemaValidator{dir: dir, content: content, validator: kubeconform}, nil
}

func (v *schemaValidator) close() { _ = os.RemoveAll(v.dir) }

// unknownKindError is an object whose kind has no schema.
type unknownKindError struct{ apiVersion, kind string }

func (e unknownKindError) Error() string {
	return "there is no schema for " + e.apiVersion + " " + e.kind
}

// finding is one line of kubeconform's message: the field's path and what is wrong with it.
var finding = regexp.MustCompile(`- at '([^']*)': (.*?)(?:\s+- at |$)`)

// validate returns what the schema refuses, one message per field with its path; the error is an
// unknownKindError, or one that prevented the check.
func (v *schemaValidator) validate(o object) ([]string, error) {
	if err := v.prepare(o); err != nil {
		return nil, err
	}
	content, err := json.Marshal(withoutNulls(map[string]any(o)))
	if err != nil {
		return nil, err
	}
	result := v.validator.ValidateResource(kresource.Resource{Bytes: content})
	switch result.Status {
	case validator.Valid:
		return nil, nil
	case validator.Invalid:
		return findings(result.Err.Error()), nil
	default:
		return nil, result.Err
	}
}

// findings splits kubeconform's message, whose order changes from run to run.
func findings(message string) []string {
	var found []string
	for rest := message; ; {
		at := finding.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		path, what := rest[at[2]:at[3]], strings.TrimSpace(rest[at[4]:at[5]])
		if !strings.HasSuffix(what, "failed") {
			found = append(found, cmp.Or(strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "."), "the object")+": "+what)
		}
		rest = rest[at[5]:]
	}
	if len(found) == 0 {
		return []string{message}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// prepare writes the schema of the object's kind where kubeconform looks for it.
func (v *schemaValidator) prepare(o object) error {
	group, version, found := strings.Cut(o.apiVersion(), "/")
	file := group
	if !found {
		group, version = "", group
	}
	if o.kind() == "" || version == "" {
		return fmt.Errorf("apiVersion or kind is missing")
	}
	schema, ok := v.content.Schema(schemas.Key(group, version, o.kind()))
	if !ok {
		return unknownKindError{o.apiVersion(), o.kind()}
	}
	path := filepath.Join(v.dir, file+"_"+version+"_"+strings.ToLower(o.kind())+".json")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	content, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// withoutNulls drops fields whose value is null, as an API server does.
func withoutNulls(node any) any {
	switch node := node.(type) {
	case map[string]any:
		kept := make(map[string]any, len(node))
		for key, child := range node {
			if child != nil {
				kept[key] = withoutNulls(child)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(node))
		for i, child := range node {
			kept[i] = withoutNulls(child)
		}
		return kept
	default:
		return node
	}
}
