package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"k8s-plus-aws-gitops/local/system/observe"
)

// stage is how far a service is.
type stage int

const (
	// listed: its source is in the cluster.
	listed stage = iota
	// fetched: source-controller has its branch.
	fetched
	// applied: its Deployment is in the cluster.
	applied
	// ready: kustomize-controller calls it Ready.
	ready
	stages
)

var (
	gitRepositories = schema.GroupVersionResource{Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"}
	kustomizations  = schema.GroupVersionResource{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}
	deployments     = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
)

// watcher follows services by watches, which cost the control plane less than asking again and again.
type watcher struct {
	cancel context.CancelFunc
	wake   chan struct{}

	mu   sync.Mutex
	seen map[string]*progress
}

// progress is what is known of one service, with the time at which it was first seen so.
type progress struct {
	at [stages]time.Time
	// commit is what was applied last and called Ready; image is the Deployment's.
	commit, image string
	since         map[string]time.Time
}

func (b *bench) watch(ctx context.Context, names []string) (*watcher, error) {
	cluster, err := observe.Open(b.dir.Kubeconfig())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{cancel: cancel, wake: make(chan struct{}, 1), seen: map[string]*progress{}}
	for _, name := range names {
		w.seen[name] = &progress{since: map[string]time.Time{}}
	}
	for resource, look := range map[schema.GroupVersionResource]func(*progress, *unstructured.Unstructured, time.Time){
		gitRepositories: (*progress).source, kustomizations: (*progress).kustomization, deployments: (*progress).deployment,
	} {
		if err := w.follow(ctx, cluster.Dynamic, resource, look); err != nil {
			cancel()
			return nil, err
		}
	}
	return w, nil
}

// follow calls look for each state of a service's object of one kind. The objects of all three kinds have the service's
// name.
func (w *watcher) follow(ctx context.Context, client dynamic.Interface, resource schema.GroupVersionResource, look func(*progress, *unstructured.Unstructured, time.Time)) error {
	changed := func(o any) {
		u, ok := o.(*unstructured.Unstructured)
		if !ok {
			return
		}
		now := time.Now()
		w.mu.Lock()
		if p := w.seen[u.GetName()]; p != nil {
			look(p, u, now)
		}
		w.mu.Unlock()
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	informer := dynamicinformer.NewDynamicSharedInformerFactory(client, 0).ForResource(resource).Informer()
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: changed, UpdateFunc: func(_, o any) { changed(o) }}); err != nil {
		return err
	}
	go informer.Run(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return fmt.Errorf("%s are not listed: %w", resource.Resource, context.Cause(ctx))
	}
	return nil
}

func (w *watcher) stop() { w.cancel() }

func (p *progress) reach(s stage, now time.Time) {
	if p.at[s].IsZero() {
		p.at[s] = now
	}
}

func (p *progress) source(u *unstructured.Unstructured, now time.Time) {
	if u.GetNamespace() != observe.ServicesNamespace {
		return
	}
	p.reach(listed, now)
	if digest, _, _ := unstructured.NestedString(u.Object, "status", "artifact", "digest"); digest != "" {
		p.reach(fetched, now)
	}
}

func (p *progress) kustomization(u *unstructured.Unstructured, now time.Time) {
	if u.GetNamespace() != observe.ServicesNamespace {
		return
	}
	revision, _, _ := unstructured.NestedString(u.Object, "status", "lastAppliedRevision")
	p.commit = ""
	if !isReady(u) || revision == "" {
		return
	}
	_, p.commit, _ = strings.Cut(revision, "sha1:")
	p.first("commit "+p.commit, now)
	p.reach(ready, now)
}

func (p *progress) deployment(u *unstructured.Unstructured, now time.Time) {
	if u.GetNamespace() != u.GetName() {
		return
	}
	containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
	for _, c := range containers {
		if c, ok := c.(map[string]any); ok {
			p.image, _ = c["image"].(string)
		}
	}
	p.first("image "+p.image, now)
	p.reach(applied, now)
}

// first remembers when something was first seen.
func (p *progress) first(what string, now time.Time) {
	if _, known := p.since[what]; !known {
		p.since[what] = now
	}
}

