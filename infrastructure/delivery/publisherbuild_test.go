package delivery

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/buildspec"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// A tag of the one repository starts the platform's own commands, beside the platform's deployed code; the role reads the
// platform's token and takes the connection's, and nothing else.
func TestPublisherBuild(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	NewPublisherBuild(s.stack, "Publisher", &PublisherBuildProps{Env: s.env, Store: s.store, Service: "shop", Repository: "my-company/shop"})
	template := cdktest.Synthesize(t, s.stack)
	auth := map[string]any{"Type": "CODECONNECTIONS", "Resource": s.env.Delivery.ConnectionARN}
	template.Has("AWS::CodeBuild::Project", map[string]any{
		"Name":      "dev-publish-shop",
		"Artifacts": map[string]any{"Type": "NO_ARTIFACTS"},
		"Source": map[string]any{
			"Type": "GITHUB", "Location": "https://github.com/my-company/shop.git", "BuildSpec": ownCommands, "Auth": auth, "GitCloneDepth": 0,
			"ReportBuildStatus": true, "BuildStatusConfig": map[string]any{"Context": "publish/dev"},
		},
		"SecondarySources": []any{map[string]any{
			"Type": "GITHUB", "Location": s.env.Repository.URL(), "Auth": auth, "SourceIdentifier": "platform", "GitCloneDepth": 1,
		}},
		"SecondarySourceVersions": []any{map[string]any{"SourceIdentifier": "platform", "SourceVersion": s.env.FluxBranch()}},
		"Triggers": map[string]any{"Webhook": true, "BuildType": "BUILD", "FilterGroups": []any{[]any{
			map[string]any{"Type": "EVENT", "Pattern": "PUSH"}, map[string]any{"Type": "HEAD_REF", "Pattern": ownTags},
		}}},
		"Environment": object(map[string]any{"EnvironmentVariables": list(
			variable("ENVIRONMENT", "dev"), variable("MANIFESTS_TOKEN_SECRET", "/dev/gitops/manifests-token"), variable("SERVICE", "shop"),
			variable("SOURCE_REPOSITORY", "https://github.com/my-company/shop.git"),
		)}),
	})
	template.Has("AWS::IAM::Role", map[string]any{"Policies": []any{map[string]any{"PolicyName": "publish-shop", "PolicyDocument": map[string]any{
		"Version": "2012-10-17", "Statement": []any{
			object(map[string]any{"Sid": "WriteItsLog", "Resource": s.env.ARN("logs", "log-group:/dev/delivery/publish-shop:*")}),
			object(map[string]any{"Sid": "CloneTheBranch", "Resource": s.env.Delivery.ConnectionARN}),
			object(map[string]any{"Sid": "ReadTheTokenForManifests", "Action": "secretsmanager:GetSecretValue", "Resource": s.env.ARN("secretsmanager", "secret:/dev/gitops/manifests-token-??????")}),
		},
	}}}})
}

// What starts a build is what the tool releases.
func TestOwnTags(t *testing.T) {
	starts := regexp.MustCompile(ownTags)
	for ref, want := range map[string]bool{
		"refs/tags/v1.2.3": true, "refs/tags/v10.20.30": true, "refs/tags/v1.2.3-rc.1": true, "refs/tags/v1.2.3+5": true,
		"refs/tags/v1.2": false, "refs/tags/v1.2.34x": false, "refs/tags/shop/v1.2.3": false, "refs/tags/1.2.3": false, "refs/heads/v1.2.3": false, "refs/heads/refs/tags/v1.2.3": false,
	} {
		if starts.MatchString(ref) != want {
			t.Errorf("%s: want %t", ref, want)
		}
	}
}

// The commands run as they are written, in one shell, in a clone without tags, as CodeBuild has them. A stand-in for the
// platform's Makefile makes a tool that tells how it was called; what the service's repository has by the same name never runs.
func TestOwnCommandsRun(t *testing.T) {
	for _, program := range []string{"make", "bash", "git"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not on the PATH")
		}
	}
	spec, err := buildspec.Parse([]byte(ownCommands))
	if err != nil {
		t.Fatal(err)
	}
	service, platform := t.TempDir(), t.TempDir()
	write := func(dir, text string) {
		if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(service, "%:\n\techo ran > "+filepath.Join(service, "ran")+"\n")
	write(platform, "node_modules/.package-lock.json bin/services:\n\tmkdir -p $(@D) && touch $@\n"+
		"bin/gitops:\n\tmkdir -p bin && printf '#!/bin/sh\\necho \"$$@\" > called\\n' > $@ && chmod +x $@\n")
	run := func(script string, env ...string) string {
		cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", script)
		cmd.Dir, cmd.Env = service, append(os.Environ(), append(env, "GIT_CONFIG_GLOBAL=/dev/null")...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("git init -q . && git -c user.name=t -c user.email=t@t commit -q --allow-empty -m one")
	var commands []string
	for _, phase := range spec.Phases {
		commands = append(commands, phase.Commands...)
	}
	for tag, source := range map[string]string{"v1.2.3": "CODEBUILD_WEBHOOK_TRIGGER=tag/v1.2.3", "v1.2.4": "CODEBUILD_SOURCE_VERSION=v1.2.4"} {
		run(strings.Join(commands, "\n"), source, "CODEBUILD_SRC_DIR="+service, "CODEBUILD_SRC_DIR_platform="+platform, "SERVICE=shop", "ENVIRONMENT=dev")
		called, err := os.ReadFile(filepath.Join(platform, "called"))
		if want := "service publish shop --env dev --release --from " + service + "\n"; err != nil || string(called) != want {
			t.Errorf("%v\n got %s\nwant %s", err, called, want)
		}
		if tags := run("git tag --points-at HEAD"); !strings.Contains(tags, tag) {
			t.Errorf("tags %s, want %s", tags, tag)
		}
	}
	if _, err := os.Stat(filepath.Join(service, "ran")); err == nil {
		t.Error("the service's Makefile ran")
	}
}
