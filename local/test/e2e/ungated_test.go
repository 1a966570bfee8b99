//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/local/system/observe"
)

// ungated lets Flux follow the branch itself, measures how long pushed manifests take then, and turns the gate on again.
func (s *system) ungated(ctx context.Context) (string, error) {
	before, err := os.ReadFile(filepath.Join(s.repo, "cdk.json"))
	if err != nil {
		return "", err
	}
	if err := s.regate(ctx, func() error {
		return s.configure("local", func(e map[string]any) { e["delivery"].(map[string]any)["gate"] = false })
	}, "No gate"); err != nil {
		return "", err
	}
	clone, err := s.fetch(ctx, filepath.Join(s.t.TempDir(), "ungated"))
	if err != nil {
		return "", err
	}
	quick := *s
	quick.repo = clone
	var all []arrival
	for range 7 {
		a, err := quick.straight(ctx)
		if err != nil {
			return "", err
		}
		all = append(all, a)
	}
	defined, err := quick.definition(ctx)
	if err != nil {
		return "", err
	}
	if err := quick.releaseAll(ctx, filepath.Join(s.repo, "bin", "gitops"), before); err != nil {
		return "", err
	}
	if err := s.regate(ctx, func() error { return os.WriteFile(filepath.Join(s.repo, "cdk.json"), before, 0o644) }, "The gate again"); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s; a definition and its object by one commit: %.1f s", medians(all), defined.Seconds()), nil
}

// regate pushes a change of delivery.gate and waits until it is deployed. Flux changes its branch in the middle, so that a
// push would wait for what does not come; and the release goes on from the branch.
func (s *system) regate(ctx context.Context, change func() error, message string) error {
	if err := change(); err != nil {
		return err
	}
	if _, err := s.gitops(ctx, "local", "push", "--message", message, "--no-wait"); err != nil {
		return err
	}
	if err := until(ctx, 30*time.Minute, message+": the deployment", func() error {
		if _, err := s.ranAtLeast(ctx, []string{"deploy WaitingForApproval"}); err == nil {
			if _, err := s.gitops(ctx, "local", "approve", "local-deploy", "--message", "scenario"); err != nil {
				return err
			}
		}
		_, err := s.ranAtLeast(ctx, []string{"deploy Succeeded"}) // it changes its own pipeline, and is cancelled once
		return err
	}); err != nil {
		return err
	}
	_, err := s.settled(ctx)
	return err
}

// releaseAll releases the head of the branch, as the guide says before the gate is turned on again: Flux would go back.
func (s *system) releaseAll(ctx context.Context, tool string, gated []byte) error {
	if _, err := s.git(ctx, s.repo, "pull", "--quiet", "--rebase", "origin", "main"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.repo, "cdk.json"), gated, 0o644); err != nil {
		return err
	}
	if _, err := s.command(ctx, []string{"GITOPS_LOCAL_STATE=" + s.dir.Root}, tool, "release", "local"); err != nil {
		return err
	}
	_, err := s.git(ctx, s.repo, "checkout", "--quiet", "cdk.json")
	return err
}

// arrival is when a pushed manifest was where, since its push began.
type arrival struct {
	// pushed is the end of git push, woken the webhook's call, fetched the source's artifact, and begun the first look of
	// the Kustomization; applied is the changed object in the API server.
	pushed, woken, fetched, begun, applied time.Duration
}

// medians shows each part by its median, and the fastest and slowest whole.
func medians(all []arrival) string {
	median := func(of func(arrival) time.Duration) float64 {
		sorted := slices.SortedFunc(slices.Values(all), func(a, b arrival) int { return cmp.Compare(of(a), of(b)) })
		return of(sorted[len(sorted)/2]).Seconds()
	}
	applied := func(a arrival) time.Duration { return a.applied }
	whole := slices.SortedFunc(slices.Values(all), func(a, b arrival) int { return cmp.Compare(a.applied, b.applied) })
	return fmt.Sprintf("applied %.2f s after the push began (%.2f to %.2f of %d): git push ended at %.2f, webhook %.2f, artifact %.2f, Kustomization %.2f",
		median(applied), whole[0].applied.Seconds(), whole[len(whole)-1].applied.Seconds(), len(all),
		median(func(a arrival) time.Duration { return a.pushed }), median(func(a arrival) time.Duration { return a.woken }),
		median(func(a arrival) time.Duration { return a.fetched }), median(func(a arrival) time.Duration { return a.begun }))
}

// straight changes a manifest of the applications by a plain git push, and fails if they waited for the layers below.
func (s *system) straight(ctx context.Context) (arrival, error) {
	var a arrival
	if _, err := s.git(ctx, s.repo, "pull", "--quiet", "--rebase", "origin", "main"); err != nil {
		return a, err
	}
	sets, err := s.add(history, 1)
	if err != nil {
		return a, err
	}
	commit, err := s.committed(ctx, "Straight to Flux")
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	began := time.Now()
	seen, err := s.watched(ctx, began, commit, int64(sets))
	if err != nil {
		return a, err
	}
	if _, err := s.git(ctx, s.repo, "push", "--quiet", "origin", "HEAD:main"); err != nil {
		return a, err
	}
	pushed := time.Since(began)
	a, err = seen()
	a.pushed = pushed
	if err != nil {
		return a, err
	}
	return a, s.rested(ctx, commit)
}

// committed commits the checkout's changes, and returns the commit.
func (s *system) committed(ctx context.Context, message string) (string, error) {
	if err := s.commit(ctx, message); err != nil {
		return "", err
	}
	return s.git(ctx, s.repo, "rev-parse", "HEAD")
}

