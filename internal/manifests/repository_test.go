package manifests

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"

	"k8s-plus-aws-gitops/internal/manifests/schemas"
)

// root is the repository.
const root = "../.."

// cachedCharts finds charts in the Go module cache only: tests need no network.
func cachedCharts(t *testing.T) Charts {
	t.Helper()
	t.Setenv("GOPROXY", "off")
	charts := ModuleCharts(root)
	for chart := range modules {
		if _, err := charts(chart); err != nil {
			t.Skipf("%s is not in the module cache (%v); `make check` fetches it", chart, err)
		}
	}
	return charts
}

func TestRepository(t *testing.T) {
	problems, err := Check(t.Context(), Options{Root: root, Charts: cachedCharts(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Error(problem)
	}
}

// releases returns the HelmReleases of an environment by chart name.
func releases(t *testing.T, environment string) map[string]release {
	t.Helper()
	found := map[string]release{}
	for _, o := range objects(t, environment, "k8s/platform/controllers") {
		if key(o) == helmRelease {
			read, err := readRelease(o)
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
func objects(t *testing.T, environment, path string) []object {
	t.Helper()
	facts, err := LoadFacts(root, environment)
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{}
	for _, name := range []string{ClusterFacts, LocalFacts} {
		for variable, value := range facts[name] {
			variables[variable] = value
		}
	}
	run := &check{ctx: t.Context(), root: root, environment: environment}
	run.enter(path)
	found := run.folder(path, variables)
	for _, problem := range run.problems {
		t.Error(problem)
	}
	return found
}

// TestVersions ties what must move together: the chart that a HelmRelease pins, the module that the local
// program is built from, and the IAM policy of the AWS half.
func TestVersions(t *testing.T) {
	cases := []struct {
		chart string
		// Go file and constant that name the chart version which the policy was written for.
		policy, constant string
		// image is the program's version; the HelmRelease says it explicitly.
		image string
		// exception is why the chart in the module has another version than the HelmRelease, and that version.
		exception, moduleChart string
	}{
		{chart: "aws-load-balancer-controller", policy: "loadbalancercontroller.go", constant: "LoadBalancerControllerVersion", image: "v3.2.2"},
		{chart: "external-dns", policy: "externaldns.go", constant: "ExternalDNSChartVersion", image: "v0.22.0"},
		{
			chart: "external-secrets", policy: "externalsecrets.go", constant: "ExternalSecretsChartVersion", image: "v0.20.4",
			exception:   "the project raises the chart's version after it tags the program: the chart at tag v0.20.4 still says 0.20.3",
			moduleChart: "0.20.3",
		},
	}
	found := releases(t, "production")
	if len(found) != len(cases) {
		t.Errorf("%d releases in k8s/platform/controllers, %d in this test: add the new one with its policy", len(found), len(cases))
	}
	charts := cachedCharts(t)
	for _, c := range cases {
		t.Run(c.chart, func(t *testing.T) {
			wanted := found[c.chart]
			version := wanted.Spec.Chart.Spec.Version
			if tag := text(wanted.Spec.Values, "image", "tag"); tag != c.image {
				t.Errorf("the HelmRelease runs image %s, local/programs builds %s", tag, c.image)
			}
			pinned, err := PinnedVersion(root, modules[c.chart])
			if err != nil {
				t.Fatal(err)
			}
			if pinned != c.image && !strings.HasPrefix(pinned, "v0.0.0-") {
				t.Errorf("local/programs/%s/go.mod pins %s, the HelmRelease's image is %s", modules[c.chart].Program, pinned, c.image)
			}
			dir, err := charts(c.chart)
			if err != nil {
				t.Fatal(err)
			}
			loaded, err := loader.LoadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if carried := loaded.Metadata.Version; carried != orDefault(c.moduleChart, version) {
				t.Errorf("the module carries chart %s, the HelmRelease pins %s (%s)", carried, version, orDefault(c.exception, "no exception"))
			}
			if policy := constant(t, filepath.Join(root, "infrastructure", "addons", c.policy), c.constant); policy != version {
				t.Errorf("infrastructure/addons/%s is written for %s, the HelmRelease pins %s", c.policy, policy, version)
			}
		})
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

// TestSchemaSources ties the schemas to the versions that run.
func TestSchemaSources(t *testing.T) {
	content, err := schemas.Load()
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]string{
		"k8s.io/kubernetes":                             "controlplane",
		"github.com/fluxcd/source-controller":           "source-controller",
		"github.com/fluxcd/kustomize-controller":        "kustomize-controller",
		"github.com/fluxcd/helm-controller":             "helm-controller",
		"github.com/fluxcd/notification-controller":     "notification-controller",
		"github.com/fluxcd/image-reflector-controller":  "image-reflector-controller",
		"github.com/fluxcd/image-automation-controller": "image-automation-controller",
		"github.com/external-secrets/external-secrets":  "external-secrets",
		"sigs.k8s.io/aws-load-balancer-controller":      "aws-load-balancer-controller",
	}
	for module, version := range content.Sources {
		pinned, err := PinnedVersion(root, Module{Program: programs[module], Path: module})
		if err != nil {
			t.Error(err)
			continue
		}
		if pinned != version {
			t.Errorf("schemas.json is of %s %s, local/programs/%s pins %s; change internal/manifests/cmd/schemas and run go generate ./internal/manifests/schemas",
				module, version, programs[module], pinned)
		}
	}
}

// TestFactsAreWritten compares the keys of this package with those that the AWS half writes.
func TestFactsAreWritten(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, "infrastructure", "flux.go"))
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, match := range regexp.MustCompile(`"([A-Z][A-Z_]+)":`).FindAllSubmatch(content, -1) {
		written[string(match[1])] = true
	}
	facts, err := LoadFacts(root, "production")
	if err != nil {
		t.Fatal(err)
	}
	for name := range facts[ClusterFacts] {
		if !written[name] {
			t.Errorf("infrastructure/flux.go does not write %s", name)
		}
		delete(written, name)
	}
	for name := range written {
		t.Errorf("infrastructure/flux.go writes %s; add it to LoadFacts", name)
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
			if o.kind() == "ServiceAccount" && o.name() == chart && orDefault(o.namespace(), read.Metadata.Namespace) == read.Metadata.Namespace {
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

// TestImageUpdates compares where Flux finds and writes image tags: in a registry of AWS with a login and by a pull
// request, and on one machine without either.
func TestImageUpdates(t *testing.T) {
	for environment, want := range map[string]struct {
		path, image, provider, branch, secret string
		insecure                              bool
		secrets                               int
	}{
		"production": {
			"k8s/platform/image-automation", "333333333333.dkr.ecr.eu-west-1.amazonaws.com/production/ghost", "aws",
			"image-updates/production", "flux-git-write", false, 1,
		},
		"local": {"k8s/clusters/local/image-automation", "registry.localhost/local/ghost", "generic", "main", "", true, 0},
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
