package services

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"k8s-plus-aws-gitops/internal/fixture"
)

const root = "../.."

var clusters = []Cluster{
	{Environment: "dev", Domain: "dev.example.com", VPCCIDR: "10.20.0.0/16", Region: "eu-west-1", Account: "111111111111", DatabaseCA: true},
	{Environment: "production", Domain: "example.com", VPCCIDR: "10.40.0.0/16", Region: "eu-west-1", Account: "333333333333", Protected: true, GhostMail: "blog.example.com", DatabaseCA: true},
}

// neighbour has what there is one of, so that there is something to take.
const neighbour = "image: ghcr.io/nodezoo/nodezoo-github:1.0.0\nport: 8080\nhost: taken\naws: {bucket: {}, queue: {}, topic: {}}\n"

func TestGood(t *testing.T) {
	all, problems := ParseAll(map[string][]byte{FilesDir + "/npm.yaml": []byte(good), FilesDir + "/github.yaml": []byte(neighbour)}, clusters)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	spec := all[1].Resolve(clusters[1])
	if spec.Secrets["NPM_ACCESS"].Path != "/production/npm/registry" || spec.Name != "npm" {
		t.Errorf("%+v", spec)
	}
	if lines := strings.Count(good, "\n"); lines != 9 {
		t.Errorf("the table counts on 9 lines, there are %d", lines)
	}
}

func TestBad(t *testing.T) {
	schema := compile(t, "service.schema.json")
	if len(bad) < 40 {
		t.Errorf("%d bad files", len(bad))
	}
	for _, c := range slices.Concat(bad, badAWS, badRegistrations) {
		t.Run(c.name, func(t *testing.T) {
			content := c.of(t, good)
			name := c.file
			if name == "" {
				name = "npm.yaml"
			}
			file := path.Join(FilesDir, name)
			files := map[string][]byte{file: []byte(content), FilesDir + "/github.yaml": []byte(neighbour)}
			for other, content := range c.others {
				files[path.Join(FilesDir, other+".yaml")] = []byte(content)
			}
			_, problems := ParseAll(files, clusters)
			c.check(t, file, problems.Err())
			var value any
			if yaml.Unmarshal([]byte(content), &value) != nil {
				return
			}
			if refused := schema.Validate(plainValue(t, value)) != nil; refused != c.schema {
				t.Errorf("the JSON schema refuses it: %t, expected %t", refused, c.schema)
			}
		})
	}
}

// plainValue is a value as JSON has it, which is what the schema's validator wants.
func plainValue(t *testing.T, value any) any {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(root, AppDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestFixture holds the fixture's files to the rules and to the schemas.
func TestFixture(t *testing.T) {
	f, err := Load(fixture.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range f.Services {
		conforms(t, compile(t, "service.schema.json"), s.File)
	}
	conforms(t, compile(t, "fleet.schema.json"), ConfigFile)
}

func conforms(t *testing.T, schema *jsonschema.Schema, file string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(fixture.Dir(t), file))
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := yaml.Unmarshal(content, &value); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(plainValue(t, value)); err != nil {
		t.Errorf("%s: %v", file, err)
	}
}

// TestSchemaKnowsEveryKey compares the schemas' keys with the parser's, at every depth.
func TestSchemaKnowsEveryKey(t *testing.T) {
	for name, of := range map[string]any{"service.schema.json": document{}, "fleet.schema.json": Config{}} {
		content, err := os.ReadFile(filepath.Join(root, AppDir, name))
		if err != nil {
			t.Fatal(err)
		}
		var schema map[string]any
		if err := json.Unmarshal(content, &schema); err != nil {
			t.Fatal(err)
		}
		defs, _ := schema["$defs"].(map[string]any)
		sameKeys(t, name, defs, schema, reflect.TypeOf(of))
	}
}

// sameKeys compares a schema with the type that the parser fills.
func sameKeys(t *testing.T, at string, defs, schema map[string]any, of reflect.Type) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema, _ = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	under := func(key string) map[string]any {
		inner, _ := schema[key].(map[string]any)
		return inner
	}
	switch of.Kind() {
	case reflect.Pointer:
		sameKeys(t, at, defs, schema, of.Elem())
	case reflect.Map:
		sameKeys(t, at+".*", defs, under("additionalProperties"), of.Elem())
	case reflect.Slice:
		sameKeys(t, at+"[]", defs, under("items"), of.Elem())
	case reflect.Struct:
		properties, known := under("properties"), fields(reflect.New(of).Elem())
		compare(t, at, keys(properties), keys(known))
		for key, field := range known {
			inner, _ := properties[key].(map[string]any)
			sameKeys(t, at+"."+key, defs, inner, field.Type())
		}
	}
}

func keys[V any](m map[string]V) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: the schema knows %v, the parser %v", what, got, want)
	}
}

