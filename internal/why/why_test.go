package why_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"k8s-plus-aws-gitops/internal/audit"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/forge/forgetest"
	"k8s-plus-aws-gitops/internal/services/publish"
	"k8s-plus-aws-gitops/internal/why"
)

const (
	deployment = "# Ghost\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: ghost\n  namespace: ghost\nspec:\n  replicas: 1\n"
	list       = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - ghost.yaml\n"
	patched    = list + "patches:\n  - path: more.yaml\n"
	more       = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: ghost\n  namespace: ghost\nspec:\n  minReadySeconds: 5\n"
	succeeded  = types.PipelineExecutionStatusSucceeded
	digest     = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
)

// kustomization is one of Flux that has applied objects, by the ids of its inventory.
func kustomization(namespace, name, path, source, commit string, ids ...string) string {
	var entries []string
	for _, id := range ids {
		entries = append(entries, `{"id": "`+id+`", "v": "v1"}`)
	}
	return `{"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "` + name + `", "namespace": "` + namespace + `"},
		"spec": {"path": "` + path + `", "sourceRef": {"kind": "GitRepository", "name": "` + source + `"}},
		"status": {"lastAppliedRevision": "released/dev@sha1:` + commit + `", "inventory": {"entries": [` + strings.Join(entries, ",") + `]}}}`
}

