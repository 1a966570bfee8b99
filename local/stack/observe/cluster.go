// Package observe asks the control plane and the AWS endpoint of a local
// system for its state, and finds the cause of what is not well.
package observe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

var (
	kustomizations = schema.GroupVersionResource{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}
	helmReleases   = schema.GroupVersionResource{Group: "helm.toolkit.fluxcd.io", Version: "v2", Resource: "helmreleases"}
	gitRepos       = schema.GroupVersionResource{Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"}
	receivers      = schema.GroupVersionResource{Group: "notification.toolkit.fluxcd.io", Version: "v1", Resource: "receivers"}
)

// Cluster is the local control plane.
type Cluster struct {
	Kube    kubernetes.Interface
	Dynamic dynamic.Interface
}

// Open reads the admin kubeconfig. It connects on first use.
func Open(kubeconfig string) (*Cluster, error) {
	c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w: run `gitops local up`", kubeconfig, err)
	}
	c.QPS, c.Burst = 100, 200 // one person's commands on loopback
	kube, err := kubernetes.NewForConfig(c)
	if err != nil {
		return nil, err
	}
	dyn, err := dynamic.NewForConfig(c)
	if err != nil {
		return nil, err
	}
	return &Cluster{Kube: kube, Dynamic: dyn}, nil
}

