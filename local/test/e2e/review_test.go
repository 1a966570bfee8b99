//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
)

// TestReview runs `gitops review` as a pipeline does: real synthesis of both sides, a change of both halves, and a change
// that the guard forbids until cdk.json allows it.
func TestReview(t *testing.T) {
	r := newReviewed(t)
	if code, text := r.review(); code != 0 || !strings.Contains(text, "Nothing changes") {
		t.Fatalf("no change: exit code %d\n%s", code, text)
	}

	r.edit("cdk.json", `"multiAz": true, "storageGiB": 50`, `"multiAz": false, "storageGiB": 50`)
	r.edit("k8s/apps/ghost/deployment.yaml", "replicas: 1", "replicas: 2")
	code, text := r.review()
	r.says(text, "-MultiAZ: true", "+  replicas: 2", "RDS db.m7g.large, Single-AZ")
	if code != 1 {
		t.Fatalf("both halves: exit code %d\n%s", code, text)
	}

	r.edit("app-resources/ghost.go", "App: ghost, Size: env.Ghost.Database", "App: ghost, Name: \"blog\", Size: env.Ghost.Database")
	if code, text = r.review("--env", "production"); code != 3 {
		t.Fatalf("another database: exit code %d\n%s", code, text)
	}
	r.says(text, "FORBIDDEN replacement: production/ghost/")
	_, resource, _ := strings.Cut(text, "FORBIDDEN replacement: ")
	resource, _, _ = strings.Cut(resource, " ")
	r.edit("cdk.json", `"branch": "production",`, `"branch": "production",
          "allowReplacement": [{"resource": "`+resource+`", "until": "2999-12-31", "reason": "restored from a snapshot"}],`)
	if code, text = r.review("--env", "production"); code != 1 {
		t.Fatalf("an allowed replacement: exit code %d\n%s", code, text)
	}
	r.says(text, "allowed replacement: "+resource, "allowed until 2999-12-31: restored from a snapshot")

	r.edit("cdk.json", `"region": "eu-west-1",`, `"region": "eu-wset-1",`)
	if code, text = r.review(); code != 2 || !strings.Contains(text, `must be a region of AWS with EKS, got "eu-wset-1"`) {
		t.Fatalf("a mistake: exit code %d\n%s", code, text)
	}
}

// reviewed is a clone that the test edits, with the fixture in the place of what users edit.
type reviewed struct {
	t    *testing.T
	repo string
	tool string
}

func newReviewed(t *testing.T) *reviewed {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	r := &reviewed{t: t, repo: filepath.Join(t.TempDir(), "repo"), tool: filepath.Join(root, "bin", "gitops")}
	if out, err := exec.CommandContext(t.Context(), "git", "clone", "--quiet", "--no-hardlinks", root, r.repo).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	fixture.Write(t, r.repo)
	for _, args := range [][]string{{"add", "--all"}, {"-c", "user.name=e2e", "-c", "user.email=e2e@localhost", "commit", "--quiet", "--allow-empty", "--no-verify", "-m", "Take the fixture"}} {
		if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", r.repo}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	packages, err := filepath.EvalSymlinks(filepath.Join(root, "node_modules"))
	if err == nil {
		err = os.Symlink(packages, filepath.Join(r.repo, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// review runs the command against HEAD and returns its exit code and all that it wrote.
func (r *reviewed) review(args ...string) (int, string) {
	r.t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(r.t.Context(), r.tool, append([]string{"review", "--base", "HEAD"}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.repo, &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// edit replaces text in a file of the clone.
func (r *reviewed) edit(file, old, now string) {
	r.t.Helper()
	path := filepath.Join(r.repo, filepath.FromSlash(file))
	content, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	if !strings.Contains(string(content), old) {
		r.t.Fatalf("%s does not hold %q", file, old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(content), old, now, 1)), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// says fails unless the text holds all of these.
func (r *reviewed) says(text string, wants ...string) {
	r.t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			r.t.Errorf("does not say %q:\n%s", want, text)
		}
	}
}
