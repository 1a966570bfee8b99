package source

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestBuildKeepsWhatOthersCommitted is a checkout that never has what Flux
// writes on the branch.
func TestBuildKeepsWhatOthersCommitted(t *testing.T) {
	repo, bare := checkout(t)
	write(t, repo, "k8s/images.yaml", "kind: A\nname: x\nimage: old\n")
	run(t, repo, "git", "add", ".")
	run(t, repo, "git", "commit", "-qm", "images")
	if _, err := Seed(t.Context(), repo, bare); err != nil {
		t.Fatal(err)
	}
	b := Builder{Repo: repo, Bare: bare, Scratch: filepath.Join(t.TempDir(), "push.git")}
	flux := filepath.Join(t.TempDir(), "flux")
	run(t, t.TempDir(), "git", "clone", "-q", bare, flux)
	commit := func(text string) {
		t.Helper()
		run(t, flux, "git", "pull", "-q")
		write(t, flux, "k8s/images.yaml", text)
		run(t, flux, "git", "commit", "-qam", "Run the newest images")
		run(t, flux, "git", "push", "-q")
	}
	push := func(merged bool) {
		t.Helper()
		c, err := b.Build(t.Context(), "change")
		if err != nil || c.Unchanged() || c.Merged != merged {
			t.Fatalf("got %+v, %v; want merged %t", c, err, merged)
		}
		if err := b.Push(t.Context(), c, bare); err != nil {
			t.Fatal(err)
		}
	}
	has := func(file, want string) {
		t.Helper()
		if got := run(t, bare, "git", "show", "main:"+file); got != want {
			t.Errorf("%s is %q on the branch, want %q", file, got, want)
		}
	}

	commit("kind: A\nname: x\nimage: new\n")
	for _, text := range []string{"a: 2", "a: 3"} { // the second knows that the first was merged
		write(t, repo, "k8s/app.yaml", text+"\n")
		push(true)
		has("k8s/app.yaml", text)
		has("k8s/images.yaml", "kind: A\nname: x\nimage: new")
	}
	if parents := run(t, bare, "git", "log", "-1", "--format=%P", "main"); strings.Contains(parents, " ") {
		t.Errorf("the history is not linear: %s", parents)
	}
	if c, err := b.Build(t.Context(), "again"); err != nil || !c.Unchanged() {
		t.Errorf("nothing changed: %+v, %v", c, err)
	}

	write(t, repo, "k8s/images.yaml", "kind: A\nname: x\nimage: mine\n")
	if _, err := b.Build(t.Context(), "conflict"); err == nil || !strings.HasPrefix(err.Error(), "k8s/images.yaml: changed here and on main") {
		t.Fatalf("a conflict: %v", err)
	}
	// As the message says.
	run(t, repo, "git", "fetch", "-q", bare, "main")
	run(t, repo, "git", "checkout", "-q", "FETCH_HEAD", "--", "k8s/images.yaml")
	if c, err := b.Build(t.Context(), "as on the branch"); err != nil || !c.Unchanged() {
		t.Fatalf("got %+v, %v", c, err)
	}
	write(t, repo, "k8s/images.yaml", "kind: A\nname: x\nimage: mine\n")
	push(false)
	has("k8s/images.yaml", "kind: A\nname: x\nimage: mine")
}

func TestBuildWithoutANoteTakesTheCheckout(t *testing.T) {
	repo, bare := checkout(t)
	run(t, repo, "git", "push", "-q", bare, "HEAD:refs/heads/main") // as an earlier version seeded
	b := Builder{Repo: repo, Bare: bare, Scratch: filepath.Join(t.TempDir(), "push.git")}
	write(t, repo, "k8s/app.yaml", "a: 2\n")
	c, err := b.Build(t.Context(), "change")
	if err != nil || c.Unchanged() || c.Merged {
		t.Fatalf("got %+v, %v", c, err)
	}
	if err := b.Push(t.Context(), c, bare); err != nil {
		t.Fatal(err)
	}
	if note := run(t, bare, "git", "rev-parse", checkoutRef); note != c.ID {
		t.Errorf("the note is %s, want %s", note, c.ID)
	}
}