// Ready asks the apiserver's /readyz.
func (c *Cluster) Ready(ctx context.Context) error {
	_, err := c.Kube.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

// Item is a Flux object.
type Item struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Ready is the status of the condition: True, False or Unknown. It is
	// Unknown while the controller has not seen the newest generation.
	Ready string `json:"ready"`
	// Revision is what was applied last: a Git revision or a chart's version.
	Revision string `json:"revision,omitempty"`
	// Attempted is the revision that was tried last.
	Attempted string `json:"attempted,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Message   string `json:"message,omitempty"`
	Suspended bool   `json:"suspended,omitempty"`
	// Retrying is true when the attempted revision failed and is tried again;
	// Reason and Message are then the failure's.
	Retrying bool `json:"retrying,omitempty"`
	// Stale is true when the Ready condition is of an earlier generation, so
	// that it says nothing of the present specification.
	Stale bool `json:"-"`
	// Checking is true when the attempted revision is applied, and what it made
	// is waited for.
	Checking bool `json:"-"`

	changed time.Time // when Flux changed the specification last
}

// Failed reports whether the item is not ready for a reason of its own, not
// because it waits for another or still works.
func (i Item) Failed() bool {
	if i.Retrying && !i.Suspended {
		return true
	}
	return i.Ready == "False" && !i.Suspended &&
		!slices.Contains([]string{"DependencyNotReady", "HealthCheckCanceled", "Progressing", "ProgressingWithRetry", "Suspended"}, i.Reason)
}

// ServicesNamespace holds the sources and Kustomizations of the services. They
// follow another repository and are each other's equals, so that one which
// fails says nothing about the platform: Services lists them.
const ServicesNamespace = "services"

// Kustomizations lists the platform's Kustomizations by namespace and name.
// Without the CRD the list is empty.
func (c *Cluster) Kustomizations(ctx context.Context) ([]Item, error) {
	return c.kustomizations(ctx, func(i Item) bool { return i.Namespace != ServicesNamespace })
}

// Services lists the services' Kustomizations.
func (c *Cluster) Services(ctx context.Context) ([]Item, error) {
	return c.kustomizations(ctx, func(i Item) bool { return i.Namespace == ServicesNamespace })
}

func (c *Cluster) kustomizations(ctx context.Context, wanted func(Item) bool) ([]Item, error) {
	all, err := c.items(ctx, kustomizations, func(o *unstructured.Unstructured, i *Item) {
		i.Revision, _, _ = unstructured.NestedString(o.Object, "status", "lastAppliedRevision")
		i.Attempted, _, _ = unstructured.NestedString(o.Object, "status", "lastAttemptedRevision")
		_, message, waits := condition(o, "Healthy", "Unknown")
		i.Checking = waits && strings.HasPrefix(message, "Running health checks for revision "+i.Attempted+" ")
	})
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(i Item) bool { return !wanted(i) })
	return all, c.explainRetries(ctx, all)
}

// HelmReleases lists Flux's HelmReleases.
func (c *Cluster) HelmReleases(ctx context.Context) ([]Item, error) {
	return c.items(ctx, helmReleases, func(o *unstructured.Unstructured, i *Item) {
		i.Attempted, _, _ = unstructured.NestedString(o.Object, "status", "lastAttemptedRevision")
		if reason, message, failed := condition(o, "Released", "False"); failed && i.Ready == "Unknown" {
			i.Retrying, i.Reason, i.Message = true, reason, message
		}
		if h, _, _ := unstructured.NestedSlice(o.Object, "status", "history"); len(h) > 0 {
			if m, ok := h[0].(map[string]any); ok {
				i.Revision, _ = m["chartVersion"].(string)
			}
		}
	})
}

// GitRepositories lists the platform's Git sources.
func (c *Cluster) GitRepositories(ctx context.Context) ([]Item, error) {
	all, err := c.items(ctx, gitRepos, func(o *unstructured.Unstructured, i *Item) {
		i.Revision, _, _ = unstructured.NestedString(o.Object, "status", "artifact", "revision")
	})
	return slices.DeleteFunc(all, func(i Item) bool { return i.Namespace == ServicesNamespace }), err
}

func (c *Cluster) items(ctx context.Context, what schema.GroupVersionResource, more func(*unstructured.Unstructured, *Item)) ([]Item, error) {
	list, err := c.Dynamic.Resource(what).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil // Flux is not installed yet
	}
	if err != nil {
		return nil, err
	}
	out := make([]Item, 0, len(list.Items))
	for n := range list.Items {
		o := &list.Items[n]
		i := Item{Namespace: o.GetNamespace(), Name: o.GetName(), Ready: "Unknown", changed: appliedAt(o)}
		i.Suspended, _, _ = unstructured.NestedBool(o.Object, "spec", "suspend")
		seen, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
		conds, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		for _, x := range conds {
			cond, ok := x.(map[string]any)
			if !ok || cond["type"] != "Ready" {
				continue
			}
			i.Ready, _ = cond["status"].(string)
			i.Reason, _ = cond["reason"].(string)
			i.Message, _ = cond["message"].(string)
			generation, known := cond["observedGeneration"].(int64)
			i.Stale = known && generation != o.GetGeneration()
		}
		if i.Ready == "True" && seen != o.GetGeneration() {
			i.Ready, i.Message = "Unknown", "not reconciled since its last change"
		}
		more(o, &i)
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b Item) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return out, nil
}

// appliedAt is when Flux changed an object last; zero when it did not make it.
func appliedAt(o *unstructured.Unstructured) time.Time {
	var at time.Time
	for _, f := range o.GetManagedFields() {
		if f.Operation == metav1.ManagedFieldsOperationApply && f.Subresource == "" && f.Time != nil && f.Time.After(at) {
			at = f.Time.Time
		}
	}
	return at
}

// WebhookPath returns the path that Flux gave a Receiver, or an error while it
// has none.
func (c *Cluster) WebhookPath(ctx context.Context, namespace, name string) (string, error) {
	o, err := c.Dynamic.Resource(receivers).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("receiver %s/%s: %w", namespace, name, err)
	}
	p, _, _ := unstructured.NestedString(o.Object, "status", "webhookPath")
	if p == "" {
		return "", fmt.Errorf("receiver %s/%s has no webhook path yet", namespace, name)
	}
	return p, nil
}

// ApplyConfigMap makes the namespace and a ConfigMap with exactly this data.
func (c *Cluster) ApplyConfigMap(ctx context.Context, namespace, name string, data map[string]string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := c.Kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("namespace %s: %w", namespace, err)
	}
	want := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "gitops"}},
		Data:       data,
	}
	maps := c.Kube.CoreV1().ConfigMaps(namespace)
	_, err := maps.Create(ctx, want, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = maps.Update(ctx, want, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("ConfigMap %s/%s: %w", namespace, name, err)
	}
	return nil
}
