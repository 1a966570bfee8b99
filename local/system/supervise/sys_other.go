//go:build !linux

package supervise

import (
	"os/exec"
	"strconv"
	"strings"
)

// startTime is the process's start as ps prints it, or empty when there is no
// such process. A zombie counts as none.
func startTime(pid int) string {
	out, err := exec.Command("ps", "-o", "state=,lstart=", "-p", strconv.Itoa(pid)).Output()
	state, start, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || !ok || strings.HasPrefix(state, "Z") {
		return ""
	}
	return strings.TrimSpace(start)
}

// strays cannot be found here: the environment of another process is not
// readable. Records cover everything the supervisor started.
func strays(string) []Record { return nil }
