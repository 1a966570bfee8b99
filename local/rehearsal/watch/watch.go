// Package watch sees what a change does to a local system while it is merged, held and reverted: clients ask every public host all
// the time and keep a session, pods' restarts, events and logs are followed, and what is in AWS and in the cluster is compared
// between three looks. What the base does by itself is no finding.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"

	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/alb"
	"k8s-plus-aws-gitops/local/endpoint/permissions"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
	"k8s-plus-aws-gitops/local/system/report"
)

// Options say what is watched.
type Options struct {
	// Dir is the state directory of a system that is up.
	Dir *layout.Dir
}

// sources are what is asked.
type sources struct {
	kube kubernetes.Interface
	flux *flux.Cluster
	// resource finds under which name the API server serves a kind.
	resource func(schema.GroupVersionKind) (schema.GroupVersionResource, error)
	// logs follows a container's log, with the time before each line.
	logs func(ctx context.Context, p *corev1.Pod, container string) (io.ReadCloser, error)
	// client makes an HTTP client with connections of its own; address is where the load balancer serves a host.
	client  func() (*http.Client, error)
	address func(https bool, host string) string
	stacks  stacksAPI
	calls   func(context.Context) ([]permissions.Call, error)
	grants  func(context.Context) ([]permissions.Grant, error)
	// waits is how many seconds a statement has been waiting for a lock of a database.
	waits func(context.Context) (float64, error)
	// balancer is the state of the load balancer.
	balancer func(context.Context) (alb.State, error)
	// every is the pause between two looks at the cluster, pause that between two requests of a client.
	every, pause time.Duration
}

// Watch is what has been seen so far.
type Watch struct {
	sources
	times   timeline
	hosts   *hosts
	pods    *pods
	events  *events
	logs    *logs
	looks   looks
	locks   locks
	targets targets

	// life is the clients' and the logs': until Stop.
	life  context.Context
	stop  context.CancelFunc
	tasks sync.WaitGroup
	mu    sync.Mutex
	blind map[string]string // why something could not be looked at, by what
}

// Start takes the first look at the base and starts the clients. They go on until Stop, also when ctx has ended; phase Before has
// begun.
func Start(ctx context.Context, o Options) (*Watch, error) {
	s, err := open(o.Dir)
	if err != nil {
		return nil, err
	}
	return start(ctx, s)
}

// open makes the clients of a system.
func open(dir *layout.Dir) (sources, error) {
	var s sources
	ports, err := dir.LoadPorts()
	if err != nil {
		return s, err
	}
	cluster, err := observe.Open(dir.Kubeconfig())
	if err != nil {
		return s, err
	}
	config := deploy.Config(ports.URL(layout.AWS))
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(cluster.Kube.Discovery()))
	s.kube, s.flux = cluster.Kube, &cluster.Cluster
	s.resource = func(kind schema.GroupVersionKind) (schema.GroupVersionResource, error) {
		m, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			return schema.GroupVersionResource{}, err
		}
		return m.Resource, nil
	}
	s.logs = func(ctx context.Context, p *corev1.Pod, container string) (io.ReadCloser, error) {
		options := &corev1.PodLogOptions{Container: container, Follow: true, Timestamps: true}
		return cluster.Kube.CoreV1().Pods(p.Namespace).GetLogs(p.Name, options).Stream(ctx)
	}
	s.client = func() (*http.Client, error) { return report.Client(dir, ports) }
	s.address = func(https bool, host string) string {
		if https {
			return fmt.Sprintf("https://%s:%d", host, ports[layout.HTTPS])
		}
		return fmt.Sprintf("http://%s:%d", host, ports[layout.HTTP])
	}
	s.stacks = cloudformation.NewFromConfig(config)
	s.calls = func(ctx context.Context) ([]permissions.Call, error) {
		return permissions.Noted(ctx, ports.URL(layout.AWS))
	}
	s.grants = func(ctx context.Context) ([]permissions.Grant, error) { return permissions.Grants(ctx, config) }
	databases, err := servers(dir, ports)
	if err != nil {
		return s, err
	}
	s.waits = func(ctx context.Context) (float64, error) { return longest(ctx, databases) }
	s.balancer = func(ctx context.Context) (alb.State, error) {
		return balancerState(ctx, &http.Client{Timeout: 5 * time.Second}, ports.URL(layout.HTTP))
	}
	s.every, s.pause = 300*time.Millisecond, 100*time.Millisecond
	return s, nil
}

