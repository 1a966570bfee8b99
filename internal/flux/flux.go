// Package flux asks a cluster for the state of Flux's objects, and finds the
// cause of what is not well.
package flux

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

var (
	kustomizations = schema.GroupVersionResource{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}
	namespaces     = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	events         = schema.GroupVersionResource{Version: "v1", Resource: "events"}
)

// Cluster is a cluster that Flux runs in. One client without types asks for
// everything: those of Kubernetes' own kinds would be a third of the program.
type Cluster struct {
	Dynamic dynamic.Interface
}

// Config reads a kubeconfig. One person's commands are not slowed down as
// those of a controller are.
func Config(kubeconfig string) (*rest.Config, error) {
	c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", kubeconfig, err)
	}
	c.QPS, c.Burst = 100, 200
	return c, nil
}

// New makes a client of a cluster. It connects on first use.
func New(c *rest.Config) (*Cluster, error) {
	dyn, err := dynamic.NewForConfig(c)
	if err != nil {
		return nil, err
	}
	return &Cluster{Dynamic: dyn}, nil
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
	// Optional is true for a Kustomization that the root applies and does not wait for: image automation, for one, may wait for
	// credentials or for a first image for as long as it likes.
	Optional bool `json:"optional,omitempty"`
	// Stale is true when the Ready condition is of an earlier generation, so
	// that it says nothing of the present specification.
	Stale bool `json:"-"`
	// Checking is true when the attempted revision is applied, and what it made
	// is waited for.
	Checking bool `json:"-"`

	changed time.Time // when Flux changed the specification last
	source  string    // of a Kustomization, with its namespace
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

// Kustomizations lists the platform's Kustomizations by namespace and name: those that follow its source. A team's own, which
// follow another one, never come to the platform's commit. Without the CRD the list is empty.
func (c *Cluster) Kustomizations(ctx context.Context) ([]Item, error) {
	return c.kustomizations(ctx, func(i Item) bool { return i.Namespace != ServicesNamespace && i.source == Root+"/"+Root })
}

// Services lists the services' Kustomizations.
func (c *Cluster) Services(ctx context.Context) ([]Item, error) {
	return c.kustomizations(ctx, func(i Item) bool { return i.Namespace == ServicesNamespace })
}

func (c *Cluster) kustomizations(ctx context.Context, wanted func(Item) bool) ([]Item, error) {
	var awaited []string
	applied := map[string]bool{} // by the root
	all, err := c.Items(ctx, kustomizations, func(o *unstructured.Unstructured, i *Item) {
		i.source = sourceOf(o)
		applied[i.Namespace+"/"+i.Name] = o.GetLabels()["kustomize.toolkit.fluxcd.io/name"] == Root
		if i.Name == Root && i.Namespace == Root {
			awaited = healthChecks(o)
		}
		i.Revision, _, _ = unstructured.NestedString(o.Object, "status", "lastAppliedRevision")
		i.Attempted, _, _ = unstructured.NestedString(o.Object, "status", "lastAttemptedRevision")
		_, message, waits := Condition(o, "Healthy", "Unknown")
		i.Checking = waits && strings.HasPrefix(message, "Running health checks for revision "+i.Attempted+" ")
	})
	if err != nil {
		return nil, err
	}
	for n := range all {
		all[n].Optional = len(awaited) > 0 && applied[all[n].Namespace+"/"+all[n].Name] && all[n].Name != Root && !slices.Contains(awaited, all[n].Name)
	}
	all = slices.DeleteFunc(all, func(i Item) bool { return !wanted(i) })
	return all, errors.Join(c.explainRetries(ctx, all), c.explainUnhealthy(ctx, all))
}

// sourceOf is the namespace and the name of the source that a Kustomization follows.
func sourceOf(o *unstructured.Unstructured) string {
	ref, _, _ := unstructured.NestedStringMap(o.Object, "spec", "sourceRef")
	return cmp.Or(ref["namespace"], o.GetNamespace()) + "/" + ref["name"]
}

// healthChecks names what a Kustomization waits for.
func healthChecks(o *unstructured.Unstructured) []string {
	checks, _, _ := unstructured.NestedSlice(o.Object, "spec", "healthChecks")
	var names []string
	for _, c := range checks {
		if check, ok := c.(map[string]any); ok {
			name, _ := check["name"].(string)
			names = append(names, name)
		}
	}
	return names
}

// Items lists the objects of a kind of Flux; more reads what only that kind has.
// Without the CRD the list is empty.
func (c *Cluster) Items(ctx context.Context, what schema.GroupVersionResource, more func(*unstructured.Unstructured, *Item)) ([]Item, error) {
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
