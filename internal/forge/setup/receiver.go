package setup

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"k8s-plus-aws-gitops/internal/manifests"
)

// FindHook finds the Receiver for GitHub that an environment's manifests apply, and the host of the Ingress beside it that
// leads to Flux's webhooks. Charts are not rendered.
func FindHook(ctx context.Context, root, environment string) (Hook, error) {
	rendered, err := manifests.Render(ctx, manifests.Options{Root: root, Charts: manifests.ModuleCharts(root)}, environment)
	if err != nil {
		return Hook{}, err
	}
	var hook Hook
	hosts := map[string]string{} // by namespace
	for _, k := range rendered.Kustomizations {
		for _, o := range k.Objects {
			switch kind, _, _ := unstructured.NestedString(o.Values, "spec", "type"); {
			case o.Kind == "Receiver" && kind == "github":
				hook.Name, hook.Namespace = o.Name, o.Namespace
			case o.Kind == "Ingress":
				if host := hookHost(o.Values); host != "" {
					hosts[o.Namespace] = host
				}
			}
		}
	}
	hook.Host = hosts[hook.Namespace]
	return hook, nil
}

// hookHost is the host of the Ingress's rule for /hook/.
func hookHost(ingress map[string]any) string {
	rules, _, _ := unstructured.NestedSlice(ingress, "spec", "rules")
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		paths, _, _ := unstructured.NestedSlice(rule, "http", "paths")
		for _, p := range paths {
			path, _ := p.(map[string]any)
			if text, _ := path["path"].(string); strings.TrimSuffix(text, "/") == "/hook" {
				host, _ := rule["host"].(string)
				return host
			}
		}
	}
	return ""
}
