package procnode

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

type containerKind int

const (
	mainContainer containerKind = iota
	initContainer
	sidecar // an init container with restartPolicy Always
)

// container is one container of a pod. Its fields below mu (the pod's) change only under it.
type container struct {
	pod       *pod
	kind      containerKind
	name      string
	simulated bool
	up        chan struct{} // closed when the container has started for the first time
	upOnce    sync.Once

	// guarded by pod.mu
	spec     *corev1.Container
	state    corev1.ContainerState
	last     corev1.ContainerState
	ready    bool
	started  bool
	runs     int32                            // restart count: the number of the present run
	launched bool                             // whether the present run has begun
	finished bool                             // whether nothing follows the present state
	over     *corev1.ContainerStateTerminated // how it ended under an earlier node, if it is not to run again
	current  *launch
	end      context.CancelCauseFunc // ends the present run
}

// newContainer continues the count of a pod that an earlier node ran.
func newContainer(x *pod, spec *corev1.Container, kind containerKind, before []corev1.ContainerStatus) *container {
	c := &container{pod: x, kind: kind, name: spec.Name, spec: spec, up: make(chan struct{}), state: waiting("ContainerCreating", "")}
	if kind != initContainer && len(x.api.Spec.InitContainers) > 0 {
		c.state = waiting("PodInitializing", "")
	}
	im, _ := x.node.images.lookup(spec.Image)
	c.simulated = im == nil
	for _, s := range before {
		if s.Name == spec.Name && s.ContainerID != "" {
			c.resume(s, x.api.Spec.RestartPolicy)
		}
	}
	return c
}

// resume takes over what an earlier node reported: a container that ran is counted as ended by the loss of that node, and runs
// again if its restart policy says so.
func (c *container) resume(s corev1.ContainerStatus, policy corev1.RestartPolicy) {
	c.runs, c.last = s.RestartCount, s.LastTerminationState
	end := s.State.Terminated
	if s.State.Running != nil && !c.simulated {
		end = &corev1.ContainerStateTerminated{
			ExitCode: 137, Reason: "ContainerStatusUnknown", Message: "The node was restarted",
			StartedAt: s.State.Running.StartedAt, FinishedAt: now(), ContainerID: s.ContainerID,
		}
	}
	switch {
	case end == nil && s.State.Running != nil: // simulated: goes on
	case end != nil && !c.restarts(policy, end.ExitCode):
		c.over = end
	default:
		c.runs++
		if end != nil {
			c.last = corev1.ContainerState{Terminated: end}
		}
	}
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// set changes the container and reports the pod.
func (c *container) set(f func()) {
	c.pod.mu.Lock()
	f()
	c.pod.mu.Unlock()
	c.pod.changed()
}

func (c *container) definition() *corev1.Container {
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	return c.spec
}

// failed says whether the container ended with an error.
func (c *container) failed() bool {
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	return c.state.Terminated != nil && c.state.Terminated.ExitCode != 0
}

// settle gives a container of a stopped pod its last state.
func (c *container) settle() {
	c.ready, c.finished = false, true
	if c.state.Terminated != nil {
		return
	}
	if c.last.Terminated != nil {
		c.state = c.last
		return
	}
	c.state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", FinishedAt: now()}}
	if !c.simulated {
		c.state.Terminated.Reason, c.state.Terminated.ExitCode = "ContainerStatusUnknown", 137
	}
}

// loop runs the container until the context ends or its restart policy says that it is finished.
func (c *container) loop(ctx context.Context) {
	if c.over != nil {
		c.finish(*c.over)
		return
	}
	if c.simulated {
		c.simulate(ctx)
		return
	}
	policy := c.pod.object().Spec.RestartPolicy
	pause := crashBackoff()
	for {
		l, ok := c.prepare(ctx)
		if !ok {
			return
		}
		began := time.Now()
		end := c.run(ctx, l)
		if ctx.Err() != nil || !c.restarts(policy, end.ExitCode) {
			c.finish(end)
			return
		}
		delay := pause.next(time.Since(began))
		c.crashed(end, delay)
		if !sleep(ctx, delay) {
			return
		}
		c.pod.mu.Lock()
		c.runs++
		c.launched = false
		c.pod.mu.Unlock()
	}
}

// restarts is the restart policy (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy).
func (c *container) restarts(policy corev1.RestartPolicy, code int32) bool {
	switch {
	case c.kind == sidecar:
		return true
	case c.kind == initContainer:
		return code != 0 && policy != corev1.RestartPolicyNever
	case policy == corev1.RestartPolicyNever:
		return false
	case policy == corev1.RestartPolicyOnFailure:
		return code != 0
	}
	return true
}

func (c *container) finish(end corev1.ContainerStateTerminated) {
	c.set(func() {
		c.state, c.started, c.finished = corev1.ContainerState{Terminated: &end}, false, true
		c.ready = c.kind == initContainer && end.ExitCode == 0
	})
}

func (c *container) crashed(end corev1.ContainerStateTerminated, delay time.Duration) {
	message := fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)", delay, c.name, c.pod.name, c.pod.namespace, c.pod.uid)
	c.set(func() {
		c.last, c.ready, c.started = corev1.ContainerState{Terminated: &end}, false, false
		c.state = c.last
		if delay > 0 {
			c.state = waiting("CrashLoopBackOff", message)
		}
	})
	if delay > 0 {
		c.pod.event(corev1.EventTypeWarning, "BackOff", "Back-off restarting failed container %s in pod %s", c.name, c.pod.name)
	}
}

