package procnode

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// killOrphans kills what an earlier node with the same root left behind. The parent-death signal reaches only the first
// process of a container; its children carry the mark in their environment.
func killOrphans(root string, log *slog.Logger) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		log.Warn("orphans not looked for", "error", err)
		return
	}
	mark := []byte("\x00" + rootVariable + "=" + root + "\x00")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || !bytes.Contains(append([]byte{0}, env...), mark) {
			continue // gone, or another user's
		}
		log.Warn("killing a process that an earlier node left behind", "pid", pid)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// notePID has nothing to do: killOrphans finds processes by their environment.
func notePID(string, int) {}

// groupMemory is what process groups use in bytes: anonymous and shared memory. Pages of files do not count, for a kernel takes
// them back before it ends a container. https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func groupMemory() map[int]int64 {
	used := map[int]int64{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return used
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		group, err := syscall.Getpgid(pid)
		if err != nil {
			continue // gone
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if name, rest, _ := strings.Cut(line, ":"); name == "RssAnon" || name == "RssShmem" {
				kilobytes, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				used[group] += kilobytes << 10
			}
		}
	}
	return used
}
