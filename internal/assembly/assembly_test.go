package assembly

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// cloud writes an assembly as the CDK does: a nested one for each environment.
func cloud(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "manifest.json", `{"artifacts": {"Tree": {"type": "cdk:tree"},
		"assembly-dev": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-dev", "displayName": "dev"}}}}`)
	write(t, dir, "assembly-dev/manifest.json", `{"artifacts": {"devghost.assets": {"type": "cdk:asset-manifest"},
		"devghost": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "devghost.template.json", "stackName": "dev-ghost"}},
		"other": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "devghost.template.json"}}}}`)
	write(t, dir, "assembly-dev/devghost.template.json", `{"Resources": {"R": {"Type": "AWS::S3::Bucket"}}}`)
	return dir
}

func TestRead(t *testing.T) {
	environments, err := Read(cloud(t))
	if err != nil {
		t.Fatal(err)
	}
	ghost := environments["dev"]["ghost"]
	if len(environments) != 1 || len(environments["dev"]) != 2 || ghost.Name != "dev-ghost" || ghost.Template.Resources()["R"]["Type"] != "AWS::S3::Bucket" {
		t.Errorf("%+v", environments)
	}
}

func TestReadFails(t *testing.T) {
	for file, want := range map[string]string{
		"manifest.json":                       "run cdk synth",
		"assembly-dev/manifest.json":          "run cdk synth",
		"assembly-dev/devghost.template.json": "devghost.template.json",
	} {
		dir := cloud(t)
		os.Remove(filepath.Join(dir, file))
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: %v", file, err)
		}
		write(t, dir, file, "{")
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), filepath.Base(file)) {
			t.Errorf("broken %s: %v", file, err)
		}
	}
}
