package projection

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/environment"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/fleet"
)

func read(t *testing.T, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// edit replaces a text of a file, which must be there.
func edit(t *testing.T, dir, name, old, with string) {
	t.Helper()
	text := read(t, dir, name)
	if !strings.Contains(text, old) {
		t.Fatalf("%s has no %q", name, old)
	}
	write(t, dir, name, strings.Replace(text, old, with, 1))
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// change sets keys of an environment in cdk.json, by their paths.
func change(t *testing.T, dir, name string, keys object) {
	t.Helper()
	var file object
	if err := json.Unmarshal([]byte(read(t, dir, "cdk.json")), &file); err != nil {
		t.Fatal(err)
	}
	gitops := child(child(file, "context"), "gitops")
	for key, v := range keys {
		if rest, shared := strings.CutPrefix(key, "/"); shared {
			set(gitops, rest, v)
		} else {
			set(child(child(gitops, "environments"), name), key, v)
		}
	}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "cdk.json", string(text))
	if _, err := config.Parse(text); err != nil {
		t.Fatalf("the test's own cdk.json: %v", err)
	}
}

// regenerate makes the fleet follow what a test changed.
func regenerate(t *testing.T, dir string) {
	t.Helper()
	loaded, err := services.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fleet.Generate(loaded)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fleet.Write(dir, files); err != nil {
		t.Fatal(err)
	}
}

// projected is the one environment of a projection that passes what `make check` asks of a repository.
func projected(t *testing.T, dir, name string) (config.Environment, []rehearsal.Substitution, manifests.Rendered) {
	t.Helper()
	rows, err := Project(t.Context(), dir, name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if names := c.Names(); !slices.Equal(names, []string{Here}) {
		t.Fatalf("environments: %v", names)
	}
	loaded, err := services.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fleet.Generate(loaded)
	if err != nil {
		t.Fatal(err)
	}
	if stale, err := fleet.Stale(dir, files); err != nil || len(stale) > 0 {
		t.Errorf("the fleet is stale: %v %v", stale, err)
	}
	if missing, gone, err := environment.Entries(dir); err != nil || len(missing)+len(gone) > 0 {
		t.Errorf("entry points: %v, %v, %v", missing, gone, err)
	}
	rendered, err := manifests.Render(t.Context(), manifests.Options{Root: dir}, Here)
	if err != nil || len(rendered.Problems) > 0 {
		t.Fatalf("manifests: %v %v", err, rendered.Problems)
	}
	return c.Environments[Here], rows, rendered
}

func find(t *testing.T, r manifests.Rendered, kind, name string) map[string]any {
	t.Helper()
	for _, k := range r.Kustomizations {
		for _, o := range k.Objects {
			if o.Kind == kind && o.Name == name {
				return o.Values
			}
		}
	}
	t.Fatalf("no %s %s", kind, name)
	return nil
}

func row(rows []rehearsal.Substitution, path string) string {
	i := slices.IndexFunc(rows, func(s rehearsal.Substitution) bool { return s.Path == path })
	if i < 0 {
		return ""
	}
	return rows[i].From + " → " + rows[i].To
}

// Production keeps what makes it production, and each thing that it does not keep is a row.
func TestProduction(t *testing.T) {
	dir := fixture.Tree(t)
	before, err := config.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	was := before.Environments["production"]
	e, rows, rendered := projected(t, dir, "production")

	d := e.Delivery
	if !e.DeletionProtection || e.Ghost.Database != was.Ghost.Database || e.Network.NAT != was.Network.NAT || e.Nodes.Min != 3 || e.Tags["cost-center"] != "platform" {
		t.Errorf("sizes and protection: %+v", e)
	}
	if !d.Approval || d.Window == nil || d.Window.TimeZone != "Europe/Berlin" || !e.Drills() || e.Backup.Days != 90 || e.Cost != was.Cost || !slices.Equal(d.Notify, was.Delivery.Notify) {
		t.Errorf("delivery and backups: %+v", e)
	}
	if e.Account != "000000000000" || e.Domain != "localhost" || e.HostedZone != nil || e.CopiesImages() || e.UpdatesImages() || e.Network.CIDR != "10.10.0.0/16" || d.Test != "check-fast" {
		t.Errorf("what this machine has: %+v", e)
	}
	for path, want := range map[string]string{
		"name":                         "production → local",
		"account":                      "333333333333 → 000000000000",
		"domain":                       "example.com → localhost",
		"branch":                       "production → main",
		"repositoryUrl":                "https://github.com/my-company/platform.git → http://git.localhost/platform.git",
		"credentials":                  "none → basic",
		"hostedZone":                   `{"id":"Z0123456789PRODUCTION", "name":"example.com"} → none`,
		"network.cidr":                 "10.40.0.0/16 → 10.10.0.0/16",
		"delivery.test":                "check-product test-product → check-fast",
		"delivery.imagesFrom":          "integration → none",
		"facts.CONTROLLER_REPLICAS":    "none → 1",
		"k8s/fleet/fleet.yaml url":     "https://github.com/my-company/manifests.git → http://git.localhost/manifests.git",
		"k8s/fleet/fleet.yaml propose": "true → false",
		"k8s/clusters/production, platform-controllers": "as it is → with local's patch",
		"region":         "", // the same
		"backup.copyTo":  "",
		"alerts.webhook": "",
	} {
		if got := row(rows, path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	for _, r := range rows {
		if r.Why == "" || strings.Contains(r.String(), "\n") {
			t.Errorf("row %q", r)
		}
	}

	controllers := find(t, rendered, "Kustomization", "platform-controllers")["spec"].(map[string]any)
	if controllers["path"] != "./k8s/platform/controllers-local" || !strings.Contains(read(t, dir, "k8s/clusters/local/kustomization.yaml"), "local-facts") {
		t.Errorf("the machine's patches: %v", controllers)
	}
	orders := read(t, dir, "k8s/services/orders.yaml")
	if !strings.Contains(orders, "db.m7g.large") || strings.Contains(orders, "mysql}") || !strings.HasPrefix(orders, "# yaml-language-server: ") {
		t.Errorf("orders:\n%s", orders)
	}
	loaded, _ := services.Load(dir)
	cluster, _ := loaded.Cluster(Here)
	s, _ := loaded.Service("orders")
	if spec := s.Resolve(cluster); *spec.Replicas != 3 {
		t.Errorf("orders has %d replicas", *spec.Replicas)
	}
}

// Any valid cdk.json: what the laboratory would refuse is replaced, and what holds a name of its own is renamed.
func TestUnusual(t *testing.T) {
	dir := fixture.Tree(t)
	change(t, dir, "production", object{
		"region": "us-east-1", "network.zones": []any{"b", "d", "f"}, "cluster.serviceCidr": "10.0.0.0/12", "network.cidr": "192.168.0.0/16",
		"ghost.snapshot": "production-ghost-1", "ghost.mail": object{"transport": "smtp", "from": "blog@mail.example.com", "port": 465},
		"alerts": object{"webhook": "slack", "commitStatus": true, "sns": true}, "backup.copyTo": "eu-west-1",
		"cost.anomalies":         "arn:aws:ce::333333333333:anomalymonitor/01234567-89ab-cdef-0123-456789abcdef",
		"delivery.connectionArn": "arn:aws:codeconnections:us-east-1:333333333333:connection/00000000-0000-0000-0000-000000000000",
		"delivery.gate":          false, "delivery.window": nil, "delivery.rehearsal": true, "facts": object{"CONTROLLER_REPLICAS": "3", "MINE": "x"},
		"allowReplacement":   []any{object{"resource": "production/ghost/Queue1", "until": "2026-12-31", "reason": "it is empty now"}},
		"/repository.verify": []any{"keys/alice.asc"}, "/repository.credentials": "githubApp",
	})
	write(t, dir, "k8s/clusters/production/images.yaml", strings.Replace(read(t, dir, "k8s/clusters/production/images.yaml"),
		"docker.io/library/ghost:6.65.0", "333333333333.dkr.ecr.us-east-1.amazonaws.com/production/ghost:1.2.3@sha256:abc # kept", 1))
	edit(t, dir, "k8s/clusters/production/kustomization.yaml", "patches:\n  - path: images.yaml\n", "patches:\n  - path: images.yaml\n  - path: facts.yaml\n")
	write(t, dir, "k8s/clusters/production/facts.yaml", "# yaml-language-server: $schema=https://example.com/x.json\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps, namespace: flux-system}\nspec: {timeout: 7m}\n")
	edit(t, dir, "k8s/fleet/fleet.yaml", "  production: {propose: true}", "  production: {publish: merge}")
	edit(t, dir, "k8s/fleet/fleet.yaml", "interval: 30s", "interval: 30s\nsecretRef: manifests")
	regenerate(t, dir)

	e, rows, rendered := projected(t, dir, "production")
	for path, want := range map[string]string{
		"region": "us-east-1 → eu-west-1", "network.zones": `["b", "d", "f"] → ["a", "b", "c"]`, "cluster.serviceCidr": "10.0.0.0/12 → none",
		"ghost.snapshot": "production-ghost-1 → none", "ghost.mail.transport": "smtp → ses", "ghost.mail.from": "blog@mail.example.com → blog@mail.localhost",
		"alerts.webhook": "slack → none", "alerts.commitStatus": "true → none", "alerts.sns": "true → none", "delivery.rehearsal": "true → none", "backup.copyTo": "eu-west-1 → eu-central-1",
		"facts.CONTROLLER_REPLICAS": "3 → 1", "repository.verify": `["keys/alice.asc"] → none`, "credentials": "githubApp → basic",
		"k8s/clusters/production/images.yaml GHOST_IMAGE": "333333333333.dkr.ecr.us-east-1.amazonaws.com/production/ghost:1.2.3@sha256:abc → docker.io/library/ghost:6.65.0",
		"k8s/fleet/fleet.yaml publish":                    "merge → tag",
	} {
		if got := row(rows, path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if e.Gated() || e.Facts["MINE"] != "x" || e.AllowReplacement[0].Resource != "local/ghost/Queue1" || !strings.Contains(e.Cost.Anomalies, "::000000000000:") {
		t.Errorf("got %+v", e)
	}
	apps := find(t, rendered, "Kustomization", "apps")["spec"].(map[string]any)
	if apps["timeout"] != "7m" {
		t.Errorf("production's facts.yaml was lost beside local's: %v", apps)
	}
	if image := read(t, dir, "k8s/clusters/local/images.yaml"); !strings.Contains(image, "docker.io/library/ghost:6.65.0 # kept") {
		t.Errorf("images:\n%s", image)
	}
}

// Every environment of the fixture can be rehearsed, those whose tags Flux writes with their automation.
func TestAllEnvironments(t *testing.T) {
	for _, name := range []string{"dev", "integration"} {
		t.Run(name, func(t *testing.T) {
			dir := fixture.Tree(t)
			e, rows, rendered := projected(t, dir, name)
			if !e.UpdatesImages() || find(t, rendered, "Kustomization", "image-automation") == nil {
				t.Error("Flux writes no tags")
			}
			if got, want := row(rows, "rights to copy its images"), map[string]string{"integration": "production → none"}[name]; got != want {
				t.Errorf("copies: %q, want %q", got, want)
			}
		})
	}
}

// What does not touch the environment leaves no trace in its projection, and what does leaves one.
func TestSame(t *testing.T) {
	tree := func(change func(dir string)) string {
		dir := fixture.Tree(t)
		change(dir)
		regenerate(t, dir)
		if _, err := Project(t.Context(), dir, "production"); err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		err := filepath.Walk(dir, func(name string, info os.FileInfo, err error) error {
			if err == nil && !info.IsDir() {
				all.WriteString(strings.TrimPrefix(name, dir) + "\n" + read(t, name, ""))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all.String()
	}
	plain := tree(func(string) {})
	for name, c := range map[string]struct {
		change func(dir string)
		same   bool
	}{
		"another environment": {func(dir string) {
			change(t, dir, "dev", object{"nodes.min": 3})
			edit(t, dir, "k8s/services/orders.yaml", "{cache: {}, ", "{")
			write(t, dir, "k8s/clusters/dev/more.yaml", "x: y\n")
		}, true},
		"its account": {func(dir string) {
			change(t, dir, "production", object{"account": "444444444444", "delivery.connectionArn": "arn:aws:codeconnections:eu-west-1:444444444444:connection/00000000-0000-0000-0000-000000000000"})
		}, true},
		"its size":     {func(dir string) { change(t, dir, "production", object{"nodes.min": 4}) }, false},
		"its overlay":  {func(dir string) { edit(t, dir, "k8s/clusters/production/images.yaml", "6.65.0", "6.66.0") }, false},
		"its services": {func(dir string) { edit(t, dir, "k8s/services/orders.yaml", "replicas: 3", "replicas: 4") }, false},
		"its name for a host": {func(dir string) {
			edit(t, dir, "k8s/services/orders.yaml", "replicas: 3", "replicas: 3\n    host: shop")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tree(c.change); (got == plain) != c.same {
				t.Errorf("same: %t, want %t", got == plain, c.same)
			}
		})
	}
}

// What cannot be rehearsed is one line that names the reason.
func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(dir string)
		env    string
		says   string
	}{
		"an unknown environment": {func(string) {}, "prod", "cdk.json has no environment prod"},
		"no pipelines":           {func(dir string) { change(t, dir, "dev", object{"delivery": nil}) }, "dev", "environment dev has no pipelines"},
		"another partition": {func(dir string) {
			change(t, dir, "dev", object{"region": "cn-north-1", "cluster.admins": []any{}, "ghost.mail": object{"transport": "none"}, "network.zones": []any{"a", "b"},
				"delivery.connectionArn": "arn:aws-cn:codeconnections:cn-north-1:111111111111:connection/00000000-0000-0000-0000-000000000000"})
		}, "dev", "partition aws-cn"},
		"an overlay of another": {func(dir string) {
			edit(t, dir, "k8s/clusters/production/kustomization.yaml", "../base", "../integration")
		}, "production", "k8s/clusters/production builds on k8s/clusters/integration"},
		"no folder": {func(dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "k8s/clusters/production")); err != nil {
				t.Fatal(err)
			}
		}, "production", "k8s/clusters/production/kustomization.yaml is missing"},
		"a mistake in a service": {func(dir string) { edit(t, dir, "k8s/services/npm.yaml", "port: 8080", "port: x") }, "production", "k8s/services/npm.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := fixture.Tree(t)
			c.change(dir)
			_, err := Project(t.Context(), dir, c.env)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The fleet of another version of the generator is made by that version.
func TestForeignFleet(t *testing.T) {
	dir := fixture.Tree(t)
	edit(t, dir, "k8s/fleet/production/kustomization.yaml", "resources:", "# as another version wrote it\nresources:")
	write(t, dir, "Makefile", "bin/gitops:\n\tmkdir bin && printf '#!/bin/sh\\necho $$1 > k8s/fleet/said' > $@ && chmod +x $@\n")
	if _, err := Project(t.Context(), dir, "production"); err != nil {
		t.Fatal(err)
	}
	if said := read(t, dir, "k8s/fleet/said"); said != "generate\n" {
		t.Errorf("the commit's own program was asked for %q", said)
	}
	dir = fixture.Tree(t)
	edit(t, dir, "k8s/fleet/production/kustomization.yaml", "resources:", "# as another version wrote it\nresources:")
	if _, err := Project(t.Context(), dir, "production"); err == nil || !strings.Contains(err.Error(), "bin/gitops of the commit") {
		t.Errorf("without a Makefile: %v", err)
	}
}
