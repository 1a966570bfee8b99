package watch

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestErrorLine(t *testing.T) {
	for line, want := range map[string]string{ // the text; empty: it is no error
		"[2026-11-30 21:43:53] \x1b[31mERROR\x1b[39m Could not get webhook secret":                                   "[2026-11-30 21:43:53] ERROR Could not get webhook secret",
		`time=2026-11-30T21:43:53Z level=error msg="no queue"`:                                                       `time=2026-11-30T21:43:53Z level=error msg="no queue"`,
		`E1130 21:43:53.123456       1 reflector.go:166] "Unhandled Error" err="x"`:                                  `E1130 21:43:53.123456       1 reflector.go:166] "Unhandled Error" err="x"`,
		"2026/11/30 21:43:53 [error] 7#7: *1 connect() failed (111: Connection refused)":                             "2026/11/30 21:43:53 [error] 7#7: *1 connect() failed (111: Connection refused)",
		"panic: runtime error: index out of range [1]":                                                               "panic: runtime error: index out of range [1]",
		"Traceback (most recent call last):":                                                                         "Traceback (most recent call last):",
		"botocore.errorfactory.QueueDoesNotExist: An error occurred":                                                 "botocore.errorfactory.QueueDoesNotExist: An error occurred",
		"TypeError: fetch failed":                                                                                    "TypeError: fetch failed",
		"java.lang.IllegalStateException: no":                                                                        "java.lang.IllegalStateException: no",
		`{"level":"error","ts":1796074947.5,"msg":"Reconciler error","controller":"x","error":"store is not ready"}`: "Reconciler error: store is not ready",
		`{"level":50,"time":1796074947500,"pid":7,"msg":"failed","err":{"type":"Error","message":"no such key"}}`:    "failed: no such key",
		`{"level":"info","msg":"retries after an error: x","error":""}`:                                              "",
		`{"level":30,"msg":"ERROR is a word here"}`:                                                                  "",
		`{"severity":"CRITICAL","message":"gone"}`:                                                                   "gone",
		`{"level":"error","msg":"Operation cannot be fulfilled on deployments.apps: the object has been modified; please apply your changes to the latest version and try again"}`: "",
		`127.0.0.1 - - "GET /errors/ HTTP/1.1" 200`: "",
		"INFO 0 errors": "",
		"":              "",
		"{not JSON":     "",
	} {
		if text, _, bad := errorLine(line); bad != (want != "") || bad && text != want {
			t.Errorf("%q: got %t, %q; want %q", line, bad, text, want)
		}
	}
}

// Lines that say the same are one, those that say something else are not.
func TestAlike(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"took 17 s", "took 1234.5 s", true},
		{"took 17 s", "took 3 s", true},
		{"RequestID: xSoR6K2vT8Z1YN21Jn9uwCsJzhCD8Xqb, refused", "RequestID: 9RKz1Q2nB6WSVyXWN6Fzu19oNpS5G1XY, refused", true},
		{"id 1a2b3c4d-0000-4000-8000-1a2b3c4d5e6f", "id ffffffff-0000-4000-8000-0123456789ab", true},
		{"pod orders-5fb8858795-qfvx8 ended", "pod orders-645566467f-lwjpt ended", true},
		{"pod orders-5fb8858795-qfvx8 ended", "pod ledger-5fb8858795-qfvx8 ended", false},
		{"(combined from similar events): no", "no", true},
		{"the queue orders does not exist", "the queue ledger does not exist", false},
		{"secret \"orders\" not found", "secret  \"orders\"\nnot found", true},
	} {
		if same := alike(c.a) == alike(c.b); same != c.same {
			t.Errorf("%q and %q: %t; %q, %q", c.a, c.b, same, alike(c.a), alike(c.b))
		}
	}
}

// What Flux applied is compared, and what others own is not.
func TestManaged(t *testing.T) {
	object := func(replicas, image, others string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"managedFields": []any{
				map[string]any{"manager": "helm", "operation": "Apply", "fieldsV1": map[string]any{"f:spec": map[string]any{}}},
				map[string]any{"manager": "kustomize-controller", "operation": "Apply", "fieldsV1": map[string]any{"f:spec": map[string]any{
					"f:containers": map[string]any{`k:{"name":"a"}`: map[string]any{".": map[string]any{}, "f:image": map[string]any{}}},
					"f:finalizers": map[string]any{`v:"x"`: map[string]any{}},
				}}},
			}},
			"spec": map[string]any{
				"replicas": replicas, "finalizers": []any{"x", others},
				"containers": []any{map[string]any{"name": "b", "image": others}, map[string]any{"name": "a", "image": image, "more": others}},
			},
		}}
	}
	of := func(o *unstructured.Unstructured) string {
		text, err := fingerprint(managed(o))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	base := of(object("1", "v1", "y"))
	if base == of(&unstructured.Unstructured{}) {
		t.Error("nothing is compared")
	}
	if base != of(object("2", "v1", "z")) {
		t.Error("what others own is compared")
	}
	if base == of(object("1", "v2", "y")) {
		t.Error("an image that Flux applied is not compared")
	}
	if managed(&unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"managedFields": []any{
		map[string]any{"manager": "kustomize-controller", "operation": string(metav1.ManagedFieldsOperationUpdate), "fieldsV1": map[string]any{"f:spec": map[string]any{}}},
	}}}}) != nil {
		t.Error("what was not applied is compared")
	}
}
