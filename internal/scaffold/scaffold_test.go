package scaffold

import (
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/manifests/pinned"
)

var store = App{Name: "web-store", Image: "ghcr.io/my-company/store:1.0.0", Port: 3000, Health: "/healthz"}

// tree is a repository as far as Add and Remove read it.
func tree(t *testing.T) string {
	t.Helper()
	root := fixture.Tree(t)
	put(t, root, "app-resources/queue.go", "package appresources\n")
	return root
}

func put(t *testing.T, root, name, text string) {
	t.Helper()
	target := filepath.Join(root, name)
	err := os.MkdirAll(filepath.Dir(target), 0o700)
	if err == nil {
		err = os.WriteFile(target, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// snapshot is every file with its content.
func snapshot(t *testing.T, root string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		all.WriteString(name + "\n" + string(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// An application has the files that Ghost has, is valid in every environment, and leaves nothing behind.
func TestAddAndRemove(t *testing.T) {
	repository := fixture.Root(t)
	root := tree(t)
	before := snapshot(t, root)
	files, err := Add(root, store)
	if err != nil {
		t.Fatal(err)
	}
	ghost, err := filepath.Glob(filepath.Join(repository, "k8s/apps/ghost/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range ghost {
		if own := "k8s/apps/web-store/" + filepath.Base(file); !slices.Contains(files, own) {
			t.Errorf("%s is missing, which Ghost has", own)
		}
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), "{{.") || strings.Contains(strings.ToLower(string(content)), "ghost") && file != list {
			t.Errorf("%s:\n%s", file, content)
		}
		if formatted, err := format.Source(content); filepath.Ext(file) == ".go" && (err != nil || string(formatted) != string(content)) {
			t.Errorf("%s is not as gofmt has it: %v", file, err)
		}
	}
	valid(t, root, repository)

	put(t, root, "testdata/templates/dev-network.json", "{}")
	put(t, root, "testdata/templates/dev-web-store.json", "{}")
	put(t, root, "testdata/templates/dev-my-web-store.json", "{}") // of another application
	if _, err := Remove(root, "web-store"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "testdata/templates/dev-my-web-store.json")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(root, "testdata/templates/dev-web-store.json")); err == nil {
		t.Error("the golden template stays")
	}
	if err := os.RemoveAll(filepath.Join(root, "testdata")); err != nil {
		t.Fatal(err)
	}
	if after := snapshot(t, root); after != before {
		t.Error("adding and removing changes the repository")
	}
}

// valid holds the manifests to their schemas, with every variable.
func valid(t *testing.T, root, repository string) {
	t.Helper()
	t.Setenv("GOPROXY", "off")
	charts := manifests.ModuleCharts(repository)
	for _, chart := range pinned.Charts() {
		if _, err := charts(manifests.Chart{Name: chart}); err != nil {
			t.Logf("the manifests are not validated: %s is not in the module cache", chart)
			return
		}
	}
	problems, err := manifests.Check(t.Context(), manifests.Options{Root: root, Charts: charts})
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Error(problem)
	}
}

// What cannot be is refused before anything is written.
func TestRefused(t *testing.T) {
	root := tree(t)
	put(t, root, "k8s/apps/taken/kustomization.yaml", "resources: []\n")
	before := snapshot(t, root)
	for want, edit := range map[string]func(a *App){
		"k8s/services/orders.yaml is a service of this name":                    func(a *App) { a.Name = "orders" },
		"app-resources/queue.go is there already":                               func(a *App) { a.Name = "queue" },
		"k8s/apps/taken is there already":                                       func(a *App) { a.Name = "taken" },
		`must not have a name of the platform, got "ghost"`:                     func(a *App) { a.Name = "ghost" },
		`lower case letters, digits and hyphens, starting with a letter, got "`: func(a *App) { a.Name = "Web_Store" },
		"must have a name of at most":                                           func(a *App) { a.Name = strings.Repeat("a", 40) },
		"image must be pinned":                                                  func(a *App) { a.Image = "nginx" },
		"port must be from 1024 to 65535, got 80":                               func(a *App) { a.Port = 80 },
		"health.path": func(a *App) { a.Health = "healthz" },
	} {
		a := store
		edit(&a)
		if _, err := Add(root, a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %s", a, err, want)
		}
	}
	put(t, root, "k8s/services/github.yaml", "image: a/b:1\nport: 8080\nhost: web-store\n")
	if _, err := Add(root, store); err == nil || !strings.Contains(err.Error(), "host") {
		t.Errorf("the host of a service: %v", err)
	}
	for name, want := range map[string]string{"ghost": "part of the platform", "web-store": "names no application"} {
		if _, err := Remove(root, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("removing %s: %v, want %s", name, err, want)
		}
	}
	put(t, root, "k8s/services/github.yaml", string(mustRead(t, filepath.Join(fixture.Dir(t), "k8s/services/github.yaml"))))
	if snapshot(t, root) != before {
		t.Error("a refusal changes the repository")
	}
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestInsert(t *testing.T) {
	for before, want := range map[string]string{
		"a: b\nresources:\n  - ghost\n":                       "a: b\nresources:\n  - ghost\n  - store\n",
		"resources:\n  # first\n  - ghost\n  - web\na: b\n":   "resources:\n  # first\n  - ghost\n  - store\n  - web\na: b\n",
		"resources:\n  - alpha\nlabels:\n  - pairs: {a: b}\n": "resources:\n  - alpha\n  - store\nlabels:\n  - pairs: {a: b}\n",
	} {
		if got, err := insert([]byte(before), "store"); err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v, want %q", before, got, err, want)
		}
	}
	if _, err := insert([]byte("resources: []\n"), "store"); err == nil || !strings.Contains(err.Error(), "has no list resources") {
		t.Errorf("an empty list in brackets: %v", err)
	}
}
