package procnode

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strconv"
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
