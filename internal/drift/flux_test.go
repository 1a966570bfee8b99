package drift

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"

	"k8s-plus-aws-gitops/internal/audit"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/status"
)

const commit = "1111111111111111111111111111111111111111"

// cluster is one with Flux's objects, each in JSON.
func cluster(t *testing.T, objects ...string) *flux.Cluster {
	t.Helper()
	var all []runtime.Object
	for _, text := range objects {
		o := &unstructured.Unstructured{}
		if err := json.Unmarshal([]byte(text), &o.Object); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		// As a client reads them: whole numbers are int64.
		content, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := o.UnmarshalJSON(content); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return &flux.Cluster{Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		kustomizations: "KustomizationList", helmReleases: "HelmReleaseList", imagePolicies: "ImagePolicyList",
		{Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"}: "GitRepositoryList",
		{Version: "v1", Resource: "events"}:                                             "EventList",
	}, all...)}
}

// object is one of Flux: its spec, what its status has beside conditions, and its Ready condition.
func object(kind, name, at, ready, spec, more string) string {
	api := map[string]string{
		"Kustomization": kustomizations.GroupVersion().String(), "HelmRelease": helmReleases.GroupVersion().String(),
		"ImagePolicy": imagePolicies.GroupVersion().String(), "GitRepository": "source.toolkit.fluxcd.io/v1",
	}[kind]
	namespace, name, of := strings.Cut(name, "/")
	if !of {
		namespace, name = flux.Root, namespace
	}
	condition, reason, _ := strings.Cut(ready, " ")
	revision := "released/dev@sha1:" + at
	if kind == "Kustomization" {
		spec = strings.TrimSuffix(`"sourceRef": {"kind": "GitRepository", "name": "flux-system"}, `+spec, ", ")
	}
	return `{"apiVersion": "` + api + `", "kind": "` + kind + `", "metadata": {"name": "` + name + `", "namespace": "` + namespace + `", "generation": 1}, "spec": {` + spec + `},
		"status": {"observedGeneration": 1, "lastAppliedRevision": "` + revision + `", "lastAttemptedRevision": "` + revision + `", "artifact": {"revision": "` + revision + `"}` + more + `,
		"conditions": [{"type": "Ready", "status": "` + condition + `", "reason": "` + reason + `", "message": "because"}` + driftedCondition(more) + `]}}`
}

// driftedCondition is the condition of a HelmRelease that has drifted.
func driftedCondition(more string) string {
	if !strings.Contains(more, "drifted") {
		return ""
	}
	return `, {"type": "Drifted", "status": "True", "reason": "DriftDetected", "message": "Cluster state of release a/b.v1 has drifted:\nDeployment/a/b changed"}`
}

// found are the states and objects of a report's findings, in its order.
func found(r *Report) []string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, string(f.State)+" "+f.Object)
	}
	return all
}

func source(c *flux.Cluster) status.Source {
	return status.Source{
		Environment: "dev", Branch: "released/dev", Commit: commit, Cluster: c,
		Tip:      func(context.Context) (string, error) { return commit, nil },
		Contains: func(context.Context, string, string) bool { return false },
	}
}

func TestFlux(t *testing.T) {
	old := strings.Repeat("0", 40)
	r := look(t, Flux(source(cluster(t,
		object("GitRepository", "flux-system", commit, "True", "", ""),
		object("Kustomization", "flux-system", commit, "True", "", ""),
		object("Kustomization", "late", old, "True", "", ""),
		object("Kustomization", "waits", commit, "False DependencyNotReady", "", ""),
		object("Kustomization", "broken", commit, "False BuildFailed", "", ""),
		object("Kustomization", "off", commit, "False BuildFailed", `"suspend": true`, ""),
		object("Kustomization", "services/npm", old, "False HealthCheckFailed", "", ""),
		object("Kustomization", "services/info", old, "True", "", ""),
		object("HelmRelease", "kube-system/lbc", "", "True", "", ""),
	))))
	want := []string{"failing Kustomization broken", "failing Kustomization services/npm", "suspended Kustomization off", "behind Kustomization late", "behind Kustomization waits"}
	if got := found(r); !slices.Equal(got, want) || len(r.Unseen) > 0 {
		t.Errorf("%q, unseen %+v; want %q", got, r.Unseen, want)
	}
	if r := look(t, Flux(source(cluster(t)))); r.Code() != 2 || !strings.Contains(r.Unseen[0].Why, "has no objects of Flux") {
		t.Errorf("an empty cluster is in order: %+v", r)
	}
	unreadable := source(cluster(t))
	unreadable.Tip = func(context.Context) (string, error) { return "", errors.New("no network") }
	if r := look(t, Flux(unreadable)); r.Code() != 2 {
		t.Errorf("no branch: %+v", r)
	}
}

