package flux

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// A Kustomization that waits in vain says what was said last of what it waits for: of an Ingress by the load balancer controller, of
// the pods of a workload by a kubelet.
func TestUnhealthy(t *testing.T) {
	const prefix = "health check failed after 5m0s: timeout waiting for: ["
	for _, c := range []struct{ name, waits, kind, object, says, want string }{
		{"Ingress", "Ingress/ghost/ghost-1 status: 'InProgress']", "Ingress", "ghost-1", "Failed deploy model due to AccessDenied", "Ingress ghost/ghost-1: Failed: Failed deploy model due to AccessDenied"},
		{"another Ingress", "Ingress/ghost/other status: 'InProgress']", "Ingress", "ghost-1", "AccessDenied", ""},
		{"Deployment", "Deployment/ghost/ghost status: 'Failed']", "Pod", "ghost-6b7f9d5c4-x2x7z", "Error: couldn't find key hostname in Secret ghost/ghost-database", "Pod ghost/ghost-6b7f9d5c4-x2x7z: Failed: Error: couldn't find key hostname in Secret ghost/ghost-database"},
		{"a Deployment of which another's name begins", "Deployment/ghost/ghost status: 'Failed']", "Pod", "ghost-cron-6b7f9d5c4-x2x7z", "no", ""},
		{"StatefulSet", "StatefulSet/ghost/queue status: 'InProgress']", "Pod", "queue-0", "Readiness probe failed", "Pod ghost/queue-0: Failed: Readiness probe failed"},
		{"a StatefulSet of which another's name begins", "StatefulSet/ghost/queue status: 'InProgress']", "Pod", "queue-big-0", "no", ""},
		{"another namespace", "Deployment/other/ghost status: 'Failed']", "Pod", "ghost-6b7f9d5c4-x2x7z", "no", ""},
		{"something else", "Certificate/ghost/ghost status: 'Failed']", "Pod", "ghost-6b7f9d5c4-x2x7z", "no", ""},
	} {
		message := prefix + c.waits
		event := warning(t, c.kind, "ghost", c.says, 20*time.Second)
		if err := unstructured.SetNestedField(event.Object, c.object, "involvedObject", "name"); err != nil {
			t.Fatal(err)
		}
		items, err := fakeDynamic(
			object("Kustomization", "kustomize.toolkit.fluxcd.io/v1", "apps", 1, 1, map[string]any{"type": "Ready", "status": "False", "reason": "HealthCheckFailed", "message": message}, nil),
			event,
		).Kustomizations(t.Context())
		if err != nil || len(items) != 1 {
			t.Fatalf("%s: %v, %v", c.name, items, err)
		}
		if got := strings.TrimPrefix(strings.TrimPrefix(items[0].Message, message), "; "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// What pods of an earlier template failed for says nothing of this one.
func TestUnhealthyOfTheNewestTemplate(t *testing.T) {
	event := func(name, kind, object, message string, after time.Duration) *unstructured.Unstructured {
		e := warning(t, kind, "ghost", message, after)
		for _, field := range []struct {
			value string
			path  []string
		}{{object, []string{"involvedObject", "name"}}, {name, []string{"metadata", "name"}}} {
			if err := unstructured.SetNestedField(e.Object, field.value, field.path...); err != nil {
				t.Fatal(err)
			}
		}
		return e
	}
	scaled := event("a", "Deployment", "ghost", "Scaled up replica set ghost-6b7f9d5c4 from 0 to 1", 10*time.Second)
	scaled.Object["type"] = "Normal"
	said := func(events ...runtime.Object) string {
		message := "timeout waiting for: [Deployment/ghost/ghost status: 'Failed']"
		all := append(events, object("Kustomization", "kustomize.toolkit.fluxcd.io/v1", "apps", 1, 1, map[string]any{"type": "Ready", "status": "False", "reason": "HealthCheckFailed", "message": message}, nil))
		items, err := fakeDynamic(all...).Kustomizations(t.Context())
		if err != nil || len(items) != 1 {
			t.Fatalf("%v, %v", items, err)
		}
		return strings.TrimPrefix(items[0].Message, message)
	}
	old := event("b", "Pod", "ghost-55555-x2x7z", "Error: secret not found", 20*time.Second)
	if got := said(scaled, old); got != "" {
		t.Errorf("got %s", got)
	}
	if got := said(scaled, old, event("c", "Pod", "ghost-6b7f9d5c4-x2x7z", "Readiness probe failed", 15*time.Second)); !strings.Contains(got, "Readiness probe failed") {
		t.Errorf("got %q", got)
	}
}