// watched looks at what a commit changes as it changes. What it returns waits until Ghost's Deployment has the number.
func (s *system) watched(ctx context.Context, began time.Time, commit string, sets int64) (func() (arrival, error), error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return nil, err
	}
	var a arrival
	var lock sync.Mutex
	var waited error
	ctx, cancel := context.WithCancel(ctx)
	note := func(at *time.Duration, is bool) {
		if is && *at == 0 {
			*at = time.Since(began)
		}
	}
	source, err := readSource(ctx, c)
	if err != nil {
		cancel()
		return nil, err
	}
	text := func(o *unstructured.Unstructured, path ...string) string {
		value, _, _ := unstructured.NestedString(o.Object, path...)
		return value
	}
	done := make(chan struct{})
	for _, w := range []struct {
		resource        schema.GroupVersionResource
		namespace, name string
		look            func(*unstructured.Unstructured)
	}{
		{sources, "flux-system", "flux-system", func(o *unstructured.Unstructured) {
			note(&a.woken, o.GetAnnotations()["reconcile.fluxcd.io/requestedAt"] != source.requested)
			note(&a.fetched, strings.HasSuffix(text(o, "status", "artifact", "revision"), commit))
		}},
		{roots, "flux-system", "apps", func(o *unstructured.Unstructured) {
			note(&a.begun, strings.HasSuffix(text(o, "status", "lastAttemptedRevision"), commit))
			if reason, says, _ := flux.Condition(o, "Ready", "False"); reason == "DependencyNotReady" {
				waited = errors.New("the applications waited for a layer below: " + says)
			}
		}},
		{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, "ghost", "ghost", func(o *unstructured.Unstructured) {
			now, _, _ := unstructured.NestedInt64(o.Object, "spec", "revisionHistoryLimit")
			before := a.applied
			if note(&a.applied, now == sets); before == 0 && a.applied != 0 {
				close(done)
			}
		}},
	} {
		events, err := c.Dynamic.Resource(w.resource).Namespace(w.namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + w.name})
		if err != nil {
			cancel()
			return nil, err
		}
		go func() {
			for e := range events.ResultChan() {
				if o, ok := e.Object.(*unstructured.Unstructured); ok {
					lock.Lock()
					w.look(o)
					lock.Unlock()
				}
			}
		}()
	}
	return func() (arrival, error) {
		defer cancel()
		select {
		case <-done:
		case <-ctx.Done():
			return a, fmt.Errorf("the manifest was not applied: %w", context.Cause(ctx))
		}
		lock.Lock()
		defer lock.Unlock()
		return a, waited
	}, nil
}

// rested waits until all layers are healthy at the commit, so that the next one meets a system at rest.
func (s *system) rested(ctx context.Context, commit string) error {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return err
	}
	return until(ctx, 5*time.Minute, "all layers to have the commit", func() error {
		all, err := c.Dynamic.Resource(roots).Namespace("flux-system").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, o := range all.Items {
			at, _, _ := unstructured.NestedString(o.Object, "status", "lastAppliedRevision")
			if source, _, _ := unstructured.NestedString(o.Object, "spec", "sourceRef", "name"); source == "flux-system" && !strings.HasSuffix(at, commit) {
				return fmt.Errorf("%s is at %s", o.GetName(), at)
			}
		}
		return nil
	})
}

// thing is a kind of the scenario, and oneThing an object of it.
const (
	thing = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.scenario.example.com
spec:
  group: scenario.example.com
  names: {kind: Thing, listKind: ThingList, plural: things, singular: thing}
  scope: Namespaced
  versions:
    - name: v1
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
      served: true
      storage: true
`
	oneThing = `apiVersion: scenario.example.com/v1
kind: Thing
metadata:
  name: one
  namespace: default
`
)

// definition adds a kind to the platform and an object of it to the applications by one commit, and removes both again. It
// returns how long the object took.
func (s *system) definition(ctx context.Context) (time.Duration, error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return 0, err
	}
	if _, err := s.git(ctx, s.repo, "pull", "--quiet", "--rebase", "origin", "main"); err != nil {
		return 0, err
	}
	for file, content := range map[string]string{"k8s/platform/configs/thing.yaml": thing, "k8s/apps/thing.yaml": oneThing} {
		if err := os.WriteFile(filepath.Join(s.repo, file), []byte(content), 0o644); err != nil {
			return 0, err
		}
		list := filepath.Join(filepath.Dir(file), "kustomization.yaml")
		if err := s.edit(list, "\nresources:\n", "\nresources:\n  - thing.yaml\n"); err != nil {
			return 0, err
		}
	}
	added, err := s.committed(ctx, "A kind and an object of it")
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if _, err := s.git(ctx, s.repo, "push", "--quiet", "origin", "HEAD:main"); err != nil {
		return 0, err
	}
	things := schema.GroupVersionResource{Group: "scenario.example.com", Version: "v1", Resource: "things"}
	if err := until(ctx, 5*time.Minute, "an object whose kind comes by the same commit", func() error {
		_, err := c.Dynamic.Resource(things).Namespace("default").Get(ctx, "one", metav1.GetOptions{})
		return err
	}); err != nil {
		return 0, err
	}
	took := time.Since(began)
	for _, args := range [][]string{{"pull", "--quiet", "--rebase", "origin", "main"}, {"revert", "--no-edit", added}, {"push", "--quiet", "origin", "HEAD:main"}} {
		if _, err := s.git(ctx, s.repo, args...); err != nil {
			return 0, err
		}
	}
	commit, err := s.git(ctx, s.repo, "rev-parse", "HEAD")
	if err != nil {
		return 0, err
	}
	return took, s.rested(ctx, commit)
}
