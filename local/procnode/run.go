package procnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// hookExtension is what a process has after a preStop hook that used up the whole grace
	// (https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/#hook-handler-execution).
	hookExtension = 2 * time.Second
	// settle is how long connections that were opened before the gate knew of the end have to be accepted; on a cluster as
	// much passes until a kubelet has seen the deletion.
	settle = 100 * time.Millisecond
)

// endRun is why one run of a container ends while its pod goes on.
type endRun struct {
	reason string
	grace  *time.Duration // nil: the pod's
}

func (e *endRun) Error() string { return e.reason }

// run starts the container's process and stays until it has ended.
func (c *container) run(parent context.Context, l *launch) corev1.ContainerStateTerminated {
	x := c.pod
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	began := now()
	x.mu.Lock()
	c.current, c.end, c.launched = l, cancel, true
	n, id := c.runs, c.id()
	x.mu.Unlock()
	failed := func(err error) corev1.ContainerStateTerminated {
		x.event(corev1.EventTypeWarning, "Failed", "Error: %v", err)
		return corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", Message: err.Error(), StartedAt: began, FinishedAt: now(), ContainerID: id}
	}
	out, err := createLog(logPath(x.dir, c.name, n))
	if err != nil {
		return failed(err)
	}
	defer out.close()
	removeOldLogs(x.dir, c.name, n)
	p, drain, err := startLogged(l, out)
	if err != nil {
		out.write("stderr", fmt.Appendf(nil, "%v\n", err))
		return failed(err)
	}
	notePID(x.dir, p.cmd.Process.Pid)
	beyond := x.node.memory.limit(ctx, p, c.definition())
	x.event(corev1.EventTypeNormal, "Started", "Container %s started", c.name)
	stopped := make(chan struct{})
	go func() { defer close(stopped); c.terminateWhenAsked(ctx, p) }()
	c.begin(ctx, p)
	<-p.ended
	cancel(nil)
	<-stopped
	drain()
	end := c.terminated(p, corev1.ContainerStateTerminated{StartedAt: began, ContainerID: id}, n)
	if beyond() {
		end.Reason = "OOMKilled"
	}
	return end
}

// startLogged starts the process with its output going to the log; drain waits for the last line.
func startLogged(l *launch, out *logFile) (p *process, drain func(), err error) {
	cmd := l.command(nil)
	stdout, finishOut, err := outputPipe(func(r *os.File) { out.copy("stdout", r) })
	if err != nil {
		return nil, nil, err
	}
	defer stdout.Close()
	stderr, finishErr, err := outputPipe(func(r *os.File) { out.copy("stderr", r) })
	if err != nil {
		return nil, nil, err
	}
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if p, err = startProcess(cmd); err != nil {
		return nil, nil, err
	}
	return p, func() { finishOut(); finishErr() }, nil
}

// begin runs the postStart hook, declares the container running and starts its probes.
func (c *container) begin(ctx context.Context, p *process) {
	spec := c.definition()
	if spec.Lifecycle != nil && spec.Lifecycle.PostStart != nil {
		alive, stop := whileRunning(ctx, p)
		err := c.hook(alive, spec.Lifecycle.PostStart)
		stop()
		if err != nil && !p.over() && ctx.Err() == nil {
			c.pod.event(corev1.EventTypeWarning, "FailedPostStartHook", "PostStartHook failed: %v", err)
			c.endRun(&endRun{reason: "FailedPostStartHook"})
			return
		}
	}
	if p.over() {
		return
	}
	c.set(func() {
		c.state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now()}}
		c.started = spec.StartupProbe == nil
		c.ready = c.started && spec.ReadinessProbe == nil
	})
	if spec.StartupProbe == nil {
		c.upOnce.Do(func() { close(c.up) })
	}
	go c.probes(ctx, spec)
}

// endRun ends the present run; the restart policy says what follows.
func (c *container) endRun(why *endRun) {
	c.pod.mu.Lock()
	end := c.end
	c.pod.mu.Unlock()
	if end != nil {
		end(why)
	}
}

// terminateWhenAsked waits for the end of the run's context or of the process. Asked to, it runs the preStop hook, sends
// SIGTERM and, after the grace, SIGKILL
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination).
func (c *container) terminateWhenAsked(ctx context.Context, p *process) {
	select {
	case <-p.ended:
		return
	case <-ctx.Done():
	}
	x := c.pod
	x.mu.Lock()
	grace, hooks := x.grace, x.hooks
	x.mu.Unlock()
	if why := (*endRun)(nil); errors.As(context.Cause(ctx), &why) && why.grace != nil {
		grace = *why.grace
	}
	limit, stop := context.WithTimeout(x.killed, grace)
	defer stop()
	spec := c.definition()
	if hooks && spec.Lifecycle != nil && spec.Lifecycle.PreStop != nil {
		alive, done := whileRunning(limit, p)
		if err := c.hook(alive, spec.Lifecycle.PreStop); err != nil && !p.over() {
			x.event(corev1.EventTypeWarning, "FailedPreStopHook", "PreStopHook failed: %v", err)
		}
		done()
		if limit.Err() != nil {
			limit, stop = context.WithTimeout(x.killed, hookExtension)
			defer stop()
		}
	}
	if hooks {
		x.event(corev1.EventTypeNormal, "Killing", "Stopping container %s", c.name)
		sleep(x.killed, settle)
	}
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-limit.Done():
		p.signal(syscall.SIGKILL)
		<-p.ended
	}
}

// whileRunning is a context that also ends with the process.
func whileRunning(ctx context.Context, p *process) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-p.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (c *container) terminated(p *process, t corev1.ContainerStateTerminated, n int32) corev1.ContainerStateTerminated {
	t.ExitCode, t.FinishedAt, t.Reason = int32(p.code), now(), "Completed"
	if p.code != 0 {
		t.Reason = "Error"
		if c.definition().TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError {
			t.Message = lastLines(logPath(c.pod.dir, c.name, n))
		}
	}
	return t
}
