package rehearsal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/rehearsal"
)

// pulls is a checkout whose main has one commit more than the change knows, and other branches:
//   - other leaves main there, and changes what the change leaves alone; so does the pull request 7 of its remote;
//   - clash changes the same line as the change;
//   - stacked begins with the change.
func pulls(t *testing.T) string {
	t.Helper()
	repo := checkout(t)
	gitIn(t, repo, "checkout", "-qb", "clash", "main")
	write(t, repo, "k8s/app.yaml", "replicas: 3\n")
	gitIn(t, repo, "commit", "-qam", "Three replicas")
	gitIn(t, repo, "checkout", "-qb", "stacked", "change")
	write(t, repo, "k8s/stacked.yaml", "x: 1\n")
	gitIn(t, repo, "add", ".")
	gitIn(t, repo, "commit", "-qm", "Stacked")
	gitIn(t, repo, "checkout", "-q", "main")
	write(t, repo, "later.txt", "x")
	gitIn(t, repo, "add", ".")
	gitIn(t, repo, "commit", "-qm", "Later")
	gitIn(t, repo, "checkout", "-qb", "other")
	write(t, repo, "k8s/other.yaml", "x: 1\n")
	gitIn(t, repo, "add", ".")
	gitIn(t, repo, "commit", "-qm", "Other")

	gitIn(t, repo, "checkout", "-q", "change")
	return repo
}

func foundOther(t *testing.T, repo, with string) (*scratch, *change, *other, []rehearsal.Conflict, error) {
	t.Helper()
	o := Options{Repo: repo, With: with, Environment: "local"}
	s, c, err := found(t, o)
	if err != nil {
		t.Fatal(err)
	}
	other, conflicts, err := c.findOther(t.Context(), s, o)
	return s, c, other, conflicts, err
}

// Both are commits on the place where the later one left the branch; what is on top of either has both.
func TestFindOther(t *testing.T) {
	repo := pulls(t)
	// A clone that has the number's commit in its remote alone.
	alone := filepath.Join(t.TempDir(), "alone")
	gitIn(t, repo, "clone", "-q", "--branch", "change", "--single-branch", repo, alone)
	gitIn(t, alone, "fetch", "-q", "origin", "main:main")
	gitIn(t, repo, "update-ref", "refs/pull/7/head", "other")
	before := gitIn(t, alone, "count-objects") + gitIn(t, alone, "for-each-ref")
	for with, in := range map[string]string{"other": repo, "7": alone, "#7": alone} {
		s, c, o, conflicts, err := foundOther(t, in, with)
		if err != nil || len(conflicts) > 0 {
			t.Fatalf("%s: %v, %v", with, conflicts, err)
		}
		if c.base != gitIn(t, repo, "rev-parse", "main") || !slices.Equal(c.Files, []string{"k8s/app.yaml"}) || !slices.Equal(o.Files, []string{"k8s/other.yaml"}) || o.subject != "Other" {
			t.Errorf("%s: got %+v and %+v", with, c, o)
		}
		if c.head == "" {
			t.Errorf("%s: the change is no longer known as HEAD", with)
		}
		for commit, want := range map[string]string{c.base: "", c.ID: "app", o.ID: "other", o.both: "app other"} {
			if err := s.checkout(t.Context(), commit); err != nil {
				t.Fatal(err)
			}
			got := []string{}
			if text, _ := os.ReadFile(filepath.Join(s.repo(), "k8s", "app.yaml")); string(text) == "replicas: 2\n" {
				got = append(got, "app")
			}
			if _, err := os.Stat(filepath.Join(s.repo(), "k8s", "other.yaml")); err == nil {
				got = append(got, "other")
			}
			if _, err := os.Stat(filepath.Join(s.repo(), "later.txt")); err != nil || strings.Join(got, " ") != want {
				t.Errorf("%s: commit %.8s has %q, want %q; %v", with, commit, got, want, err)
			}
		}
	}
	if after := gitIn(t, alone, "count-objects") + gitIn(t, alone, "for-each-ref"); after != before {
		t.Errorf("the checkout was touched:\n%s\n%s", before, after)
	}
}

// Where only the other is older, it is brought to the change's base.
func TestFindOtherOlder(t *testing.T) {
	repo := pulls(t)
	gitIn(t, repo, "checkout", "-q", "other")
	_, c, o, conflicts, err := foundOther(t, repo, "change")
	if err != nil || len(conflicts) > 0 || c.base != gitIn(t, repo, "rev-parse", "main") || !slices.Equal(o.Files, []string{"k8s/app.yaml"}) {
		t.Errorf("got %+v, %+v, %v, %v", c, o, conflicts, err)
	}
}

