//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s-plus-aws-gitops/local/internal/freeport"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/system/observe"
)

// TestLive runs the packages' tests that need a control plane, on a bare one
// of its own: what CloudFormation's custom resources do to a cluster, the
// tenancy of the fleet, and the process node.
func TestLive(t *testing.T) {
	ctx := interruptible(t)
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	operator, err := programs.Module(ctx, "flux-operator")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, socket := bareControlPlane(ctx, t)
	env := append(os.Environ(), "TEST_KUBECONFIG="+kubeconfig, "TEST_FLUX_OPERATOR="+operator.Dir,
		"PROCNODE_KUBECONFIG="+kubeconfig, "PROCNODE_GATE_SOCKET="+socket)
	for name, args := range map[string][]string{ // the module's folder, then what is tested
		"custom resources": {"local", "-run", "^TestLive", "./endpoint/kube"},
		"gate":             {".", "-run", "^TestLive", "./infrastructure"},
		"tenancy":          {".", "-run", "^TestLive", "./internal/services/fleet"},
		"process node":     {"local", "-tags", "e2e", "-run", "^(TestDeployment|TestThousandSimulatedPods)$", "./procnode"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-count", "1", "-v", "-timeout", "30m"}, args[1:]...)...)
			cmd.Dir, cmd.Env = filepath.Join(root, args[0]), env
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
			cmd.WaitDelay = time.Minute
			out, err := cmd.CombinedOutput()
			switch text := string(out); {
			case ctx.Err() != nil:
				t.Errorf("%v\n%s", context.Cause(ctx), lastLines(text, 200))
			case err != nil:
				t.Errorf("%v\n%s", err, lastLines(text, 200))
			case strings.Contains(text, "--- SKIP"), !strings.Contains(text, "--- PASS"):
				t.Errorf("not every test ran:\n%s", lastLines(text, 50))
			}
		})
	}
}

// bareControlPlane runs etcd, kube-apiserver, controller manager and scheduler
// until the test ends. The socket is where it looks for a node's gate.
func bareControlPlane(ctx context.Context, t *testing.T) (kubeconfig, socket string) {
	t.Helper()
	binary, err := programs.Build(ctx, "controlplane", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "e2e-live") // not t.TempDir: its paths are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	kubeconfig, socket = filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "gate.sock")
	port := func() string { return strconv.Itoa(freeport.Port(t)) }
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(binary, "--dir", filepath.Join(dir, "control"), "--kubeconfig", kubeconfig, "--egress-socket", socket,
		"--apiserver-port", port(), "--etcd-port", port(), "--etcd-peer-port", port())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for the test, which stops it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	err = until(ctx, 10*time.Minute, "the control plane", func() error {
		c, err := observe.Open(kubeconfig)
		if err == nil {
			err = c.Ready(ctx)
		}
		return err
	})
	if err != nil {
		raw, _ := os.ReadFile(log.Name())
		t.Fatal(fmt.Errorf("%w\n%s", err, lastLines(string(raw), 40)))
	}
	return kubeconfig, socket
}
