package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"k8s-plus-aws-gitops/internal/services"
)

// TestServiceFile holds what the bench generates to the rules for service files.
func TestServiceFile(t *testing.T) {
	content := fmt.Appendf(nil, serviceFile, image("bench10-0001", 3), "bench10-0001")
	s, problems := services.Parse("bench10-0001.yaml", content)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if s.Settings.Image != "registry.example.com/bench/bench10-0001:1.0.3" || s.Settings.Calls[0] != "npm" {
		t.Errorf("%+v", s.Settings)
	}
}

// TestMine keeps the bench's hands off services that are not its own.
func TestMine(t *testing.T) {
	for name, want := range map[string]bool{
		"bench10-0001": true, "bench1000-0000-more": true, "b691f2a3c1000-0999": true,
		"npm": false, "bench": false, "billing-0001": false, "bench10-1": false,
	} {
		if mine(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestClock(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"00:00:07": 7 * time.Second, "1-02:03:04": 26*time.Hour + 3*time.Minute + 4*time.Second,
		"2:03.45": 2*time.Minute + 3450*time.Millisecond, "0:00.00": 0,
	} {
		if got, err := clock(text); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x:1", "1-", "-"} {
		if got, err := clock(text); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// TestSum counts what descends from the supervisor, and nothing else.
func TestSum(t *testing.T) {
	const ps = `    1     0  1000 00:01:00 /sbin/init
   10     1  2000 00:00:02 /r/bin/gitops-local run supervisor --state /s
   11    10  3000 00:00:03 /c/controlplane --dir /s/control
   12    10  4000 00:00:04 /r/bin/gitops-local run procnode --state /s
   13    12  5000 00:00:05 /c/kustomize-controller --concurrent=32 --metrics-addr=127.10.0.7:8080
   14    12  6000 00:00:06 /c/kustomize-controller
   15    10  7000 00:00:07 /v/bin/python3.11 serve.py
   20     1  8000 00:00:08 /other/kustomize-controller
`
	got, err := sum(ps, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]usage{
		"supervisor":   {cpu: 2 * time.Second, rss: 2000 << 10},
		"controlplane": {cpu: 3 * time.Second, rss: 3000 << 10},
		"procnode":     {cpu: 4 * time.Second, rss: 4000 << 10},
		"moto":         {cpu: 7 * time.Second, rss: 7000 << 10},

		kustomizeController: {cpu: 11 * time.Second, rss: 11000 << 10, address: "127.10.0.7:8080"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, err := sum("nonsense\n", 1); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("%v", err)
	}
}

func object(namespace, name string, fields map[string]any) *unstructured.Unstructured {
	fields["metadata"] = map[string]any{"namespace": namespace, "name": name, "generation": int64(2)}
	return &unstructured.Unstructured{Object: fields}
}

// TestProgress goes the way of a service: two publications, of which the second counts.
func TestProgress(t *testing.T) {
	p := &progress{since: map[string]time.Time{}}
	w := &watcher{seen: map[string]*progress{"a": p}}
	second := func(n int) time.Time { return time.Unix(int64(n), 0) }
	status := func(commit, ready string, generation int64) map[string]any {
		return map[string]any{"status": map[string]any{
			"lastAppliedRevision": "local/a@sha1:" + commit, "observedGeneration": generation,
			"conditions": []any{map[string]any{"type": "Ready", "status": ready}},
		}}
	}
	pod := func(image string) map[string]any {
		return map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"image": image}}}}}}
	}
	p.source(object("services", "a", map[string]any{}), second(1))
	p.source(object("services", "a", map[string]any{"status": map[string]any{"artifact": map[string]any{"digest": "x"}}}), second(2))
	p.deployment(object("other", "a", pod("a:0")), second(3))
	p.deployment(object("a", "a", pod("a:1")), second(4))
	p.kustomization(object("services", "a", status("one", "True", 1)), second(5)) // of an older generation
	if missing, done := w.state(); done || !strings.Contains(missing, "1 applied, 0 ready") {
		t.Errorf("%q, %v", missing, done)
	}
	p.kustomization(object("services", "a", status("one", "True", 2)), second(6))
	if _, done := w.state(); !done || w.last(listed) != second(1) || w.last(fetched) != second(2) || w.half(applied) != second(4) || w.last(ready) != second(6) {
		t.Errorf("%+v", p)
	}
	p.deployment(object("a", "a", pod("a:2")), second(7))
	p.kustomization(object("services", "a", status("one", "Unknown", 2)), second(8))
	if missing, done := w.at("a", "two", "a:2"); done {
		t.Errorf("%q, %v", missing, done)
	}
	p.kustomization(object("services", "a", status("two", "True", 2)), second(9))
	if _, done := w.at("a", "two", "a:2"); !done || w.last(applied) != second(7) || w.last(ready) != second(9) {
		t.Errorf("%+v", p)
	}
}
