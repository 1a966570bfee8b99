package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/bootstrap"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/forge/forgetest"
	"k8s-plus-aws-gitops/internal/forge/setup"
)

// servers answers for the DNS.
type servers struct {
	names []string
	err   error
}

func (s servers) LookupNS(context.Context, string) ([]*net.NS, error) {
	var all []*net.NS
	for _, n := range s.names {
		all = append(all, &net.NS{Host: n})
	}
	return all, s.err
}

// fluxObject is one of Flux with a Ready condition.
func fluxObject(kind, group, name, ready string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": group + ".toolkit.fluxcd.io/" + map[string]string{"helm": "v2"}[group] + map[string]string{"kustomize": "v1", "source": "v1"}[group], "kind": kind,
		"metadata": map[string]any{"name": name, "namespace": "flux-system", "generation": int64(1)},
		"spec":     map[string]any{"sourceRef": map[string]any{"kind": "GitRepository", "name": flux.Root}},
		"status": map[string]any{
			"observedGeneration": int64(1), "lastAppliedRevision": "released/dev@sha1:1", "lastAttemptedRevision": "released/dev@sha1:1",
			"conditions": []any{map[string]any{"type": "Ready", "status": ready, "reason": "BuildFailed", "message": "because"}},
		},
	}}
}

func cluster(objects ...runtime.Object) *flux.Cluster {
	lists := map[schema.GroupVersionResource]string{
		{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}: "KustomizationList",
		{Group: "helm.toolkit.fluxcd.io", Version: "v2", Resource: "helmreleases"}:        "HelmReleaseList",
		{Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"}:   "GitRepositoryList",
		{Version: "v1", Resource: "events"}:                                               "EventList",
	}
	return &flux.Cluster{Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, objects...)}
}

func healthy() *flux.Cluster {
	return cluster(fluxObject("Kustomization", "kustomize", "flux-system", "True"), fluxObject("Kustomization", "kustomize", "apps", "True"), fluxObject("GitRepository", "source", "flux-system", "True"))
}

// programs print these versions; one that is not among them is not there.
var programs = map[string]string{
	"git": "git version 2.39.5", "go": "go1.26.8", "npm": "11.0.1", "node": "v24.21.0", "cdk": "2.1148.1 (build 1a2b3c4)", "aws": "aws-cli/2.31.1 Python/3.13.7 Linux/6.1",
}

func running(versions map[string]string) func(context.Context, string, string, ...string) (string, error) {
	return func(_ context.Context, _, name string, _ ...string) (string, error) {
		said, there := versions[filepath.Base(name)]
		if !there {
			return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
		}
		return said, nil
	}
}

// world is a doctor of the environment dev, which lacks nothing, and what answers it.
type world struct {
	*Doctor
	api   *api
	forge *forgetest.Server
}

func newWorld(t *testing.T) world {
	t.Helper()
	root, env := repository(t, fixture.Text(t))
	env.Repository = config.Repository{Owner: "me", Name: "platform"}
	env.RepositoryURL = "https://github.com/me/platform.git"
	env.GitCredentials = config.CredentialsBasic
	w := world{api: &api{}, forge: forgetest.New(t)}
	w.forge.Hooks = []forgetest.Object{{"id": 7, "name": "web", "active": true, "events": []any{"push"}, "config": forgetest.Object{"url": "https://flux.dev.example.com/hook/abc", "content_type": "json", "insecure_ssl": "0"}}}
	w.forge.Deliveries = []forgetest.Object{
		{"delivered_at": "2026-11-29T12:00:00Z", "event": "push", "status": "OK", "status_code": 200},
		{"delivered_at": "2026-11-28T12:00:00Z", "event": "push", "status": "timed out", "status_code": 0},
	}
	address := w.api.serve(t)
	w.Doctor = &Doctor{
		Root: root, Env: env, Region: "eu-west-1", Run: running(programs),
		AWS: aws.Config{Region: env.Region, BaseEndpoint: &address, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
			Retryer: func() aws.Retryer {
				return retry.NewStandard(func(o *retry.StandardOptions) {
					o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
				})
			}},
		Resolver: servers{names: []string{"NS-2.example.net.", "ns-1.example.org."}},
		Cluster:  func(context.Context) (*flux.Cluster, error) { return healthy(), nil },
		Hook:     func(context.Context) (setup.Hook, error) { return setup.Hook{Host: "flux.dev.example.com"}, nil },
		Tip:      func(context.Context) (string, error) { return "1f3a9c2d5e6f70819203", nil },
		Forge:    forge.Client{API: w.forge.URL, Token: forgetest.Token},
	}
	w.api.answers = answers(t, w.Doctor)
	w.api.errors = map[string]string{}
	return w
}

