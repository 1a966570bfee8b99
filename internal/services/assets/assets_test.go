package assets

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// checkout is a repository with files, none of them committed.
func checkout(t *testing.T, files map[string]string) string {
	t.Helper()
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	root := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", root).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	for name, content := range files {
		put(t, root, name, content)
	}
	return root
}

func release(t *testing.T, files map[string]string) Release {
	t.Helper()
	r, err := Read(t.Context(), "npm", filepath.Join(checkout(t, files), "assets"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRead(t *testing.T) {
	r := release(t, map[string]string{
		".gitignore": "*.tmp\n", "assets/index.html": "<p>", "assets/css/ü b.css": "p {}", "assets/.well-known/x": "", "assets/left.tmp": "x", "elsewhere": "x",
	})
	var got []string
	for _, f := range r.Files {
		got = append(got, f.Path+" "+f.Type)
	}
	want := []string{".well-known/x application/octet-stream", "css/ü b.css text/css; charset=utf-8", "index.html text/html; charset=utf-8"}
	if !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if !IsDigest(r.Digest) || r.Prefix("services/") != "services/npm/"+r.Digest || r.Files[2].Size != 3 {
		t.Errorf("%+v", r)
	}
}

// The name of a release is that of its content, on every machine and in every order.
func TestDigest(t *testing.T) {
	base := map[string]string{"assets/a.css": "1", "assets/b/c.js": "2"}
	first := release(t, base).Digest
	if again := release(t, base).Digest; again != first {
		t.Errorf("%s, then %s", first, again)
	}
	seen := map[string]string{first: "the same"}
	for name, files := range map[string]map[string]string{
		"content":  {"assets/a.css": "2", "assets/b/c.js": "2"},
		"name":     {"assets/a2.css": "1", "assets/b/c.js": "2"},
		"type":     {"assets/a.txt": "1", "assets/b/c.js": "2"},
		"less":     {"assets/a.css": "1"},
		"more":     {"assets/a.css": "1", "assets/b/c.js": "2", "assets/d": ""},
		"exchange": {"assets/a.css": "2", "assets/b/c.js": "1"},
	} {
		digest := release(t, files).Digest
		if other, taken := seen[digest]; taken {
			t.Errorf("%s: the digest is that of %s", name, other)
		}
		seen[digest] = name
	}
}

func TestNoFiles(t *testing.T) {
	for name, files := range map[string]map[string]string{"no folder": {"x": ""}, "ignored": {".gitignore": "x\n", "assets/x": ""}} {
		if r := release(t, files); r.Digest != "" || len(r.Files) > 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	// Committed, and removed since.
	root := checkout(t, map[string]string{"assets/a": "1", "assets/b": "2"})
	if out, err := exec.Command("git", "-C", root, "add", ".").CombinedOutput(); err != nil {
		t.Fatalf("git add: %v: %s", err, out)
	}
	if err := os.Remove(filepath.Join(root, "assets", "a")); err != nil {
		t.Fatal(err)
	}
	if r, err := Read(t.Context(), "npm", filepath.Join(root, "assets")); err != nil || len(r.Files) != 1 || r.Files[0].Path != "b" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRefused(t *testing.T) {
	root := checkout(t, map[string]string{"assets/a": "1", "other": "2"})
	if err := os.Symlink("/etc/hosts", filepath.Join(root, "assets", "link")); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{"assets": "link must be a regular file", "other": "must be a folder"} {
		if _, err := Read(t.Context(), "npm", filepath.Join(root, dir)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", dir, err, want)
		}
	}
	put(t, filepath.Join(root, ".git"), "HEAD", "")
	if _, err := Read(t.Context(), "npm", filepath.Join(root, "assets")); err == nil || !strings.Contains(err.Error(), "git ls-files") {
		t.Errorf("in a repository that is broken: %v", err)
	}
}

// An export has the files of its commit and no repository; the release is the same.
func TestExport(t *testing.T) {
	files := map[string]string{"assets/b/c.js": "2", "assets/a.css": "1"}
	root := t.TempDir()
	for name, content := range files {
		put(t, root, name, content)
	}
	exported, err := Read(t.Context(), "npm", filepath.Join(root, "assets"))
	if want := release(t, files); err != nil || exported.Digest != want.Digest || len(exported.Files) != 2 {
		t.Errorf("%+v, %v, want %s", exported, err, want.Digest)
	}
}

func put(t *testing.T, root, name, content string) {
	t.Helper()
	target := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNamed(t *testing.T) {
	a, b := strings.Repeat("a", digestLength), strings.Repeat("0", digestLength)
	text := "env:\n- value: services/npm/" + a + "\n- value: services/npm/" + b + "/x.css\n- value: services/npmx/" + a + "\n- value: services/npm/short\n"
	if got := Named("services/", "npm", []byte(text)); !slices.Equal(got, []string{a, b}) {
		t.Errorf("%q", got)
	}
	for text, want := range map[string]bool{a: true, b: true, a[1:]: false, a[1:] + "g": false, a + "a": false, "": false} {
		if IsDigest(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}
