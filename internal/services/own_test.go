package services

import (
	"errors"
	"maps"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"k8s-plus-aws-gitops/config"
)

// registered is a registration with ten lines.
const registered = `repository: https://github.com/my-company/orders.git
owner: "@my-company/orders"
limits: {replicas: 4, cpu: 500m, memory: 512Mi}
host: orders
aws:
  database: {engine: postgres}
  queue: {}
environments:
  production: {limits: {replicas: 10}, aws: {database: {instanceClass: db.m7g.large}}}
`

// ownGood is the service's own file, with ten lines.
const ownGood = `image: ghcr.io/my-company/orders:1.0.0
port: 8080
host: orders
uses: [database, queue]
calls: [github]
environment:
  LEVEL: info
resources: {cpu: 100m, memory: 256Mi}
replicas: 2
`

var badRegistrations = []badFile{
	{name: "registration without an owner", content: "repository: https://github.com/a/b\n", line: 1, says: "owner: is missing", schema: true},
	{name: "registration with an empty owner", content: strings.Replace(registered, `"@my-company/orders"`, `""`, 1), line: 2, says: `owner: must be a team, a user or a mail address, got ""`, schema: true},
	{name: "owner by a plain name", content: strings.Replace(registered, `"@my-company/orders"`, "orders team", 1), line: 2, says: "owner: must be a team", schema: true},
	{name: "publisher of nobody", content: registered + "publisher: jenkins\n", line: 10, says: `publisher: must be github or codebuild, got "jenkins"`, schema: true},
	{name: "publisher empty", content: registered + "publisher: \"\"\n", line: 10, says: `publisher: must be github or codebuild, got ""`, schema: true},
	{name: "publisher of a repository elsewhere", content: strings.Replace(registered, "github.com", "example.com", 1) + "publisher: codebuild\n", line: 10, says: `publisher: must be of a repository on github.com, got "https://example.com/my-company/orders.git"`},
	{name: "repository empty", content: "repository: \"\"\nowner: a@example.com\n", line: 1, says: `repository: must be the address of a repository, got ""`, schema: true},
	{name: "repository by its short name", content: "repository: my-company/orders\nowner: a@example.com\n", line: 1, says: "repository: must be the address of a repository", schema: true},
	{name: "repository with a token", content: "repository: https://x:ghp_a@github.com/a/b\nowner: a@example.com\n", line: 1, says: "repository: must not hold credentials"},
	{name: "repository in the clear", content: "repository: http://github.com/a/b\nowner: a@example.com\n", line: 1, says: "repository: must be encrypted"},
	{name: "registration with an image", content: registered + "image: a/b:1\n", line: 10, says: "image: must not be in a registration: the service's own file says it; move it to service.yaml in that repository", schema: true},
	{name: "registration with replicas in an environment", content: strings.Replace(registered, "{limits: {replicas: 10}", "{replicas: 3, limits: {replicas: 10}", 1), line: 9, says: "environments.production.replicas: must not be in a registration"},
	{name: "registration with uses", content: registered + "uses: [queue]\n", line: 10, says: "uses: must not be in a registration", schema: true},
	{name: "limit of no pods", content: strings.Replace(registered, "replicas: 4", "replicas: 0", 1), line: 3, says: "limits.replicas: must be from 1 to 100, got 0", schema: true},
	{name: "limit too small for a pod", content: strings.Replace(registered, "memory: 512Mi", "memory: 64Mi", 1), line: 3, says: `limits.memory: must be from 128Mi to 256Gi, got "64Mi"`},
	{name: "limit that is no quantity", content: strings.Replace(registered, "cpu: 500m", "cpu: half", 1), line: 3, says: `limits.cpu: must be a quantity, got "half"`},
	{name: "limit of an unknown thing", content: strings.Replace(registered, "cpu: 500m", "pods: 3", 1), line: 3, says: "limits.pods: is not a known key", schema: true},
	{name: "registration with static files", content: strings.Replace(registered, "  queue: {}", "  assets: {}", 1), line: 7, says: "aws.assets: must not be there for a service in a repository of its own"},
	{name: "limits of a service here", add: "limits: {replicas: 3}\n", line: 10, says: "limits: must be there together with repository only", schema: true},
	{name: "owner of a service here", add: "owner: a@example.com\n", line: 10, says: "owner: must be there together with repository only", schema: true},
	{name: "publisher of a service here", add: "publisher: github\n", line: 10, says: "publisher: must be there together with repository only", schema: true},
	{name: "uses of a service here", add: "uses: [queue]\n", line: 10, says: "uses: must be in the file of a service in a repository of its own"},
	{name: "registration with a taken host", content: strings.Replace(registered, "host: orders", "host: taken", 1), line: 4, says: "host: must not be the host of another service"},
	{name: "registration with a wrong engine", content: strings.Replace(registered, "postgres", "oracle", 1), line: 6, says: "aws.database.engine: must be mysql or postgres", schema: true},
}

