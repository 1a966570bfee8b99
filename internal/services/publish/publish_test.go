package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"k8s-plus-aws-gitops/internal/git"
)

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, append(git.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// remote makes an empty manifests repository.
func remote(t *testing.T) string {
	t.Helper()
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	dir := filepath.Join(t.TempDir(), "manifests.git")
	run(t, "", "init", "--quiet", "--bare", dir)
	return dir
}

var source = Source{
	Repository: "https://github.com/my-company/platform.git", Commit: strings.Repeat("a", 40), Tag: "npm/v1.2.3",
	Author: "Ada <ada@example.com>", Time: "1700000000 +0100",
}

func options(dir string) Options {
	return Options{URL: dir, Environment: "dev", Source: source, pause: 10 * time.Millisecond}
}

func manifest(service, body string) Manifest {
	return Manifest{Service: service, Branch: "dev/" + service, Content: []byte("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: " + service + "\n  labels: {v: \"" + body + "\"}\n")}
}

func TestPublish(t *testing.T) {
	dir := remote(t)
	results, err := Publish(t.Context(), []Manifest{manifest("npm", "1"), manifest("info", "1")}, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if got := run(t, dir, "rev-parse", r.Branch); !r.Changed || got != r.Commit {
			t.Errorf("%+v, the branch is %s", r, got)
		}
	}
	log := run(t, dir, "log", "--format=%an <%ae>%n%cn%n%at%n%B", "dev/npm")
	for _, want := range []string{"Ada <ada@example.com>", "gitops", "1700000000", "Publish npm to dev from npm/v1.2.3", "Source-Commit: " + source.Commit, "Source-Tag: npm/v1.2.3", "Source-Author: Ada"} {
		if !strings.Contains(log, want) {
			t.Errorf("the commit lacks %q:\n%s", want, log)
		}
	}
	if files := run(t, dir, "ls-tree", "--name-only", "dev/npm"); files != "kustomization.yaml\nnpm.k8s.yaml" {
		t.Errorf("the branch holds %q", files)
	}
}

// Whoever may write a branch writes its trailers, and git gets the commit as a revision: only a whole id is one.
func TestParseSource(t *testing.T) {
	id := strings.Repeat("0a", 20)
	for trailer, want := range map[string]string{
		id: id, id + dirty: id + dirty, strings.Repeat("0a", 32): strings.Repeat("0a", 32),
		"--output=/tmp/x": "", "HEAD": "", id[:12]: "", id + "..HEAD": "", id + dirty + dirty: "", id + " ": "", strings.ToUpper(id): "",
	} {
		s := parseSource("Publish npm\n\nSource-Repository: https://example.com/x\nSource-Commit: " + trailer + "\nSource-Tag: npm/v1.2.3\n")
		if s.Commit != want || s.Repository != "https://example.com/x" || s.Tag != "npm/v1.2.3" {
			t.Errorf("%q: %+v", trailer, s)
		}
	}
}

func TestAnnotations(t *testing.T) {
	fs := filesys.MakeFsInMemory()
	for name, file := range content(manifest("npm", "1"), source) {
		if err := fs.WriteFile(name, file); err != nil {
			t.Fatal(err)
		}
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, ".")
	if err != nil {
		t.Fatal(err)
	}
	got := built.Resources()[0].GetAnnotations()
	if got["org.opencontainers.image.revision"] != source.Commit || got["org.opencontainers.image.version"] != source.Tag || got["org.opencontainers.image.authors"] != source.Author {
		t.Errorf("annotations %v", got)
	}
}

func TestEmptyBranchBuilds(t *testing.T) {
	fs := filesys.MakeFsInMemory()
	if err := fs.WriteFile("kustomization.yaml", empty(manifest("npm", "1"))["kustomization.yaml"]); err != nil {
		t.Fatal(err)
	}
	if built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, "."); err != nil || built.Size() != 0 {
		t.Errorf("%v, %v", built, err)
	}
}

