package manifests

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/manifests/pinned"
	"k8s-plus-aws-gitops/internal/manifests/schemas"
)

// root is the repository.
const root = "../.."

// cachedCharts finds charts in the Go module cache only: tests need no network.
func cachedCharts(t *testing.T) Charts {
	t.Helper()
	t.Setenv("GOPROXY", "off")
	charts := ModuleCharts(root)
	for _, chart := range pinned.Charts() {
		if _, err := charts(Chart{Name: chart}); err != nil {
			t.Skipf("%s is not in the module cache (%v); `make check` fetches it", chart, err)
		}
	}
	return charts
}

// The product's manifests are valid in the environments of the fixture; `make check` holds those of cdk.json to the same.
func TestRepository(t *testing.T) {
	problems, err := Check(t.Context(), Options{Root: fixture.Tree(t), Charts: cachedCharts(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Error(problem)
	}
}

// releases returns the HelmReleases of an environment by chart name: those of production, or of the local overlay.
func releases(t *testing.T, environment string) map[string]release {
	t.Helper()
	path := "k8s/platform/controllers"
	if environment == "local" {
		path = "k8s/platform/controllers-local"
	}
	all, found := objects(t, environment, path), map[string]release{}
	for _, o := range all {
		if key(o) == helmRelease {
			read, err := readRelease(o, sources(all))
			if err != nil {
				t.Fatal(err)
			}
			found[read.Spec.Chart.Spec.Chart] = read
		}
	}
	return found
}

// A failed release is tried again and never rolled back or given up: a new revision ends Helm's wait and marks the release
// as failed (docs/design/20261120.flux-feature-gates.md).
func TestReleasesRetry(t *testing.T) {
	seen := 0
	for _, o := range objects(t, "production", "k8s/platform/controllers") {
		if key(o) != helmRelease {
			continue
		}
		seen++
		for _, action := range []string{"install", "upgrade"} {
			if got := text(o, "spec", action, "strategy", "name"); got != "RetryOnFailure" {
				t.Errorf("%s: spec.%s.strategy.name is %q", text(o, "metadata", "name"), action, got)
			}
		}
	}
	if seen == 0 {
		t.Error("no HelmRelease was found")
	}
}

// objects builds a folder with the facts of an environment.
func objects(t *testing.T, environment, path string, components ...any) []object {
	t.Helper()
	tree := fixture.Tree(t)
	c, err := config.LoadDir(tree)
	if err != nil {
		t.Fatal(err)
	}
	facts, err := factsOf(c, environment)
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{}
	for _, name := range []string{config.ClusterFactsName, config.LocalFactsName} {
		for variable, value := range facts[name] {
			variables[variable] = value
		}
	}
	run := &check{ctx: t.Context(), root: tree, environment: environment}
	run.enter(path)
	found := run.folder(path, overlay{Components: components}, variables)
	for _, problem := range run.problems {
		t.Error(problem)
	}
	return found
}

// k8s/clusters/base names the folder of the fleet by the fact ENVIRONMENT.
func TestEachEnvironmentHasItsFleet(t *testing.T) {
	tree := fixture.Tree(t)
	environments, err := Environments(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, environment := range environments {
		rendered, err := Render(t.Context(), Options{Root: tree}, environment)
		if err != nil || len(rendered.Problems) > 0 {
			t.Fatal(err, rendered.Problems)
		}
		paths := map[string]string{}
		for _, k := range rendered.Kustomizations {
			paths[k.Name] = k.Path
		}
		if want := "k8s/fleet/" + environment; paths["services"] != want {
			t.Errorf("%s: services are of %q, want %q", environment, paths["services"], want)
		}
	}
}

// constant reads a string constant of a Go file: importing the package would start a CDK build.
func constant(t *testing.T, path, name string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(name + `\s*=\s*"([^"]*)"`).FindSubmatch(content)
	if match == nil {
		t.Fatalf("%s has no constant %s", path, name)
	}
	return string(match[1])
}

// TestSchemaSources ties the schemas to the pins of the modules that they are made from. TestReleased compares them with
// the versions of production.
func TestSchemaSources(t *testing.T) {
	content, err := schemas.Load()
	if err != nil {
		t.Fatal(err)
	}
	pins, err := pinned.Versions(root)
	if err != nil {
		t.Fatal(err)
	}
	for module, version := range content.Sources {
		if pins[module] != version {
			t.Errorf("schemas.json is of %s %s, %s/go.mod pins %s; run go generate ./internal/manifests/schemas", module, version, pinned.Dir, pins[module])
		}
		delete(pins, module)
	}
	for _, chart := range pinned.Charts() {
		source, err := pinned.Chart(chart)
		if err != nil {
			t.Fatal(err)
		}
		delete(pins, source.Module)
	}
	for module := range pins {
		t.Errorf("%s/go.mod pins %s, which has neither schemas nor a chart; remove it", pinned.Dir, module)
	}
}

// TestDatabaseTLS holds Ghost's TLS setting to text in every environment: a JSON object that lost its
// quotes would be refused by the API server, and only locally.
func TestDatabaseTLS(t *testing.T) {
	want := map[string]string{"production": ` "Amazon RDS"`, "local": ` {"ca":"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}`}
	for environment, ssl := range want {
		for _, o := range objects(t, environment, "k8s/apps/ghost") {
			if o.kind() != "Deployment" {
				continue
			}
			containers := value(o, "spec", "template", "spec", "containers").([]any)
			for _, variable := range containers[0].(map[string]any)["env"].([]any) {
				entry := variable.(map[string]any)
				if entry["name"] == "database__connection__ssl" && entry["value"] != ssl {
					t.Errorf("%s: database__connection__ssl is %#v, want %q", environment, entry["value"], ssl)
				}
			}
		}
	}
}

// TestIdentities holds the charts' ServiceAccounts to the names of the Pod Identity associations.
func TestIdentities(t *testing.T) {
	charts := cachedCharts(t)
	for chart, read := range releases(t, "production") {
		rendered, err := render(read, charts)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, o := range rendered {
			if o.kind() == "ServiceAccount" && o.name() == chart && cmp.Or(o.namespace(), read.Metadata.Namespace) == read.Metadata.Namespace {
				found = true
				for name := range asMap(value(o, "metadata", "annotations")) {
					t.Errorf("ServiceAccount %s has annotation %s: its role comes by Pod Identity", chart, name)
				}
			}
		}
		if !found {
			t.Errorf("chart %s makes no ServiceAccount %s/%s, which infrastructure/addons gives a role", chart, read.Metadata.Namespace, chart)
		}
	}
}

func asMap(found any) map[string]any {
	converted, _ := found.(map[string]any)
	return converted
}

// TestStorageAdapter runs Ghost's storage adapter against a stub of Ghost, if node is installed.
func TestStorageAdapter(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	adapter, err := filepath.Abs(filepath.Join(root, "k8s/apps/ghost/adapters/storage/S3Content.js"))
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(node, "index.js", adapter)
	command.Dir = filepath.Join("testdata", "ghost")
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) || err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestImageUpdates compares where Flux finds and writes image tags: in a registry of AWS with a login, and on
// one machine without one. By a pull request it is another branch: config, TestClusterFacts.
func TestImageUpdates(t *testing.T) {
	for environment, want := range map[string]struct {
		path, image, provider, branch, secret string
		insecure                              bool
		secrets                               int
	}{
		"integration": {
			"k8s/platform/image-automation", "222222222222.dkr.ecr.eu-west-1.amazonaws.com/integration/ghost", "aws",
			"main", "flux-git-write", false, 1,
		},
		"local": {"k8s/platform/image-automation", "registry.localhost/local/ghost", "generic", "main", "flux-git-write", true, 1},
	} {
		t.Run(environment, func(t *testing.T) {
			found := map[string]object{}
			secrets := 0
			for _, o := range objects(t, environment, want.path) {
				found[o.kind()] = o
				if o.kind() == "ExternalSecret" {
					secrets++
				}
			}
			if got := text(found["ImagePolicy"], "spec", "digestReflectionPolicy"); got != "IfNotPresent" {
				t.Errorf("the digest of a tag is read %q, want IfNotPresent", got)
			}
			repository, automation, source := found["ImageRepository"], found["ImageUpdateAutomation"], found["GitRepository"]
			if got := text(repository, "spec", "image"); got != want.image {
				t.Errorf("image %s, want %s", got, want.image)
			}
			if provider, insecure := text(repository, "spec", "provider"), value(repository, "spec", "insecure"); provider != want.provider || insecure != want.insecure {
				t.Errorf("provider %s, insecure %v", provider, insecure)
			}
			if got := text(automation, "spec", "git", "push", "branch"); got != want.branch {
				t.Errorf("pushes to %s, want %s", got, want.branch)
			}
			if got := text(source, "spec", "secretRef", "name"); got != want.secret || secrets != want.secrets {
				t.Errorf("credentials %q, %d ExternalSecrets", got, secrets)
			}
		})
	}
}
