package onboard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/services"
)

func inGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=t", "-c", "user.email=t@t"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// repository commits files to a new repository.
func repository(t *testing.T, files map[string]string) (dir, commit string) {
	t.Helper()
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	dir = t.TempDir()
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inGit(t, dir, "init", "--quiet", "--initial-branch=main")
	inGit(t, dir, "add", "--all")
	inGit(t, dir, "commit", "--quiet", "-m", "x")
	return dir, inGit(t, dir, "rev-parse", "HEAD")
}

func TestFetch(t *testing.T) {
	dir, commit := repository(t, map[string]string{"cdk.json": "{}"})
	inGit(t, dir, "tag", "--annotate", "-m", "x", "v1.0.0")
	for _, ref := range []string{"v1.0.0", "main", commit} {
		p, err := Fetch(t.Context(), dir+"@"+ref)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(p.Dir, "cdk.json")); err != nil || p.Commit != commit || p.URL != dir || p.Ref != ref {
			t.Errorf("%+v, %v", p, err)
		}
		p.Close()
		if _, err := os.Stat(p.Dir); err == nil {
			t.Error("it stays")
		}
	}
	for named, says := range map[string]string{
		dir:                             "must be URL@TAG",
		"git@github.com:a/b.git":        "must be URL@TAG",
		"https://github.com/a/b.git@":   "must be URL@TAG",
		"https://x:secret@example.com/": "must be URL@TAG",
		dir + "@v9.9.9":                 "check the address, the tag",
	} {
		if _, err := Fetch(t.Context(), named); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", named, err)
		}
	}
}

// document is as much of a workflow as is run here.
type document struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Strategy struct {
			Matrix struct{ Include []map[string]string }
		}
		Env   map[string]string
		Steps []struct {
			Name, Uses, Run string
			Env             map[string]string
		}
	}
}

func parse(t *testing.T, content []byte) document {
	t.Helper()
	var d document
	if err := yaml.Unmarshal(content, &d); err != nil {
		t.Fatalf("%v\n%s", err, content)
	}
	return d
}

// The workflow publishes to the environments that are delivered and in which the service is registered.
func TestPlaces(t *testing.T) {
	all, err := config.LoadDir(fixture.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	off := false
	s := services.Service{Name: "shop", Registration: services.Registration{Repository: "https://github.com/my-company/shop"}, Environments: map[string]services.Difference{"production": {Enabled: &off}}}
	var names []string
	for _, p := range Places(all, s) {
		names = append(names, p.Environment)
		if env := all.Environments[p.Environment]; p.Region != env.Region || p.Role != "arn:aws:iam::"+env.Account+":role/"+p.Environment+"-publish.shop" || p.Secret != "/"+p.Environment+"/gitops/publish-shop" {
			t.Errorf("%+v", p)
		}
	}
	if len(names) == 0 || slices.Contains(names, "production") {
		t.Errorf("%v", names)
	}
	s.Repository = "https://example.com/my-company/shop"
	if got := Places(all, s); len(got) > 0 {
		t.Errorf("elsewhere nothing publishes it, got %v", got)
	}
}

// What is generated is renewed, what somebody has edited is kept, and a service's file is its owner's.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	generate := func(ref string) []File {
		w, err := Workflow("shop", Platform{URL: "https://example.com/p.git", Ref: ref, Commit: strings.Repeat("a", 40)}, []Place{{Environment: "dev", Region: "eu-west-1", Role: "arn:aws:iam::1:role/a", Secret: "/dev/gitops/publish-shop"}})
		if err != nil {
			t.Fatal(err)
		}
		return []File{{Name: "service.yaml", Content: []byte("ref: " + ref), Once: true}, {Name: SchemaFile, Content: []byte(ref), Copied: true}, {Name: WorkflowFile, Content: w}}
	}
	expect := func(what string, files []File, force, dry bool, want ...string) {
		t.Helper()
		got, err := Write(dir, files, force, dry)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", what, got, err, want)
		}
	}
	expect("dry run", generate("v1.0.0"), false, true, Created, Created, Created)
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("a dry run wrote %v", left)
	}
	expect("first", generate("v1.0.0"), false, false, Created, Created, Created)
	expect("again", generate("v1.0.0"), false, false, Unchanged, Unchanged, Unchanged)
	expect("newer", generate("v1.1.0"), false, false, Yours, Renewed, Renewed)
	target := filepath.Join(dir, WorkflowFile)
	content, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, append(content, "# mine\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("edited", generate("v1.2.0"), false, false, Yours, Renewed, Kept)
	expect("forced", generate("v1.2.0"), true, false, Yours, Unchanged, Renewed)
	d := parse(t, generate("v1.2.0")[2].Content)
	if d.Permissions["id-token"] != "write" || d.Permissions["contents"] != "read" || len(d.Permissions) != 2 {
		t.Errorf("%v", d.Permissions)
	}
}

