package supervise

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

func TestMeasureMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the kernel tells on Linux alone")
	}
	state := t.TempDir()
	if m := MeasureMemory(state, state); m != nil {
		t.Errorf("nothing runs, and it is %+v", m)
	}
	cmd := exec.Command("/bin/sh", "-c", "echo up; read line")
	cmd.Env = append(os.Environ(), StateVariable+"="+state)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if m := MeasureMemory(state, state); m == nil || m.Processes != 1 || m.Bytes < 10<<10 || m.Bytes > 100<<20 {
		t.Errorf("a shell takes %+v", m)
	}
	in.Close()
	if err := cmd.Wait(); err == nil {
		t.Error("the shell read a line")
	}
}
