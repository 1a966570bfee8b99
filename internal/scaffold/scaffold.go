// Package scaffold writes an application of app-resources and k8s/apps: the second way, for what a service's file cannot say. What
// it writes can be deployed as it is, and is the user's from then on.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"k8s-plus-aws-gitops/internal/services"
)

//go:embed templates
var templates embed.FS

// list names the folders of all applications.
const list = "k8s/apps/kustomization.yaml"

// App is an application that is to be added.
type App struct {
	// Name of the application, its namespace, its host and, behind the environment's name, its stack.
	Name string
	// Image with a version.
	Image string
	// Port that the container listens on.
	Port int
	// Health is the path that answers when the application is well; empty for a plain connection.
	Health string
}

// Add writes the application's files and names it in k8s/apps. It returns the files; nothing is left of them after an error.
func Add(root string, a App) ([]string, error) {
	if err := a.check(root); err != nil {
		return nil, err
	}
	files, err := a.files()
	if err != nil {
		return nil, err
	}
	for _, place := range places(a.Name) {
		if _, err := os.Lstat(filepath.Join(root, place)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is there already; choose another name", place)
		}
	}
	before, err := os.ReadFile(filepath.Join(root, list))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", list, err)
	}
	named, err := insert(before, a.Name)
	if err != nil {
		return nil, err
	}
	if err := write(root, files); err != nil {
		return nil, errors.Join(err, drop(root, places(a.Name)))
	}
	if err := os.WriteFile(filepath.Join(root, list), named, 0o644); err != nil { //nolint:gosec // a file of the repository
		return nil, errors.Join(err, drop(root, places(a.Name)))
	}
	return append(slices.Sorted(maps.Keys(files)), list), nil
}

// Remove removes what Add wrote, whatever became of it since, and returns the paths. Data in AWS stays.
func Remove(root, name string) ([]string, error) {
	before, err := os.ReadFile(filepath.Join(root, list))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", list, err)
	}
	line := "  - " + name + "\n"
	switch {
	case slices.Contains(services.Reserved, name):
		return nil, fmt.Errorf("%s is part of the platform: its settings are in cdk.json and in other files, too", name)
	case !bytes.Contains(before, []byte("\n"+line)):
		return nil, fmt.Errorf("%s names no application %q; see what is there with `ls k8s/apps`", list, name)
	}
	golden, err := templatesOf(root, name)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(root, list), bytes.Replace(before, []byte("\n"+line), []byte("\n"), 1), 0o644); err != nil { //nolint:gosec // a file of the repository
		return nil, err
	}
	gone := append(places(name), golden...)
	return append(gone, list), drop(root, gone)
}

// templatesOf are the golden templates of an application's stacks: those of an environment, which has a network, too.
func templatesOf(root, name string) ([]string, error) {
	const dir = "testdata/templates"
	found, err := filepath.Glob(filepath.Join(root, dir, "*-"+name+".json"))
	var mine []string
	for _, file := range found {
		base := filepath.Base(file)
		if _, err := os.Stat(filepath.Join(root, dir, strings.TrimSuffix(base, name+".json")+"network.json")); err == nil {
			mine = append(mine, path.Join(dir, base))
		}
	}
	return mine, err
}

// places are what belongs to an application alone.
func places(name string) []string {
	return []string{"app-resources/" + name + ".go", "app-resources/" + name + "_test.go", "docs/addons/" + name + ".md", "k8s/apps/" + name}
}

func drop(root string, places []string) error {
	var problems []error
	for _, place := range places {
		problems = append(problems, os.RemoveAll(filepath.Join(root, place)))
	}
	return errors.Join(problems...)
}

// check holds name, image, port and health to what holds for a service that has the same: it would have the same names in AWS
// and the same host.
func (a App) check(root string) error {
	fleet, err := services.Load(root)
	if err != nil {
		return err
	}
	if s, taken := fleet.Service(a.Name); taken {
		return fmt.Errorf("%s is a service of this name; both would be the stack <environment>-%s", s.File, a.Name)
	}
	file := path.Join(services.FilesDir, a.Name+".yaml")
	files := map[string][]byte{file: services.New{Name: a.Name, Image: a.Image, Port: a.Port, Health: a.Health, Host: a.Name, Database: services.MySQL, Bucket: true}.File()}
	for _, s := range fleet.Services {
		if files[s.File], err = os.ReadFile(filepath.Join(root, s.File)); err != nil {
			return err
		}
	}
	_, problems := services.ParseAll(files, fleet.Clusters)
	var wrong []error
	for _, p := range problems {
		switch {
		case p.File == file && p.Path == "":
			wrong = append(wrong, fmt.Errorf("%s: %s", a.Name, p.What))
		case p.File == file:
			wrong = append(wrong, fmt.Errorf("%s: %s %s; %s", a.Name, p.Path, p.What, p.Remedy))
		case strings.HasSuffix(p.Path, "host"): // whichever of both files comes second has it
			wrong = append(wrong, fmt.Errorf("%s: %s is the host of a service already: %s", a.Name, a.Name, p.File))
		}
	}
	return errors.Join(wrong...)
}

// files are the application's, by path. Go code is as gofmt has it.
func (a App) files() (map[string][]byte, error) {
	words := strings.FieldsFunc(a.Name, func(r rune) bool { return r == '-' })
	for i, word := range words {
		words[i] = strings.ToUpper(word[:1]) + word[1:]
	}
	values := map[string]any{
		"Name": a.Name, "Title": strings.Join(words, " "), "Go": strings.Join(words, ""), "Image": a.Image, "Port": a.Port, "Health": a.Health,
		"Database": services.DatabaseName(a.Name), "Bucket": services.BucketThing, "Variables": services.DatabaseVariables,
		// A start may take a minute.
		"Probes": map[string]int{"readinessProbe": 3, "startupProbe": 12},
	}
	targets := map[string]string{"app.go": "app-resources/" + a.Name + ".go", "app_test.go": "app-resources/" + a.Name + "_test.go", "docs.md": "docs/addons/" + a.Name + ".md"}
	parsed, err := template.ParseFS(templates, "templates/*.tmpl", "templates/k8s/*.tmpl")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, t := range parsed.Templates() {
		var out bytes.Buffer
		if err := t.Execute(&out, values); err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(t.Name(), ".tmpl")
		target, elsewhere := targets[name]
		if !elsewhere {
			target = path.Join("k8s/apps", a.Name, name)
		}
		content := out.Bytes()
		if path.Ext(name) == ".go" {
			if content, err = format.Source(content); err != nil {
				return nil, fmt.Errorf("%s: %w", target, err)
			}
		}
		files[target] = content
	}
	return files, nil
}

func write(root string, files map[string][]byte) error {
	for name, content := range files {
		target := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, content, 0o644); err != nil { //nolint:gosec // a file of the repository
			return err
		}
	}
	return nil
}

// insert names a folder among the resources, in order, and leaves the rest as it is.
func insert(kustomization []byte, name string) ([]byte, error) {
	var lines []string
	within, done := false, false
	entry := "  - " + name + "\n"
	for line := range strings.Lines(string(kustomization)) {
		item := strings.HasPrefix(line, "  - ")
		if within && !done && (item && line > entry || !strings.HasPrefix(line, "  ")) {
			lines, done = append(lines, entry), true
		}
		if strings.TrimRight(line, " \n") == "resources:" {
			within = true
		}
		lines = append(lines, line)
	}
	switch {
	case !within:
		return nil, fmt.Errorf("%s: has no list resources; add one with ghost", list)
	case !done:
		lines = append(lines, entry)
	}
	return []byte(strings.Join(lines, "")), nil
}
