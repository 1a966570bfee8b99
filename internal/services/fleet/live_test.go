package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/internal/manifests/pinned"
	"k8s-plus-aws-gitops/internal/services"
)

// api is a control plane as one user sees it.
type api struct {
	dynamic dynamic.Interface
	mapper  meta.ResettableRESTMapper
}

// connect returns the control plane of TEST_KUBECONFIG, as a user if one is named. `make e2e` sets it.
func connect(t *testing.T, user string) api {
	t.Helper()
	path := os.Getenv("TEST_KUBECONFIG")
	if path == "" {
		t.Skip("TEST_KUBECONFIG is not set")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return api{client, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found))}
}

// apply applies an object as Flux does.
func (a api) apply(ctx context.Context, o *unstructured.Unstructured) error {
	kind := o.GroupVersionKind()
	mapping, err := a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		a.mapper.Reset()
		if mapping, err = a.mapper.RESTMapping(kind.GroupKind(), kind.Version); err != nil {
			return err
		}
	}
	var r dynamic.ResourceInterface = a.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		r = a.dynamic.Resource(mapping.Resource).Namespace(o.GetNamespace())
	}
	_, err = r.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: "test", Force: true})
	return err
}

// eventually tries while a definition or a policy is not in force yet.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// tree applies a folder of k8s/fleet with the facts of an environment.
func (a api) tree(t *testing.T, dir string) {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	printed, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(strings.NewReplacer("${ENVIRONMENT}", "dev", "${DOMAIN}", "dev.example.com").Replace(string(printed)), "\n---\n") {
		o := object(t, document)
		// Flux's own kinds are not installed here; what they would apply is this test's part.
		if !strings.Contains(o.GetAPIVersion(), "toolkit.fluxcd.io") {
			eventually(t, o.GetKind()+" "+o.GetName(), func() error { return a.apply(t.Context(), o) })
		}
	}
}

func object(t *testing.T, document string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

var errAccepted = errors.New("it was accepted")

const (
	root     = "../../.."
	external = `{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: x, namespace: NS}, spec: {secretStoreRef: {kind: ClusterSecretStore, name: aws}, `
	ingress  = `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: x, namespace: NS}, spec: {rules: [{host: HOST, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: x, port: {name: http}}}}]}}]}}`
	clusterR = `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: mine}, rules: []}`
	roleR    = `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: mine, namespace: info}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: info, namespace: services}]}`
)

// TestLiveTenancy is a service that tries: info's account does what it may, and is refused what is not its own.
func TestLiveTenancy(t *testing.T) {
	admin := connect(t, "")
	module, err := pinned.Module(t.Context(), root, "github.com/external-secrets/external-secrets")
	if err != nil {
		t.Fatal(err)
	}
	crd, err := os.ReadFile(filepath.Join(module.Dir, "config/crds/bases/external-secrets.io_externalsecrets.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	definition := object(t, string(crd))
	unstructured.RemoveNestedField(definition.Object, "spec", "conversion") // its webhook does not run here
	if err := admin.apply(t.Context(), definition); err != nil {
		t.Fatal(err)
	}
	admin.tree(t, filepath.Join(root, services.FleetDir, Base))
	for _, name := range []string{"info", "npm"} {
		admin.tree(t, filepath.Join(root, "testdata/fixture", services.FleetDir, "dev", Shard(name)))
	}
	info := connect(t, "system:serviceaccount:services:info")
	ns := func(text, namespace string) string { return strings.ReplaceAll(text, "NS", namespace) }
	host := func(text, h string) string { return strings.ReplaceAll(text, "HOST", h) }
	cases := []struct{ name, document, refused string }{
		{"own ConfigMap", `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: info}}`, ""},
		{"own secret", ns(external, "info") + `data: [{secretKey: a, remoteRef: {key: /dev/info/a}}]}}`, ""},
		{"own host", host(ns(ingress, "info"), "info.dev.example.com"), ""},
		{"another's ConfigMap", `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: npm}}`, "forbidden"},
		{"another's Deployment", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: npm, namespace: npm}}`, "forbidden"},
		{"the platform's namespace", `{apiVersion: v1, kind: ConfigMap, metadata: {name: cluster-facts, namespace: flux-system}}`, "forbidden"},
		{"its own Kustomization's namespace", `{apiVersion: v1, kind: ServiceAccount, metadata: {name: npm, namespace: services}}`, "forbidden"},
		{"own namespace's labels", `{apiVersion: v1, kind: Namespace, metadata: {name: info, labels: {pod-security.kubernetes.io/enforce: privileged}}}`, "forbidden"},
		{"a Secret", `{apiVersion: v1, kind: Secret, metadata: {name: x, namespace: info}}`, "forbidden"},
		{"a cluster role", clusterR, "forbidden"},
		{"more rights", roleR, "forbidden"},
		{"another's secret", ns(external, "info") + `data: [{secretKey: a, remoteRef: {key: /dev/npm/a}}]}}`, "below /dev/info/ only"},
		{"Ghost's database", ns(external, "info") + `dataFrom: [{extract: {key: /dev/ghost/database}}]}}`, "below /dev/info/ only"},
		{"every secret", ns(external, "info") + `dataFrom: [{find: {name: {regexp: .*}}}]}}`, "below /dev/info/ only"},
		{"a secret by a detour", ns(external, "info") + `data: [{secretKey: a, remoteRef: {key: /dev/info/../npm/a}}]}}`, "below /dev/info/ only"},
		{"another's host", host(ns(ingress, "info"), "ghost.dev.example.com"), "serves the host of its file"},
		{"every host", `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: z, namespace: info}, spec: {defaultBackend: {service: {name: x, port: {number: 80}}}}}`, "serves the host of its file"},
		{"a load balancer", `{apiVersion: v1, kind: Service, metadata: {name: z, namespace: info}, spec: {type: LoadBalancer, ports: [{port: 80}]}}`, "type ClusterIP"},
		{"a record", `{apiVersion: v1, kind: Service, metadata: {name: z, namespace: info, annotations: {external-dns.alpha.kubernetes.io/hostname: a.example.com}}, spec: {ports: [{port: 80}]}}`, "annotations of external-dns"},
	}
	// A policy is in force a moment after it was made.
	eventually(t, "policies", func() error {
		err := info.apply(t.Context(), object(t, cases[len(cases)-1].document))
		if err == nil || !strings.Contains(err.Error(), "external-dns") {
			return fmt.Errorf("not in force: %w", cmp.Or(err, errAccepted))
		}
		return nil
	})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := info.apply(t.Context(), object(t, c.document))
			if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%v; want %q", err, c.refused)
			}
		})
	}
	// A service without a host cannot have an Ingress at all.
	npm := connect(t, "system:serviceaccount:services:npm")
	if err := npm.apply(t.Context(), object(t, host(ns(ingress, "npm"), "info.dev.example.com"))); err == nil || !strings.Contains(err.Error(), "serves the host") {
		t.Errorf("npm: %v", err)
	}
}
