package flux

import (
	"strings"
	"testing"
	"time"
)

// A Kustomization that waits for an Ingress in vain says what the load balancer controller said last of that one.
func TestIngressWithoutAddress(t *testing.T) {
	const says = "health check failed after 5m0s: timeout waiting for: [Ingress/ghost/ghost-1 status: 'InProgress']"
	failed := func(name, message string) *Item {
		items, err := fakeDynamic(
			object("Kustomization", "kustomize.toolkit.fluxcd.io/v1", name, 1, 1, map[string]any{"type": "Ready", "status": "False", "reason": "HealthCheckFailed", "message": message}, nil),
			warning(t, "Ingress", "ghost", "Failed deploy model due to AccessDenied", 20*time.Second),
		).Kustomizations(t.Context())
		if err != nil || len(items) != 1 {
			t.Fatalf("%v, %v", items, err)
		}
		return &items[0]
	}
	if got := failed("apps", says).Message; got != says+"; Ingress ghost/ghost-1: Failed: Failed deploy model due to AccessDenied" {
		t.Errorf("got %s", got)
	}
	for name, message := range map[string]string{
		"another Ingress": strings.Replace(says, "ghost-1", "other", 1), "something else": strings.Replace(says, "Ingress/", "Deployment/", 1),
	} {
		if got := failed("apps", message).Message; got != message {
			t.Errorf("%s: got %s", name, got)
		}
	}
}