func TestUnchangedMakesNoCommit(t *testing.T) {
	dir := remote(t)
	first, err := Publish(t.Context(), []Manifest{manifest("npm", "1")}, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	o := options(dir)
	o.Source.Commit, o.Source.Tag = strings.Repeat("b", 40), "npm/v1.2.4"
	second, err := Publish(t.Context(), []Manifest{manifest("npm", "1")}, o)
	if err != nil || second[0].Changed || second[0].Commit != first[0].Commit {
		t.Errorf("%+v, %v", second, err)
	}
	// What somebody changed on the branch by hand is put right.
	work := filepath.Join(t.TempDir(), "work")
	run(t, "", "clone", "--quiet", "--branch", "dev/npm", dir, work)
	if err := os.WriteFile(filepath.Join(work, "npm.k8s.yaml"), []byte("x: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, work, "-c", "user.name=x", "-c", "user.email=x", "commit", "-qam", "by hand")
	run(t, work, "push", "--quiet", "origin", "dev/npm")
	third, err := Publish(t.Context(), []Manifest{manifest("npm", "1")}, o)
	if err != nil || !third[0].Changed || run(t, dir, "rev-list", "--count", "dev/npm") != "3" {
		t.Errorf("%+v, %v", third, err)
	}
}

// TestConcurrent publishes different services and the same service at once: each commit stays in the history.
func TestConcurrent(t *testing.T) {
	dir := remote(t)
	const writers = 6
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() {
			_, errs[i] = Publish(t.Context(), []Manifest{manifest("shared", fmt.Sprint(i)), manifest(fmt.Sprintf("own%d", i), "1")}, options(dir))
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if n := run(t, dir, "rev-list", "--count", "dev/shared"); n != fmt.Sprint(writers) {
		t.Errorf("%s of %d publications are in the history", n, writers)
	}
	for i := range writers {
		run(t, dir, "rev-parse", fmt.Sprintf("dev/own%d", i))
	}
}

func hook(t *testing.T, dir, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "hooks", name), []byte("#!/bin/sh\n"+script), 0o700); err != nil { //nolint:gosec // a hook is a program
		t.Fatal(err)
	}
}

// TestRefusal leaves nothing half-done: the server refuses one of three branches.
func TestRefusal(t *testing.T) {
	dir := remote(t)
	hook(t, dir, "update", `case "$1" in */github) echo "not allowed" >&2; exit 1;; esac`)
	_, err := Publish(t.Context(), []Manifest{manifest("npm", "1"), manifest("github", "1"), manifest("info", "1")}, options(dir))
	if err == nil || !strings.Contains(err.Error(), "dev/github") || !strings.Contains(err.Error(), "nothing was published") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	if refs := run(t, dir, "for-each-ref"); refs != "" {
		t.Errorf("the remote has %s", refs)
	}
}

func TestUnreachable(t *testing.T) {
	_, err := Publish(t.Context(), []Manifest{manifest("npm", "1")}, options("http://user:secret@127.0.0.1:1/manifests.git"))
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "fleet.yaml") {
		t.Errorf("%v", err)
	}
}

func TestFolderName(t *testing.T) {
	dir := remote(t)
	m := manifest("npm", "1")
	m.Branch = "dev"
	if _, err := Publish(t.Context(), []Manifest{m}, options(dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := Publish(t.Context(), []Manifest{manifest("npm", "1")}, options(dir)); err == nil || strings.Contains(err.Error(), "times") {
		t.Errorf("%v", err)
	}
}

func TestPropose(t *testing.T) {
	dir := remote(t)
	o := options(dir)
	o.Propose = true
	r, err := Publish(t.Context(), []Manifest{manifest("npm", "1")}, o)
	if err != nil {
		t.Fatal(err)
	}
	if !r[0].Changed || r[0].Branch != "proposals/dev/npm" || r[0].Base != "dev/npm" {
		t.Errorf("%+v", r)
	}
	if files := run(t, dir, "ls-tree", "--name-only", "dev/npm"); files != "kustomization.yaml" {
		t.Errorf("before the merge the live branch holds %q", files)
	}
	if base := run(t, dir, "rev-parse", r[0].Branch+"^"); base != run(t, dir, "rev-parse", "dev/npm") {
		t.Error("the proposal does not start at the live branch")
	}
	again, err := Publish(t.Context(), []Manifest{manifest("npm", "1")}, o)
	if err != nil || again[0].Changed {
		t.Errorf("%+v, %v", again, err)
	}
	// A newer proposal takes the place of the older one; a merged one leaves nothing to propose.
	newer, err := Publish(t.Context(), []Manifest{manifest("npm", "2")}, o)
	if err != nil || !newer[0].Changed || run(t, dir, "rev-list", "--count", newer[0].Branch) != "2" {
		t.Errorf("%+v, %v", newer, err)
	}
	run(t, dir, "update-ref", "refs/heads/dev/npm", newer[0].Commit)
	merged, err := Publish(t.Context(), []Manifest{manifest("npm", "2")}, o)
	if err != nil || merged[0].Changed || merged[0].Base != "" {
		t.Errorf("%+v, %v", merged, err)
	}
}

func TestOlderIsRefused(t *testing.T) {
	dir := remote(t)
	if _, err := Publish(t.Context(), []Manifest{manifest("npm", "2")}, options(dir)); err != nil {
		t.Fatal(err)
	}
	o := options(dir)
	o.Source.Commit = strings.Repeat("0", 40)
	o.Older = func(_ context.Context, a, b string) bool { return a < b }
	if _, err := Publish(t.Context(), []Manifest{manifest("npm", "1")}, o); err == nil || !strings.Contains(err.Error(), "--rollback") {
		t.Errorf("%v", err)
	}
	o.Rollback = true
	if r, err := Publish(t.Context(), []Manifest{manifest("npm", "1")}, o); err != nil || !r[0].Changed {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestDelete(t *testing.T) {
	dir := remote(t)
	o := options(dir)
	if _, err := Publish(t.Context(), []Manifest{manifest("npm", "1"), manifest("info", "1")}, o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		if gone, err := Delete(t.Context(), dir, []string{"dev/npm"}); err != nil || len(gone) != want {
			t.Errorf("%v, %v", gone, err)
		}
	}
	if refs := run(t, dir, "for-each-ref", "--format=%(refname)"); refs != "refs/heads/dev/info" {
		t.Errorf("left: %s", refs)
	}
}

// TestManyBranches is the size that a fleet has.
func TestManyBranches(t *testing.T) {
	dir := remote(t)
	all := make([]Manifest, 200)
	for i := range all {
		all[i] = manifest(fmt.Sprintf("s%d", i), "1")
	}
	began := time.Now()
	if _, err := Publish(t.Context(), all, options(dir)); err != nil {
		t.Fatal(err)
	}
	published := time.Since(began)
	all[7] = manifest("s7", "2")
	results, err := Publish(t.Context(), all, options(dir))
	changed := 0
	for _, r := range results {
		if r.Changed {
			changed++
		}
	}
	if err != nil || changed != 1 {
		t.Errorf("%d changed, %v", changed, err)
	}
	t.Logf("200 branches in %s, one of them in %s", published, time.Since(began)-published)
}

// A dry run says what would change, asks the check, and changes nothing.
func TestDryRun(t *testing.T) {
	dir := remote(t)
	checked := 0
	o := options(dir)
	o.DryRun, o.Check = true, func(changed []Manifest) error { checked += len(changed); return nil }
	results, err := Publish(t.Context(), []Manifest{manifest("npm", "1")}, o)
	if err != nil || !results[0].Changed || results[0].Commit != "" || checked != 1 {
		t.Errorf("%+v, %v, checked %d", results, err, checked)
	}
	if refs := run(t, dir, "for-each-ref"); refs != "" {
		t.Errorf("pushed %s", refs)
	}
	o.DryRun = false
	if _, err := Publish(t.Context(), []Manifest{manifest("npm", "1")}, o); err != nil {
		t.Fatal(err)
	}
	o.DryRun = true
	if results, err = Publish(t.Context(), []Manifest{manifest("npm", "1"), manifest("info", "1")}, o); err != nil || results[0].Changed || !results[1].Changed {
		t.Errorf("%+v, %v", results, err)
	}
}

// What branch and proposal held is known afterwards, for what it names.
func TestBefore(t *testing.T) {
	dir := remote(t)
	o := options(dir)
	held := func(m Manifest) string {
		t.Helper()
		results, err := Publish(t.Context(), []Manifest{m}, o)
		if err != nil {
			t.Fatal(err)
		}
		return string(bytes.Join(results[0].Before, []byte("|")))
	}
	one, two, three := manifest("npm", "1"), manifest("npm", "2"), manifest("npm", "3")
	if got := held(one); got != "" {
		t.Errorf("first: %s", got)
	}
	if got := held(two); got != string(one.Content) {
		t.Errorf("second: %s", got)
	}
	o.Propose = true
	if got := held(three); got != string(two.Content) {
		t.Errorf("a proposal: %s", got)
	}
	if got := held(one); got != string(two.Content)+"|"+string(three.Content) {
		t.Errorf("another proposal: %s", got)
	}
}
