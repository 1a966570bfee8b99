package rollback_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
	"k8s-plus-aws-gitops/internal/review/kubediff"
	"k8s-plus-aws-gitops/internal/review/risk"
	"k8s-plus-aws-gitops/internal/rollback"
)

// world is a repository with a remote.
type world struct {
	t           *testing.T
	dir, remote string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), remote: filepath.Join(t.TempDir(), "platform.git")}
	config := filepath.Join(t.TempDir(), "gitconfig")
	if err := os.WriteFile(config, []byte("[user]\n\tname = t\n\temail = t@t\n[commit]\n\tgpgsign = false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", config)
	t.Setenv("GIT_CONFIG_SYSTEM", os.DevNull)
	w.git("init", "--quiet", "--bare", w.remote)
	w.git("init", "--quiet", "--initial-branch", "main")
	w.git("remote", "add", "origin", w.remote)
	return w
}

func (w *world) git(args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "git", args...)
	cmd.Dir = w.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes a file and commits it; without content nothing changes.
func (w *world) commit(subject, file, content string) string {
	w.t.Helper()
	if content != "" {
		if err := os.WriteFile(filepath.Join(w.dir, file), []byte(content), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	w.git("add", "--all")
	w.git("commit", "--quiet", "--allow-empty", "-m", subject)
	return w.git("rev-parse", "HEAD")
}

// options go back in dev, whose commits were verified as listed.
func (w *world) options(verified ...string) rollback.Options {
	return rollback.Options{
		Root: w.dir, Environment: "dev", URL: w.remote, Branch: "main", Released: "released/dev",
		Verified: func(context.Context) ([]string, error) { return verified, nil },
		Compare:  func(context.Context, string, string) (*review.Review, error) { return &review.Review{}, nil },
	}
}

// history is three commits, a merge and an empty commit; all is pushed, and released but for the last.
func (w *world) history() (one, two, merge, tip string) {
	one = w.commit("One", "a", "1\n")
	two = w.commit("Two", "a", "2\n")
	w.git("checkout", "--quiet", "-b", "side", one)
	w.commit("Side", "b", "1\n")
	w.git("checkout", "--quiet", "main")
	w.git("merge", "--quiet", "--no-ff", "-m", "Merge side", "side")
	merge = w.git("rev-parse", "HEAD")
	w.commit("Nothing", "", "")
	tip = w.commit("Three", "a", "3\n")
	w.git("push", "--quiet", "origin", "main", merge+":refs/heads/released/dev")
	return one, two, merge, tip
}

// The branch has a revert of each commit and the content of the target, once: whoever asks again gets the same.
func TestMake(t *testing.T) {
	w := newWorld(t)
	one, two, merge, tip := w.history()
	o := w.options(tip, merge, two, one)
	o.DryRun = true
	r, err := rollback.Make(t.Context(), o)
	if err != nil || r.To != two || r.From != tip || r.Released != merge || r.Pushed || w.git("ls-remote", w.remote, "refs/heads/rollback/*") != "" {
		t.Fatalf("dry run: %+v, %v", r, err)
	}
	var subjects []string
	for _, c := range r.Reverted {
		subjects = append(subjects, c.Subject)
	}
	if want := []string{"Three", "Nothing", "Merge side"}; !slices.Equal(subjects, want) {
		t.Errorf("%q, want %q", subjects, want)
	}
	o.DryRun = false
	if r, err = rollback.Make(t.Context(), o); err != nil || !r.Pushed {
		t.Fatalf("%+v, %v", r, err)
	}
	head := strings.Fields(w.git("ls-remote", w.remote, "refs/heads/"+r.Head))[0]
	w.git("fetch", "--quiet", w.remote, "refs/heads/"+r.Head)
	if w.git("rev-parse", head+"^{tree}") != w.git("rev-parse", two+"^{tree}") || w.git("rev-list", "--count", tip+".."+head) != "2" {
		t.Errorf("the branch has another content, or other commits:\n%s", w.git("log", "--oneline", tip+".."+head))
	}
	again, err := rollback.Make(t.Context(), o)
	if err != nil || again.Pushed || again.Head != r.Head || strings.Fields(w.git("ls-remote", w.remote, "refs/heads/"+r.Head))[0] != head {
		t.Errorf("again: %+v, %v", again, err)
	}
	if status := w.git("status", "--porcelain") + w.git("worktree", "list"); strings.Count(status, "\n") > 0 {
		t.Errorf("something is left: %s", status)
	}
	// Merged and released it is done, and the way further back leads past what was taken back.
	w.git("push", "--quiet", w.remote, head+":refs/heads/main", head+":refs/heads/released/dev")
	o.To = two
	if r, err = rollback.Make(t.Context(), o); err != nil || !r.Done {
		t.Errorf("merged: %+v, %v", r, err)
	}
	o.To = ""
	o.Verified = func(context.Context) ([]string, error) { return []string{head, two, one}, nil }
	if r, err = rollback.Make(t.Context(), o); err != nil || r.To != one {
		t.Errorf("further back: %+v, %v", r, err)
	}
}

func TestMakeRefuses(t *testing.T) {
	w := newWorld(t)
	_, two, merge, tip := w.history()
	side := w.git("rev-parse", "side")
	w.git("checkout", "--quiet", "--orphan", "other")
	other := w.commit("Other", "c", "1\n")
	for name, c := range map[string]struct {
		to       string
		verified []string
		says     string
	}{
		"another history":      {to: other, says: "does not contain it, so no revert leads there"},
		"only a merge's side":  {to: side, says: "came to main with a merge, by itself it was never deployed"},
		"no such commit":       {to: "nothing", says: `there is no revision "nothing"`},
		"nothing verified":     {says: "no earlier commit was verified here"},
		"only the present":     {verified: []string{merge, tip}, says: "no earlier commit was verified here"},
		"verified and rewound": {verified: []string{other}, says: "no earlier commit was verified here"},
	} {
		t.Run(name, func(t *testing.T) {
			o := w.options(c.verified...)
			o.To = c.to
			if r, err := rollback.Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	o := w.options(two)
	o.Branch = "none"
	if _, err := rollback.Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), "branch none does not exist") {
		t.Error(err)
	}
	// A branch of the name that has another content is somebody's work.
	o = w.options(two)
	w.git("push", "--quiet", w.remote, other+":refs/heads/rollback/dev-"+tip[:12]+"-"+two[:12])
	if _, err := rollback.Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is there with another content") {
		t.Error(err)
	}
}

// What goes back is told for each half, what is made again is empty, and what would lose data is not prepared.
func TestHalves(t *testing.T) {
	w := newWorld(t)
	_, two, _, tip := w.history()
	compared := &review.Review{Environments: []review.Environment{{
		Name: "dev",
		Stacks: []review.Stack{{Part: "ghost", Diff: cfndiff.Diff{Resources: []cfndiff.Resource{
			{ID: "Bucket", Type: "AWS::S3::Bucket", Impact: cfndiff.Create}, {ID: "Database", Type: "AWS::RDS::DBInstance", Impact: cfndiff.Update},
		}}}},
		Kustomizations: []kubediff.Kustomization{{Name: "apps", Objects: []kubediff.Change{{Action: kubediff.Changed, Object: "Deployment ghost/ghost"}}}},
	}}}
	o := w.options(two)
	o.Compare = func(_ context.Context, base, folder string) (*review.Review, error) {
		content, err := os.ReadFile(filepath.Join(folder, "a"))
		if base != tip || string(content) != "2\n" {
			t.Errorf("compares %s with %q", base, content)
		}
		return compared, err
	}
	r, err := rollback.Make(t.Context(), o)
	if err != nil || !r.Pushed {
		t.Fatalf("%+v, %v", r, err)
	}
	var text strings.Builder
	r.Print(&text)
	for _, want := range []string{
		"dev: from " + tip[:12] + " back to " + two[:12] + "\n", "reverts       " + tip[:12] + " Three\n", "AWS           dev/ghost/Bucket (AWS::S3::Bucket) is made again\n",
		"              dev/ghost/Database (AWS::RDS::DBInstance) changes back\n", "Kubernetes    Deployment ghost/ghost changes back\n", "stays         dev/ghost/Bucket: is made again empty; the objects in the bucket",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if body := r.Body(); !strings.Contains(body, "**Does not go back**") || !strings.Contains(body, "- Deployment ghost/ghost changes back\n") {
		t.Error(body)
	}
	compared.Environments[0].Findings = []risk.Finding{{Resource: "dev/ghost/Database", Message: "will be deleted", Verdict: risk.Forbidden}}
	w.git("push", "--quiet", "--delete", w.remote, r.Head)
	if r, err = rollback.Make(t.Context(), o); err != nil || r.Pushed || len(r.Refusals) != 1 || !strings.Contains(r.Refusals[0], "allowReplacement") {
		t.Errorf("%+v, %v", r, err)
	}
	compared.Environments[0].Findings = nil
	o.Schema = func(context.Context, string, string, string) ([]string, error) {
		return []string{"orders: contract 3"}, nil
	}
	if r, err = rollback.Make(t.Context(), o); err != nil || r.Pushed || !slices.Equal(r.Refusals, []string{"orders: contract 3"}) {
		t.Errorf("%+v, %v", r, err)
	}
}

// A branch that several environments follow takes all of them back, so that each is compared, asked for its schemas and named.
func TestSeveralEnvironments(t *testing.T) {
	w := newWorld(t)
	_, two, _, _ := w.history()
	half := func(name string) review.Environment {
		return review.Environment{
			Name:           name,
			Stacks:         []review.Stack{{Part: "ghost", Diff: cfndiff.Diff{Resources: []cfndiff.Resource{{ID: "Database", Type: "AWS::RDS::DBInstance", Impact: cfndiff.Update}}}}},
			Kustomizations: []kubediff.Kustomization{{Name: "apps", Objects: []kubediff.Change{{Action: kubediff.Changed, Object: "Deployment ghost/ghost"}}}},
		}
	}
	compared := &review.Review{Environments: []review.Environment{half("dev"), half("other"), half("staging")}}
	o := w.options(two)
	o.Also, o.DryRun = []string{"staging"}, true
	o.Compare = func(context.Context, string, string) (*review.Review, error) { return compared, nil }
	r, err := rollback.Make(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	r.Print(&text)
	for _, want := range []string{
		"dev, staging: from ", "dev/ghost/Database (AWS::RDS::DBInstance) changes back\n", "staging/ghost/Database (AWS::RDS::DBInstance) changes back\n",
		"dev: Deployment ghost/ghost changes back\n", "staging: Deployment ghost/ghost changes back\n", "also          staging follows branch main, too, and goes back with it\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if body := r.Body(); !strings.HasPrefix(body, "Takes dev, staging back from ") || !strings.Contains(body, "- staging: Deployment ghost/ghost changes back\n") || strings.Contains(body+text.String(), "other") {
		t.Error(body)
	}
	if !slices.Equal(r.Also, []string{"staging"}) {
		t.Errorf("also %q", r.Also)
	}
	compared.Environments[2].Findings = []risk.Finding{{Resource: "staging/ghost/Database", Message: "will be deleted", Verdict: risk.Forbidden}}
	o.Schema = func(_ context.Context, environment, _, _ string) ([]string, error) {
		if environment != "staging" {
			return nil, nil
		}
		return []string{"orders: contract 3"}, nil
	}
	r, err = rollback.Make(t.Context(), o)
	if err != nil || len(r.Refusals) != 2 || !strings.HasPrefix(r.Refusals[0], "staging/ghost/Database: will be deleted") || r.Refusals[1] != "staging: orders: contract 3" {
		t.Errorf("%+v, %v", r, err)
	}
}
