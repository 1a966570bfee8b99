package preview

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
	"k8s-plus-aws-gitops/internal/review/cost"
)

const objects = `apiVersion: apps/v1
kind: Deployment
metadata: {name: orders, namespace: orders}
spec:
  replicas: 3
  template:
    spec:
      initContainers:
        - {name: migrate, env: [{name: DATABASE_URL, valueFrom: {secretKeyRef: {name: orders-database, key: url}}}]}
      containers:
        - name: orders
          env:
            - {name: AWS_REGION, value: a-value-that-nobody-may-see}
            - {name: DATABASE_URL, valueFrom: {secretKeyRef: {name: orders-database, key: url}}}
            - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
          envFrom: [{configMapRef: {name: more}}]
          resources: {requests: {cpu: 50m, memory: 100Mi}}
        - {name: helper, resources: {requests: {cpu: 25m, memory: 28Mi}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: orders, namespace: orders}
spec: {minReplicas: 2, maxReplicas: 6}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: orders, namespace: orders, annotations: {alb.ingress.kubernetes.io/group.name: public}}
spec: {rules: [{host: orders.dev.example.com}]}
`

// stack is one of the golden templates.
func stack(t *testing.T, name string) assembly.Stack {
	t.Helper()
	made := assembly.Stack{Name: name}
	content, err := os.ReadFile(filepath.Join(fixture.Root(t), "testdata/templates", name+".json"))
	if err == nil {
		err = json.Unmarshal(content, &made.Template)
	}
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// input is a service of the golden templates.
func input(t *testing.T, environment, service, manifest string) Input {
	t.Helper()
	objects, err := manifests.ParseObjects([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	return Input{Service: service, Environment: environment, Stack: stack(t, environment+"-"+service), Objects: objects}
}

func preview(t *testing.T, in Input) Preview {
	t.Helper()
	p, err := Of(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// narrow fails for a line that is longer than a terminal, unless one word is, and for the value of a variable.
func narrow(t *testing.T, p Preview) {
	t.Helper()
	var out strings.Builder
	p.Print(&out)
	for line := range strings.Lines(out.String()) {
		if line = strings.TrimRight(line, "\n"); len(line) > 80 && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if strings.Contains(out.String(), "nobody-may-see") {
		t.Error("prints the value of a variable")
	}
}

// The whole of it: what the stack makes with the review's prices, what the role may do, what the pods get.
func TestPreview(t *testing.T) {
	in := input(t, "dev", "orders", objects)
	diffs, err := cfndiff.NodeOf(fixture.Root(t)).Compare(t.Context(), []cfndiff.Pair{{Old: assembly.Template{}, New: in.Stack.Template}})
	if err != nil {
		t.Fatal(err)
	}
	in.IAM = diffs[0].IAM
	in.Shared = []assembly.Stack{stack(t, "dev-shared-postgres")}
	p := preview(t, in)
	narrow(t, p)
	prices, err := cost.Table()
	if err != nil {
		t.Fatal(err)
	}
	node, known := prices.Month("caches.valkey.cache.t4g.micro")
	if r := p.Resources[0]; r.Type != "AWS::ElastiCache::ReplicationGroup" || len(r.Items) != 1 || r.monthly() != node {
		t.Errorf("the dearest resource is %+v, want the cache at %.2f", r, node)
	}
	if want := node + 4*prices.Monthly["secret"] + prices.Monthly["alarm"]; !known || p.Cost.Monthly-want > 0.001 || want-p.Cost.Monthly > 0.001 {
		t.Errorf("costs %.2f, want %.2f", p.Cost.Monthly, want)
	}
	var others float64
	for _, line := range p.Cost.Shared {
		others += line.Monthly
	}
	balancer, _ := prices.Month("hourly.loadBalancer")
	want := balancer + prices.Databases["postgres"]["db.t4g.small"]*prices.HoursPerMonth + 20*prices.Storage["rds-gp3"] + prices.Monthly["secret"]
	if others-want > 0.001 || want-others > 0.001 {
		t.Errorf("shared: %+v, want the load balancer and the instance, which are no part of the sum, at %.2f", p.Cost.Shared, want)
	}
	bucket := slices.ContainsFunc(p.Rights, func(r Right) bool {
		return slices.Contains(r.Actions, "s3:PutObject") && slices.Equal(r.Resources, []string{"dev-orders-files-111111111111-eu-west-1/*"})
	})
	for _, r := range p.Rights {
		if slices.Contains(r.Actions, "sts:AssumeRole") || slices.Contains(r.Actions, "s3:*") {
			t.Errorf("%v is what others may do, or may not", r)
		}
	}
	if !bucket {
		t.Errorf("rights %v, must name the bucket by its name", p.Rights)
	}
	variables := []Variable{{"*", "ConfigMap more"}, {"AWS_REGION", ""}, {"DATABASE_URL", "Secret orders-database"}, {"NODE", "the pod"}}
	if !slices.Equal(p.Variables, variables) {
		t.Errorf("variables %v, want %v", p.Variables, variables)
	}
	if !slices.Equal(p.Hosts, []string{"orders.dev.example.com"}) {
		t.Errorf("hosts %v", p.Hosts)
	}
	if o := p.Objects[0]; o.Replicas != "3" || o.Requests != "cpu 75m, memory 128Mi" || p.Objects[1].Replicas != "2-6" {
		t.Errorf("objects %+v", p.Objects)
	}
}

// An Ingress without a group has a load balancer of its own, which is paid for this service alone.
func TestOwnLoadBalancer(t *testing.T) {
	own := preview(t, input(t, "dev", "billing", strings.Replace(objects, ", annotations: {alb.ingress.kubernetes.io/group.name: public}", "", 1)))
	shared := preview(t, input(t, "dev", "billing", objects))
	if len(own.Cost.Shared) != 0 || own.Cost.Monthly-shared.Cost.Monthly < 1 {
		t.Errorf("%.2f with a load balancer of its own, %.2f with a shared one", own.Cost.Monthly, shared.Cost.Monthly)
	}
}

func TestPrint(t *testing.T) {
	narrow(t, preview(t, input(t, "production", "orders", objects)))
	narrow(t, preview(t, input(t, "dev", "billing", objects)))
	var out strings.Builder
	nothing := preview(t, Input{Service: "npm", Environment: "dev"})
	if nothing.Print(&out); !strings.Contains(out.String(), "npm asks for nothing in AWS in dev") || !strings.Contains(out.String(), "npm is not public") {
		t.Error(out.String())
	}
}