var badOwn = []badFile{
	{name: "more pods than registered", replace: map[string]string{"replicas: 2": "replicas: 5"}, line: 9, says: "replicas: must be at most 4, as registered in environment dev, got 5; lower it, or ask for more in k8s/services/orders.yaml of the platform's repository"},
	{name: "more pods by autoscale", replace: map[string]string{"replicas: 2": "autoscale: {min: 1, max: 11}"}, line: 9, says: "autoscale.max: must be at most 4"},
	{name: "more pods in production", add: "environments:\n  production: {replicas: 11}\n", line: 11, says: "environments.production.replicas: must be at most 10, as registered in environment production, got 11"},
	{name: "more memory than registered", replace: map[string]string{"memory: 256Mi": "memory: 1Gi"}, line: 8, says: `resources.memory: must be at most 512Mi, as registered in environment dev, got "1Gi"`},
	{name: "more CPU than registered", replace: map[string]string{"cpu: 100m": "cpu: 2"}, line: 8, says: "resources.cpu: must be text, got 2", schema: true},
	{name: "more CPU in text", replace: map[string]string{"cpu: 100m": `cpu: "2"`}, line: 8, says: `resources.cpu: must be at most 500m, as registered in environment dev, got "2"`},
	{name: "a host that is not registered", replace: map[string]string{"host: orders": "host: shop"}, line: 3, says: `host: must be "orders", as registered in environment dev, got "shop"`},
	{name: "a resource that is not registered", replace: map[string]string{"uses: [database, queue]": "uses: [database, bucket]"}, line: 4, says: `uses[1]: must be in the registration's aws in environment dev, got "bucket"; write aws: {bucket: …} in k8s/services/orders.yaml of the platform's repository`},
	{name: "a resource that does not exist", replace: map[string]string{"uses: [database, queue]": "uses: [databse]"}, line: 4, says: `uses[0]: must be a key of aws, got "databse"; did you mean "database"?`, schema: true},
	{name: "a resource twice", replace: map[string]string{"uses: [database, queue]": "uses: [queue, queue]"}, line: 4, says: "uses[1]: must be there once", schema: true},
	{name: "its own aws", add: "aws: {bucket: {}}\n", line: 10, says: "aws: must not be here: the registration says what the service has in AWS"},
	{name: "its own limits", add: "limits: {replicas: 9}\n", line: 10, says: "limits: must not be here: the registration says it; change it in k8s/services/orders.yaml of the platform's repository", schema: true},
	{name: "its own registration", add: "repository: https://github.com/a/b\n", line: 10, says: "repository: must not be here", schema: true},
	{name: "who publishes it", add: "publisher: codebuild\n", line: 10, says: "publisher: must not be here: the registration says it", schema: true},
	{name: "where it runs", add: "environments:\n  dev: {enabled: false}\n", line: 11, says: "environments.dev.enabled: must not be here"},
	{name: "an environment of nobody", add: "environments:\n  devel: {replicas: 1}\n", line: 11, says: `environments.devel: must be an environment of the platform's cdk.json, got "devel"; did you mean "dev"?`},
	{name: "calls a service of nobody", replace: map[string]string{"calls: [github]": "calls: [gitub]"}, line: 5, says: `calls[0]: must be the name of a service, got "gitub"`},
	{name: "another's secret", add: "secrets:\n  KEY: {path: \"/${ENVIRONMENT}/github/api\"}\n", line: 11, says: "secrets.KEY.path: must be below /dev/orders/"},
	{name: "a variable of aws", replace: map[string]string{"  LEVEL: info": "  QUEUE_URL: x"}, line: 7, says: "environment.QUEUE_URL: must not be set here: aws gives it"},
	{name: "no image", replace: map[string]string{"image: ghcr.io/my-company/orders:1.0.0": "user: 1000"}, line: 1, says: "image: is missing", schema: true},
	{name: "an empty file", content: "# nothing\n", line: 1, says: "is empty", schema: true},
}

// of is the content that is to be refused.
func (c badFile) of(t *testing.T, content string) string {
	t.Helper()
	if c.content != "" {
		return c.content
	}
	for old, now := range c.replace {
		if !strings.Contains(content, old) {
			t.Fatalf("the good file has no %q", old)
		}
		content = strings.Replace(content, old, now, 1)
	}
	return content + c.add
}

// check holds what is wrong with a file to what is expected.
func (c badFile) check(t *testing.T, file string, err error) {
	t.Helper()
	var problems config.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("accepted: %v", err)
	}
	p := problems[0]
	if p.File != file || p.Line != c.line || !strings.Contains(p.String(), c.says) || p.Remedy == "" || strings.Contains(p.String(), "\n") {
		t.Errorf("line %d: %s\nwant line %d: %s", p.Line, p, c.line, c.says)
	}
	if len(problems) > 2 {
		t.Errorf("one mistake, %d problems:\n%v", len(problems), problems)
	}
}

// ownFleet has the registration of orders beside a service.
func ownFleet(t *testing.T, registration string) Fleet {
	t.Helper()
	all, problems := ParseAll(map[string][]byte{FilesDir + "/orders.yaml": []byte(registration), FilesDir + "/github.yaml": []byte(neighbour)}, clusters)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return Fleet{Services: all, Clusters: clusters}
}

