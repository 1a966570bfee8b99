package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeCharts finds charts in a folder of the test tree.
func fakeCharts(root string) Charts {
	return func(wanted Chart) (string, error) {
		dir := filepath.Join(root, "charts", wanted.Name)
		_, err := os.Stat(dir)
		return dir, err
	}
}

// tree copies testdata/good to a scratch folder.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/good")); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestGoodTree(t *testing.T) {
	root := tree(t)
	problems, err := Check(t.Context(), Options{Root: root, Charts: fakeCharts(root)})
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Error(problem)
	}
}

func TestBadTrees(t *testing.T) {
	const (
		app     = "k8s/apps/deployment.yaml"
		config  = "k8s/apps/configmap.yaml"
		release = "k8s/controllers/demo.yaml"
		apps    = "k8s/clusters/base/apps.yaml"

		namespace = "k8s/apps/namespace.yaml"
		policy    = "k8s/apps/networkpolicy.yaml"
		secrets   = "k8s/apps/secrets.yaml"
	)
	cases := map[string]struct {
		file, old, new string
		want           string // file: object: message, of the first problem
	}{
		"wrong type":               {app, "replicas: 1", "replicas: one", app + ": Deployment shop/shop: spec.replicas: got string, want integer"},
		"unknown field":            {app, "replicas: 1", "replica: 1", app + ": Deployment shop/shop: spec: additional properties 'replica' not allowed"},
		"missing field":            {app, "name: shop\n          ports", "ports", app + ": Deployment shop/shop: spec.template.spec.containers.0: missing property 'name'"},
		"field of another version": {app, "readinessProbe", "readynessProbe", app + ": Deployment shop/shop: spec.template.spec.containers.0: additional properties 'readynessProbe' not allowed"},
		"old API version":          {app, "apps/v1", "apps/v1beta1", app + ": Deployment shop/shop: there is no schema for apps/v1beta1 Deployment"},
		"misspelt kind":            {app, "kind: Deployment", "kind: Deploymnt", app + ": Deploymnt shop/shop: there is no schema for apps/v1 Deploymnt"},
		"no schema comment":        {app, "# yaml-language-server", "# language-server", app + ": the first line is not the file's schema"},
		"unknown variable":         {config, "${DOMAIN}", "${DOMIAN}", config + ": ConfigMap shop/shop: variable ${DOMIAN} has no value"},
		"unclosed variable":        {config, "${DOMAIN}", "${DOMAIN", config + ": ConfigMap shop/shop: "},
		"value that is no string":  {config, `' ${DATABASE_SSL:="Amazon RDS"}'`, "${DATABASE_SSL:=Amazon RDS}", config + ": ConfigMap shop/shop: data.ssl: got object, want string"},
		"number where text must be": {config, "https://shop.${DOMAIN}${PUBLIC_PORT:=}", "${AWS_ACCOUNT_ID}",
			config + ": ConfigMap shop/shop: data.url: got number, want string"},
		"file that is not there": {"k8s/apps/kustomization.yaml", "- configmap.yaml", "- configmaps.yaml", "k8s/apps: kustomize: accumulating resources"},
		"broken YAML":            {app, "spec:\n  replicas", "spec\n  replicas", "k8s/apps: kustomize: accumulating resources"},
		"range of versions":      {release, "version: 1.2.3", `version: ">=1.0.0"`, release + `: HelmRelease demo/demo: spec.chart.spec.version must be one version, got ">=1.0.0"`},
		"chart that is not there": {release, "chart: demo", "chart: demonstration",
			release + ": HelmRelease demo/demo: stat "},
		"unknown source": {release, "kind: HelmRepository\n        name: demo", "kind: HelmRepository\n        name: other", release + ": HelmRelease demo/demo: spec.chart.spec.sourceRef: there is no HelmRepository/demo/other"},
		"unknown value":  {release, "clusterName:", "clustername:", release + `: HelmRelease demo/demo: values: chart demo has no value "clustername"`},
		"value that the chart refuses": {release, "clusterName: ${CLUSTER_NAME}", `clusterName: ""`,
			release + ": HelmRelease demo/demo: values: values don't meet the specifications of the schema(s)"},
		"value that makes a bad object": {release, "${REPLICAS:=2}", "many",
			release + ": HelmRelease demo/demo: the chart's Deployment demo/demo: spec.replicas: got string, want integer"},
		"wrong strategy": {release, "interval: 10m", "interval: 10m\n  upgrade:\n    strategy:\n      name: Retry",
			release + ": HelmRelease demo/demo: spec.upgrade.strategy.name: value must be one of 'RemediateOnFailure', 'RetryOnFailure'"},
		"unknown dependency": {apps, "name: controllers", "name: controller", apps + `: Kustomization flux-system/apps: spec.dependsOn: there is no Kustomization "controller"`},
		"circle":             {apps, "name: controllers", "name: apps", apps + ": Kustomization flux-system/apps: spec.dependsOn: waits for itself"},
		"wrong path":         {apps, "./k8s/apps", "./k8s/app", apps + `: Kustomization flux-system/apps: spec.path "./k8s/app": no kustomization.yaml`},
		"unknown facts":      {apps, "name: cluster-facts", "name: facts", apps + ": Kustomization flux-system/apps: spec.postBuild.substituteFrom: nothing writes ConfigMap facts"},
		"open to the world":  {policy, "    - Egress\n", "", namespace + ": Namespace shop: has pods, and no NetworkPolicy closes its Egress for all of them"},
		"closed for some pods": {policy, "podSelector: {}", "podSelector: {matchLabels: {app: shop}}",
			namespace + ": Namespace shop: has pods, and no NetworkPolicy closes its Egress for all of them"},
		"secrets that its namespace may not read": {namespace, "part-of: apps", "part-of: shops",
			secrets + ": ExternalSecret shop/shop: namespace shop may not use the ClusterSecretStore aws"},
		"a host that the certificate is not for": {"k8s/apps/ingress.yaml", "api.${DOMAIN}", "api.example.com",
			"k8s/apps/ingress.yaml: Ingress shop/shop: host api.example.com has no certificate: the environment's is for *.dev.example.com"},
		"a host two labels before the domain": {"k8s/apps/ingress.yaml", "api.${DOMAIN}", "api.shop.${DOMAIN}",
			"k8s/apps/ingress.yaml: Ingress shop/shop: host api.shop.dev.example.com has no certificate"},
		"a host twice": {"k8s/apps/ingress.yaml", "api.${DOMAIN}", "shop.${DOMAIN}",
			"k8s/apps/ingress.yaml: Ingress shop/shop: shop.dev.example.com/ is Ingress shop/shop's, too"},
		"a budget that lets no pod go": {"k8s/apps/poddisruptionbudget.yaml", "maxUnavailable: 1", "minAvailable: 1",
			"k8s/apps/poddisruptionbudget.yaml: PodDisruptionBudget shop/shop: spec: lets none of 1 pods go"},
		"a budget of percents": {"k8s/apps/poddisruptionbudget.yaml", "maxUnavailable: 1", "minAvailable: 60%",
			"k8s/apps/poddisruptionbudget.yaml: PodDisruptionBudget shop/shop: spec: lets none of 1 pods go"},
		"a database that a policy cuts": {policy, "port: 5432", "port: 443",
			app + ": Deployment shop/shop: reads the address of its database in Secret shop, and no NetworkPolicy lets the pods out to the VPC at port 3306 or 5432"},
		"a database in another network": {policy, "${VPC_CIDR}", "192.168.0.0/16", app + ": Deployment shop/shop: reads the address of its database"},
		"a job that removes itself": {"k8s/apps/job.yaml", "backoffLimit: 2", "ttlSecondsAfterFinished: 60",
			"k8s/apps/job.yaml: Job shop/import: spec.ttlSecondsAfterFinished: the Job removes itself, and Flux makes it again"},
		"a value that the chart ignores": {release, "server:\n", "server:\n      prt: 8080\n",
			release + ": HelmRelease demo/demo: values: chart demo ignores the value server.prt"},
		"bad duration":  {apps, "interval: 10m", "interval: ten minutes", apps + ": Kustomization flux-system/apps: spec.interval: 'ten minutes' does not match pattern"},
		"empty cluster": {"k8s/clusters/dev/kustomization.yaml", "- ../base", "- ../../apps", "k8s/clusters/dev: "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			root := tree(t)
			edit(t, filepath.Join(root, c.file), c.old, c.new)
			problems, err := Check(t.Context(), Options{Root: root, Charts: fakeCharts(root)})
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, problem := range problems {
				line := problem.String()
				if strings.HasPrefix(line, c.want) {
					if problem.Remedy == "" || strings.Contains(line, "\n") {
						t.Errorf("%q: want one line with a remedy", line)
					}
					return
				}
				lines = append(lines, line)
			}
			t.Errorf("want %q, got:\n%s", c.want, strings.Join(lines, "\n"))
		})
	}
}

