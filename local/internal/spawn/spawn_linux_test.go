package spawn

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain makes this program a parent: it starts a child, ends the thread that it did so on, says the child's process
// number and waits to be killed.
func TestMain(m *testing.M) {
	if os.Getenv("SPAWN_PARENT") == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread() // the first thread of a process never ends, so the goroutine must have another
	cmd := exec.Command("sleep", "600")
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		started <- Start(cmd)
	}()
	if err := <-started; err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(cmd.Process.Pid)
	time.Sleep(time.Hour)
}

// state is the letter of a process in /proc, such as S for one that sleeps and Z for one that ended, or empty.
func state(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return string(rest[:1])
}

func TestChildDiesWithItsParent(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), "SPAWN_PARENT=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the parent says %q", line)
	}
	t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) })
	// The thread on which the caller of Start ran has ended by now, and the child has not.
	time.Sleep(200 * time.Millisecond)
	if s := state(child); s == "" || s == "Z" {
		t.Fatalf("the child ended with a thread of its parent: state %q", s)
	}
	if group, err := syscall.Getpgid(child); err != nil || group != child {
		t.Errorf("the child is in group %d, %v, want its own, %d", group, err, child)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if s := state(child); s == "" || s == "Z" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the child is still there: state %q", state(child))
		}
	}
}

func TestStartFails(t *testing.T) {
	if err := Start(exec.Command("/no/such/program")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
