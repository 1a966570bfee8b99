package supervise

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// startTime is the process's start in clock ticks since boot with the boot's
// id, or empty when there is no such process. A zombie counts as none.
func startTime(pid int) string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The command's name is in parentheses and may hold spaces.
	_, rest, ok := strings.Cut(string(raw[bytes.LastIndexByte(raw, ')'):]), " ")
	f := strings.Fields(rest)
	if !ok || len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return ""
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return f[19] + "@" + strings.TrimSpace(string(boot))
}

// strays are processes whose environment names the state directory.
func strays(state string) []Record {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil
	}
	want := []byte("\x00" + StateVariable + "=" + state + "\x00")
	var out []Record
	for _, f := range files {
		env, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(append(append([]byte{0}, env...), 0), want) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(f, "/")[2])
		if err != nil || pid == os.Getpid() {
			continue
		}
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if start := startTime(pid); start != "" {
			out = append(out, Record{Name: strings.TrimSpace(string(comm)), PID: pid, Start: start})
		}
	}
	return out
}
