// Package bootstrap runs hack/bootstrap with the real AWS CLI.
package bootstrap

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cachedir"
	"k8s-plus-aws-gitops/internal/drift"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/local/endpoint/moto"
	"k8s-plus-aws-gitops/local/endpoint/moto/mototest"
)

const (
	region = "eu-central-1"
	copies = "eu-west-1"
	caller = "000000000000" // moto's account, as serve.py says
)

// checkout has what the script reads: the fixture with dev in the caller's account, the policies, and programs of
// node_modules.
func checkout(t *testing.T) string {
	t.Helper()
	root, dir := fixture.Root(t), t.TempDir()
	fixture.Write(t, dir)
	configure(t, filepath.Join(dir, "cdk.json"))
	for _, part := range []string{"hack", "infrastructure/delivery/execution"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join(root, part))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "hack/bootstrap"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "node_modules/.bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "node_modules/.bin/node"), filepath.Join(bin, "node")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, program := range map[string]string{"cdk": filepath.Join(bin, "cdk"), "gitops": filepath.Join(dir, "bin", "gitops")} {
		if err := os.WriteFile(program, []byte("#!/bin/sh\necho "+name+" \"$@\"\n"), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "cdk.json"}, {"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "Configure"}} {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return dir
}

// configure puts every environment into the region, and dev into the caller's account.
func configure(t *testing.T, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(content, &doc); err != nil {
		t.Fatal(err)
	}
	for name, env := range doc["context"].(map[string]any)["gitops"].(map[string]any)["environments"].(map[string]any) {
		env.(map[string]any)["region"] = region
		if name == "dev" {
			env.(map[string]any)["account"] = caller
			env.(map[string]any)["backup"] = map[string]any{"copyTo": copies}
		}
	}
	if content, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// account points this process, and with it the AWS CLI, at an account of its own.
func account(t *testing.T) {
	t.Helper()
	cache, err := cachedir.Dir()
	if err != nil {
		t.Fatal(err)
	}
	cli, err := moto.EnsureCLI(t.Context(), cache, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(cli)+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": mototest.New(t).URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": region, "AWS_DEFAULT_REGION": region,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
	} {
		t.Setenv(name, value)
	}
	t.Setenv("AWS_PROFILE", "") // restored at the end
	if err := os.Unsetenv("AWS_PROFILE"); err != nil {
		t.Fatal(err)
	}
}

// An account is prepared and prepared again, by the real AWS CLI; the CDK's own bootstrap and the first release are
// only recorded: the template of the one is not ours, and the other has tests of its own.
func TestBootstrap(t *testing.T) {
	account(t)
	dir := checkout(t)
	run := func(name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	var policies []string
	for _, name := range []string{"delivery", "identity", "network", "services", "workloads"} {
		policies = append(policies, "arn:aws:iam::"+caller+":policy/platform-"+name+"-"+region)
	}
	want := "cdk bootstrap aws://" + caller + "/" + region + " --cloudformation-execution-policies " + strings.Join(policies, ",") + "\n"
	for i := range 7 { // IAM keeps five versions
		if out, err := run("./hack/bootstrap", "dev"); err != nil || !strings.Contains(out, want) || !strings.HasSuffix(out, "\ngitops release dev --first\n") {
			t.Fatalf("run %d: %v\n%s", i+1, err, out)
		}
	}
	for _, policy := range policies {
		version, err := run("aws", "iam", "get-policy", "--policy-arn", policy, "--query", "Policy.DefaultVersionId", "--output", "text")
		if err != nil || version != "v7\n" {
			t.Errorf("%s: the version in use is %q, want v7: %v", policy, version, err)
		}
	}
	if out, err := run("aws", "backup", "describe-backup-vault", "--region", copies, "--backup-vault-name", "dev", "--query", "BackupVaultName", "--output", "text"); err != nil || out != "dev\n" {
		t.Errorf("the vault of the copies: %s, %v", out, err)
	}
	sameAsHere(t, dir)
	refusals(t, dir, run)
}

// refusals are what an account is not prepared for.
func refusals(t *testing.T, dir string, run func(name string, args ...string) (string, error)) {
	t.Helper()
	for environment, want := range map[string]string{
		"production": "these credentials are of account " + caller + ", environment production is in 333333333333",
		"staging":    "cdk.json: environments.staging has no account and region",
	} {
		if out, err := run("./hack/bootstrap", environment); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", environment, err, out)
		}
	}
	file := filepath.Join(dir, "cdk.json")
	content, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, append(content, '\n'), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := run("./hack/bootstrap", "dev"); err == nil || !strings.Contains(out, "cdk.json is not as the last commit has it") || strings.Contains(out, "+ ") {
		t.Errorf("with a configuration that is not committed: %v\n%s", err, out)
	}
}

// What hack/bootstrap has just made differs in nothing from what `gitops drift` expects, and is behind when a file changes.
func sameAsHere(t *testing.T, dir string) {
	t.Helper()
	client := iam.New(iam.Options{
		BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL")), Region: region, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	read := func() *drift.Report {
		env := config.Environment{Name: "dev", Account: caller, Region: region}
		return drift.Look(t.Context(), "dev", []drift.Check{drift.Execution(client, dir, env)}, func(string) {})
	}
	if r := read(); r.Code() != 0 || len(r.Notes) > 0 {
		t.Errorf("what was just made differs: %+v", r)
	}
	file := filepath.Join(dir, "infrastructure/delivery/execution/network.json")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(content), "Allow", "Deny", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := read(); len(r.Findings) != 1 || r.Findings[0].State != drift.Behind || r.Findings[0].Object != "policy platform-network-"+region {
		t.Errorf("a file that changed since is as in the account: %+v", r)
	}
}