// The whole way from a pod to the reviewers of the commit, whose execution is the first of those that have it.
func TestObject(t *testing.T) {
	root, commit := repository(t)
	zero := commit("Begin", "k8s/apps/kustomization.yaml", list, "k8s/apps/ghost.yaml", deployment, "README.md", "x")
	one := commit("Two replicas (#7)", "k8s/apps/ghost.yaml", strings.Replace(deployment, "1\n", "2\n", 1))
	two := commit("Something else", "README.md", "y")
	image := "111111111111.dkr.ecr.eu-west-1.amazonaws.com/dev/ghost:20261130120000-" + zero[:12] + "@" + digest
	const owner = `"ownerReferences": [{"apiVersion": "apps/v1", "kind": "%", "name": "#", "controller": true, "uid": "u"}]`
	owned := func(kind, name string) string { return strings.NewReplacer("%", kind, "#", name).Replace(owner) }
	container := `{"name": "ghost", "image": "` + image + `"}`
	pods := `"metadata": {"labels": {"app": "ghost"}}, "spec": {"containers": [` + container + `]}`
	cluster := kubernetes(t,
		kustomization("flux-system", "apps", "./k8s/apps", "flux-system", two, "ghost_ghost_apps_Deployment"),
		`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "ghost", "namespace": "ghost", "managedFields": [
			{"manager": "kustomize-controller", "operation": "Apply", "time": "2026-11-30T12:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"ghost\"}": {".": {}, "f:image": {}}}}}}}},
			{"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-30T12:30:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]},
			"spec": {"selector": {"matchLabels": {"app": "ghost"}}, "template": {`+pods+`}}}`,
		`{"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "ghost-1", "namespace": "ghost", `+owned("Deployment", "ghost")+`}, "spec": {"template": {`+pods+`}}}`,
		`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ghost-1-a", "namespace": "ghost", "labels": {"app": "ghost"}, `+owned("ReplicaSet", "ghost-1")+`}, "spec": {"containers": [`+container+`]},
			"status": {"containerStatuses": [{"name": "ghost", "image": "x", "imageID": "registry/dev/ghost@`+digest+`", "ready": true, "restartCount": 0}]}}`,
	)
	hub := forgetest.New(t)
	merged := forgetest.Pull(7, "closed", "more", "main")
	merged["title"], merged["merged_at"], merged["user"], merged["merged_by"] = "Two replicas", "2026-11-30T11:00:00Z", forgetest.Object{"login": "jane"}, forgetest.Object{"login": "john"}
	hub.Pulls = []forgetest.Object{forgetest.Pull(8, "open", "later", "main"), merged}
	hub.Reviews = []forgetest.Object{
		forgetest.Review(7, "ann", "CHANGES_REQUESTED", one, "2026-11-30T10:00:00Z"), forgetest.Review(7, "ann", "APPROVED", one, "2026-11-30T10:30:00Z"),
		forgetest.Review(7, "ann", "COMMENTED", one, "2026-11-30T10:40:00Z"), forgetest.Review(8, "bob", "APPROVED", two, "2026-11-30T10:40:00Z"),
	}
	s := &why.Source{
		Env: environment(), Root: root, Tip: func(context.Context) (string, error) { return two, nil }, Kubernetes: cluster, Builds: "dev-dockerbuild",
		Forge: &forge.Client{API: hub.URL, Token: forgetest.Token},
		AWS: why.AWS{Registry: registry{}, Pipelines: &recorded{
			executions: map[string][]types.PipelineExecutionSummary{
				"dev-deploy": {
					execution("d", two, succeeded, 40), execution("c", one, succeeded, 30),
					execution("b", one, types.PipelineExecutionStatusFailed, 20), execution("a", zero, succeeded, 10),
				},
				"dev-dockerbuild": {execution("image", zero, succeeded, 0)},
			},
			actions: []types.ActionExecutionDetail{action("c", "Release", "Verify", 31), action("c", "Approve", "Approve", 30)},
		}},
	}
	s.AWS.Audit = audit.Logs{API: auditLog{}, Group: "/aws/eks/dev/cluster"}
	a, err := s.Object(t.Context(), why.Question{Kind: "pod", Name: "ghost-1-a", Namespace: "ghost"})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	a.Print(&text)
	for _, want := range []string{
		"made by        ReplicaSet ghost/ghost-1\n", "made by        Deployment ghost/ghost\n", "applied by     Kustomization flux-system/apps\n",
		"./k8s/apps at " + two[:12] + " of released/dev\n", "file           k8s/apps/ghost.yaml:3\n", "commit         " + one[:12] + " Two replicas (#7)\n",
		"author         Jane Doe at ", "pull request   #7 Two replicas\n", "by jane\n", "merged         by john at 2026-11-30 11:00:00Z\n", "reviewer       ann: approved at 2026-11-30 10:30:00Z\n",
		"execution      dev-deploy c at " + one[:12] + ": succeeded\n", "approval       Approve: succeeded by\n", "assumed-role/Release/john", "agreed in the call\n",
		"digest         " + digest[:65], "pushed         2026-11-30 11:55:00Z\n", "build          dev-dockerbuild image of " + zero[:12] + ", began 2026-11-30",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	if len(a.Unknown) > 0 || strings.Contains(text.String(), "bob") {
		t.Errorf("%+v", a.Unknown)
	}
	for line := range strings.Lines(text.String()) {
		if len([]rune(line)) > 81 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	if t.Failed() {
		t.Log(text.String())
	}
	t.Run("field", func(t *testing.T) { fields(t, s) })
}

// auditLog is one that takes the request for a page of its own, after an empty one.
type auditLog struct{}

func (auditLog) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	at := time.Date(2026, 11, 30, 12, 30, 0, 0, time.UTC)
	if *in.StartTime > at.UnixMilli() || *in.EndTime < at.UnixMilli() || !strings.Contains(*in.FilterPattern, `$.objectRef.resource = "deployments" && $.objectRef.name = "ghost"`) {
		return &cloudwatchlogs.FilterLogEventsOutput{}, nil
	}
	if in.NextToken == nil {
		return &cloudwatchlogs.FilterLogEventsOutput{NextToken: aws.String("more")}, nil
	}
	event := func(code, user string) logs.FilteredLogEvent {
		return logs.FilteredLogEvent{Message: aws.String(`{"kind": "Event", "verb": "patch", "user": {"username": "` + user + `", "extra": {"arn": ["arn:aws:sts::111111111111:assumed-role/Admin/` + user + `"]}},
			"sourceIPs": ["192.0.2.7"], "userAgent": "kubectl/v1.36.0", "requestReceivedTimestamp": "2026-11-30T12:30:00.120000Z", "responseStatus": {"code": ` + code + `}}`)}
	}
	return &cloudwatchlogs.FilterLogEventsOutput{Events: []logs.FilteredLogEvent{event("403", "eve"), event("200", "bob")}}, nil
}

// A field has a manager and a time, and by hand a person; it is found under the names that people write.
func fields(t *testing.T, s *why.Source) {
	for name, c := range map[string]struct{ field, path, manager, by string }{
		"by hand":      {"spec.replicas", ".spec.replicas", "kubectl-edit", "arn:aws:sts::111111111111:assumed-role/Admin/bob"},
		"by Flux":      {".spec.template.spec.containers[name=ghost].image", `.spec.template.spec.containers[name="ghost"].image`, "kustomize-controller", ""},
		"above others": {"spec.template", `.spec.template.spec.containers[name="ghost"]`, "kustomize-controller", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := s.Object(t.Context(), why.Question{Kind: "deployments.apps", Name: "ghost", Field: c.field})
			if err != nil || len(a.Fields) == 0 {
				t.Fatalf("%+v, %v", a, err)
			}
			f := a.Fields[0]
			if f.Path != c.path || f.Manager != c.manager || f.Time == nil || f.Hand != (c.by != "") {
				t.Errorf("%+v", f)
			}
			if c.by == "" && len(f.By) > 0 || c.by != "" && (len(f.By) != 1 || f.By[0].User != c.by) {
				t.Errorf("by %+v, unknown %+v", f.By, a.Unknown)
			}
		})
	}
	a, err := s.Object(t.Context(), why.Question{Kind: "deployment", Name: "ghost", Field: "spec.paused"})
	if err != nil || !known(a, "field spec.paused", "no manager owns it") {
		t.Errorf("%+v, %v", a, err)
	}
	s.AWS.Audit, s.Outside = nil, "gitops-local"
	a, err = s.Object(t.Context(), why.Question{Kind: "deployment", Name: "ghost", Field: "spec.replicas"})
	if err != nil || !known(a, "who wrote .spec.replicas", "gitops-local keeps no audit log") {
		t.Errorf("%+v, %v", a, err)
	}
}

