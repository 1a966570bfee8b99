package dashboard

import (
	"context"
	"errors"
	"maps"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/deployment"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
	"k8s-plus-aws-gitops/internal/status"
)

// account has one template for all stacks, with a database, a queue and a role.
type account struct{ templates, resources error }

func (a account) GetTemplate(context.Context, *cloudformation.GetTemplateInput, ...func(*cloudformation.Options)) (*cloudformation.GetTemplateOutput, error) {
	return &cloudformation.GetTemplateOutput{TemplateBody: aws.String(`{"Resources": {"Gateway": {"Type": "AWS::EC2::NatGateway"}}}`)}, a.templates
}

func (a account) ListStackResources(_ context.Context, in *cloudformation.ListStackResourcesInput, _ ...func(*cloudformation.Options)) (*cloudformation.ListStackResourcesOutput, error) {
	out := &cloudformation.ListStackResourcesOutput{}
	for _, kind := range []string{"AWS::SQS::Queue", "AWS::IAM::Role"} {
		out.StackResourceSummaries = append(out.StackResourceSummaries, types.StackResourceSummary{
			ResourceType: &kind, PhysicalResourceId: in.StackName, ResourceStatus: types.ResourceStatusCreateComplete,
		})
	}
	return out, a.resources
}

// cluster has Flux at a commit, the Kustomization of orders, and its Deployment and pod; it forbids some resources.
func cluster(forbidden ...string) *flux.Cluster {
	lists := map[schema.GroupVersionResource]string{
		{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}: "KustomizationList",
		{Group: "helm.toolkit.fluxcd.io", Version: "v2", Resource: "helmreleases"}:        "HelmReleaseList",
		{Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"}:   "GitRepositoryList",
		{Group: "apps", Version: "v1", Resource: "deployments"}:                           "DeploymentList",
		{Group: "apps", Version: "v1", Resource: "statefulsets"}:                          "StatefulSetList",
		{Group: "apps", Version: "v1", Resource: "daemonsets"}:                            "DaemonSetList",
		{Version: "v1", Resource: "pods"}:                                                 "PodList",
		{Version: "v1", Resource: "events"}:                                               "EventList",
	}
	object := func(api, kind, namespace, name, revision string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": api, "kind": kind, "metadata": map[string]any{"name": name, "namespace": namespace, "generation": int64(1)},
			"spec": map[string]any{"sourceRef": map[string]any{"kind": "GitRepository", "name": flux.Root}},
			"status": map[string]any{
				"observedGeneration": int64(1), "lastAppliedRevision": revision, "lastAttemptedRevision": revision, "artifact": map[string]any{"revision": revision},
				"conditions": []any{map[string]any{"type": "Ready", "status": "True"}},
			},
		}}
	}
	const kustomize, at = "kustomize.toolkit.fluxcd.io/v1", "released/dev@sha1:" + released
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, []runtime.Object{
		object("source.toolkit.fluxcd.io/v1", "GitRepository", "flux-system", "flux-system", at),
		object(kustomize, "Kustomization", "flux-system", "flux-system", at), object(kustomize, "Kustomization", "flux-system", "apps", at),
		object(kustomize, "Kustomization", "services", "orders", "dev/orders@sha1:"+later),
		object("apps/v1", "Deployment", "orders", "orders", ""), object("v1", "Pod", "orders", "orders-1", ""),
	}...)
	for _, resource := range forbidden {
		client.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("not you"))
		})
	}
	return &flux.Cluster{Dynamic: client}
}

