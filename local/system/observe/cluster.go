// Package observe asks the control plane and the AWS endpoint of a local
// system for its state, and finds the cause of what is not well.
package observe

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"k8s-plus-aws-gitops/internal/flux"
)

var receivers = schema.GroupVersionResource{Group: "notification.toolkit.fluxcd.io", Version: "v1", Resource: "receivers"}

// Item is a Flux object.
type Item = flux.Item

// ServicesNamespace holds the sources and Kustomizations of the services.
const ServicesNamespace = flux.ServicesNamespace

// Cluster is the local control plane.
type Cluster struct {
	flux.Cluster
	Kube kubernetes.Interface
}

// Open reads the admin kubeconfig. It connects on first use.
func Open(kubeconfig string) (*Cluster, error) {
	c, err := flux.Config(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("%w: run `gitops local up`", err)
	}
	kube, err := kubernetes.NewForConfig(c)
	if err != nil {
		return nil, err
	}
	dyn, err := dynamic.NewForConfig(c)
	if err != nil {
		return nil, err
	}
	return &Cluster{Cluster: flux.Cluster{Dynamic: dyn}, Kube: kube}, nil
}

// Ready asks the apiserver's /readyz.
func (c *Cluster) Ready(ctx context.Context) error {
	_, err := c.Kube.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
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