func start(ctx context.Context, s sources) (*Watch, error) {
	w := &Watch{sources: s, blind: map[string]string{}}
	w.times.mark(rehearsal.Before, time.Now())
	w.pods, w.events, w.logs, w.hosts = newPods(), newEvents(), newLogs(), newHosts()
	if err := w.look(ctx, rehearsal.Before); err != nil {
		return nil, fmt.Errorf("the base: %w", err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.life, w.stop = background, stop
	// Once before the merge can begin, so that what is there is the base's.
	if err := w.poll(background); err != nil {
		stop()
		w.tasks.Wait()
		return nil, err
	}
	w.tasks.Go(func() { w.watchLocks(background) })
	w.tasks.Go(func() { w.watchTargets(background) })
	w.tasks.Go(func() {
		for pause(background, w.every) {
			if err := w.pollOnce(); err != nil && background.Err() == nil {
				w.unseen("the cluster for a while", err)
			}
		}
	})
	return w, nil
}

// pollOnce is not broken off by Stop, but ends by itself: client-go tells people of answers that are.
func (w *Watch) pollOnce() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.life), 10*time.Second)
	defer cancel()
	return w.poll(ctx)
}

// poll looks once at the cluster.
func (w *Watch) poll(ctx context.Context) error {
	return errors.Join(w.pollPods(ctx), w.pollEvents(ctx), w.pollHosts(ctx))
}

// Phase begins a phase.
func (w *Watch) Phase(p rehearsal.Phase) {
	now := time.Now()
	ended, _ := w.times.at(now)
	w.hosts.expire(ended, now)
	w.times.mark(p, now)
}

// Look compares AWS and the cluster with the base; it belongs to the end of phase Hold.
func (w *Watch) Look(ctx context.Context) error { return w.look(ctx, rehearsal.Hold) }

// Stop takes the last look, ends the clients and says what was seen.
func (w *Watch) Stop(ctx context.Context) (rehearsal.Observations, error) {
	now := time.Now()
	err := errors.Join(w.look(ctx, rehearsal.After), w.poll(ctx))
	ended, _ := w.times.at(now)
	w.hosts.expire(ended, now)
	w.stop()
	w.tasks.Wait()
	o := rehearsal.Observations{
		Hosts: w.hosts.result(&w.times), Restarts: w.pods.restarts(&w.times), Events: w.events.result(&w.times),
		Errors: w.logs.result(&w.times), Migrations: w.pods.migrations(&w.times, &w.locks), Unhealthy: w.targets.result(&w.times),
	}
	w.looks.compare(&o)
	w.mu.Lock()
	defer w.mu.Unlock()
	for what, why := range w.blind {
		o.Unseen = append(o.Unseen, what+": "+why)
	}
	slices.Sort(o.Unseen)
	return o, err
}

// unseen notes what could not be looked at, and why at first.
func (w *Watch) unseen(what string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, said := w.blind[what]; !said {
		w.blind[what] = strings.Join(strings.Fields(err.Error()), " ")
	}
}

// pause waits; false means that the context has ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// timeline knows when phases began.
type timeline struct {
	mu    sync.Mutex
	marks []mark
}

type mark struct {
	phase rehearsal.Phase
	at    time.Time
}

func (t *timeline) mark(p rehearsal.Phase, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marks = append(t.marks, mark{p, at})
}

// at is the phase of a time, and how long it had lasted. Before the first phase is the first.
func (t *timeline) at(when time.Time) (rehearsal.Phase, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range slices.Backward(t.marks) {
		if !when.Before(m.at) {
			return m.phase, when.Sub(m.at)
		}
	}
	return t.marks[0].phase, 0
}