func (w world) look(t *testing.T) Report {
	t.Helper()
	r, err := w.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func of(r Report, check string) Line {
	return r.Lines[slices.IndexFunc(r.Lines, func(l Line) bool { return l.Check == check })]
}

func TestNothingIsMissing(t *testing.T) {
	w := newWorld(t)
	r := w.look(t)
	for _, l := range r.Lines {
		if l.State != OK || l.Detail == "" || l.Fix != "" {
			t.Errorf("%+v, must be ok", l)
		}
	}
	if r.Verdict() != "dev: nothing is missing." || !r.Looked() {
		t.Errorf("says %q", r.Verdict())
	}
}

// AWS throttles, and lists have pages: each question is asked until it is answered in full.
func TestThrottled(t *testing.T) {
	w := newWorld(t)
	w.api.throttled = 1
	for _, l := range w.look(t).Lines {
		if l.State != OK && l.Check != "clock" { // it takes the date of a refusal
			t.Errorf("%+v, must be ok after the second try", l)
		}
	}
}

// A right that the caller lacks makes its lines unknown, with the name of the action, and no other line missing.
func TestDenied(t *testing.T) {
	for action := range answers(t, newWorld(t).Doctor) {
		t.Run(action, func(t *testing.T) {
			message := "User: arn:aws:iam::111111111111:user/reader is not authorized to perform: " + action + " on resource: x because no identity-based policy allows it"
			refusal := "AccessDenied " + message
			switch {
			case strings.HasPrefix(action, "ec2:"):
				refusal = "UnauthorizedOperation You are not authorized to perform this operation. Encoded authorization failure message: abc"
			case slices.Contains([]string{"codeconnections", "servicequotas", "secretsmanager", "acm"}, strings.Split(action, ":")[0]):
				refusal = "AccessDeniedException " + message
			}
			w := newWorld(t)
			w.api.errors[action] = refusal
			r := w.look(t)
			said := slices.ContainsFunc(r.Lines, func(l Line) bool { return l.State == Unknown && l.Detail == "it needs the right "+action })
			if r.Count(Missing) > 0 || !said {
				t.Errorf("got %+v, must have an unknown line with %s", r.Lines, action)
			}
			if want := action != "sts:GetCallerIdentity"; r.Looked() != want {
				t.Errorf("looked: %t", r.Looked())
			}
		})
	}
}

// At an endpoint that implements nothing, nothing fails and nothing is said to be missing.
func TestNotImplemented(t *testing.T) {
	w := newWorld(t)
	w.api.answers = map[string]string{"sts:GetCallerIdentity": w.api.answers["sts:GetCallerIdentity"]}
	r := w.look(t)
	if r.Count(Missing) > 0 || r.Count(Unknown) != 13 || of(r, "connection").Detail != "codeconnections:GetConnection: the endpoint answers with status 501" {
		t.Errorf("got %d missing and %d unknown: %+v", r.Count(Missing), r.Count(Unknown), r.Lines)
	}
}

// An environment that a plug-in serves is not asked for what only an account of AWS has.
func TestOutside(t *testing.T) {
	w := newWorld(t)
	w.Outside = "gitops-local"
	w.api.answers["servicequotas:GetServiceQuota"] = quotaAnswer("0")
	r := w.look(t)
	if l := of(r, "quota: VPCs"); l.State != Unknown || l.Detail != "not looked at: gitops-local serves dev, not AWS" || r.Count(Missing) > 0 {
		t.Errorf("got %+v, %+v", l, r.Lines)
	}
}

// With a boundary its policy is compared too, and the policy of identities is the bounded one.
func TestPoliciesWithABoundary(t *testing.T) {
	w := newWorld(t)
	text := strings.Replace(string(fixture.Text(t)), `"context": {`, `"context": {"@aws-cdk/core:permissionsBoundary": {"name": "team-boundary"},`, 1)
	w.Root, _ = repository(t, []byte(text))
	if all, err := bootstrap.Policies(w.Root, w.Env); err != nil || len(all) != 3 {
		t.Fatalf("%v, %v", all, err)
	}
	boundary := "arn:aws:iam::111111111111:policy/team-boundary"
	given := []string{"arn:aws:iam::111111111111:policy/platform-network-eu-west-1", "arn:aws:iam::111111111111:policy/platform-identity-eu-west-1"}
	w.api.answers["cloudformation:DescribeStacks"] = stack("UPDATE_COMPLETE", "30", "hnb659fds", given)
	if l := of(w.look(t), "execution policies"); l.State != OK {
		t.Errorf("got %+v", l)
	}
	w.api.answers["cloudformation:DescribeStacks"] = stack("UPDATE_COMPLETE", "30", "hnb659fds", append(given, boundary))
	if l := of(w.look(t), "execution policies"); l.State != Missing || !strings.Contains(l.Detail, "team-boundary is more") {
		t.Errorf("got %+v: a boundary allows, and limits nothing, as a policy of the execution role", l)
	}
}

// The version that the templates ask for is the one that is looked for.
func TestRequired(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixture.Root(t), "testdata/templates/*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var parsed struct {
			Rules map[string]struct {
				Assertions []struct{ AssertDescription string }
			}
		}
		if err := json.Unmarshal(content, &parsed); err != nil {
			t.Fatal(err)
		}
		for _, a := range parsed.Rules["CheckBootstrapVersion"].Assertions {
			if !strings.HasPrefix(a.AssertDescription, fmt.Sprintf("CDK bootstrap stack version %d required.", required)) {
				t.Errorf("%s: %s", filepath.Base(file), a.AssertDescription)
			}
		}
	}
}

// The table fits 80 columns, and lists what mends in order, each once and whole.
func TestPrint(t *testing.T) {
	w := newWorld(t)
	w.api.errors["cloudformation:DescribeStacks"] = "ValidationError Stack with id CDKToolkit does not exist"
	w.api.answers["acm:ListCertificates"] = `{}`
	w.api.answers["servicequotas:GetServiceQuota"] = quotaAnswer("2")
	w.Resolver = servers{names: []string{"a-server-with-a-long-name.example.org.", "another-server-with-a-long-name.example.org."}}
	var out strings.Builder
	w.look(t).Print(&out)
	text := out.String()
	table, fixes, _ := strings.Cut(text, "To mend")
	for line := range strings.Lines(table) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	var order []int
	for _, want := range []string{" 1. make bootstrap ENV=dev\n", " 2. aws service-quotas", "enter NS: ns-1.example.org ns-2.example.net\n", "make deploy ENV=dev\n", "\ndev: 5 missing, 1 could not be looked at.\n"} {
		order = append(order, strings.Index(fixes, want))
	}
	if !slices.IsSorted(order) || order[0] < 0 {
		t.Errorf("order %v in:\n%s", order, text)
	}
}