// TestReservedNames holds the list to the namespaces and hosts of the platform's manifests. Of other applications Load knows
// the folders.
func TestReservedNames(t *testing.T) {
	namespace := regexp.MustCompile(`(?m)^kind: Namespace\nmetadata:\n(?:  [^n\n].*\n|   .*\n)*  name: (\S+)`)
	host := regexp.MustCompile(`host: (\S+)\.\$\{DOMAIN\}`)
	for _, dir := range []string{"k8s/apps/ghost", "k8s/platform", "k8s/fleet/base"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(name string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(name) != ".yaml" {
				return err
			}
			content, err := os.ReadFile(name)
			for _, match := range namespace.FindAllStringSubmatch(string(content), -1) {
				if !slices.Contains(Reserved, match[1]) {
					t.Errorf("%s: add namespace %s to Reserved", name, match[1])
				}
			}
			for _, match := range host.FindAllStringSubmatch(string(content), -1) {
				if !slices.Contains(ReservedHosts, match[1]) {
					t.Errorf("%s: add host %s to ReservedHosts", name, match[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A service cannot have the name of an application in k8s/apps, whose namespace it would share, nor its host.
func TestApplicationsAreTaken(t *testing.T) {
	dir := fixture.Tree(t)
	for name, content := range map[string]string{
		"k8s/apps/shop/kustomization.yaml": "resources: []\n",
		"k8s/services/shop.yaml":           "image: a/b:1\nport: 8080\n",
		"k8s/services/till.yaml":           "image: a/b:1\nport: 8080\nhost: shop\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Load(dir)
	for _, want := range []string{
		`k8s/services/shop.yaml:1: must not have the name of an application in k8s/apps, got "shop"`,
		`k8s/services/till.yaml:3: host: must not be the host of an application in k8s/apps, got "shop"`,
	} {
		if err == nil || strings.Count(err.Error(), want) != 1 {
			t.Errorf("%v\nwant once: %s", err, want)
		}
	}
}

func TestMerge(t *testing.T) {
	s, problems := Parse("services/a.yaml", []byte(good+`calls: [github]
environments:
  production: {autoscale: {min: 2, max: 4}, environment: {MORE: "1"}, calls: []}
  dev: {enabled: false}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got := s.Resolve(clusters[1])
	if got.Autoscale == nil || got.Replicas != nil || got.Environment["LEVEL"] != "info" || got.Environment["MORE"] != "1" || len(got.Calls) != 0 || got.Calls == nil {
		t.Errorf("%+v", got)
	}
	if s.Enabled("dev") || !s.Enabled("production") {
		t.Error("enabled")
	}
	back := s.Resolve(clusters[1])
	if !reflect.DeepEqual(got, back) {
		t.Error("Resolve changed the service")
	}
}

func TestConfig(t *testing.T) {
	for content, says := range map[string]string{
		"branch: ${SERVICE}\n":                                                                   "url: is missing",
		"url: git@github.com:a/b.git\n":                                                          "url: must be the address of a repository",
		"url: http://example.com/a.git\n":                                                        "must be encrypted",
		"url: https://u:p@example.com/a.git\n":                                                   "must not hold credentials",
		"url: https://example.com/a.git\nbranch: x\n":                                            "must name the service",
		"url: https://example.com/a.git\nbranch: ${SERVICE}..\n":                                 "must be the name of a branch",
		"url: https://example.com/a.git\ninterval: 1s\n":                                         "interval: must be from 10s to 24h",
		"url: https://example.com/a.git\ninterval: soon\n":                                       "interval: must be from 10s to 24h",
		"url: https://example.com/a.git\nsecretRef: A_b\n":                                       "must be the name of a Secret",
		"url: https://example.com/a.git\nenvironments: {dev: {url: x}}\n":                        "url: must be the address of a repository",
		"url: https://example.com/a.git\npublish: push\n":                                        "publish: must be merge or tag, got \"push\"",
		"url: https://example.com/a.git\npublish: merge\nenvironments: {dev: {propose: true}}\n": "environments.dev.publish: must not be merge where propose is true",
		"url: https://example.com/a.git\npublish: merge\npropose: true\n":                        "publish: must not be merge where propose is true",
	} {
		if _, problems := ParseConfig([]byte(content)); len(problems) != 1 || !strings.Contains(problems[0].String(), says) {
			t.Errorf("%q: %v", content, problems)
		}
	}
	c, problems := ParseConfig([]byte("url: https://example.com/a.git\nbranch: ${SERVICE}\nenvironments: {dev: {propose: true, interval: 5m}}\n"))
	if len(problems) > 0 || c.For("dev").Ref("dev", "npm") != "npm" || !c.For("dev").Propose || c.For("dev").Interval.String() != "5m0s" || c.For("x").Propose {
		t.Errorf("%v %+v", problems, c.For("dev"))
	}
	if c.For("dev").ByMerge() {
		t.Error("a file that does not say so publishes by merge")
	}
	c, problems = ParseConfig([]byte("url: https://example.com/a.git\npublish: merge\nenvironments: {production: {propose: true, publish: tag}}\n"))
	if len(problems) > 0 || !c.For("dev").ByMerge() || c.For("production").ByMerge() {
		t.Errorf("%v %+v", problems, c)
	}
}

// Environments that share branches must not publish by merge: the merge for the one would change the pods of the other.
func TestSharedBranches(t *testing.T) {
	for name, c := range map[string]struct {
		config   string
		problems int
	}{
		"by tag":               {"branch: ${SERVICE}\n", 0},
		"by merge":             {"branch: ${SERVICE}\npublish: merge\n", 1},
		"one by merge":         {"branch: ${SERVICE}\nenvironments: {dev: {publish: merge}}\n", 1},
		"their own branches":   {"publish: merge\n", 0},
		"their own repository": {"branch: ${SERVICE}\npublish: merge\nenvironments: {dev: {url: \"https://example.com/dev.git\"}}\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, problems := ParseConfig([]byte("url: https://example.com/a.git\n" + c.config))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			f := Fleet{Clusters: []Cluster{{Environment: "dev"}, {Environment: "production"}}, Config: parsed}
			if got := f.shared(); len(got) != c.problems {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestLoadConfig(t *testing.T) {
	if c, err := LoadConfig(fixture.Dir(t)); err != nil || !c.For("integration").ByMerge() || c.For("dev").ByMerge() {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := LoadConfig(t.TempDir()); err != nil || c.For("dev").ByMerge() {
		t.Errorf("without the file: %+v, %v", c, err)
	}
}

func TestSuggestionsOfNew(t *testing.T) {
	for _, n := range []New{
		{Name: "npm", Image: "ghcr.io/a/npm:1.4.2", Port: 8080, Health: "/healthz", Host: "npm"},
		{Name: "npm", Image: "1registry/npm:1", Port: 8080, Host: "0x1f", Cache: true, Mail: true, Assets: true},
		{Name: "npm", Image: "npm:1", Port: 8080, Host: "true", Health: "/a?b=c&d"},
		{Name: "npm", Repository: "https://github.com/a/npm.git", Owner: "@a/npm", Host: "npm", Database: MySQL},
	} {
		s, problems := Parse("services/"+n.Name+".yaml", n.File())
		if len(problems) > 0 || s.Settings.Image != n.Image || s.Repository != n.Repository || s.Owner != n.Owner || s.Settings.Host != n.Host {
			t.Errorf("%s\n%v", n.File(), problems)
			continue
		}
		if a := s.Settings.AWS; n.Cache && (a == nil || a.Cache == nil || a.Mail == nil || a.Assets == nil) {
			t.Errorf("%s", n.File())
		}
	}
}

// FuzzParse holds the parser to: no panic, problems of one line with a place and a remedy, and what is accepted resolves.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(neighbour))
	for _, c := range slices.Concat(bad, badAWS, badRegistrations) {
		f.Add([]byte(c.content))
		f.Add([]byte(good + c.add))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		all, problems := ParseAll(map[string][]byte{FilesDir + "/npm.yaml": content}, clusters)
		for _, p := range problems {
			if text := p.String(); strings.ContainsAny(text, "\n\r") || p.Remedy == "" || p.File == "" || p.Line < 0 || p.Line > bytes.Count(content, []byte("\n"))+bytes.Count(content, []byte("\r"))+2 {
				t.Errorf("%q", text)
			}
		}
		if len(problems) > 0 {
			return
		}
		for _, c := range clusters {
			spec := all[0].Resolve(c)
			if all[0].Registered() {
				spec.Quota()
			} else if all[0].Enabled(c.Environment) && (spec.Image == "" || spec.Port == 0) {
				t.Errorf("accepted without image or port: %q", content)
			}
			for _, secret := range spec.Secrets {
				if all[0].Enabled(c.Environment) && !strings.HasPrefix(secret.Path, "/"+c.Environment+"/npm/") {
					t.Errorf("secret %s", secret.Path)
				}
			}
		}
	})
}
