package procnode

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"k8s-plus-aws-gitops/local/internal/spawn"
)

// rootVariable marks every process with the node's directory, so that a later node finds what an earlier one left behind.
const rootVariable = "PROCNODE_ROOT"

// process is a running program with its process group.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the program has ended and nothing of its group is left
	code  int           // exit code, 128+signal after a signal; valid once ended is closed
}

// startProcess starts a command in a process group of its own.
func startProcess(cmd *exec.Cmd) (*process, error) {
	if err := spawn.Start(cmd); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go p.wait()
	return p, nil
}

func (p *process) wait() {
	err := p.cmd.Wait()
	p.code = exitCode(err)
	p.signal(syscall.SIGKILL) // whatever it left in its group
	close(p.ended)
}

// signal goes to the whole group: a shell in front of a program does not pass signals on.
func (p *process) signal(s syscall.Signal) {
	_ = syscall.Kill(-p.cmd.Process.Pid, s) // gone already: nothing to do
}

func (p *process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// exitCode is the code that a container runtime would report.
func exitCode(err error) int {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		if err != nil {
			return 128
		}
		return 0
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return exit.ExitCode()
}

// outputPipe returns a writing end for a program and starts a reader of the other end; finish waits for the last line.
func outputPipe(read func(*os.File)) (w *os.File, finish func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		read(r)
		r.Close()
	}()
	return w, func() {
		select {
		case <-drained:
		case <-time.After(time.Second): // a process that left the group still holds the pipe
			_ = r.SetReadDeadline(time.Now())
			<-drained
		}
	}, nil
}
