package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/internal/fixture"
)

// workload is a Deployment that every policy admits, until something in it is replaced.
const workload = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: ghost}
spec:
  template:
    spec:
      containers:
        - name: a
          image: ghcr.io/a/a:1
          resources: {requests: {cpu: 1m, memory: 1Mi}, limits: {memory: 1Mi}}
`

const cron = `
apiVersion: batch/v1
kind: CronJob
metadata: {name: a, namespace: ghost}
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers: [{name: a, image: a, resources: {requests: {cpu: 1m, memory: 1Mi}, limits: {memory: 1Mi}}}]
`

// What each policy refuses, and what it lets pass. The product's own manifests pass all: TestRepository.
func TestPoliciesRefuse(t *testing.T) {
	policies, err := PoliciesOf(t.Context(), fixture.Tree(t), "dev")
	if err != nil {
		t.Fatal(err)
	}
	const pod, tags, registries, privileges, resources = "    spec:\n      containers", "workloads-tags", "workloads-registries", "workloads-privileges", "workloads-resources"
	image := func(name string) []string { return []string{"ghcr.io/a/a:1", name} }
	for name, c := range map[string]struct {
		change []string // old, new
		want   string   // the policy that refuses
	}{
		"as it should be":          {nil, ""},
		"no tag":                   {image("ghcr.io/a/a"), tags},
		"a port is no tag":         {image("docker.io:443/a"), tags + " " + registries},
		"latest":                   {image("ghcr.io/a/a:latest"), tags},
		"latest, with a digest":    {image("ghcr.io/a/a:latest@sha256:1"), ""},
		"a digest alone":           {image("ghcr.io/a/a@sha256:1"), ""},
		"Docker Hub":               {image("a:1"), ""},
		"Docker Hub, a company":    {image("a/b:1"), ""},
		"the account's registry":   {image("111111111111.dkr.ecr.eu-west-1.amazonaws.com/a:1"), ""},
		"another account's":        {image("222222222222.dkr.ecr.eu-west-1.amazonaws.com/a:1"), registries},
		"another registry":         {image("quay.io/a/a:1"), registries},
		"a name like one":          {image("ghcr.io.example.com/a/a:1"), registries},
		"the node's network":       {[]string{pod, "    spec:\n      hostNetwork: true\n      containers"}, privileges},
		"the node's processes":     {[]string{pod, "    spec:\n      hostPID: true\n      containers"}, privileges},
		"the node's memory":        {[]string{pod, "    spec:\n      hostIPC: true\n      containers"}, privileges},
		"the node's files":         {[]string{pod, "    spec:\n      volumes: [{name: a, emptyDir: {}}, {name: b, hostPath: {path: /}}]\n      containers"}, privileges},
		"volumes of its own":       {[]string{pod, "    spec:\n      hostNetwork: false\n      volumes: [{name: a, emptyDir: {}}]\n      containers"}, ""},
		"privileged":               {[]string{"          image", "          securityContext: {privileged: true}\n          image"}, privileges},
		"not privileged":           {[]string{"          image", "          securityContext: {runAsNonRoot: true}\n          image"}, ""},
		"no resources":             {[]string{"          resources: {requests: {cpu: 1m, memory: 1Mi}, limits: {memory: 1Mi}}\n", ""}, resources + " " + resources},
		"no request of memory":     {[]string{"cpu: 1m, memory: 1Mi", "cpu: 1m"}, resources},
		"no request of CPU":        {[]string{"cpu: 1m, memory: 1Mi", "memory: 1Mi"}, resources},
		"no limit of memory":       {[]string{"limits: {memory: 1Mi}", "limits: {cpu: 1}"}, resources},
		"an init container":        {[]string{pod, "    spec:\n      initContainers: [{name: b, image: b, resources: {requests: {cpu: 1m, memory: 1Mi}, limits: {memory: 1Mi}}}]\n      containers"}, tags},
		"of kube-system":           {[]string{"namespace: ghost", "namespace: kube-system", "ghcr.io/a/a:1", "a"}, ""},
		"of Flux":                  {[]string{"namespace: ghost", "namespace: flux-system", "ghcr.io/a/a:1", "a"}, ""},
		"of another's namespace":   {[]string{"namespace: ghost", "namespace: amazon-guardduty", "ghcr.io/a/a:1", "a"}, ""},
		"that another object owns": {[]string{"namespace: ghost", "namespace: ghost, ownerReferences: [{kind: A}]", "ghcr.io/a/a:1", "a"}, ""},
		"a CronJob":                {[]string{workload, cron}, tags},
		"a namespace":              {[]string{workload, "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}"}, "namespaces"},
		"a namespace's level":      {[]string{workload, "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {pod-security.kubernetes.io/enforce: baseline}}"}, ""},
		"a level that is none":     {[]string{workload, "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {pod-security.kubernetes.io/enforce: any}}"}, "namespaces"},
		"Flux's namespace":         {[]string{workload, "apiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system}"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.NewReplacer(c.change...).Replace(workload)
			if len(c.change) > 0 && changed == workload {
				t.Fatal("the case changes nothing")
			}
			var o object
			if err := yaml.Unmarshal([]byte(changed), &o); err != nil {
				t.Fatal(err)
			}
			refused, err := policies.refused(t.Context(), o, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range refused {
				policy, message, _ := strings.Cut(strings.TrimPrefix(r, "policy "), ": ")
				if got = append(got, policy); !strings.Contains(message, "must ") {
					t.Errorf("%s says not what must be: %s", policy, message)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("refused by %q, want %q", refused, c.want)
			}
		})
	}
}

// The check holds what the repository has, and what charts make of it, to the policies.
func TestCheckAdmission(t *testing.T) {
	for name, c := range map[string]struct{ file, old, new, want string }{
		"an object": {"k8s/apps/ghost/deployment.yaml", "        - env:", "        - securityContext: {privileged: true}\n          env:", "k8s/apps/ghost/deployment.yaml"},
		"a chart's": {"k8s/platform/controllers/external-dns.yaml", "      limits:\n        memory: 128Mi\n", "", "k8s/platform/controllers/external-dns.yaml: HelmRelease external-dns/external-dns: the chart's Deployment external-dns/external-dns: policy workloads-resources: resources.limits: must have memory"},
		"a policy":  {"k8s/platform/configs/admission/workloads.yaml", "c.image.contains('@sha256:')", "c.image.contain('@sha256:')", "k8s: ValidatingAdmissionPolicy workloads-tags: "},
	} {
		t.Run(name, func(t *testing.T) {
			root, charts := fixture.Tree(t), cachedCharts(t)
			path := filepath.Join(root, c.file)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(content), c.old, c.new, 1)
			if changed == string(content) {
				t.Fatalf("%s has no %q", c.file, c.old)
			}
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			problems, err := Check(t.Context(), Options{Root: root, Charts: charts, Environments: []string{"dev"}})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				if strings.HasPrefix(p.String(), c.want) {
					return
				}
			}
			t.Errorf("%v; want %s", problems, c.want)
		})
	}
}