func TestFindOtherConflicts(t *testing.T) {
	repo := pulls(t)
	_, _, other, conflicts, err := foundOther(t, repo, "clash")
	if err != nil || other != nil || len(conflicts) != 1 || conflicts[0].File != "k8s/app.yaml" || !slices.Equal(conflicts[0].Between, []string{"this change", "clash"}) {
		t.Errorf("got %v, %v, %v", other, conflicts, err)
	}
	// What the branch got meanwhile conflicts as well.
	gitIn(t, repo, "checkout", "-q", "main")
	write(t, repo, "k8s/app.yaml", "replicas: 4\n")
	gitIn(t, repo, "commit", "-qam", "Four replicas")
	gitIn(t, repo, "checkout", "-qb", "newest")
	write(t, repo, "k8s/newest.yaml", "x: 1\n")
	gitIn(t, repo, "add", ".")
	gitIn(t, repo, "commit", "-qm", "Newest")
	for at, want := range map[string][]string{"change": {"this change", "main"}, "newest": {"change", "main"}} {
		gitIn(t, repo, "checkout", "-q", at)
		with := map[string]string{"change": "newest", "newest": "change"}[at]
		if _, _, _, conflicts, err = foundOther(t, repo, with); err != nil || len(conflicts) != 1 || !slices.Equal(conflicts[0].Between, want) {
			t.Errorf("%s with %s: got %v, %v", at, with, conflicts, err)
		}
	}
}

func TestFindOtherRefuses(t *testing.T) {
	repo := pulls(t)
	for name, c := range map[string]struct{ at, with, says string }{
		"no such revision":    {"change", "nope", `no revision "nope"`},
		"no such number":      {"change", "99", "cannot fetch refs/pull/99/head from origin"},
		"merged already":      {"change", "main", "it is merged already"},
		"the change has it":   {"stacked", "change", "this change has all of it"},
		"it has the change":   {"change", "stacked", "it has all of this change"},
		"the very same":       {"change", "change", "this change has all of it"},
		"no history together": {"change", "foreign", "no commit in common"},
	} {
		if c.with == "foreign" {
			gitIn(t, repo, "checkout", "-q", "--orphan", "foreign")
			gitIn(t, repo, "commit", "-qm", "Foreign")
		}
		gitIn(t, repo, "checkout", "-qf", c.at)
		if _, _, _, _, err := foundOther(t, repo, c.with); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// On top of either is the commit with both; the base is started anew where the first order left something, or there is data. What
// keeps the second order from running does not take the first one's result.
func TestBothOrders(t *testing.T) {
	good := rehearsal.Half{State: rehearsal.Succeeded}
	for name, c := range map[string]struct {
		first   rehearsal.Result
		data    []rehearsal.Data
		fails   [2]error
		anew    bool
		verdict rehearsal.Verdict
	}{
		"well":           {first: rehearsal.Result{Merge: good, Revert: good}, verdict: rehearsal.Verified},
		"not reverted":   {first: rehearsal.Result{Merge: good}, anew: true, verdict: rehearsal.Broke},
		"with data":      {first: rehearsal.Result{Merge: good, Revert: good}, data: make([]rehearsal.Data, 1), anew: true, verdict: rehearsal.Verified},
		"no second":      {first: rehearsal.Result{Merge: good, Revert: good}, fails: [2]error{1: errors.New("the disk is full")}, verdict: rehearsal.CouldNotRun},
		"broke, no more": {first: rehearsal.Result{Merge: good}, fails: [2]error{1: errors.New("the disk is full")}, anew: true, verdict: rehearsal.Broke},
		"nothing at all": {fails: [2]error{errors.New("the disk is full")}},
	} {
		r := &run{change: &change{base: "b"}, other: &other{name: "o", both: "mo"}, data: c.data}
		r.change.ID, r.other.ID = "m", "o"
		r.result.With = "o"
		played := 0
		err := r.bothOrders(t.Context(), func(_ context.Context, merges []merge, anew bool) error {
			want := [][2]string{{"m", thisChange}, {"o", "o"}}[played]
			if merges[0].commit != want[0] || merges[0].name != want[1] || merges[1].commit != "mo" || anew != (c.anew && played == 1) {
				t.Errorf("%s: order %d: got %+v, anew %t", name, played, merges, anew)
			}
			is := []rehearsal.Result{c.first, {Merge: good, Revert: good}}[played]
			r.result.Merge, r.result.Revert = is.Merge, is.Revert
			played++
			return c.fails[played-1]
		})
		if (err != nil) != (c.fails[0] != nil) || err == nil && (r.result.Verdict != c.verdict || len(r.result.Orders) != 2) {
			t.Errorf("%s: got %s, %q, %v; want %s", name, r.result.Verdict, r.result.Cause, err, c.verdict)
		}
	}
}

// A conflict is a result, and nothing is started for it.
func TestAConflictIsAResult(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r, err := Run(t.Context(), Options{Repo: pulls(t), With: "clash", Executable: "/nonexistent/gitops-local"})
	if err != nil || r.Verdict != rehearsal.Broke || !strings.HasPrefix(r.Cause, "conflict: k8s/app.yaml: this change and clash") {
		t.Errorf("got %+v, %v", r, err)
	}
	if left, _ := os.ReadDir(os.TempDir()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
