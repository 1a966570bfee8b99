package main

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/awsdata"
)

// used is what templates name.
type used struct {
	types   map[string]bool
	actions map[string]bool // or patterns of them
}

// scan collects the types and the policies' actions of the templates that a pattern of file names matches.
func scan(pattern string) (used, error) {
	found := used{types: map[string]bool{}, actions: map[string]bool{}}
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		return found, fmt.Errorf("--templates %s: no file: %w", pattern, err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return found, err
		}
		var template struct {
			Resources map[string]struct {
				Type       string
				Properties any
			}
		}
		if err := json.Unmarshal(content, &template); err != nil {
			return found, fmt.Errorf("%s: %w", name, err)
		}
		for _, r := range template.Resources {
			found.types[r.Type] = true
			collect(r.Properties, found.actions)
		}
	}
	return found, nil
}

// collect finds the actions of all statements below value; statements of buckets and keys as of roles.
func collect(value any, actions map[string]bool) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			collect(item, actions)
		}
	case map[string]any:
		if v["Effect"] != nil {
			list, ok := v["Action"].([]any)
			if !ok {
				list = []any{v["Action"]}
			}
			for _, a := range list {
				if name, ok := a.(string); ok && !strings.HasSuffix(name, ":*") {
					actions[name] = true
				}
			}
		}
		for _, item := range v {
			collect(item, actions)
		}
	}
}

// schema is what this command reads of a resource schema.
type schema struct {
	TypeName                        string
	PrimaryIdentifier               []string
	AdditionalIdentifiers           [][]string
	CreateOnlyProperties            []string
	ConditionalCreateOnlyProperties []string
	ReadOnlyProperties              []string
	Properties                      map[string]any
	Handlers                        map[string]struct{ Permissions []string }
}

// extra is an entry of the supplement.
type extra struct {
	Reason     string
	Handlers   map[string][]string
	CreateOnly []string
}

// readTypes reads the schemas of the named types and adds the supplement to them.
func readTypes(source, supplement string, names map[string]bool) (map[string]awsdata.Resource, error) {
	content, err := os.ReadFile(supplement)
	if err != nil {
		return nil, err
	}
	var extras map[string]extra
	if err := json.Unmarshal(content, &extras); err != nil {
		return nil, fmt.Errorf("%s: %w", supplement, err)
	}
	files, closeFiles, err := open(source)
	if err != nil {
		return nil, err
	}
	defer closeFiles()
	types := map[string]awsdata.Resource{}
	for name := range names {
		if strings.HasPrefix(name, "Custom::") {
			name = "AWS::CloudFormation::CustomResource"
		}
		more, supplemented := extras[name]
		file := strings.ToLower(strings.ReplaceAll(name, "::", "-")) + ".json"
		content, err := fs.ReadFile(files, file)
		if err != nil && !supplemented {
			return nil, fmt.Errorf("--schemas %s: no schema of %s (%s), and none in %s", source, name, file, supplement)
		}
		var s schema
		if err == nil {
			if err := json.Unmarshal(content, &s); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		if s.Handlers == nil && !supplemented {
			return nil, fmt.Errorf("the schema of %s has no handlers: write them, with a reason, into %s", name, supplement)
		}
		types[name] = resource(s, more)
	}
	return types, nil
}

// open opens a directory or a zip.
func open(source string) (fs.FS, func(), error) {
	if strings.HasSuffix(source, ".zip") {
		archive, err := zip.OpenReader(source)
		if err != nil {
			return nil, nil, fmt.Errorf("--schemas %s: %w", source, err)
		}
		return archive, func() { archive.Close() }, nil
	}
	return os.DirFS(source), func() {}, nil
}

// resource joins a schema and its supplement.
func resource(s schema, more extra) awsdata.Resource {
	r := awsdata.Resource{
		PrimaryIdentifier:     paths(s.PrimaryIdentifier, false),
		CreateOnly:            sorted(append(paths(s.CreateOnlyProperties, true), more.CreateOnly...)),
		ConditionalCreateOnly: paths(s.ConditionalCreateOnlyProperties, true),
		Properties:            slices.Sorted(maps.Keys(s.Properties)),
		ReadOnly:              paths(s.ReadOnlyProperties, true),
		Handlers:              map[string][]string{},
	}
	for _, list := range s.AdditionalIdentifiers {
		r.AdditionalIdentifiers = append(r.AdditionalIdentifiers, paths(list, false))
	}
	for handler, h := range s.Handlers {
		for _, action := range h.Permissions {
			service, name, _ := strings.Cut(action, ":")
			r.Handlers[handler] = append(r.Handlers[handler], strings.ToLower(service)+":"+name)
		}
	}
	for handler, actions := range more.Handlers {
		r.Handlers[handler] = append(r.Handlers[handler], actions...)
	}
	for handler := range r.Handlers {
		r.Handlers[handler] = sorted(r.Handlers[handler])
	}
	return r
}

// paths shortens JSON pointers to properties; the order of an identifier stays.
func paths(pointers []string, sort bool) []string {
	var short []string
	for _, p := range pointers {
		short = append(short, strings.TrimPrefix(p, "/properties/"))
	}
	if sort {
		return sorted(short)
	}
	return short
}

// sorted sorts a list and drops what is in it twice.
func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// write writes the table with one type or action a line, so that a renewal can be reviewed.
func write(name string, table awsdata.Table) error {
	var b strings.Builder
	b.WriteString("{\n")
	fmt.Fprintf(&b, "%q: %q,\n\"sources\": ", "date", table.Date)
	for _, part := range []struct {
		name  string
		value any
	}{{"", table.Sources}, {"unknown", table.Unknown}} {
		if part.name != "" {
			fmt.Fprintf(&b, "%q: ", part.name)
		}
		text, err := json.Marshal(part.value)
		if err != nil {
			return err
		}
		b.Write(text)
		b.WriteString(",\n")
	}
	if err := lines(&b, "types", table.Types); err != nil {
		return err
	}
	b.WriteString(",\n")
	if err := lines(&b, "actions", table.Actions); err != nil {
		return err
	}
	b.WriteString(",\n")
	if err := lines(&b, "arns", table.ARNs); err != nil {
		return err
	}
	b.WriteString("\n}\n")
	return os.WriteFile(name, []byte(b.String()), 0o644)
}

// lines writes a map with one key a line.
func lines[T any](b *strings.Builder, name string, values map[string]T) error {
	fmt.Fprintf(b, "%q: ", name)
	return entriesOf(b, values)
}

// entriesOf writes an object with one key a line.
func entriesOf[T any](b *strings.Builder, values map[string]T) error {
	b.WriteString("{")
	for i, key := range slices.Sorted(maps.Keys(values)) {
		text, err := json.Marshal(values[key])
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(b, "\n%q: %s", key, text)
	}
	b.WriteString("}")
	return nil
}
