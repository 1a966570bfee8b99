package dashboard

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/deployment"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
	"k8s-plus-aws-gitops/internal/status"
)

const (
	released = "1f3a9c2d4b5e6f708192a3b4c5d6e7f801234567"
	later    = "9b8a7c6d5e4f30219b8a7c6d5e4f30219b8a7c6d"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// well is an environment without trouble: Ghost with a stack, and orders, a service of the fleet with a database.
func well(name string) *Environment {
	object := func(kind, name, revision string) status.Object {
		return status.Object{Kind: kind, At: true, Item: flux.Item{Namespace: "flux-system", Name: name, Ready: "True", Revision: revision}}
	}
	revision := "released/" + name + "@sha1:" + released
	workload := func(namespace, image, by string, pods int64) flux.Workload {
		return flux.Workload{Kind: "Deployment", Namespace: namespace, Name: namespace, Images: []string{image}, CPU: "100m", Memory: "256Mi", Ready: pods, Wanted: pods, By: by}
	}
	return &Environment{
		Name: name, Read: noon, Account: "111111111111", Region: "eu-west-1", Domain: name + ".example.com", Branch: name, Unread: map[string]string{},
		Commit: &Commit{ID: released, Subject: "Give orders a database", Author: "Jane Doe", Time: noon},
		Status: &status.Status{
			Environment: name, Commit: released, Branch: "released/" + name, Tip: released, State: status.Verified,
			Pipeline: &status.Pipeline{Name: name + "-deploy", Execution: "0a1b2c3d", Status: "Succeeded", Commit: released, Stages: []status.Stage{
				{Name: "Test", State: status.Passed}, {Name: "Network", State: status.Skipped}, {Name: "Applications", State: status.Passed}, {Name: "Release", State: status.Passed},
			}},
			Stacks: []status.Stack{
				{Name: name + "-cluster", Status: "UPDATE_COMPLETE", Updated: noon, Whole: true}, {Name: name + "-ghost", Status: "UPDATE_COMPLETE", Updated: noon, Whole: true},
				{Name: name + "-network", Status: "CREATE_COMPLETE", Updated: noon, Whole: true}, {Name: name + "-orders", Status: "CREATE_COMPLETE", Updated: noon, Whole: true},
			},
			Objects: []status.Object{
				object("GitRepository", "flux-system", revision), object("Kustomization", "apps", revision), object("Kustomization", "flux-system", revision),
				object("HelmRelease", "external-dns", "1.21.1"),
			},
		},
		Executions: []deployment.Execution{{ID: "0a1b2c3d", Commit: released, Status: "Succeeded", Started: noon}, {ID: "00000000", Commit: later, Status: "Superseded", Started: noon.Add(-time.Hour)}},
		Services: []Service{{
			Summary: services.Summary{Service: "orders", Image: "ghcr.io/nodezoo/nodezoo-orders:1.0.0", Pods: "2", Host: "orders." + name + ".example.com", Environments: []string{name}},
			State:   publish.State{Service: "orders", Branch: name + "/orders", Commit: later, Source: publish.Source{Commit: released, Tag: "orders/v1.0.0"}, Applied: later, Ready: "True", Published: &noon},
			AWS:     []string{"database", "queue"},
		}},
		Workloads: []flux.Workload{
			workload("external-dns", "registry.k8s.io/external-dns/external-dns:v0.21.0", "HelmRelease flux-system/external-dns", 1),
			workload("ghost", "docker.io/library/ghost:6.65.0", "Kustomization flux-system/apps", 2),
			workload("orders", "ghcr.io/nodezoo/nodezoo-orders:1.0.0", "Kustomization services/orders", 2),
		},
		Price: &Price{Monthly: 312.4, Currency: "USD", Region: "eu-west-1", Date: "2026-11-01"},
		Details: map[string]Detail{
			"orders": {
				Pods: []flux.Pod{
					{Name: "orders-7d9c5-abcde", Phase: "Running", Ready: true, Images: []string{"ghcr.io/nodezoo/nodezoo-orders:1.0.0"}},
					{Name: "orders-7d9c5-fghij", Phase: "Running", Ready: true, Images: []string{"ghcr.io/nodezoo/nodezoo-orders:1.0.0"}},
				},
				Resources: []Resource{
					{Type: "AWS::IAM::Role", ID: name + "-orders", Status: "CREATE_COMPLETE"},
					{Type: "AWS::RDS::DBInstance", ID: name + "-orders", Status: "CREATE_COMPLETE", Paid: true},
					{Type: "AWS::SQS::Queue", ID: "https://sqs/" + name + "-orders", Status: "CREATE_COMPLETE", Paid: true},
				},
			},
			"ghost": {},
		},
	}
}

// failed has a stage, a stack, a Kustomization, a service and pods that failed.
func failed(name string) *Environment {
	e := well(name)
	cause := "action Deploy failed: Resource handler returned message: DBInstance not found"
	e.Status.State, e.Status.Cause = status.Failed, "stage Applications of "+name+"-deploy has failed: "+cause
	e.Status.Pipeline.Status, e.Status.Pipeline.Stages[2] = "Failed", status.Stage{Name: "Applications", State: status.Broken, Cause: cause}
	e.Status.Pipeline.Stages[3].State = status.Pending
	e.Status.Stacks[3].Status, e.Status.Stacks[3].Whole = "UPDATE_ROLLBACK_FAILED", false
	apps := &e.Status.Objects[1]
	apps.Ready, apps.Reason, apps.Message = "False", "HealthCheckFailed", "Deployment/ghost/ghost status: 'Failed'"
	e.Executions[0].Status = "Failed"
	e.Services[0].State.Ready, e.Services[0].State.Message = "False", "Deployment/orders/orders status: 'Failed'"
	e.Workloads[2].Ready, e.Workloads[2].Cause = 1, "ProgressDeadlineExceeded: ReplicaSet has timed out progressing"
	d := e.Details["orders"]
	d.Pods[1] = flux.Pod{Name: "orders-7d9c5-fghij", Phase: "Pending", Restarts: 3, Images: []string{"ghcr.io/nodezoo/nodezoo-orders:1.0.1"}, Cause: "ImagePullBackOff: no such tag"}
	d.Resources[1].Status, d.Resources[1].Cause = "UPDATE_FAILED", "DBInstance not found"
	return e
}

// waiting has another commit that waits for an approval.
func waiting(name string) *Environment {
	e := well(name)
	e.Executions = append([]deployment.Execution{{ID: "ffff", Commit: later, Status: "InProgress", Started: noon}}, e.Executions...)
	e.Coming = &Coming{Commit: Commit{ID: later, Subject: "Two pods of Ghost", Author: "Joe Bloggs", Time: noon}, Pipeline: &status.Pipeline{
		Name: name + "-deploy", Stages: []status.Stage{{Name: "Test", State: status.Passed}, {Name: "Approve", State: status.Approval}, {Name: "Release", State: status.Pending}},
	}}
	return e
}

// unread has nothing but what the checkout says.
func unread(name string) *Environment {
	e := well(name)
	e.Commit, e.Executions, e.Workloads, e.Price, e.Details = nil, nil, nil, nil, map[string]Detail{"orders": {}}
	e.Services[0].State = publish.State{Service: "orders", Branch: name + "/orders", Ready: "Unknown"}
	e.Status = &status.Status{Environment: name, Branch: "released/" + name, State: status.Unknown, Cause: "no route to the host"}
	e.Unread = map[string]string{
		"account": "there are no credentials", "branch": "no route to the host", "stacks": "the account is not reached", "cluster": "it needs the account",
		"executions": "the account is not reached too", "published": "no route to the manifests",
	}
	e.Status.Unread = map[status.Part]string{status.PartBranch: "no route to the host"}
	return e
}

// with changes an environment.
func with(e *Environment, change func(*Environment)) *Environment {
	change(e)
	return e
}

// fixed looks and always sees the same; without an environment it fails.
func fixed(e *Environment) Look {
	return func(context.Context, Question) (*Environment, error) {
		if e == nil {
			return nil, fmt.Errorf("the local system does not run: run `gitops local up` first")
		}
		return e, nil
	}
}

var pace = Pace{Every: 10 * time.Second, Idle: 15 * time.Second, Limit: time.Minute}

// serve serves environments by their names on the loopback; nil is one that cannot be read.
func serve(t *testing.T, names string, all ...*Environment) *httptest.Server {
	t.Helper()
	s := &Server{First: 5 * time.Second}
	for i, name := range strings.Fields(names) {
		s.Watches = append(s.Watches, &Watch{Name: name, Look: fixed(all[i]), Pace: pace})
	}
	return start(t, func(at net.Addr) http.Handler { return s.Handler(t.Context(), at) })
}

// start serves what knows its own address.
func start(t *testing.T, handler func(net.Addr) http.Handler) *httptest.Server {
	t.Helper()
	l, err := Listen(t.Context(), "0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler(l.Addr()))
	server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return server
}
