package flux

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Left names what is left of a service: its Kustomization, then its own
// namespace. Empty: nothing.
func (c *Cluster) Left(ctx context.Context, name string) (string, error) {
	_, err := c.Dynamic.Resource(kustomizations).Namespace(ServicesNamespace).Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		return "Kustomization " + ServicesNamespace + "/" + name, nil
	}
	if !apierrors.IsNotFound(err) {
		return "", err
	}
	_, err = c.Dynamic.Resource(namespaces).Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		return "namespace " + name, nil
	}
	if !apierrors.IsNotFound(err) {
		return "", err
	}
	return "", nil
}
