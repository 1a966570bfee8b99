package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/golden"
)

// good is a configuration with every kind of value.
const good = `{
  "repository": {"owner": "my-company", "name": "platform"},
  "environments": {
    "dev": {
      "account": "111111111111", "region": "eu-west-1", "domain": "dev.example.com", "branch": "main",
      "deletionProtection": false,
      "hostedZone": {"id": "Z0123456789DEV", "name": "example.com"},
      "network": {"cidr": "10.20.0.0/16"},
      "cluster": {"publicAccessCidrs": ["203.0.113.0/24"], "admins": ["arn:aws:iam::111111111111:role/Admin"]},
      "ghost": {"database": {"multiAz": false}}
    },
    "production": {
      "account": "222222222222", "region": "eu-west-1", "domain": "example.com", "branch": "production",
      "network": {"cidr": "10.40.0.0/16", "nat": "per-zone"},
      "tags": {"cost-center": "4711"}
    }
  }
}`

// absent as a value of a case removes the key.
type absent struct{}

// context parses the good configuration and applies the edits, path → value.
func context(t *testing.T, edits map[string]any) map[string]any {
	t.Helper()
	var gitops map[string]any
	if err := json.Unmarshal([]byte(good), &gitops); err != nil {
		t.Fatal(err)
	}
	root := map[string]any{"gitops": gitops}
	for path, value := range edits {
		keys := strings.Split(path, "/")
		object := root
		for _, key := range keys[:len(keys)-1] {
			next, ok := object[key].(map[string]any)
			if !ok {
				next = map[string]any{}
				object[key] = next
			}
			object = next
		}
		last := keys[len(keys)-1]
		if _, ok := value.(absent); ok {
			delete(object, last)
			continue
		}
		object[last] = plain(t, value)
	}
	return root
}

// plain turns a value into what encoding/json delivers.
func plain(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var result any
	if err := json.Unmarshal(text, &result); err != nil {
		t.Fatal(err)
	}
	return result
}

