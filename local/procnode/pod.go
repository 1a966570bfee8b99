package procnode

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// defaultGrace is terminationGracePeriodSeconds where a pod does not say.
const defaultGrace = 30 * time.Second

// pod is one pod of the node, from its creation to its removal.
type pod struct {
	node            *provider
	namespace, name string
	uid             string
	ip, bind, dir   string // address in the API, address to listen on, directory
	processes       bool   // whether any container is more than simulated
	tokens          tokens
	identity        *identity // decided before the first container starts

	ctx     context.Context // ends when the pod is to stop
	cancel  context.CancelFunc
	killed  context.Context // ends when its processes are to be killed
	kill    context.CancelFunc
	done    chan struct{} // closed when no process is left
	removal sync.Once

	mu          sync.Mutex
	api         *corev1.Pod
	started     metav1.Time
	inits       []*container
	mains       []*container
	initialized bool
	failure     *failure // why the pod as a whole failed
	stopping    bool
	stopped     bool
	grace       time.Duration
	hooks       bool // whether preStop hooks run

	reportMu sync.Mutex
	reported *corev1.PodStatus // what the API last said
	// reportedAt is the resource version of it.
	reportedAt string
}

type failure struct{ reason, message string }

func newPod(p *provider, in *corev1.Pod, ip string) *pod {
	x := &pod{
		node: p, namespace: in.Namespace, name: in.Name, uid: string(in.UID), ip: ip, bind: p.bind(ip),
		dir: filepath.Join(p.cfg.Root, string(in.UID)), done: make(chan struct{}), api: in, started: now(),
		grace: podGrace(in), hooks: true, tokens: tokens{client: p.client},
	}
	if in.Status.StartTime != nil {
		x.started = *in.Status.StartTime
	}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	x.killed, x.kill = context.WithCancel(context.Background())
	for i := range in.Spec.InitContainers {
		s := &in.Spec.InitContainers[i]
		kind := initContainer
		if s.RestartPolicy != nil && *s.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			kind = sidecar
		}
		x.inits = append(x.inits, newContainer(x, s, kind, in.Status.InitContainerStatuses))
	}
	for i := range in.Spec.Containers {
		x.mains = append(x.mains, newContainer(x, &in.Spec.Containers[i], mainContainer, in.Status.ContainerStatuses))
	}
	x.processes = slices.ContainsFunc(x.all(), func(c *container) bool { return !c.simulated })
	return x
}

// now is the present second: the API keeps no more, and a time that comes back different would look like a change.
func now() metav1.Time { return metav1.Now().Rfc3339Copy() }

func podGrace(in *corev1.Pod) time.Duration {
	if s := in.Spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return defaultGrace
}

func (x *pod) all() []*container { return append(slices.Clone(x.inits), x.mains...) }

// object is the pod as the API last gave it. It is not changed by anyone.
func (x *pod) object() *corev1.Pod {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.api
}

// changed reports the pod's status soon.
func (x *pod) changed() { x.node.reports.Add(x) }

// run takes the pod from its volumes to the end of its last container.
func (x *pod) run() {
	defer close(x.done)
	defer x.changed()
	if x.processes {
		if !x.setUp() {
			return
		}
		go x.refresh()
	}
	stop := x.deadline()
	defer stop()
	sidecars, stopSidecars := context.WithCancel(x.ctx)
	var side, mains sync.WaitGroup
	defer side.Wait()
	defer stopSidecars()
	for _, c := range x.inits {
		if c.kind == sidecar {
			side.Go(func() { c.loop(sidecars) })
			select {
			case <-c.up:
				continue
			case <-x.ctx.Done():
				return
			}
		}
		c.loop(x.ctx)
		if x.ctx.Err() != nil {
			return
		}
		if c.failed() {
			x.fail("", "")
			return
		}
	}
	x.mu.Lock()
	x.initialized = true
	x.mu.Unlock()
	for _, c := range x.mains {
		mains.Go(func() { c.loop(x.ctx) })
	}
	mains.Wait()
}

// setUp makes the pod's directories, decides its identity and fills its volumes; what fails is said in an event and tried
// again until the pod is stopped.
func (x *pod) setUp() bool {
	said := ""
	for {
		err := x.makeDirs()
		if err == nil {
			err = x.decideIdentity(x.ctx)
		}
		if err == nil {
			err = x.fill(x.ctx)
		}
		if err == nil {
			return true
		}
		if x.ctx.Err() != nil {
			return false
		}
		if err.Error() != said {
			said = err.Error()
			x.event(corev1.EventTypeWarning, "FailedMount", "%s", said)
		}
		if !sleep(x.ctx, 500*time.Millisecond) {
			return false
		}
	}
}

func (x *pod) makeDirs() error {
	if err := os.MkdirAll(x.dir, 0o700); err != nil {
		return err
	}
	for _, d := range []string{"home", "tmp", "logs"} {
		if err := os.MkdirAll(filepath.Join(x.dir, d), 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (x *pod) fill(ctx context.Context) error {
	if err := x.writeVolumes(ctx); err != nil {
		return err
	}
	return x.writeIdentityToken(ctx)
}

// refresh keeps volumes and tokens current. A kubelet may take a minute; here a change is there in seconds.
func (x *pod) refresh() {
	for sleep(x.ctx, 3*time.Second) {
		if err := x.fill(x.ctx); err != nil && x.ctx.Err() == nil {
			x.node.log.Debug("volumes not refreshed", "pod", x.namespace+"/"+x.name, "error", err)
		}
	}
}

// deadline fails the pod when its activeDeadlineSeconds are over.
func (x *pod) deadline() (stop func()) {
	seconds := x.object().Spec.ActiveDeadlineSeconds
	if seconds == nil {
		return func() {}
	}
	left := time.Until(x.started.Add(time.Duration(*seconds) * time.Second))
	t := time.AfterFunc(left, func() {
		x.fail("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
		x.beginStop(podGrace(x.object()), true)
	})
	return func() { t.Stop() }
}

func (x *pod) fail(reason, message string) {
	x.mu.Lock()
	x.failure = &failure{reason, message}
	x.mu.Unlock()
}

// beginStop asks every container to end: preStop hook, SIGTERM, and SIGKILL when the grace is over. A second call can only
// make the grace shorter.
func (x *pod) beginStop(grace time.Duration, hooks bool) {
	x.mu.Lock()
	if !x.stopping || grace < x.grace {
		x.grace = grace
	}
	x.stopping, x.hooks = true, x.hooks && hooks && grace > 0
	x.mu.Unlock()
	x.node.addresses.leave(x.ip)
	if grace <= 0 {
		x.kill()
	} else {
		time.AfterFunc(grace+hookExtension, x.kill)
	}
	x.cancel()
}

// stop ends the pod and waits until nothing of it runs.
func (x *pod) stop(grace time.Duration, hooks bool) {
	x.beginStop(grace, hooks)
	<-x.done
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stopped = true
	for _, c := range x.all() {
		c.settle()
	}
}

func (x *pod) event(kind, reason, format string, args ...any) {
	x.node.events.Event(x.object(), kind, reason, fmt.Sprintf(format, args...))
}
