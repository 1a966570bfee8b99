package forks

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
)

// programs are what `make check` builds. All forks have the same Go code, so one build serves them.
var programs = []string{"bin/app", "bin/gitops", "bin/services"}

var buildOnce = sync.OnceValues(func() ([]byte, error) {
	cmd := exec.Command("make", append([]string{"--silent"}, programs...)...)
	cmd.Dir = "../.."
	return cmd.CombinedOutput()
})

// fork is a copy of the repository with the fixture's configuration, which is edited as a new user would.
type fork struct {
	t   *testing.T
	dir string
}

// newFork copies everything that is not ignored by Git. Without a .git it is as the source artifact of a pipeline.
func newFork(t *testing.T) fork {
	t.Helper()
	f := fork{t: t, dir: filepath.Join(t.TempDir(), "platform")}
	root := fixture.Root(t)
	ignored := ignores(t, root)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		switch {
		case err != nil:
			return err
		case ignored(filepath.ToSlash(relative)) && entry.IsDir():
			return fs.SkipDir
		case ignored(filepath.ToSlash(relative)) || !entry.IsDir() && !entry.Type().IsRegular():
			return nil
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(f.dir, relative), 0o755)
		}
		return copyFile(name, filepath.Join(f.dir, relative))
	})
	if err != nil {
		t.Fatal(err)
	}
	fixture.Write(t, f.dir)
	if err := os.Symlink(filepath.Join(root, "node_modules"), filepath.Join(f.dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return f
}

// ignores reads the anchored patterns of .gitignore.
func ignores(t *testing.T, root string) func(name string) bool {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) bool {
		if name == ".git" || path.Ext(name) == ".test" {
			return true
		}
		for line := range strings.Lines(string(content)) {
			pattern, anchored := strings.CutPrefix(strings.TrimSpace(line), "/")
			if match, err := path.Match(strings.TrimSuffix(pattern, "/"), name); anchored && err == nil && match {
				return true
			}
		}
		return false
	}
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode().Perm())
}

// build puts the programs into the fork. They come last, so that make finds them up to date.
func (f fork) build() {
	f.t.Helper()
	if out, err := buildOnce(); err != nil {
		f.t.Fatalf("make %v: %v\n%s", programs, err, out)
	}
	if err := os.MkdirAll(filepath.Join(f.dir, "bin"), 0o755); err != nil {
		f.t.Fatal(err)
	}
	for _, name := range programs {
		if err := copyFile(filepath.Join("../..", name), filepath.Join(f.dir, name)); err != nil {
			f.t.Fatal(err)
		}
	}
}

// run runs a command in the fork and returns what it said.
func (f fork) run(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(f.t.Context(), name, args...)
	cmd.Dir = f.dir
	// The node of package.json comes first, as in the Makefile: the system's may be too old for jsii.
	path := filepath.Join(f.dir, "node_modules/.bin") + string(os.PathListSeparator) + os.Getenv("PATH")
	cmd.Env = append(os.Environ(), "PATH="+path, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CEILING_DIRECTORIES="+filepath.Dir(f.dir))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is run for what may not fail.
func (f fork) must(name string, args ...string) {
	f.t.Helper()
	if out, err := f.run(name, args...); err != nil {
		f.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// commit makes the fork a Git repository with one commit.
func (f fork) commit() {
	f.t.Helper()
	f.must("git", "init", "--quiet", "--initial-branch", "trunk")
	f.must("git", "add", "--all")
	f.must("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "Fork")
}

// remove removes files of the fork.
func (f fork) remove(names ...string) {
	f.t.Helper()
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(f.dir, name)); err != nil {
			f.t.Fatal(err)
		}
	}
}

// put writes a file of the fork.
func (f fork) put(name, content string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// replace changes a text that a file of the fork has.
func (f fork) replace(name, old, now string) {
	f.t.Helper()
	content, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil || !bytes.Contains(content, []byte(old)) {
		f.t.Fatalf("%s: has no %q: %v", name, old, err)
	}
	f.put(name, string(bytes.ReplaceAll(content, []byte(old), []byte(now))))
}

// object is a JSON object.
type object = map[string]any

// configure edits context.gitops of cdk.json.
func (f fork) configure(edit func(gitops object)) {
	f.t.Helper()
	name := filepath.Join(f.dir, "cdk.json")
	content, err := os.ReadFile(name)
	if err != nil {
		f.t.Fatal(err)
	}
	var file object
	if err := json.Unmarshal(content, &file); err != nil {
		f.t.Fatal(err)
	}
	edit(file["context"].(object)["gitops"].(object))
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(file); err != nil {
		f.t.Fatal(err)
	}
	f.put("cdk.json", out.String())
}

// environments edits every environment but local, which is no one's account.
func (f fork) environments(edit func(name string, env object)) {
	f.t.Helper()
	f.configure(func(gitops object) {
		for name, env := range gitops["environments"].(object) {
			if name != "local" {
				edit(name, env.(object))
			}
		}
	})
}