// A service of a repository of its own has what its file says, and of AWS what it uses of what the registration gives.
func TestOwn(t *testing.T) {
	f := ownFleet(t, registered)
	for name, content := range map[string]string{"registration": registered, "own": ownGood} {
		if lines := strings.Count(content, "\n"); lines != 9 {
			t.Errorf("%s: the tables count on 9 lines, there are %d", name, lines)
		}
	}
	s, err := f.Own("orders", []byte(ownGood), "production")
	if err != nil {
		t.Fatal(err)
	}
	spec := s.Resolve(clusters[1])
	if spec.Image != "ghcr.io/my-company/orders:1.0.0" || spec.Environment["QUEUE_URL"] == "" || spec.AWS.Database.InstanceClass != "db.m7g.large" {
		t.Errorf("%+v", spec)
	}
	less, err := f.Own("orders", []byte(strings.Replace(ownGood, "uses: [database, queue]", "uses: [queue]", 1)), "dev")
	if err != nil {
		t.Fatal(err)
	}
	if a := less.Resolve(clusters[0]).AWS; a.Database != nil || a.Queue == nil {
		t.Errorf("%+v", a)
	}
	if here := f.Here("dev"); len(here) != 1 || here[0].Name != "github" || len(f.In("dev")) != 2 {
		t.Errorf("here: %v", here)
	}
	want := map[string]string{"pods": "20", "requests.cpu": "10", "limits.memory": "10Gi", "requests.memory": "10Gi"}
	if diff := cmp.Diff(want, f.Services[1].Resolve(clusters[1]).Quota()); diff != "" {
		t.Error(diff)
	}
}

func TestBadOwn(t *testing.T) {
	f, schema := ownFleet(t, registered), compile(t, "service.schema.json")
	for _, c := range badOwn {
		t.Run(c.name, func(t *testing.T) {
			content := c.of(t, ownGood)
			_, err := f.Own("orders", []byte(content), "dev")
			c.check(t, OwnFile, err)
			var value any
			if err := yaml.Unmarshal([]byte(content), &value); err != nil {
				t.Fatal(err)
			}
			if refused := schema.Validate(plainValue(t, value)) != nil; refused != c.schema {
				t.Errorf("the JSON schema refuses it: %t, expected %t", refused, c.schema)
			}
		})
	}
}

// A service that is not registered, or not there, has no place to be published to.
func TestOwnWithoutRegistration(t *testing.T) {
	f := ownFleet(t, strings.Replace(registered, "environments:\n", "environments:\n  dev: {enabled: false}\n", 1))
	for _, c := range []struct{ name, environment, says string }{
		{"github", "dev", "k8s/services/github.yaml of the platform's repository must register the service"},
		{"shop", "dev", "k8s/services/shop.yaml of the platform's repository must register the service"},
		{"orders", "dev", "must be registered in environment dev"},
		{"orders", "test", "must be registered in environment test"},
	} {
		if _, err := f.Own(c.name, []byte(ownGood), c.environment); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s in %s: %v", c.name, c.environment, err)
		}
	}
	// What is registered elsewhere alone is checked there alone.
	if _, err := f.Own("orders", []byte(strings.Replace(ownGood, "replicas: 2", "replicas: 10", 1)), "production"); err != nil {
		t.Error(err)
	}
}

// Repositories on GitHub publish by a workflow, or by a build that the platform has.
func TestPublishers(t *testing.T) {
	off := false
	of := func(name, repository string, environments map[string]Difference) Service {
		return Service{Name: name, Registration: Registration{Repository: repository}, Environments: environments}
	}
	all := []Service{
		of("a", "https://github.com/my-company/a.git", nil), of("b", "ssh://git@github.com/my-company/b", nil), of("c", "https://example.com/my-company/c.git", nil),
		of("d", "https://github.com/my-company/d", map[string]Difference{"dev": {Enabled: &off}}), of("e", "https://github.com/my-company/*", nil), {Name: "npm"},
		{Name: "f", Registration: Registration{Repository: "https://github.com/my-company/f", Publisher: PublisherCodeBuild}},
	}
	for publisher, want := range map[string]map[string]string{
		PublisherGitHub: {"a": "my-company/a", "b": "my-company/b"}, PublisherCodeBuild: {"f": "my-company/f"},
	} {
		if diff := cmp.Diff(want, Publishers(all, "dev", publisher)); diff != "" {
			t.Errorf("%s: %s", publisher, diff)
		}
	}
}

// Every kind that a service can have is one that it can use.
func TestUsesKnowsEveryKind(t *testing.T) {
	all := maps.Collect(func(yield func(string, bool) bool) {
		for _, key := range AWSKeys() {
			yield(key, true)
		}
	})
	for _, k := range kinds {
		if !all[k.key] {
			t.Errorf("%s is missing", path.Join("uses", k.key))
		}
	}
}