func TestReleases(t *testing.T) {
	const mode = `"driftDetection": {"mode": "%"}`
	r := look(t, Releases(cluster(t,
		object("HelmRelease", "kube-system/corrected", "", "True", strings.ReplaceAll(mode, "%", "enabled"), `, "x": "drifted"`),
		object("HelmRelease", "kube-system/left", "", "True", strings.ReplaceAll(mode, "%", "warn"), `, "x": "drifted"`),
		object("HelmRelease", "kube-system/well", "", "True", strings.ReplaceAll(mode, "%", "enabled"), ""),
	)))
	if want := []string{"changed HelmRelease kube-system/corrected", "changed HelmRelease kube-system/left"}; !slices.Equal(found(r), want) {
		t.Fatalf("%q, want %q", found(r), want)
	}
	if a, b := r.Findings[0], r.Findings[1]; !strings.HasPrefix(a.Do, "none: ") || !strings.HasPrefix(b.Do, "set spec.driftDetection.mode") || a.Detail != "Cluster state of release a/b.v1 has drifted: Deployment/a/b changed" {
		t.Errorf("%+v", r.Findings)
	}
}

func TestImages(t *testing.T) {
	policy := object("ImagePolicy", "ghost", "", "True", "", `, "latestRef": {"name": "1.ecr/dev/ghost", "tag": "b", "digest": "sha256:2"}`)
	uses := func(name, image string) string {
		return object("Kustomization", name, commit, "True", `"postBuild": {"substitute": {"GHOST_IMAGE": "`+image+`"}}`, "")
	}
	r := look(t, Images(cluster(t, policy, uses("new", "1.ecr/dev/ghost:b@sha256:2"), uses("old", "1.ecr/dev/ghost:a@sha256:1"), uses("other", "1.ecr/dev/ghost2:a"), uses("first", "docker.io/library/ghost:6"))))
	if len(r.Findings) != 1 || r.Findings[0].Object != "Kustomization old" || r.Findings[0].Detail != "GHOST_IMAGE is a of 1.ecr/dev/ghost, the newest is b" {
		t.Errorf("%+v", r.Findings)
	}
	if r := look(t, Images(cluster(t, uses("old", "1.ecr/dev/ghost:a")))); r.Code() != 0 {
		t.Errorf("without image automation: %+v", r)
	}
}

// written is the managedFields entry of a manager.
func written(manager, subresource string, before time.Duration, fields string) metav1.ManagedFieldsEntry {
	at := metav1.NewTime(today().Add(-before))
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Subresource: subresource, Time: &at, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields)}
}