// source is an environment that can be read.
func source(t *testing.T) Source {
	t.Helper()
	fleet, err := services.Load(fixture.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	return Source{
		Environment: config.Environment{Name: "dev", Region: "eu-west-1", Branch: "dev"},
		Status: status.Source{
			Environment: "dev", Branch: "released/dev", Cluster: cluster(),
			Tip:      func(context.Context) (string, error) { return released, nil },
			Contains: func(context.Context, string, string) bool { return false },
			Stacks: func(context.Context) ([]status.Stack, error) {
				return []status.Stack{{Name: "dev-network", Status: "CREATE_COMPLETE", Whole: true}, {Name: "dev-orders", Status: "CREATE_COMPLETE", Whole: true}}, nil
			},
			Pipeline: func(_ context.Context, commit string, _ func(string) bool) *status.Pipeline {
				return &status.Pipeline{Commit: commit}
			},
		},
		Commit: func(_ context.Context, id string) (Commit, error) { return Commit{ID: id, Subject: "x"}, nil },
		Executions: func(context.Context) ([]deployment.Execution, error) {
			return []deployment.Execution{{ID: "2", Commit: later}, {ID: "1", Commit: released}}, nil
		},
		Stacks: account{}, Fleet: &fleet,
		Tips: func(_ context.Context, branches []string) (map[string]publish.Tip, error) {
			tips := map[string]publish.Tip{}
			for _, b := range branches {
				tips[b] = publish.Tip{Commit: later}
			}
			return tips, nil
		},
	}
}

func TestLook(t *testing.T) {
	e := source(t).Look(t.Context(), Question{Applications: []string{"orders"}, Price: true})
	if len(e.Unread) > 0 || e.Status.State != status.Verified || e.Commit.ID != released || e.Read.IsZero() {
		t.Errorf("got %+v, unread %v", e.Status, e.Unread)
	}
	if e.Coming == nil || e.Coming.ID != later || e.Coming.Pipeline.Commit != later {
		t.Errorf("on its way: %+v", e.Coming)
	}
	at := slices.IndexFunc(e.Services, func(s Service) bool { return s.Service == "orders" })
	if at < 0 || e.Services[at].State.Ready != "True" || !slices.Contains(e.Services[at].AWS, "database") || !slices.Contains(e.Services[at].AWS, "queue") {
		t.Errorf("services: %+v", e.Services)
	}
	if len(e.Workloads) != 1 || e.Price == nil || e.Price.Monthly < 60 {
		t.Errorf("workloads %+v, price %+v", e.Workloads, e.Price)
	}
	d := e.Details["orders"]
	want := []Resource{{Type: "AWS::IAM::Role", ID: "dev-orders", Status: "CREATE_COMPLETE"}, {Type: "AWS::SQS::Queue", ID: "dev-orders", Status: "CREATE_COMPLETE", Paid: true}}
	if len(d.Pods) != 1 || !reflect.DeepEqual(d.Resources, want) {
		t.Errorf("details: %+v", d)
	}
	if quiet := source(t).Look(t.Context(), Question{}); quiet.Price != nil || quiet.Details != nil {
		t.Errorf("unasked: %+v, %+v", quiet.Price, quiet.Details)
	}
}

// Where one place does not answer, the others are shown.
func TestLookWithoutAPart(t *testing.T) {
	down := errors.New("no\n answer")
	for name, c := range map[string]struct {
		change func(*Source)
		unread string // the parts
		state  status.State
	}{
		"branch":    {func(s *Source) { s.Status.Tip = func(context.Context) (string, error) { return "", down } }, "branch", status.Unknown},
		"no branch": {func(s *Source) { s.Status.Tip = func(context.Context) (string, error) { return "", nil } }, "", status.Unreleased},
		"stacks":    {func(s *Source) { s.Status.Stacks = func(context.Context) ([]status.Stack, error) { return nil, down } }, "stacks", status.Unknown},
		"cluster":   {func(s *Source) { s.Status.Cluster = nil }, "cluster", status.Unknown},
		"Flux":      {func(s *Source) { s.Status.Cluster = cluster("kustomizations") }, "cluster services", status.Unknown},
		"images":    {func(s *Source) { s.Status.Cluster = cluster("deployments") }, "workloads", status.Verified},
		"pods":      {func(s *Source) { s.Status.Cluster = cluster("pods") }, "orders/pods", status.Verified},
		"commit": {func(s *Source) {
			s.Commit = func(_ context.Context, id string) (Commit, error) { return Commit{ID: id}, down }
		}, "commit", status.Verified},
		"executions": {func(s *Source) {
			s.Executions = func(context.Context) ([]deployment.Execution, error) { return nil, down }
		}, "executions", status.Verified},
		"no pipeline": {func(s *Source) { s.Executions = nil }, "", status.Verified},
		"published": {func(s *Source) {
			s.Tips = func(context.Context, []string) (map[string]publish.Tip, error) { return nil, down }
		}, "published", status.Verified},
		"fleet":     {func(s *Source) { s.Fleet, s.Missing = nil, map[string]error{"fleet": down} }, "fleet", status.Verified},
		"price":     {func(s *Source) { s.Stacks = account{templates: down} }, "price", status.Verified},
		"resources": {func(s *Source) { s.Stacks = account{resources: down} }, "orders/resources", status.Verified},
		"everything": {func(s *Source) {
			s.Missing = map[string]error{"account": down}
			s.Status.Tip = func(context.Context) (string, error) { return "", down }
			s.Status.Cluster, s.Stacks, s.Executions = nil, nil, nil
			s.Status.Stacks = func(context.Context) ([]status.Stack, error) { return nil, down }
		}, "account branch cluster stacks", status.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(t)
			c.change(&s)
			e := s.Look(t.Context(), Question{Applications: []string{"orders"}, Price: true})
			parts := slices.Sorted(maps.Keys(e.Unread))
			for part := range e.Details["orders"].Unread {
				parts = append(parts, "orders/"+part)
			}
			if got := strings.Join(parts, " "); got != c.unread || e.Status.State != c.state {
				t.Errorf("unread %q, %s; want %q, %s", e.Unread, e.Status.State, c.unread, c.state)
			}
			if why := e.Unread["branch"]; strings.Contains(why, "\n") {
				t.Errorf("more than a line: %q", why)
			}
			if name == "branch" && (e.Commit == nil || e.Commit.ID != released) {
				t.Errorf("the commit that the cluster has: %+v", e.Commit)
			}
		})
	}
}

func TestReadCommit(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=Jane Doe", "-c", "user.email=jane@example.com"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "--quiet")
	git("commit", "--quiet", "--allow-empty", "-m", "One <b>\n\nand why")
	id := git("rev-parse", "HEAD")
	c, err := ReadCommit(t.Context(), dir, id)
	if err != nil || c.ID != id || c.Subject != "One <b>" || c.Author != "Jane Doe" || c.Time.IsZero() {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := ReadCommit(t.Context(), dir, later); c.ID != later || err == nil || !strings.Contains(err.Error(), "is not in this clone; fetch it") {
		t.Errorf("%+v, %v", c, err)
	}
}