// The workflow's steps are run as they are written, by a shell, with what GitHub would give them. The platform's Makefile is a
// stand-in that makes a tool which writes down how it was called.
func TestWorkflowRuns(t *testing.T) {
	for _, program := range []string{"make", "curl", "jq", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not on the PATH")
		}
	}
	platform, commit := repository(t, map[string]string{"Makefile": `
node_modules/.package-lock.json bin/services:
	mkdir -p $(@D) && touch $@
bin/gitops:
	mkdir -p bin && printf '#!/bin/sh\necho "$$@" "$$(cat ../service/service.yaml)" "$$AWS_ROLE_ARN" "$$MANIFESTS_TOKEN_SECRET" "$$(cat "$$AWS_WEB_IDENTITY_TOKEN_FILE")" > called\n' > $@ && chmod +x $@
`})
	inGit(t, platform, "commit", "--quiet", "--allow-empty", "-m", "later")
	server := t.TempDir()
	service, _ := repository(t, map[string]string{"service.yaml": "image: a"})
	inGit(t, service, "tag", "v1.2.3")
	inGit(t, server, "clone", "--quiet", "--bare", service, "shop.git")
	asked := ""
	oidc := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Authorization") + " " + r.URL.RawQuery
		_, _ = w.Write([]byte(`{"value": "a-token"}`))
	}))
	defer oidc.Close()
	content, err := Workflow("shop", Platform{URL: platform, Ref: "v1.0.0", Commit: commit}, []Place{{Environment: "dev", Region: "eu-west-1", Role: "arn:aws:iam::111111111111:role/dev-publish.shop", Secret: "/dev/gitops/publish-shop"}})
	if err != nil {
		t.Fatal(err)
	}
	job := parse(t, content).Jobs["publish"]
	work, temp := t.TempDir(), t.TempDir()
	place := job.Strategy.Matrix.Include[0]
	expressions := strings.NewReplacer(
		"${{ matrix.environment }}", place["environment"], "${{ matrix.region }}", place["region"], "${{ matrix.role }}", place["role"], "${{ matrix.token }}", place["token"],
		"${{ runner.temp }}", temp, "${{ github.token }}", "", "${{ secrets.PLATFORM_TOKEN || github.token }}", "",
	)
	given := []string{
		"GITHUB_SERVER_URL=file://" + server, "GITHUB_REPOSITORY=shop", "GITHUB_REF_NAME=v1.2.3", "RUNNER_TEMP=" + temp,
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN=request", "ACTIONS_ID_TOKEN_REQUEST_URL=" + oidc.URL + "/?a=b",
	}
	for _, step := range job.Steps {
		if step.Uses != "" {
			t.Errorf("%s: uses %s, which would have to be pinned", step.Name, step.Uses)
		}
		runStep(t.Context(), t, work, step.Name, step.Run, slices.Concat(given, variables(expressions, job.Env), variables(expressions, step.Env)))
	}
	called, err := os.ReadFile(filepath.Join(work, "platform", "called"))
	want := "service publish shop --env dev --release --from ../service image: a arn:aws:iam::111111111111:role/dev-publish.shop /dev/gitops/publish-shop a-token\n"
	if err != nil || string(called) != want {
		t.Errorf("%v\n got %s\nwant %s", err, called, want)
	}
	if asked != "bearer request a=b&audience=sts.amazonaws.com" {
		t.Errorf("asked for a token by %q", asked)
	}
	if built := inGit(t, filepath.Join(work, "platform"), "rev-parse", "HEAD"); built != commit {
		t.Errorf("built %s, want the pinned %s", built, commit)
	}
}

func variables(expressions *strings.Replacer, of map[string]string) []string {
	var all []string
	for name, value := range of {
		all = append(all, name+"="+expressions.Replace(value))
	}
	return all
}

// runStep runs a step as GitHub does: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
func runStep(ctx context.Context, t *testing.T, dir, name, script string, env []string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-e", "-c", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
