package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(environ(), "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@t", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@t", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkout makes a repository with one commit, and an empty bare one.
func checkout(t *testing.T) (repo, bare string) {
	t.Helper()
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	dir := t.TempDir()
	repo, bare = filepath.Join(dir, "repo"), filepath.Join(dir, "platform.git")
	run(t, dir, "git", "init", "-q", "-b", "feature", repo)
	run(t, dir, "git", "init", "-q", "--bare", "-b", "main", bare)
	write(t, repo, ".gitignore", "/bin/\n")
	write(t, repo, "k8s/app.yaml", "a: 1\n")
	write(t, repo, "main.go", "package main\n")
	write(t, repo, "gone.txt", "x\n")
	run(t, repo, "git", "add", ".")
	run(t, repo, "git", "commit", "-q", "-m", "first")
	return repo, bare
}

func TestSeedOnce(t *testing.T) {
	repo, bare := checkout(t)
	for i, want := range []bool{true, false} {
		got, err := Seed(t.Context(), repo, bare)
		if err != nil || got != want {
			t.Fatalf("%d: got %v, %v", i, got, err)
		}
	}
	head, err := Head(t.Context(), bare)
	if err != nil || head != run(t, repo, "git", "rev-parse", "HEAD") {
		t.Errorf("head %s, %v", head, err)
	}
}

func TestSeedRefuses(t *testing.T) {
	repo, bare := checkout(t)
	empty := t.TempDir()
	run(t, empty, "git", "init", "-q")
	for name, c := range map[string]struct{ dir, want string }{
		"no checkout": {t.TempDir(), "not a git checkout"},
		"no commit":   {empty, "has no commit yet"},
		"a subfolder": {filepath.Join(repo, "k8s"), "top folder"},
	} {
		if _, err := Seed(t.Context(), c.dir, bare); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSeedShallow(t *testing.T) {
	repo, bare := checkout(t)
	write(t, repo, "k8s/app.yaml", "a: 2\n")
	run(t, repo, "git", "commit", "-qam", "second")
	shallow := filepath.Join(t.TempDir(), "shallow")
	run(t, repo, "git", "clone", "-q", "--depth", "1", "file://"+repo, shallow)
	if ok, err := Seed(t.Context(), shallow, bare); err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	write(t, shallow, "k8s/app.yaml", "a: 3\n")
	b := Builder{Repo: shallow, Bare: bare, Scratch: filepath.Join(t.TempDir(), "push.git")}
	c, err := b.Build(t.Context(), "third")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Push(t.Context(), c, bare); err != nil {
		t.Fatal(err)
	}
}

func TestBuildLeavesTheCheckoutAlone(t *testing.T) {
	repo, bare := checkout(t)
	if _, err := Seed(t.Context(), repo, bare); err != nil {
		t.Fatal(err)
	}
	write(t, repo, "k8s/app.yaml", "a: 2\n")
	write(t, repo, "k8s/new file.yaml", "b: 1\n")
	write(t, repo, "bin/gitops", "binary")
	write(t, repo, "private.txt", "x")
	write(t, repo, ".git/info/exclude", "private.txt\n")
	write(t, repo, "staged.txt", "x")
	run(t, repo, "git", "add", "staged.txt")
	if err := os.Remove(filepath.Join(repo, "gone.txt")); err != nil {
		t.Fatal(err)
	}
	before := run(t, repo, "git", "status", "--porcelain") + run(t, repo, "git", "rev-parse", "HEAD") + run(t, repo, "git", "count-objects")
	b := Builder{Repo: repo, Bare: bare, Scratch: filepath.Join(t.TempDir(), "push.git")}
	c, err := b.Build(t.Context(), "change")
	if err != nil {
		t.Fatal(err)
	}
	if after := run(t, repo, "git", "status", "--porcelain") + run(t, repo, "git", "rev-parse", "HEAD") + run(t, repo, "git", "count-objects"); after != before {
		t.Errorf("the checkout changed:\n%s\n%s", before, after)
	}
	if want := []string{"gone.txt", "k8s/app.yaml", "k8s/new file.yaml", "staged.txt"}; !slices.Equal(c.Files, want) {
		t.Errorf("files %q, want %q", c.Files, want)
	}
	if err := b.Push(t.Context(), c, bare); err != nil {
		t.Fatal(err)
	}
	if head, _ := Head(t.Context(), bare); head != c.ID {
		t.Errorf("head is %s, want %s", head, c.ID)
	}
	if again, err := b.Build(t.Context(), "again"); err != nil || !again.Unchanged() {
		t.Errorf("second build: %+v, %v", again, err)
	}
}

// Who signs commits signs those of a push, with the settings of the checkout.
func TestBuildSigns(t *testing.T) {
	repo, bare := checkout(t)
	if _, err := Seed(t.Context(), repo, bare); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "gpg")
	text := "#!/bin/sh\ncat >/dev/null\necho \"[GNUPG:] BEGIN_SIGNING\n[GNUPG:] SIG_CREATED D\" >&2\necho \"-----BEGIN PGP SIGNATURE-----\nby $3\n-----END PGP SIGNATURE-----\"\n"
	if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, repo, "git", "config", "user.signingKey", "alice")
	run(t, repo, "git", "config", "gpg.program", program)
	b := Builder{Repo: repo, Bare: bare, Scratch: filepath.Join(t.TempDir(), "push.git")}
	for i, want := range []bool{false, true} {
		run(t, repo, "git", "config", "commit.gpgSign", strconv.FormatBool(want))
		write(t, repo, "k8s/app.yaml", strings.Repeat("a", i+5)+": 2\n")
		c, err := b.Build(t.Context(), "change")
		if err != nil {
			t.Fatal(err)
		}
		if got := run(t, b.Scratch, "git", "cat-file", "commit", c.ID); strings.Contains(got, "gpgsig -----BEGIN PGP SIGNATURE-----\n by alice\n") != want {
			t.Errorf("signed: %t, want %t:\n%s", !want, want, got)
		}
	}
}

func TestExport(t *testing.T) {
	repo, bare := checkout(t)
	if _, err := Seed(t.Context(), repo, bare); err != nil {
		t.Fatal(err)
	}
	head, _ := Head(t.Context(), bare)
	dir := filepath.Join(t.TempDir(), "checkout")
	write(t, dir, "stale.go", "x")
	write(t, dir, "node_modules/x", "x")
	for range 2 {
		if err := Export(t.Context(), bare, head, dir, "node_modules"); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{".gitignore", "gone.txt", "k8s", "main.go", "node_modules"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}
