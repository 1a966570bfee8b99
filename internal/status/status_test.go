package status_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"

	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/status"
)

var kinds = map[string]schema.GroupVersionResource{
	"Kustomization": {Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"},
	"HelmRelease":   {Group: "helm.toolkit.fluxcd.io", Version: "v2", Resource: "helmreleases"},
	"GitRepository": {Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"},
	"Event":         {Version: "v1", Resource: "events"},
}

func cluster(objects ...runtime.Object) *flux.Cluster {
	lists := map[schema.GroupVersionResource]string{}
	for kind, resource := range kinds {
		lists[resource] = kind + "List"
	}
	return &flux.Cluster{Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, objects...)}
}

// object is one of Flux at a commit.
func object(kind, name, commit, ready, reason string) *unstructured.Unstructured {
	resource, revision := kinds[kind], "released/dev@sha1:"+commit
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": resource.GroupVersion().String(), "kind": kind,
		"metadata": map[string]any{"name": name, "namespace": "flux-system", "generation": int64(1)},
		"spec":     map[string]any{"sourceRef": map[string]any{"kind": "GitRepository", "name": flux.Root}},
		"status": map[string]any{
			"observedGeneration": int64(1), "lastAppliedRevision": revision, "lastAttemptedRevision": revision, "artifact": map[string]any{"revision": revision},
			"conditions": []any{map[string]any{"type": "Ready", "status": ready, "reason": reason, "message": "because"}},
		},
	}}
}

// layers are the root and one layer at a commit.
func layers(commit, ready, reason string) []runtime.Object {
	return []runtime.Object{object("Kustomization", "flux-system", commit, "True", "Ok"), object("Kustomization", "apps", commit, ready, reason), object("GitRepository", "flux-system", commit, "True", "Ok")}
}

// source is of the commit "new", which the heads new and newest have.
func source(tip string, cluster *flux.Cluster, stacks ...status.Stack) status.Source {
	return status.Source{
		Environment: "dev", Commit: "new", Branch: "released/dev", Cluster: cluster,
		Tip:      func(context.Context) (string, error) { return tip, nil },
		Contains: func(_ context.Context, head, _ string) bool { return head == "newest" },
		Stacks:   func(context.Context) ([]status.Stack, error) { return stacks, nil },
	}
}

func TestRead(t *testing.T) {
	whole := status.Stack{Name: "dev-network", Status: "UPDATE_COMPLETE", Whole: true}
	for name, c := range map[string]struct {
		source status.Source
		state  status.State
		cause  string
	}{
		"verified":                  {source("new", cluster(layers("new", "True", "Ok")...), whole), status.Verified, ""},
		"verified, by a later one":  {source("newest", cluster(layers("newest", "True", "Ok")...)), status.Verified, ""},
		"a layer is at work":        {source("new", cluster(layers("new", "Unknown", "Progressing")...)), status.Applying, "Kustomization apps"},
		"Flux has not seen it":      {source("new", cluster(layers("old", "True", "Ok")...)), status.Applying, "Kustomization apps; Kustomization flux-system"},
		"Flux is not there":         {source("new", cluster()), status.Applying, "not there yet"},
		"a chart is at work":        {source("new", cluster(append(layers("new", "True", "Ok"), object("HelmRelease", "dns", "", "Unknown", "Progressing"))...)), status.Applying, "HelmRelease dns"},
		"no branch":                 {source("", cluster(layers("old", "True", "Ok")...)), status.Unreleased, "branch released/dev does not have commit new"},
		"not released":              {source("old", cluster(layers("old", "True", "Ok")...)), status.Unreleased, "branch released/dev does not have commit new"},
		"failed":                    {source("new", cluster(layers("new", "False", "BuildFailed")...)), status.Failed, "Kustomization apps: BuildFailed: because"},
		"a failure of an older one": {source("new", cluster(layers("old", "False", "BuildFailed")...)), status.Applying, "apps: BuildFailed"},
		"a stack is at work":        {source("new", cluster(layers("new", "True", "Ok")...), whole, status.Stack{Name: "dev-cluster", Status: "UPDATE_IN_PROGRESS"}), status.Applying, "stack dev-cluster is UPDATE_IN_PROGRESS"},
		"a stack has failed":        {source("new", cluster(layers("new", "True", "Ok")...), status.Stack{Name: "dev-cluster", Status: "UPDATE_ROLLBACK_FAILED"}), status.Failed, "stack dev-cluster is UPDATE_ROLLBACK_FAILED"},
		"a stack has failed, and nothing is released": {source("old", cluster(layers("old", "True", "Ok")...), status.Stack{Name: "dev-cluster", Status: "CREATE_FAILED"}), status.Failed, "stack dev-cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.source.Read(t.Context())
			if err != nil || got.State != c.state || !strings.Contains(got.Cause, c.cause) || (got.Cause == "") != (c.cause == "") {
				t.Errorf("got %+v, %v; want %s, %q", got, err, c.state, c.cause)
			}
		})
	}
}

