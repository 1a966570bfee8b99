//go:build !linux

package procnode

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// notePID writes a process group's id and the time at which its leader started below the container's directory.
func notePID(dir string, pid int) {
	name := filepath.Join(dir, "pids", strconv.Itoa(pid))
	if os.MkdirAll(filepath.Dir(name), 0o755) == nil {
		_ = os.WriteFile(name, []byte(startTime(pid)), 0o600)
	}
}

// killOrphans kills the process groups that an earlier node with the same root left behind: those whose leader started when
// the note says, because process ids are used again.
func killOrphans(root string, log *slog.Logger) {
	notes, _ := filepath.Glob(filepath.Join(root, "*", "pids", "*"))
	for _, note := range notes {
		pid, err := strconv.Atoi(filepath.Base(note))
		began, errRead := os.ReadFile(note)
		if err == nil && errRead == nil && len(began) > 0 && startTime(pid) == string(began) {
			log.Warn("killing a process that an earlier node left behind", "pid", pid)
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		}
		_ = os.Remove(note)
	}
}

func startTime(pid int) string {
	out, err := exec.Command("ps", "-o", "lstart=", "-p", fmt.Sprint(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// groupMemory knows of nothing here, so no limit is enforced.
func groupMemory() map[int]int64 { return nil }