func isReady(u *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	observed, _, _ := unstructured.NestedInt64(u.Object, "status", "observedGeneration")
	return observed == u.GetGeneration() && slices.ContainsFunc(conditions, func(c any) bool {
		m, ok := c.(map[string]any)
		return ok && m["type"] == "Ready" && m["status"] == "True"
	})
}

// wait returns when done says so. Done also says what is missing, for the error.
func (w *watcher) wait(ctx context.Context, what string, done func() (string, bool)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		missing, ok := done()
		if ok {
			return nil
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: %s", what, ctx.Err(), missing)
		}
	}
}

// state is done when every service is Ready.
func (w *watcher) state() (missing string, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var reached [stages]int
	for _, p := range w.seen {
		for s, at := range p.at {
			if !at.IsZero() {
				reached[s]++
			}
		}
	}
	return fmt.Sprintf("of %d services %d are listed, %d fetched, %d applied, %d ready", len(w.seen), reached[listed], reached[fetched], reached[applied], reached[ready]), reached[ready] == len(w.seen)
}

// at is done when a service has an image in the cluster and a commit is called Ready. The times of both become those of
// the stages.
func (w *watcher) at(name, commit, image string) (missing string, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.seen[name]
	if p.commit != commit || p.image != image {
		return fmt.Sprintf("it is at %.8s with %s", p.commit, p.image), false
	}
	p.at[applied], p.at[ready] = p.since["image "+image], p.since["commit "+commit]
	return "", true
}

// last is when the last service reached a stage.
func (w *watcher) last(s stage) time.Time { return w.nth(s, len(w.seen)-1) }

// half is when half of the services had reached a stage.
func (w *watcher) half(s stage) time.Time { return w.nth(s, (len(w.seen)-1)/2) }

func (w *watcher) nth(s stage, n int) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	times := make([]time.Time, 0, len(w.seen))
	for _, p := range w.seen {
		times = append(times, p.at[s])
	}
	slices.SortFunc(times, time.Time.Compare)
	return times[n]
}

// settled waits until no Kustomization works and all of the platform's have the platform's commit.
func (b *bench) settled(ctx context.Context) error {
	cluster, err := observe.Open(b.dir.Kubeconfig())
	if err != nil {
		return err
	}
	commit, err := b.tip(ctx, "platform", "main")
	if err != nil {
		return err
	}
	return poll(ctx, "the platform's Kustomizations to have the last commit", func() error {
		all, err := cluster.Kustomizations(ctx)
		if err != nil {
			return err
		}
		for _, k := range all {
			if k.Ready != "True" || !strings.HasSuffix(k.Revision, commit) {
				return fmt.Errorf("%s is at %s: %s", k.Name, k.Revision, k.Message)
			}
		}
		return nil
	})
}

// clear takes all services of the bench away, and waits until the cluster has none of them.
func (b *bench) clear(ctx context.Context) error {
	left, err := b.unlist()
	if err != nil {
		return err
	}
	if len(left) > 0 {
		message := fmt.Sprintf("Remove %d services", len(left))
		if err := b.commit(ctx, message); err != nil {
			return err
		}
		if _, err := b.push(ctx, message); err != nil {
			return err
		}
	}
	cluster, err := observe.Open(b.dir.Kubeconfig())
	if err != nil {
		return err
	}
	lists := []dynamic.ResourceInterface{
		cluster.Dynamic.Resource(kustomizations).Namespace(observe.ServicesNamespace),
		cluster.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}),
	}
	err = poll(ctx, "the services to go", func() error {
		for _, list := range lists {
			found, err := list.List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/part-of=services"})
			if err != nil {
				return err
			}
			n := 0
			for _, o := range found.Items {
				if mine(o.GetName()) {
					n++
				}
			}
			if n > 0 {
				return fmt.Errorf("%s has %d of them", found.GetKind(), n)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.settled(ctx)
}

// poll asks until there is no complaint. The last one is in the error.
func poll(ctx context.Context, what string, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		complaint := ask()
		if complaint == nil {
			return nil
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: %w", what, ctx.Err(), complaint)
		}
	}
}