// A pipeline that failed is run again where it has not released the commit; what Flux has is Flux's to apply.
func TestAgain(t *testing.T) {
	for tip, want := range map[string]string{"old": "aws codepipeline start-pipeline-execution --name dev-deploy", "newest": ""} {
		s := source(tip, cluster(layers("old", "True", "Ok")...))
		s.Pipeline = func(context.Context, string, func(string) bool) *status.Pipeline {
			return &status.Pipeline{Name: "dev-deploy", Stages: []status.Stage{{Name: "Plan", State: status.Broken, Cause: "Rate exceeded"}, {Name: "Verify", State: status.Pending}}}
		}
		got, err := s.Read(t.Context())
		if err != nil || got.Again != want || !strings.Contains(got.Cause, "stage Plan of dev-deploy has failed: Rate exceeded") {
			t.Errorf("%s: got %+v, %v", tip, got, err)
		}
		var out strings.Builder
		if got.Print(&out); strings.Contains(out.String(), "once the cause is mended:\n  "+want) != (want != "") {
			t.Errorf("%s: %s", tip, out.String())
		}
	}
}

// While Git is away, whether the branch has the commit is not known, and the command is named.
func TestAgainWithoutGit(t *testing.T) {
	s := source("", cluster(layers("old", "True", "Ok")...))
	s.Tip = func(context.Context) (string, error) { return "", errors.New("the host does not answer") }
	s.Pipeline = func(context.Context, string, func(string) bool) *status.Pipeline {
		return &status.Pipeline{Name: "dev-deploy", Stages: []status.Stage{{Name: "Plan", State: status.Broken, Cause: "no answer"}, {Name: "Release", State: status.Pending}}}
	}
	if got := s.Survey(t.Context()); got.Again == "" || got.State != status.Failed {
		t.Errorf("got %+v", got)
	}
}

