package config

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/golden"
)

// docsHead is what docs/configuration.md says before its tables.
const docsHead = `# Configuration

<!-- Written by "go test ./config -update" from the comments in config/*.go. Change those. -->

Everything is in one file, ` + "`cdk.json`, under `context.gitops`" + `. Only the keys marked *required* have no default. Unknown keys,
wrong types and impossible combinations are reported all at once, one line each with the JSON path and the remedy, before
anything is synthesized.

The smallest configuration:

` + "```json" + `
{
  "context": {
    "gitops": {
      "repository": {"owner": "my-company", "name": "platform"},
      "environments": {
        "dev": {"account": "111111111111", "region": "eu-west-1", "domain": "dev.example.com", "branch": "main"}
      }
    }
  }
}
` + "```" + `

Each environment also needs its entry point for Flux, ` + "`k8s/clusters/<name>`" + `. To work with some environments only, name them:
` + "`cdk synth -c env=dev,integration`" + `.

A private Git repository needs ` + "`repository.credentials`" + ` and, for each environment, one secret in Secrets Manager before the first
deployment: [private repositories and private clusters](guides/private.md).
`

// docs/configuration.md has a table for each struct: key, type, default, meaning and example of each field.
func TestDocs(t *testing.T) {
	comments := fieldComments(t)
	var text strings.Builder
	text.WriteString(docsHead)
	section(t, &text, comments, reflect.TypeFor[Config](), "gitops")
	versions(&text)
	golden.Compare(t, "../docs/configuration.md", []byte(text.String()))
}

// versions writes the table of the Kubernetes versions.
func versions(text *strings.Builder) {
	rows := []struct {
		name string
		cell func(Kubernetes) string
	}{
		{"End of standard support", func(k Kubernetes) string { return k.EndOfSupport }},
		{"Nodes' image", func(k Kubernetes) string { return code(k.Nodes) }},
	}
	minors := KubernetesVersions()
	for _, name := range slices.Sorted(maps.Keys(kubernetes.Minors[minors[0]].Addons)) {
		rows = append(rows, struct {
			name string
			cell func(Kubernetes) string
		}{code(name), func(k Kubernetes) string { return code(k.Addons[name]) }})
	}
	rows = append(rows, struct {
		name string
		cell func(Kubernetes) string
	}{"Checked on", func(k Kubernetes) string { return k.Checked }})
	layer := KubectlLayer()
	fmt.Fprintf(text, "\n## Kubernetes versions\n\nFrom `config/kubernetes.json`. The bootstrap's kubectl is %s, which talks to one minor version more and one less.\n"+
		"The versions are those of the sources that the file names; none of them was tried on AWS. `hack/eks-versions` prints what AWS offers today.\n\n| |", layer.Kubectl)
	for _, name := range minors {
		fmt.Fprintf(text, " %s |", name)
	}
	text.WriteString("\n|---|" + strings.Repeat("---|", len(minors)) + "\n")
	for _, row := range rows {
		fmt.Fprintf(text, "| %s |", row.name)
		for _, name := range minors {
			fmt.Fprintf(text, " %s |", row.cell(kubernetes.Minors[name]))
		}
		text.WriteString("\n")
	}
}

// section writes the table of a struct, then those of the structs in it.
func section(t *testing.T, text *strings.Builder, comments map[string]string, s reflect.Type, path string) {
	t.Helper()
	fmt.Fprintf(text, "\n## `%s`\n\n%s\n\n| Key | Type | Default | Meaning | Example |\n|---|---|---|---|---|\n", path, comments[s.Name()])
	var parts []reflect.StructField
	for i := range s.NumField() {
		f := s.Field(i)
		key := f.Tag.Get("json")
		if key == "-" {
			continue
		}
		comment := comments[s.Name()+"."+f.Name]
		if comment == "" {
			t.Errorf("%s.%s has no comment", s.Name(), f.Name)
		}
		fmt.Fprintf(text, "| `%s` | %s | %s | %s | %s |\n", key, typeName(f.Type), defaultOf(f), comment, code(f.Tag.Get("example")))
		if element(f.Type).Kind() == reflect.Struct {
			parts = append(parts, f)
		}
	}
	for _, f := range parts {
		name := path + "." + f.Tag.Get("json")
		switch f.Type.Kind() {
		case reflect.Map:
			name += ".<name>"
		case reflect.Slice:
			name += "[]"
		}
		section(t, text, comments, element(f.Type), name)
	}
}

// element is the type behind pointers, maps and lists.
func element(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Map || t.Kind() == reflect.Slice {
		return t.Elem()
	}
	return t
}

// typeName is the JSON type of a field.
func typeName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct:
		return "object"
	case reflect.Map:
		return "object by name"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return "list of objects"
		}
		return "list of strings"
	case reflect.Int:
		return "number"
	case reflect.Bool:
		return "boolean"
	default:
		return "string"
	}
}

// defaultOf says what a field is when its key is absent.
func defaultOf(f reflect.StructField) string {
	value, ok := f.Tag.Lookup("default")
	switch {
	case f.Tag.Get("required") != "", f.Name == "Repository", f.Name == "Environments":
		return "*required*"
	case ok && f.Type.Kind() == reflect.String:
		return code(`"` + value + `"`)
	case ok:
		return code(value)
	case f.Type.Kind() == reflect.Struct:
		return "see below"
	default:
		return ""
	}
}

// code quotes a cell.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}

// fieldComments reads the comments of types and fields from the source.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	comments := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		addComments(comments, file)
	}
	return comments
}

// addComments adds the comments of the types and fields in a file.
func addComments(comments map[string]string, file *ast.File) {
	for _, declaration := range file.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok || general.Tok != token.TYPE {
			continue
		}
		for _, spec := range general.Specs {
			typed := spec.(*ast.TypeSpec)
			comments[typed.Name.Name] = oneLine(general.Doc)
			structure, ok := typed.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, field := range structure.Fields.List {
				for _, name := range field.Names {
					comments[typed.Name.Name+"."+name.Name] = oneLine(field.Doc)
				}
			}
		}
	}
}

// oneLine is a comment as the text of a cell. Placeholders keep their angle brackets only inside code.
func oneLine(group *ast.CommentGroup) string {
	if group == nil {
		return ""
	}
	return strings.Join(strings.Fields(group.Text()), " ")
}
