package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
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
	for _, path := range slices.Sorted(maps.Keys(edits)) { // an object before what is in it
		value := edits[path]
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
		{"sessions", fmt.Sprint(dev.UsesSessionManager(), production.UsesSessionManager()), "false true"},
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
		{"database", fmt.Sprintf("%+v", dev.Ghost.Database), "{InstanceClass:db.t4g.small MultiAZ:false StorageGiB:20 MaxStorageGiB:100 BackupDays:7 LogDays:30 RotationDays:30}"},
		{"mail", fmt.Sprintf("%+v", dev.Ghost.Mail), "{Transport:ses From:noreply@ghost.dev.example.com Port:587}"},
	} {
		if check.got != check.want {
			t.Errorf("%s: got %q, want %q", check.what, check.got, check.want)
		}
	}
}

// The fixture is valid, too. Its environment local is on one machine.
func TestFixture(t *testing.T) {
	c, err := Load(fixture.Context(t))
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

// The cdk.json of an older commit is read as far as it can be: what refuses it may be younger.
func TestLoadOld(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string // the domain of dev, or the error
	}{
		"valid":           {`{"context": {"gitops": ` + good + `}}`, "dev.example.com"},
		"unknown key":     {`{"context": {"gitops": ` + strings.Replace(good, `"branch": "main",`, `"branch": "main", "mirror": 1,`, 1) + `}}`, "dev.example.com"},
		"key twice":       {`{"context": {"gitops": ` + strings.Replace(good, `"branch": "main",`, `"branch": "x", "branch": "main",`, 1) + `}}`, "dev.example.com"},
		"no environments": {`{"context": {}}`, ""},
		"no JSON":         {`{"context": `, "cdk.json: unexpected end of JSON input (line 1); correct the JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, file), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			loaded, err := LoadOld(dir)
			got := loaded.Environments["dev"].Domain
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
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

// Pipelines need a connection; image tags go where the configuration says.
func TestDelivery(t *testing.T) {
	c, err := Load(context(t, map[string]any{
		"gitops/repository/connectionArn":         connection("111111111111"),
		"gitops/environments/production/delivery": map[string]any{"connectionArn": connection("222222222222"), "imageUpdates": "pullRequest"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	dev, production := c.Environments["dev"], c.Environments["production"]
	if !dev.Delivers() || !dev.UpdatesImages() || dev.ImageUpdateBranch() != "main" || dev.Delivery.ConnectionARN != connection("111111111111") || !dev.Delivery.Review {
		t.Errorf("dev: %+v", dev.Delivery)
	}
	if production.ImageUpdateBranch() != "image-updates/production" || production.Registry() != "222222222222.dkr.ecr.eu-west-1.amazonaws.com" || len(production.Repository.Paths.Deploy) != 7 {
		t.Errorf("production: %+v", production)
	}
	if c, err = Load(context(t, nil)); err != nil || c.Environments["dev"].Delivers() || c.Environments["dev"].UpdatesImages() {
		t.Errorf("without a connection: %+v (%v)", c.Environments["dev"].Delivery, err)
	}
}

// An environment that runs another's images builds none, and both know of each other.
func TestImagesFrom(t *testing.T) {
	c, err := Load(context(t, imagesFrom("dev", nil)))
	if err != nil {
		t.Fatal(err)
	}
	dev, production := c.Environments["dev"], c.Environments["production"]
	if !dev.BuildsImages() || !dev.UpdatesImages() || dev.CopiesImages() || len(dev.ImageCopies) != 1 || dev.ImageCopies[0].ImagesRole() != "production-images" {
		t.Errorf("dev: %+v", dev)
	}
	if production.BuildsImages() || production.UpdatesImages() || !production.CopiesImages() || production.ImageSource.Registry() != dev.Registry() || len(production.ImageCopies) != 0 {
		t.Errorf("production: %+v", production)
	}
}

// An environment that is deployed follows a branch that exists.
func TestCheckBranches(t *testing.T) {
	c, err := Load(context(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	selected, err := c.Select("")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckBranches(selected, []string{"main", "production"}); err != nil {
		t.Error(err)
	}
	if err := c.CheckBranches(selected, nil); err != nil {
		t.Errorf("where nothing is known nothing is wrong: %v", err)
	}
	want := `context.gitops.environments.production.branch: must be a branch of the repository, got "production"; make it with: git push origin HEAD:refs/heads/production (or git fetch, if it is new)`
	if err := c.CheckBranches(selected, []string{"main"}); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// What is merged into a branch is for all environments that follow it in the same repository.
func TestBeside(t *testing.T) {
	at := func(name, branch, repository string) Environment {
		return Environment{Name: name, Branch: branch, RepositoryURL: repository}
	}
	c := Config{Environments: map[string]Environment{
		"a": at("a", "main", "https://x"), "c": at("c", "main", "https://x"), "b": at("b", "main", "https://x"), "other": at("other", "main", "https://y"), "release": at("release", "release", "https://x"),
	}}
	for name, want := range map[string]string{"a": "b c", "other": "", "release": ""} {
		if got := strings.Join(c.Beside(c.Environments[name]), " "); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// Branches are those of the remote and of the clone; without a remote nothing is known.
func TestBranches(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %s", args, out)
		}
	}
	t.Chdir(dir)
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	if got := Branches(); got != nil {
		t.Errorf("outside of a repository: %v", got)
	}
	git("init", "--quiet", "--initial-branch", "main")
	git("commit", "--quiet", "--allow-empty", "-m", "Start")
	if got := Branches(); got != nil {
		t.Errorf("without a remote: %v", got)
	}
	git("update-ref", "refs/remotes/origin/production", "HEAD")
	if got := strings.Join(Branches(), " "); got != "main production" {
		t.Errorf("branches: %s", got)
	}
}