// Each object says whether it has the commit, and the table names what a reader looks for.
func TestPrint(t *testing.T) {
	objects := []runtime.Object{
		object("Kustomization", "flux-system", "new", "True", "Ok"), object("Kustomization", "a-name-that-is-longer-than-the-column", "old", "True", "Ok"), object("Kustomization", "apps", "new", "False", "BuildFailed"),
		object("GitRepository", "flux-system", "new", "True", "Ok"), object("HelmRelease", "dns", "x", "Unknown", "Progressing"),
	}
	s := source("newest", cluster(objects...), status.Stack{Name: "dev-cluster", Status: "UPDATE_COMPLETE", Whole: true}, status.Stack{Name: "dev-network", Status: "UPDATE_FAILED"})
	s.Pipeline = func(context.Context, string, func(string) bool) *status.Pipeline {
		return &status.Pipeline{Name: "dev-deploy", Execution: "1f3a9c2d-0000", Status: "InProgress", Commit: "newest", Note: "that is all", Stages: []status.Stage{
			{Name: "Test", State: status.Skipped}, {Name: "Network", State: status.Broken, Cause: "action Deploy failed: exit status 1"}, {Name: "Approve", State: status.Approval}, {Name: "Cluster", State: status.Pending},
		}}
	}
	now, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	now.Print(&out)
	want := `dev: commit new is failed; Flux follows released/dev at newest.

KIND           NAME                        STATE      DETAIL
Pipeline       dev-deploy                  running    1f3a9c2d at newest
Stage          Test                        skipped
Stage          Network                     failed     action Deploy failed: exi…
Stage          Approve                     waits      for an approval
Stage          Cluster                     -
Stack          dev-cluster                 ok         update complete
Stack          dev-network                 not whole  update failed
GitRepository  flux-system                 ready      released/dev new
Kustomization  a-name-that-is-longer-tha…  behind     released/dev old
Kustomization  apps                        failed     released/dev new
Kustomization  flux-system                 ready      released/dev new
HelmRelease    dns                         waits

pipeline dev-deploy: that is all

stage Network of dev-deploy has failed: action Deploy failed: exit status 1
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

// service is a Kustomization of a service at a commit of its branch.
func service(name, commit, ready, reason string) runtime.Object {
	o := object("Kustomization", name, commit, ready, reason)
	o.SetNamespace(flux.ServicesNamespace)
	return o
}

// at are the layers at the commit, and services.
func at(services ...runtime.Object) *flux.Cluster {
	return cluster(append(layers("new", "True", "Ok"), services...)...)
}

const npmCommit = "0123456789abcdef0123456789abcdef01234567"

// What was published with the commit counts, and no other service.
func TestReadServices(t *testing.T) {
	broken := service("info", "older", "False", "HealthCheckFailed")
	for name, c := range map[string]struct {
		cluster *flux.Cluster
		state   status.State
		cause   string
	}{
		"healthy":                      {at(service("npm", npmCommit, "True", "Ok"), broken), status.Verified, ""},
		"Flux has not seen it":         {at(service("npm", "older", "True", "Ok")), status.Applying, "service npm is not at 0123456789ab yet"},
		"a failure of what was before": {at(service("npm", "older", "False", "BuildFailed")), status.Applying, "service npm is not at"},
		"it rolls out":                 {at(service("npm", npmCommit, "Unknown", "Progressing")), status.Applying, "service npm is not at"},
		"it has failed":                {at(service("npm", npmCommit, "False", "HealthCheckFailed")), status.Failed, "service npm: HealthCheckFailed: because"},
		"the fleet is not there":       {at(), status.Applying, "service npm is not in the cluster yet"},
	} {
		t.Run(name, func(t *testing.T) {
			s := source("new", c.cluster)
			s.Published = []status.Published{{Service: "npm", Commit: npmCommit[:12]}}
			got, err := s.Read(t.Context())
			if err != nil || got.State != c.state || !strings.Contains(got.Cause, c.cause) || (got.Cause == "") != (c.cause == "") || len(got.Services) != 1 {
				t.Errorf("got %+v, %v; want %s, %q", got, err, c.state, c.cause)
			}
		})
	}
}

func TestPrintServices(t *testing.T) {
	s := source("new", at(service("npm", npmCommit, "False", "HealthCheckFailed")))
	s.Published = []status.Published{{Service: "npm", Commit: npmCommit[:12]}}
	now, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	now.Print(&out)
	if want := "Service        npm                         failed     released/dev 0123456789ab\n\nservice npm: HealthCheckFailed: because\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("got:\n%s\nwant at the end:\n%s", out.String(), want)
	}
}

func TestPublished(t *testing.T) {
	all := []status.Published{{Service: "npm", Commit: npmCommit}, {Service: "web-2", Commit: npmCommit}}
	text := status.FormatPublished(all)
	if text != "npm@0123456789ab web-2@0123456789ab" {
		t.Errorf("%q", text)
	}
	if back, err := status.ParsePublished(text); err != nil || len(back) != 2 || back[1] != (status.Published{Service: "web-2", Commit: npmCommit[:12]}) {
		t.Errorf("%+v, %v", back, err)
	}
	for _, text := range []string{status.FormatPublished(nil), ""} {
		if back, err := status.ParsePublished(text); err != nil || len(back) > 0 {
			t.Errorf("%q: %+v, %v", text, back, err)
		}
	}
	for _, text := range []string{"npm", "npm@", "npm@xyz", "npm@0123", "@0123456789ab"} {
		if _, err := status.ParsePublished(text); err == nil || !strings.Contains(err.Error(), "must be services and commits") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A wait ends when the commit is verified, when a failure lasts, and when the time is over.
func TestWait(t *testing.T) {
	for name, c := range map[string]struct {
		// then is what the cluster has 30 seconds after first.
		first, then *flux.Cluster
		state       status.State
		says        string
		took        time.Duration
		told        int
	}{
		"verified":         {cluster(layers("new", "Unknown", "Progressing")...), cluster(layers("new", "True", "Ok")...), status.Verified, "", 30 * time.Second, 2},
		"a failure lasts":  {cluster(layers("new", "False", "BuildFailed")...), nil, status.Failed, "Kustomization apps: BuildFailed: because", 12 * time.Second, 1},
		"the time is over": {cluster(layers("old", "True", "Ok")...), nil, status.Applying, "the time is over; still missing: Kustomization apps", time.Minute, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				s, began, told := source("new", c.first), time.Now(), 0
				tip := s.Tip
				s.Tip = func(ctx context.Context) (string, error) {
					if c.then != nil && time.Since(began) >= 30*time.Second {
						*s.Cluster = *c.then
					}
					return tip(ctx)
				}
				got, err := s.Wait(ctx, 2*time.Second, func(*status.Status) { told++ })
				if got == nil || got.State != c.state || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %+v, %v", got, err)
				}
				if took := time.Since(began); took != c.took || told != c.told {
					t.Errorf("took %s, want %s; told %d times, want %d", took, c.took, told, c.told)
				}
			})
		})
	}
}

// A service's first try may come before the release that it needs, and Flux tries again; a failure that lasts is named.
func TestWaitServices(t *testing.T) {
	for name, c := range map[string]struct {
		then *flux.Cluster
		says string
		took time.Duration
	}{
		"heals": {at(service("npm", npmCommit, "True", "Ok")), "", time.Minute},
		"lasts": {nil, "service npm: ReconciliationFailed: because", 122 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, began := source("new", at(service("npm", npmCommit, "False", "ReconciliationFailed"))), time.Now()
				s.Published = []status.Published{{Service: "npm", Commit: npmCommit}}
				s.Tip = func(context.Context) (string, error) {
					if c.then != nil && time.Since(began) >= time.Minute {
						*s.Cluster = *c.then
					}
					return "new", nil
				}
				_, err := s.Wait(t.Context(), 2*time.Second, func(*status.Status) {})
				if took := time.Since(began); (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || took != c.took {
					t.Errorf("%v after %s, want %q after %s", err, took, c.says, c.took)
				}
			})
		})
	}
}

// pullFails is what a kubelet says of a pod of a namespace, a while after the wait began.
func pullFails(namespace string, began time.Time) runtime.Object {
	said := began.Add(20 * time.Second).UTC().Format(time.RFC3339)
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Event", "metadata": map[string]any{"name": "pull", "namespace": namespace},
		"type": "Warning", "reason": "Failed", "message": "Failed to pull image \"x\": not found", "lastTimestamp": said,
		"involvedObject": map[string]any{"kind": "Pod", "namespace": namespace, "name": "x-1"},
	}}
}

// An image that does not exist ends the wait where it is of what was published, and not where it is of another service.
func TestWaitForPodsOfServices(t *testing.T) {
	for namespace, says := range map[string]string{"npm": "pod npm/x-1: Failed", "info": "the time is over; still missing: service npm"} {
		t.Run(namespace, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				s := source("new", at(service("npm", npmCommit, "Unknown", "Progressing"), service("info", npmCommit, "Unknown", "Progressing"), pullFails(namespace, time.Now())))
				s.Published = []status.Published{{Service: "npm", Commit: npmCommit}}
				if _, err := s.Wait(ctx, 2*time.Second, func(*status.Status) {}); err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("got %v, want %q", err, says)
				}
			})
		})
	}
}

// A look asks once for each kind: an API server pays for every list of a large cluster.
func TestReadAsksOnce(t *testing.T) {
	c := cluster(layers("new", "False", "BuildFailed")...)
	s := source("new", c)
	if now, err := s.Read(t.Context()); err != nil || now.State != status.Failed {
		t.Fatalf("got %+v, %v", now, err)
	}
	asked := map[string]int{}
	for _, a := range c.Dynamic.(*dynamicfake.FakeDynamicClient).Actions() {
		asked[a.GetResource().Resource]++
	}
	if want := map[string]int{"kustomizations": 1, "helmreleases": 1, "gitrepositories": 1}; !maps.Equal(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
}

// Who knows more than Flux decides what has failed; a failure that does not last is none.
func TestWaitWithAnotherJudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		s, began := source("new", cluster(layers("new", "False", "BuildFailed")...)), time.Now()
		s.Failure = func(context.Context, *flux.Look, *flux.Target) error {
			if after := time.Since(began); after < 5*time.Second || after >= 30*time.Second {
				return errors.New("no image")
			}
			return nil
		}
		got, err := s.Wait(ctx, time.Second, func(*status.Status) {})
		if took := time.Since(began); err == nil || err.Error() != "no image" || got.State != status.Failed || took != 41*time.Second {
			t.Errorf("got %+v, %v after %s", got, err, took)
		}
	})
}

// A repository that cannot be read for a while does not end a wait, and its error is told at the end.
func TestWaitWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := source("new", cluster(layers("new", "True", "Ok")...))
		s.Tip = func(context.Context) (string, error) { return "", errors.New("no route to host") }
		got, err := s.Wait(ctx, time.Second, func(*status.Status) { t.Error("told of nothing") })
		if got != nil || err == nil || !strings.Contains(err.Error(), "the time is over: no route to host") {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}