// simulate stands for a container whose image nobody has: it is ready at once, and done at once where the pod is not meant
// to run for ever.
func (c *container) simulate(ctx context.Context) {
	policy := c.pod.object().Spec.RestartPolicy
	if c.kind == initContainer || c.kind == mainContainer && policy != corev1.RestartPolicyAlways {
		c.finish(corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: now(), FinishedAt: now(), ContainerID: c.id()})
		return
	}
	c.set(func() {
		c.state, c.ready, c.started, c.launched = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now()}}, true, true, true
	})
	c.upOnce.Do(func() { close(c.up) })
	<-ctx.Done()
}

// prepare waits until the image is known and the configuration complete, saying in the container's state what is missing.
func (c *container) prepare(ctx context.Context) (*launch, bool) {
	pause := pullBackoff()
	said := ""
	for {
		spec := c.definition()
		im, err := c.pod.node.images.pull(ctx, spec.Image)
		if err != nil {
			if !c.pullFailed(ctx, err, pause) {
				return nil, false
			}
			continue
		}
		if im == nil { // taken out of the table since: nothing can run it
			im = &Image{Repository: spec.Image}
		}
		var l *launch
		if err = c.pod.node.reachable(c.pod.bind); err == nil {
			l, err = c.pod.prepareLaunch(spec, im)
		}
		if err == nil {
			return l, true
		}
		reason := "CreateContainerError"
		if e := (*configError)(nil); errors.As(err, &e) {
			reason = "CreateContainerConfigError"
		}
		c.set(func() { c.state = waiting(reason, err.Error()) })
		if err.Error() != said {
			said = err.Error()
			c.pod.event(corev1.EventTypeWarning, "Failed", "Error: %s", said)
		}
		if !sleep(ctx, time.Second) {
			return nil, false
		}
	}
}

// pullFailed plays a kubelet's two states, ErrImagePull and ImagePullBackOff.
func (c *container) pullFailed(ctx context.Context, err error, pause *backoff) bool {
	image := c.definition().Image
	c.set(func() { c.state = waiting("ErrImagePull", err.Error()) })
	c.pod.event(corev1.EventTypeWarning, "Failed", "Failed to pull image %q: %v", image, err)
	c.pod.event(corev1.EventTypeWarning, "Failed", "Error: ErrImagePull")
	if !sleep(ctx, 500*time.Millisecond) {
		return false
	}
	c.set(func() {
		c.state = waiting("ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %v", image, err))
	})
	c.pod.event(corev1.EventTypeNormal, "BackOff", "Back-off pulling image %q", image)
	return sleep(ctx, pause.next(0))
}

func (c *container) id() string {
	return fmt.Sprintf("process://%s/%s/%d", c.pod.uid, c.name, c.runs)
}