// edit replaces text in a file and fails if it is not there.
func edit(t *testing.T, path, old, replacement string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(content), old, replacement, 1)
	if changed == string(content) {
		t.Fatalf("%s does not hold %q", path, old)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheckErrors(t *testing.T) {
	cases := map[string]struct {
		prepare func(t *testing.T, root string)
		want    string
	}{
		"no repository": {func(t *testing.T, root string) {
			if err := os.RemoveAll(filepath.Join(root, "k8s")); err != nil {
				t.Fatal(err)
			}
		}, "run in the folder of the repository"},
		"no configuration": {func(t *testing.T, root string) {
			if err := os.Remove(filepath.Join(root, "cdk.json")); err != nil {
				t.Fatal(err)
			}
		}, "cdk.json: not found"},
		"environment that is not configured": {func(t *testing.T, root string) {
			if err := os.CopyFS(filepath.Join(root, "k8s/clusters/staging"), os.DirFS(filepath.Join(root, "k8s/clusters/dev"))); err != nil {
				t.Fatal(err)
			}
		}, `context.gitops.environments has no "staging" (it has dev, local); add it, or remove k8s/clusters/staging`},
		"broken configuration": {func(t *testing.T, root string) {
			edit(t, filepath.Join(root, "cdk.json"), "{", "")
		}, "cdk.json: "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			root := tree(t)
			c.prepare(t, root)
			_, err := Check(t.Context(), Options{Root: root, Charts: fakeCharts(root)})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}
