package environment

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/fixture"
)

// checkout has what the package reads of a repository.
func checkout(t *testing.T) string {
	t.Helper()
	return fixture.Tree(t)
}

// read returns a file below root.
func read(t *testing.T, root, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// An environment is added as one block, and taken away again without a trace.
func TestAddAndRemove(t *testing.T) {
	root := checkout(t)
	before := read(t, root, "cdk.json")
	files, err := Add(root, Options{Name: "jane", From: "dev"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"k8s/clusters/jane/images.yaml", "k8s/clusters/jane/kustomization.yaml", "cdk.json"}, files); diff != "" {
		t.Error(diff)
	}
	after := read(t, root, "cdk.json")
	_, added, _ := strings.Cut(after, `        "jane": {`)
	added, _, _ = strings.Cut(added, "\n        }")
	want := `
          "account": "111111111111",
          "region": "eu-west-1",
          "domain": "jane.dev.example.com",
          "branch": "jane",
          "deletionProtection": false,
          "hostedZone": {"id": "Z0123456789DEV", "name": "dev.example.com"},
          "network": {"cidr": "10.50.0.0/16"},
          "cluster": {"admins": ["arn:aws:iam::111111111111:role/Admin"], "publicAccessCidrs": ["203.0.113.0/24"]},
          "nodes": {"instanceTypes": ["m7g.large", "m6g.large", "r7g.large"], "max": 2, "min": 1, "spot": true},
          "ghost": {"database": {"backupDays": 1}},
          "delivery": {"connectionArn": "arn:aws:codeconnections:eu-west-1:111111111111:connection/00000000-0000-0000-0000-000000000000"}`
	if diff := cmp.Diff(want, added); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := Remove(root, "jane"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, read(t, root, "cdk.json")); diff != "" {
		t.Errorf("not as before:\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(root, "k8s/clusters/jane")); err == nil {
		t.Error("k8s/clusters/jane is still there")
	}
}

// In an account of its own an environment takes no zone, no administrators and no connection along.
func TestAddInAnotherAccount(t *testing.T) {
	root := checkout(t)
	if _, err := Add(root, Options{Name: "jane", From: "integration", Account: "444444444444", Domain: "jane.example.net", Branch: "jane/main"}); err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadDir(root)
	if e := c.Environments["jane"]; err != nil || e.HostedZone != nil || e.Delivers() || len(e.Cluster.Admins) > 0 || e.Branch != "jane/main" || e.DeletionProtection {
		t.Errorf("%+v (%v)", e, err)
	}
	if entry := read(t, root, "k8s/clusters/jane/kustomization.yaml"); strings.Contains(entry, "image-automation") {
		t.Errorf("without pipelines there are no images: %s", entry)
	}
}

func TestAddRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"no such origin", Options{Name: "jane", From: "staging"}, `there is no environment "staging" to start from; use one of dev, integration, local, production`},
		{"a name that is taken", Options{Name: "dev", From: "integration"}, `environment "dev" is there already`},
		{"a bad name", Options{Name: "Jane", From: "dev"}, `context.gitops.environments.Jane: must be named by 1 to 20`},
		{"a domain of another", Options{Name: "jane", From: "dev", Domain: "example.com"}, `must not be the domain of another environment, got "example.com"`},
		{"a connection of another account", Options{Name: "jane", From: "dev", Connection: "arn:aws:codeconnections:eu-west-1:999999999999:connection/00000000-0000-0000-0000-000000000000"}, "got a connection of account 999999999999"},
	} {
		root := checkout(t)
		before := read(t, root, "cdk.json")
		if _, err := Add(root, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if read(t, root, "cdk.json") != before {
			t.Errorf("%s: cdk.json was changed", c.name)
		}
	}
}

func TestRemoveRefuses(t *testing.T) {
	root := checkout(t)
	for name, want := range map[string]string{"staging": "there is no environment", "production": "is protected", "local": "gitops local reset"} {
		if err := Remove(root, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the fleet's files name stays as a whole: half of it removed would load no more.
func TestRemoveOfANamedEnvironment(t *testing.T) {
	root := checkout(t)
	if _, err := Add(root, Options{Name: "jane", From: "dev"}); err != nil {
		t.Fatal(err)
	}
	with := read(t, root, "cdk.json")
	for _, name := range []string{"k8s/fleet/fleet.yaml", "k8s/services/npm.yaml"} {
		put := func(content string) {
			if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		was := read(t, root, name)
		part := "environments:\n  jane: {replicas: 1}\n"
		if name == "k8s/fleet/fleet.yaml" {
			part = "environments:\n  jane: {propose: true}\n"
		}
		if strings.Contains(was, "environments:\n") {
			put(strings.Replace(was, "environments:\n", part, 1))
		} else {
			put(was + part)
		}
		want := `environment "jane" is named by ` + name + "; take environments.jane out of there first"
		if err := Remove(root, "jane"); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if _, err := os.Stat(filepath.Join(root, "k8s/clusters/jane")); err != nil || read(t, root, "cdk.json") != with {
			t.Errorf("%s: something was removed (%v)", name, err)
		}
		put(was)
	}
	if err := Remove(root, "jane"); err != nil {
		t.Error(err)
	}
}

// The text around a member stays, wherever it is.
func TestDrop(t *testing.T) {
	const file = "{\"context\": {\"gitops\": {\"environments\": {\n  \"a\": {\"x\": 1},\n  \"b\": {},\n  \"c\": {\"y\": [1, 2]}\n}}}}\n"
	for name, want := range map[string]string{
		"a": "{\"context\": {\"gitops\": {\"environments\": {\n  \"b\": {},\n  \"c\": {\"y\": [1, 2]}\n}}}}\n",
		"b": "{\"context\": {\"gitops\": {\"environments\": {\n  \"a\": {\"x\": 1},\n  \"c\": {\"y\": [1, 2]}\n}}}}\n",
		"c": "{\"context\": {\"gitops\": {\"environments\": {\n  \"a\": {\"x\": 1},\n  \"b\": {}\n}}}}\n",
	} {
		got, err := drop([]byte(file), name)
		if err != nil || string(got) != want || !json.Valid(got) {
			t.Errorf("%s: %s (%v)", name, got, err)
		}
	}
}