// known reports whether an answer says why something is not known.
func known(a *why.Answer, what, because string) bool {
	return slices.ContainsFunc(a.Unknown, func(u why.Unknown) bool { return u.What == what && strings.Contains(u.Why, because) })
}

// Patches count as the file does; an object of a chart leads to its HelmRelease, one of a service to the service's file.
func TestDeclared(t *testing.T) {
	root, commit := repository(t)
	one := commit("Begin", "k8s/apps/kustomization.yaml", patched, "k8s/apps/ghost.yaml", deployment, "k8s/apps/more.yaml", more, "k8s/services/npm.yaml", "image: a\n",
		"k8s/charts/kustomization.yaml", strings.Replace(list, "ghost", "dns", 1), "k8s/charts/dns.yaml", "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: dns\n  namespace: flux-system\n")
	two := commit("Be slow", "k8s/apps/kustomization.yaml", patched+"# slower\n")
	const plain = `{"apiVersion": "v1", "kind": "%", "metadata": {"name": "#", "namespace": "@", "labels": {^}}}`
	object := func(kind, name, namespace, labels string) string {
		return strings.NewReplacer("%", kind, "#", name, "@", namespace, "^", labels).Replace(plain)
	}
	published := "2222222222222222222222222222222222222222"
	s := &why.Source{
		Env: environment(), Root: root, Tip: func(context.Context) (string, error) { return two, nil }, NoForge: "there is no token",
		AWS: why.AWS{Registry: registry{}, Pipelines: &recorded{}},
		Published: func(context.Context, string) (publish.Tip, error) {
			return publish.Tip{Commit: published, Source: publish.Source{Commit: one, Author: "Jane Doe"}}, nil
		},
		Kubernetes: kubernetes(t,
			kustomization("flux-system", "apps", "./k8s/apps", "flux-system", two, "ghost_ghost_apps_Deployment"),
			kustomization("flux-system", "charts", "./k8s/charts", "flux-system", two, "flux-system_dns_helm.toolkit.fluxcd.io_HelmRelease"),
			kustomization("services", "npm", "./", "npm", published, "npm_npm__ConfigMap"),
			strings.Replace(object("Deployment", "ghost", "ghost", ""), `"v1"`, `"apps/v1"`, 1),
			`{"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "dns", "namespace": "flux-system"}, "status": {"history": [{"chartName": "external-dns", "chartVersion": "1.21.1"}]}}`,
			object("ConfigMap", "npm", "npm", ""),
			kustomization("services", "late", "./", "late", one, "npm_late__ConfigMap"), object("ConfigMap", "late", "npm", ""),
			object("Secret", "dns", "kube-system", `"helm.toolkit.fluxcd.io/name": "dns", "helm.toolkit.fluxcd.io/namespace": "flux-system"`),
			object("ConfigMap", "mine", "default", ""), object("ConfigMap", "twice", "default", ""), object("ConfigMap", "twice", "ghost", ""),
		),
	}
	for name, c := range map[string]struct {
		q       why.Question
		files   string
		commit  string
		by      string
		unknown [2]string
	}{
		"a patch":    {why.Question{Kind: "deployment", Name: "ghost"}, "k8s/apps/ghost.yaml k8s/apps/kustomization.yaml", two, "Kustomization flux-system/apps", [2]string{"execution", "PipelineNotFoundException"}},
		"a chart":    {why.Question{Kind: "secret", Name: "dns"}, "k8s/charts/dns.yaml", one, "HelmRelease flux-system/dns", [2]string{"reviewers", "there is no token"}},
		"a service":  {why.Question{Kind: "configmap", Name: "npm"}, "k8s/services/npm.yaml", one, "Kustomization services/npm", [2]string{"pull request", "there is no token"}},
		"on its way": {why.Question{Kind: "configmap", Name: "late"}, "", "", "Kustomization services/late", [2]string{"commit", "wait, or see: gitops service status late --env dev"}},
		"by hand":    {why.Question{Kind: "configmap", Name: "mine"}, "", "", "", [2]string{"Kustomization", "no inventory of Flux has ConfigMap default/mine"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := s.Object(t.Context(), c.q)
			if err != nil {
				t.Fatal(err)
			}
			var files []string
			for _, f := range a.Files {
				files = append(files, f.Path)
			}
			if strings.Join(files, " ") != c.files || !known(a, c.unknown[0], c.unknown[1]) {
				t.Errorf("files %q, unknown %+v", files, a.Unknown)
			}
			if (a.Commit == nil) != (c.commit == "") || a.Commit != nil && a.Commit.ID != c.commit {
				t.Errorf("commit %+v, want %s", a.Commit, c.commit)
			}
			if (a.Applied == nil) != (c.by == "") || a.Applied != nil && a.Applied.By != c.by {
				t.Errorf("applied %+v", a.Applied)
			}
		})
	}
	for want, q := range map[string]why.Question{
		"no namespace has a ConfigMap nothing; see what is missing with: gitops drift dev": {Kind: "configmap", Name: "nothing"}, "there is no ConfigMap ghost/nothing; see what is missing with: gitops drift dev": {Kind: "configmap", Name: "nothing", Namespace: "ghost"},
		"the namespaces default, ghost have a ConfigMap twice": {Kind: "configmap", Name: "twice"}, `serves no kind "thing"`: {Kind: "thing", Name: "a"},
	} {
		if _, err := s.Object(t.Context(), q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// A revision that others write, on a service's branch or in the cluster, is no option of git.
func TestRevisionIsNoOption(t *testing.T) {
	root, commit := repository(t)
	tip := commit("Begin", "k8s/apps/kustomization.yaml", list, "k8s/apps/ghost.yaml", deployment)
	file := filepath.Join(t.TempDir(), "written")
	published := "2222222222222222222222222222222222222222"
	configMap := func(name string) string {
		return `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "` + name + `", "namespace": "npm"}}`
	}
	s := &why.Source{
		Env: environment(), Root: root, Tip: func(context.Context) (string, error) { return tip, nil }, NoForge: "there is no token",
		AWS: why.AWS{Registry: registry{}, Pipelines: &recorded{}},
		Published: func(context.Context, string) (publish.Tip, error) {
			return publish.Tip{Commit: published, Source: publish.Source{Commit: "--output=" + file}}, nil
		},
		Kubernetes: kubernetes(t, configMap("published"), configMap("applied"),
			kustomization("services", "npm", "./", "npm", published, "npm_published__ConfigMap"),
			kustomization("flux-system", "apps", "./k8s/apps", "flux-system", "--output="+file, "npm_applied__ConfigMap"),
		),
	}
	for name, unknown := range map[string]string{"published": "commit", "applied": "file"} {
		a, err := s.Object(t.Context(), why.Question{Kind: "configmap", Name: name})
		if err != nil || a.Commit != nil || !known(a, unknown, "--output=") {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("git wrote a file that a revision named")
	}
}

// A resource leads to the execution that deployed it at the time of its change, and to all commits that this one brought.
func TestResource(t *testing.T) {
	root, commit := repository(t)
	zero := commit("Begin", "app.go", "a")
	one := commit("A lifecycle (#3)", "app.go", "b")
	two := commit("A tag", "app.go", "c")
	source := func(updated time.Time) *why.Source {
		return &why.Source{Env: environment(), Root: root, Tip: func(context.Context) (string, error) { return two, nil }, NoForge: "there is no token", AWS: why.AWS{Stacks: account{updated}, Pipelines: &recorded{
			executions: map[string][]types.PipelineExecutionSummary{"dev-deploy": {
				execution("d", two, succeeded, 40), execution("c", two, succeeded, 30), execution("b", zero, types.PipelineExecutionStatusFailed, 20), execution("a", zero, succeeded, 10),
			}},
			actions: []types.ActionExecutionDetail{action("c", "Applications", "Deploy", 30), action("c", "Approve", "Approve", 30), action("a", "Applications", "Deploy", 10), action("d", "Release", "Verify", 40)},
		}}}
	}
	for name, ask := range map[string]func(*why.Source) (*why.Answer, error){
		"stack":    func(s *why.Source) (*why.Answer, error) { return s.InStack(t.Context(), "dev-ghost", "Content") },
		"physical": func(s *why.Source) (*why.Answer, error) { return s.Physical(t.Context(), "dev-ghost-content") },
		"ARN": func(s *why.Source) (*why.Answer, error) {
			return s.Physical(t.Context(), "arn:aws:s3:::dev-ghost-content")
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := ask(source(minute(30).Add(20 * time.Second)))
			if err != nil || a.Object != "dev-ghost/Content" || a.Resource.Construct != "dev/ghost/content/Resource" || a.Execution == nil || a.Execution.ID != "c" || len(a.Execution.Approvals) != 1 {
				t.Fatalf("%+v, %v", a, err)
			}
			if a.Commit.ID != two || len(a.Others) != 1 || a.Others[0].ID != one || !known(a, "change", "brought 2 commits") {
				t.Errorf("%+v, others %+v, unknown %+v", a.Commit, a.Others, a.Unknown)
			}
			first, err := ask(source(minute(10)))
			if err != nil || first.Execution == nil || first.Execution.ID != "a" || first.Commit.ID != zero || len(first.Others) > 0 {
				t.Errorf("%+v, %v", first, err)
			}
			// An execution ran then, and deployed nothing.
			hand, err := ask(source(minute(41)))
			if err != nil || hand.Execution != nil || !known(hand, "execution", "somebody deployed the stack by hand") {
				t.Errorf("%+v, %v", hand, err)
			}
		})
	}
	if _, err := source(began).InStack(t.Context(), "dev-ghost", "Nothing"); err == nil || !strings.Contains(err.Error(), "stack dev-ghost has no resource Nothing") {
		t.Error(err)
	}
	if _, err := source(began).Physical(t.Context(), "arn:aws:s3:::other"); err == nil || !strings.Contains(err.Error(), "no stack of this account and region has a resource arn:aws:s3:::other") {
		t.Error(err)
	}
}
