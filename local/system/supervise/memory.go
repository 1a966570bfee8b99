package supervise

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Memory is what the processes of a system take.
type Memory struct {
	// Bytes is the sum of their proportional set sizes (PSS): memory that several share counts once.
	// https://docs.kernel.org/filesystems/proc.html
	Bytes     int64 `json:"bytes"`
	Processes int   `json:"processes"`
}

// MeasureMemory adds up the memory of the supervised processes, of what they started, and of the guards. It is nil where the
// kernel does not tell: elsewhere than on Linux.
func MeasureMemory(run, state string) *Memory {
	m := &Memory{}
	for _, r := range append(strays(state), Read(run, SupervisorName), Read(run, WatchdogName)) {
		if bytes, ok := proportional(r.PID); ok {
			m.Bytes += bytes
			m.Processes++
		}
	}
	if m.Processes == 0 {
		return nil
	}
	return m
}

// proportional is the PSS of a process.
func proportional(pid int) (int64, bool) {
	if pid == 0 {
		return 0, false
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(raw) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "Pss:" {
			kB, err := strconv.ParseInt(string(f[1]), 10, 64)
			return kB << 10, err == nil
		}
	}
	return 0, false
}
