package procnode

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"k8s-plus-aws-gitops/local/internal/spawn"
)

// hook runs a lifecycle handler (https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/).
func (c *container) hook(ctx context.Context, h *corev1.LifecycleHandler) error {
	switch {
	case h.Exec != nil:
		return c.execute(ctx, h.Exec.Command)
	case h.HTTPGet != nil:
		return c.httpGet(ctx, h.HTTPGet, "kube-lifecycle/1.36")
	case h.Sleep != nil:
		if !sleep(ctx, time.Duration(h.Sleep.Seconds)*time.Second) {
			return ctx.Err()
		}
		return nil
	}
	return errors.New("this kind of hook is not supported")
}

// execute runs a command beside the container's process, with its variables and directory.
func (c *container) execute(ctx context.Context, argv []string) error {
	c.pod.mu.Lock()
	l := c.current
	c.pod.mu.Unlock()
	if l == nil || len(argv) == 0 {
		return errors.New("nothing to execute")
	}
	out := &tail{max: 1024}
	cmd := l.command(argv)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second
	if err := runWith(ctx, cmd); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("command %q exited with %d: %s", argv, exitCode(err), out)
		}
		return fmt.Errorf("command %q: %w", argv, err)
	}
	return nil
}

// runWith runs a command to its end, and kills its group when the context ends first.
func runWith(ctx context.Context, cmd *exec.Cmd) error {
	if err := spawn.Start(cmd); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
		case <-ctx.Done():
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	}()
	err := cmd.Wait()
	close(ended)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct {
	max int
	b   []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > t.max {
		t.b = t.b[len(t.b)-t.max:]
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.b) }
