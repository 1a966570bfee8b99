package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/forge/forgetest"
)

// onGitHub is a checkout of me/platform, which lies on a server, and no credentials of AWS.
func onGitHub(t *testing.T) (*forgetest.Server, string) {
	t.Helper()
	dir := fixture.Tree(t)
	file := filepath.Join(dir, "cdk.json")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(content), `"my-company"`, `"me"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "GITOPS_REVIEW_TOKEN", "REVIEW_TOKEN_SECRET", "CODEBUILD_RESOLVED_SOURCE_VERSION", "CODEBUILD_BUILD_URL"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("GITHUB_TOKEN", forgetest.Token)
	return forgetest.New(t), dir
}

func TestRepositorySetup(t *testing.T) {
	s, _ := onGitHub(t)
	setup := func(code int, args ...string) string {
		return gitops(t, code, append([]string{"repository", "setup", "--github-api", s.URL}, args...)...)
	}
	says := setup(0, "--dry-run")
	if !strings.Contains(says, "create  ruleset gitops: history") || !strings.Contains(says, "3 to do in me/platform") || len(s.Writes()) != 0 {
		t.Errorf("%s%v", says, s.Writes())
	}
	// Without credentials of AWS it is not known as whom Flux commits to dev and main, nor what signs the webhooks.
	if !strings.Contains(says, "skip    webhook of dev") || !strings.Contains(says, "AWS_PROFILE") || !strings.Contains(says, "--release-actor") {
		t.Error(says)
	}
	// The repository of manifests is another, which this token may not see.
	if !strings.Contains(says, "my-company/manifests: nothing to do.") || !strings.Contains(strings.Join(strings.Fields(says), " "), "may push to every branch") {
		t.Error(says)
	}
	says = setup(0, "--yes", "--release-actor", "user:platform-bot")
	if len(s.Rulesets) != 4 || !strings.Contains(says, "create ruleset gitops: release: done") || !strings.Contains(says, "Next: ") {
		t.Errorf("%s%v", says, s.Rulesets)
	}
	writes := len(s.Writes())
	if says := setup(0, "--yes"); !strings.Contains(says, "me/platform: nothing to do.") || len(s.Writes()) != writes {
		t.Errorf("%s%v", says, s.Writes())
	}
}

func TestRepositorySetupRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*testing.T, *forgetest.Server)
		args   []string
		code   int
		says   string
	}{
		"no token":       {func(t *testing.T, _ *forgetest.Server) { t.Setenv("GITHUB_TOKEN", "") }, nil, 1, "there is no token; set GITHUB_TOKEN"},
		"wrong token":    {func(t *testing.T, _ *forgetest.Server) { t.Setenv("GITHUB_TOKEN", "ghp_x") }, nil, 1, "the token is wrong"},
		"lacks a right":  {func(_ *testing.T, s *forgetest.Server) { s.Lacks = []string{"Administration: write"} }, []string{"--yes"}, 1, "the token must have 'Administration: write' on me/platform; what was done stays"},
		"no such actor":  {func(*testing.T, *forgetest.Server) {}, []string{"--release-actor", "bot"}, 1, `got "bot"`},
		"an argument":    {func(*testing.T, *forgetest.Server) {}, []string{"dev"}, 2, "gitops repository setup"},
		"nobody to ask":  {func(*testing.T, *forgetest.Server) {}, nil, 2, "nobody is there to confirm: add --yes"},
		"other software": {func(_ *testing.T, s *forgetest.Server) { s.Fail(418) }, nil, 1, "GitHub GET /repos/me/platform/rulesets"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := onGitHub(t)
			c.change(t, s)
			if says := gitops(t, c.code, append([]string{"repository", "setup", "--github-api", s.URL}, c.args...)...); !strings.Contains(says, c.says) || strings.Contains(says, "ghp_") {
				t.Errorf("says %q", says)
			}
			if len(s.Rulesets) > 0 {
				t.Errorf("made %v", s.Rulesets)
			}
		})
	}
}

func TestCommitStatus(t *testing.T) {
	s, dir := onGitHub(t)
	gitIn(t, dir, "init", "-q")
	gitIn(t, dir, "add", "cdk.json")
	gitIn(t, dir, "commit", "-qm", "one")
	first := gitIn(t, dir, "rev-parse", "HEAD")
	gitIn(t, dir, "commit", "-qm", "two", "--allow-empty")
	second := gitIn(t, dir, "rev-parse", "HEAD")
	status := func(code int, args ...string) string {
		return gitops(t, code, append([]string{"commit-status", "--github-api", s.URL}, args...)...)
	}
	pending := []string{"--context", "gitops/dev", "--state", "pending", "--description", "Deploys the network", "--url", "https://build/1"}
	if says := status(0, pending...); !strings.Contains(says, "gitops/dev is pending at "+second[:12]) || len(s.Statuses) != 1 {
		t.Errorf("%s%v", says, s.Statuses)
	}
	if got := s.Statuses[0]; got["sha"] != second || got["description"] != "Deploys the network" || got["target_url"] != "https://build/1" {
		t.Error(got)
	}
	if says := status(0, pending...); !strings.Contains(says, "as it was") || len(s.Statuses) != 1 {
		t.Errorf("%s%v", says, s.Statuses)
	}
	// A build of CodePipeline has no clone; it is told the commit and its own address.
	t.Setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", strings.Repeat("a", 40))
	t.Setenv("CODEBUILD_BUILD_URL", "https://build/2")
	status(0, "--context", "gitops/dev", "--state", "success")
	if got := s.Statuses[1]; got["sha"] != strings.Repeat("a", 40) || got["target_url"] != "https://build/2" {
		t.Error(got)
	}
	status(0, "--context", "gitops/dev", "--state", "failure", "--commit", "HEAD~1")
	if got := s.Statuses[2]; got["sha"] != first || got["state"] != "failure" {
		t.Error(got)
	}
	for name, c := range map[string]struct {
		code int
		args []string
		says string
	}{
		"no context":     {2, []string{"--state", "success"}, "--context"},
		"no state":       {2, []string{"--context", "gitops/dev"}, `--state must be one of ["pending" "success" "failure" "error"], got ""`},
		"no such commit": {1, append([]string{"--commit", "v9"}, pending...), `there is no revision "v9"; fetch it, or name another`},
	} {
		t.Run(name, func(t *testing.T) {
			if says := status(c.code, c.args...); !strings.Contains(says, c.says) {
				t.Error(says)
			}
		})
	}
	t.Setenv("GITHUB_TOKEN", "")
	if says := status(0, pending...); !strings.Contains(says, "gitops/dev is pending at aaaaaaaaaaaa: Deploys the network") || !strings.Contains(says, "No commit status is written: there is no token") || len(s.Statuses) != 3 {
		t.Error(says)
	}
	t.Setenv("GITHUB_TOKEN", forgetest.Token)
	s.Lacks = []string{"Commit statuses: write"}
	if says := status(1, pending...); !strings.Contains(says, "the token must have 'Commit statuses: write' on me/platform") {
		t.Error(says)
	}
}
