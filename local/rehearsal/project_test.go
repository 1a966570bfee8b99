package rehearsal

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/rehearsal"
)

// promotion is a repository whose branch production has the fixture, and main one more commit.
func promotion(t *testing.T, name, old, with string) string {
	t.Helper()
	dir := fixture.Tree(t)
	gitIn(t, dir, "init", "-q", "-b", "production")
	gitIn(t, dir, "add", ".")
	gitIn(t, dir, "commit", "-qm", "Base")
	gitIn(t, dir, "checkout", "-qb", "main")
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("%s: %v, or no %q", name, err, old)
	}
	write(t, dir, name, strings.Replace(string(text), old, with, 1))
	gitIn(t, dir, "commit", "-qam", "Change")
	return dir
}

func projected(t *testing.T, repo string) (*scratch, *change, []rehearsal.Substitution, error) {
	t.Helper()
	s, err := open(t.Context(), filepath.Join(t.TempDir(), "r"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.lease.Close() })
	c, err := find(t.Context(), s, Options{Repo: repo, Environment: "production"})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := c.project(t.Context(), s, "production")
	return s, c, rows, err
}

// Both commits are of production in the place of local, with the change between them; what is reported is the checkout's own base.
func TestProject(t *testing.T) {
	repo := promotion(t, "k8s/services/orders.yaml", "replicas: 3", "replicas: 4")
	s, c, rows, err := projected(t, repo)
	if err != nil {
		t.Fatal(err)
	}
	if tip := gitIn(t, repo, "rev-parse", "production"); c.from != tip || c.base == tip || c.why != "where HEAD left production" || c.head != gitIn(t, repo, "rev-parse", "main") {
		t.Errorf("got %+v", c)
	}
	if !slices.Equal(c.Files, []string{"k8s/services/orders.yaml"}) || !publishes(c.Files) || len(rows) < 10 {
		t.Errorf("files %v, rows %v", c.Files, rows)
	}
	orders := filepath.Join(s.repo(), "k8s/services/orders.yaml")
	for _, at := range []struct{ commit, replicas string }{{c.base, "replicas: 3"}, {c.ID, "replicas: 4"}, {c.base, "replicas: 3"}} {
		if err := s.checkout(t.Context(), at.commit); err != nil {
			t.Fatal(err)
		}
		if text, _ := os.ReadFile(orders); !strings.Contains(string(text), "local:\n") || !strings.Contains(string(text), at.replicas) {
			t.Errorf("at %s:\n%s", at.commit, text)
		}
		if left := gitIn(t, s.repo(), "status", "--short"); left != "" {
			t.Errorf("the scratch is not clean: %s", left)
		}
	}
	if got := gitIn(t, s.repo(), "log", "-1", "--format=%s by %an", c.base); got != "Base by Ada" {
		t.Errorf("the base is %q", got)
	}
	if status := gitIn(t, repo, "status", "--short"); status != "" {
		t.Errorf("the checkout was touched: %s", status)
	}
}

// A change that leaves no trace says so, and why.
func TestProjectNothing(t *testing.T) {
	for name, c := range map[string]struct{ file, old, with, says string }{
		"of another environment": {"k8s/services/orders.yaml", "dev: {aws: {cache: {}, ", "dev: {aws: {", "nothing of the change is of production"},
		"of what is replaced":    {"cdk.json", "Z0123456789PRODUCTION", "Z0123456789OTHER", "it is of hostedZone, which the laboratory replaces"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := projected(t, promotion(t, c.file, c.old, c.with))
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What a change does to a replaced thing is marked, whether it is made, changed or removed.
func TestCompare(t *testing.T) {
	row := func(path, from string) rehearsal.Substitution {
		return rehearsal.Substitution{Path: path, From: from, To: "x", Why: "y"}
	}
	got := compare(
		[]rehearsal.Substitution{row("same", "a"), row("changed", "a"), row("removed", "a")},
		[]rehearsal.Substitution{row("same", "a"), row("changed", "b"), row("made", "a")},
	)
	var said []string
	for _, s := range got {
		mark := ""
		if s.Changed {
			mark = "!"
		}
		said = append(said, s.Path+mark)
	}
	if want := []string{"removed!", "same", "changed!", "made!"}; !slices.Equal(said, want) {
		t.Errorf("got %v, want %v", said, want)
	}
}