func TestByHand(t *testing.T) {
	const replicas = `{"f:spec":{"f:replicas":{}}}`
	flux := written(fluxManager, "", 48*time.Hour, replicas)
	inventory := func(ids ...string) string {
		var entries []string
		for _, id := range ids {
			entries = append(entries, `{"id": "`+id+`", "v": "v1"}`)
		}
		return `, "inventory": {"entries": [` + strings.Join(entries, ",") + `]}`
	}
	for name, c := range map[string]struct {
		entries     []metav1.ManagedFieldsEntry
		annotations map[string]string
		spec, ready string
		want, do    string
	}{
		"nobody": {entries: []metav1.ManagedFieldsEntry{flux}},
		"kubectl edit": {
			entries: []metav1.ManagedFieldsEntry{flux, written("kubectl-edit", "", time.Minute, replicas)},
			want:    "kubectl-edit wrote .spec.replicas at 2026-11-30 11:59Z", do: "none: Kustomization apps puts it back within 10m0s",
		},
		"kubectl scale": {
			entries: []metav1.ManagedFieldsEntry{written("kubectl", "scale", time.Minute, replicas)},
			want:    "kubectl wrote .spec.replicas at 2026-11-30 11:59Z", do: "none: ",
		},
		"a label by kubectl": {
			entries: []metav1.ManagedFieldsEntry{written("kubectl-label", "", time.Minute, `{"f:metadata":{"f:labels":{"f:a":{}}}}`)},
			want:    "kubectl-label wrote .metadata.labels.a at 2026-11-30 11:59Z", do: "none: ",
		},
		"a list, by another program": {
			entries: []metav1.ManagedFieldsEntry{written("k9s", "", time.Minute, `{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"ghost\"}":{".":{},"f:image":{},"f:a":{},"f:b":{},"f:tty":{}}}}}}}`)},
			want:    `k9s wrote .spec.template.spec.containers[name="ghost"].a, .spec.template.spec.containers[name="ghost"].b and 2 more at 2026-11-30 11:59Z`, do: "none: ",
		},
		"Flux has left it since": {
			entries: []metav1.ManagedFieldsEntry{written("k9s", "", time.Hour, replicas)},
			want:    "k9s wrote .spec.replicas at 2026-11-30 11:00Z", do: "the repository does not set this",
		},
		"suspended": {
			entries: []metav1.ManagedFieldsEntry{written("kubectl-edit", "", time.Minute, replicas)}, spec: `"suspend": true, `,
			want: "kubectl-edit wrote .spec.replicas at 2026-11-30 11:59Z", do: "Kustomization apps is suspended",
		},
		"failing": {
			entries: []metav1.ManagedFieldsEntry{written("kubectl-edit", "", time.Minute, replicas)}, ready: "False BuildFailed",
			want: "kubectl-edit wrote .spec.replicas at 2026-11-30 11:59Z", do: "Kustomization apps is not ready",
		},
		"kept away": {
			entries: []metav1.ManagedFieldsEntry{written("kubectl-edit", "", time.Minute, replicas)}, annotations: map[string]string{"kustomize.toolkit.fluxcd.io/reconcile": "Disabled"},
			want: "kubectl-edit wrote .spec.replicas at 2026-11-30 11:59Z", do: "the annotation kustomize.toolkit.fluxcd.io/reconcile: Disabled keeps Flux away",
		},
		"controllers": {entries: []metav1.ManagedFieldsEntry{
			written("kube-controller-manager", "status", time.Minute, `{"f:status":{"f:replicas":{}}}`),
			written("kube-controller-manager", "", time.Minute, `{"f:metadata":{"f:annotations":{"f:deployment.kubernetes.io/revision":{}}},"f:status":{"f:replicas":{}}}`),
			written("horizontal-pod-autoscaler", "scale", time.Minute, replicas),
			written("controller", "", time.Minute, `{"f:metadata":{"f:finalizers":{".":{},"v:\"group.ingress.k8s.aws/public\"":{}}}}`),
		}},
		"a new password":         {entries: []metav1.ManagedFieldsEntry{written("database-rotation", "", time.Minute, `{"f:spec":{"f:template":{"f:metadata":{"f:annotations":{".":{},"f:gitops/secret-version":{}}}}}}`)}},
		"Flux was asked to look": {entries: []metav1.ManagedFieldsEntry{written("kubectl-annotate", "", time.Minute, `{"f:metadata":{"f:annotations":{"f:reconcile.fluxcd.io/requestedAt":{}}}}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			ready := c.ready
			if ready == "" {
				ready = "True"
			}
			of := cluster(t, object("Kustomization", "apps", commit, ready, c.spec+`"interval": "10m"`, inventory("ghost_ghost_apps_Deployment", "_ghost__admin_rbac.authorization.k8s.io_ClusterRole")))
			r := look(t, ByHand(objects(of, nil,
				meta("apps/v1", "Deployment", "ghost/ghost", c.annotations, c.entries...), meta("rbac.authorization.k8s.io/v1", "ClusterRole", "/ghost:admin", nil, flux),
				meta("apps/v1", "Deployment", "kube-system/of-a-chart", nil, written("kubectl-edit", "", time.Minute, replicas)),
			)))
			if len(r.Unseen) > 0 || (len(r.Findings) == 1) != (c.want != "") {
				t.Fatalf("%+v", r)
			}
			if c.want != "" && (r.Findings[0].Object != "Deployment ghost/ghost" || r.Findings[0].Detail != c.want || !strings.HasPrefix(r.Findings[0].Do, c.do)) {
				t.Errorf("%+v; want %q, %q", r.Findings[0], c.want, c.do)
			}
		})
	}
}

// auditLog knows who wrote a Deployment, and does not answer for anything else.
type auditLog struct{}

func (auditLog) Writes(_ context.Context, resource, namespace, name string, at time.Time) ([]audit.Request, error) {
	if resource != "deployments" || namespace+"/"+name != "ghost/ghost" || !at.Equal(today().Add(-time.Minute)) {
		return nil, errors.New("no such log")
	}
	by := audit.Request{User: "arn:aws:sts::111111111111:assumed-role/Admin/jane", Verb: "patch", From: []string{"192.0.2.7"}}
	return []audit.Request{by, by}, nil
}

// What was written by hand has who asked for it; a log that cannot be read takes nothing from the report.
func TestByHandAudited(t *testing.T) {
	edit := written("kubectl-edit", "", time.Minute, `{"f:spec":{"f:replicas":{}}}`)
	from := objects(cluster(t, object("Kustomization", "apps", commit, "True", `"interval": "10m"`,
		`, "inventory": {"entries": [{"id": "ghost_ghost_apps_Deployment", "v": "v1"}, {"id": "ghost_ghost__ServiceAccount", "v": "v1"}]}`)), nil,
		meta("apps/v1", "Deployment", "ghost/ghost", nil, edit), meta("v1", "ServiceAccount", "ghost/ghost", nil, edit))
	from.Audit = auditLog{}
	r := look(t, ByHand(from))
	if len(r.Findings) != 2 || len(r.Findings[0].By) != 2 || !strings.HasSuffix(r.Findings[0].Detail, "11:59Z, asked for by arn:aws:sts::111111111111:assumed-role/Admin/jane from 192.0.2.7") {
		t.Errorf("%+v", r.Findings)
	}
	if len(r.Notes) != 1 || r.Notes[0] != "who wrote ServiceAccount ghost/ghost is not known: the audit log: no such log" || len(r.Unseen) > 0 {
		t.Errorf("notes %q, unseen %+v", r.Notes, r.Unseen)
	}
}

// What was removed by hand is missing, and what may not be listed is unseen.
func TestByHandMissing(t *testing.T) {
	of := cluster(t, object("Kustomization", "apps", commit, "True", `"interval": "10m"`,
		`, "inventory": {"entries": [{"id": "ghost_ghost_apps_Deployment", "v": "v1"}, {"id": "ghost_ghost__ServiceAccount", "v": "v1"}, {"id": "a_b_gone.io_Thing", "v": "v1"}, {"id": "broken", "v": "v1"}]}`))
	forbidden := func(action clienttesting.Action) (bool, runtime.Object, error) {
		return action.GetResource().Resource == "serviceaccounts", nil, apierrors.NewForbidden(schema.GroupResource{Resource: "serviceaccounts"}, "", errors.New("no"))
	}
	r := look(t, ByHand(objects(of, forbidden)))
	if want := []string{"deleted Deployment ghost/ghost"}; !slices.Equal(found(r), want) {
		t.Errorf("%q, want %q", found(r), want)
	}
	if len(r.Unseen) != 2 || r.Unseen[0].What != "ServiceAccount objects" || !strings.Contains(r.Unseen[0].Why, "ask for the right") || r.Unseen[1].Why != "the cluster does not serve gone.io/v1" {
		t.Errorf("unseen: %+v", r.Unseen)
	}
}

func meta(api, kind, name string, annotations map[string]string, entries ...metav1.ManagedFieldsEntry) *metav1.PartialObjectMetadata {
	namespace, name, _ := strings.Cut(name, "/")
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: api, Kind: kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: annotations, ManagedFields: entries},
	}
}

// objects are those of an API server that serves a few kinds.
func objects(of *flux.Cluster, react clienttesting.ReactionFunc, all ...*metav1.PartialObjectMetadata) Objects {
	scheme := metadatafake.NewTestScheme()
	_ = metav1.AddMetaToScheme(scheme) // it is a new one
	there := make([]runtime.Object, len(all))
	for i, o := range all {
		there[i] = o
	}
	client := metadatafake.NewSimpleMetadataClient(scheme, there...)
	if react != nil {
		client.PrependReactor("list", "*", react)
	}
	return Objects{Cluster: of, Metadata: client, Now: today, Resources: func(version string) (*metav1.APIResourceList, error) {
		served := map[string][]metav1.APIResource{
			"v1": {{Name: "serviceaccounts/token", Kind: "TokenRequest"}, {Name: "serviceaccounts", Kind: "ServiceAccount"}}, "apps/v1": {{Name: "deployments/scale", Kind: "Scale"}, {Name: "deployments", Kind: "Deployment"}},
			"rbac.authorization.k8s.io/v1": {{Name: "clusterroles", Kind: "ClusterRole"}},
		}
		if served[version] == nil {
			return nil, apierrors.NewNotFound(schema.GroupResource{}, version)
		}
		return &metav1.APIResourceList{APIResources: served[version]}, nil
	}}
}