func TestGoodConfiguration(t *testing.T) {
	c, err := Load(context(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	dev, production := c.Environments["dev"], c.Environments["production"]
	for _, check := range []struct{ what, got, want string }{
		{"repository", dev.RepositoryURL, "https://github.com/my-company/platform.git"},
		{"credentials", string(dev.GitCredentials), "none"},
		{"version", dev.Cluster.Version, "1.36"},
		{"nat", string(dev.Network.NAT), "one"},
		{"nat of production", string(production.Network.NAT), "per-zone"},
		{"zones", strings.Join(dev.Zones(), " "), "eu-west-1a eu-west-1b eu-west-1c"},
		{"instance types", strings.Join(dev.Nodes.InstanceTypes, " "), "m7g.large"},
		{"protection", fmt.Sprint(dev.DeletionProtection, production.DeletionProtection), "false true"},
		{"zone", fmt.Sprintf("%s %t", dev.HostedZone.Name, production.HostedZone == nil), "example.com true"},
		{"secret", dev.SecretName("ghost", "database"), "/dev/ghost/database"},
		{"bucket", dev.BucketName("ghost", "content"), "dev-ghost-content-111111111111-eu-west-1"},
		{"images", dev.RepositoryName("ghost"), "dev/ghost"},
		{"database", fmt.Sprintf("%+v", dev.Ghost.Database), "{InstanceClass:db.t4g.small MultiAZ:false StorageGiB:20 MaxStorageGiB:100 BackupDays:7 LogDays:30}"},
	} {
		if check.got != check.want {
			t.Errorf("%s: got %q, want %q", check.what, check.got, check.want)
		}
	}
}

// The sample configuration of this repository is valid, too.
func TestSampleConfiguration(t *testing.T) {
	in, err := fromFile("../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Names(), " "); got != "dev integration local production" {
		t.Errorf("environments: %s", got)
	}
	local := c.Environments["local"]
	if local.Account != "000000000000" || local.Domain != "localhost" || local.RepositoryURL != "http://git.localhost/platform.git" {
		t.Errorf("local: %+v", local)
	}
}

// Every bad configuration yields at least one line, each with a path and a remedy. The lines are in testdata/bad.txt, for
// review as text.
func TestBadConfigurations(t *testing.T) {
	var text strings.Builder
	for _, c := range badConfigurations {
		_, err := Load(context(t, c.edits))
		var problems Problems
		if !errors.As(err, &problems) || len(problems) == 0 {
			t.Errorf("%s: no problem found: %v", c.name, err)
			continue
		}
		fmt.Fprintf(&text, "# %s\n%s\n\n", c.name, err)
		for _, problem := range problems {
			line := problem.String()
			if strings.Contains(line, "\n") || problem.What == "" || problem.Remedy == "" {
				t.Errorf("%s: not one line with a remedy: %q", c.name, line)
			}
			if !strings.HasPrefix(problem.Path, Root) {
				t.Errorf("%s: path %q", c.name, problem.Path)
			}
		}
		if len(problems) != max(c.problems, 1) {
			t.Errorf("%s: %d problems, want %d:\n%v", c.name, len(problems), max(c.problems, 1), err)
		}
	}
	if len(badConfigurations) < 60 {
		t.Errorf("%d bad configurations, want 60", len(badConfigurations))
	}
	golden.Compare(t, "testdata/bad.txt", []byte(text.String()))
}

func TestSelect(t *testing.T) {
	c, err := Load(context(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	for list, want := range map[string]string{"": "dev production", " ": "dev production", "production": "production", "production, dev,production": "production dev"} {
		selected, err := c.Select(list)
		var names []string
		for _, e := range selected {
			names = append(names, e.Name)
		}
		if err != nil || strings.Join(names, " ") != want {
			t.Errorf("%q: %v, %v", list, names, err)
		}
	}
	if _, err := c.Select("prodution"); err == nil || err.Error() != `-c env: there is no environment "prodution"; did you mean "production"?` {
		t.Errorf("unknown environment: %v", err)
	}
}

func TestContext(t *testing.T) {
	file := t.TempDir() + "/overflow.json"
	if err := os.WriteFile(file, []byte(`{"gitops": 2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		env  map[string]string
		want string // of gitops, or of the error
	}{
		{"from the CLI", map[string]string{"CDK_CONTEXT_JSON": `{"gitops": 1}`}, "1"},
		{"and its overflow", map[string]string{"CDK_CONTEXT_JSON": `{"x": 1}`, "CONTEXT_OVERFLOW_LOCATION_ENV": file}, "2"},
		{"broken", map[string]string{"CDK_CONTEXT_JSON": `{`}, "CDK_CONTEXT_JSON: unexpected end of JSON input; run the app through the CDK CLI, or unset the variable"},
		{"no overflow", map[string]string{"CONTEXT_OVERFLOW_LOCATION_ENV": file + "x"}, "no such file"},
	} {
		got, err := Context(func(name string) (string, bool) { v, ok := c.env[name]; return v, ok })
		text := fmt.Sprint(got["gitops"])
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, text, c.want)
		}
	}
}

func TestContextFromFile(t *testing.T) {
	t.Chdir(t.TempDir())
	none := func(string) (string, bool) { return "", false }
	if _, err := Context(none); err == nil || err.Error() != "cdk.json: not found; run in the folder of the repository" {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile("cdk.json", []byte("{\n\"context\": {,}\n}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Context(none); err == nil || !strings.Contains(err.Error(), "(line 2)") {
		t.Errorf("broken file: %v", err)
	}
}

// Load must not change what it is given, and must give the same answer each time.
func TestProblemsAreSortedAndStable(t *testing.T) {
	edits := map[string]any{"gitops/environments/dev/account": 1, "gitops/environments/dev/branch": "", "gitops/environments/production/tags": map[string]any{"aws:a": "", "aws:b": ""}}
	var first string
	for range 20 {
		_, err := Load(context(t, edits))
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) }) {
			t.Fatalf("not sorted:\n%v", err)
		}
		if first == "" {
			first = err.Error()
		}
		if err.Error() != first {
			t.Fatalf("differs:\n%s\n%v", first, err)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"cidr", "cidr", 0}, {"cird", "cidr", 2}, {"regoin", "region", 2}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
