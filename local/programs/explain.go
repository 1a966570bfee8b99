package programs

import (
	"errors"
	"fmt"
	"strings"
)

// causes are what goes wrong outside of this repository, by what the go command or the system says then.
var causes = []struct {
	signs  []string
	remedy string
}{
	{[]string{"no space left on device", "disk quota exceeded"}, "the disk is full: free 10 GB for the module and build caches (go env GOMODCACHE GOCACHE GOTMPDIR) or set GITOPS_CACHE, GOMODCACHE and GOCACHE to another disk"},
	{[]string{"checksum mismatch", "SECURITY ERROR"}, "a downloaded module is not the one in go.sum: run go clean -modcache, and if it stays, the module proxy serves something else"},
	{[]string{"dial tcp", "no such host", "i/o timeout", "TLS handshake timeout", "connection refused", "connection reset", "proxyconnect"}, "the module proxy cannot be reached: check the network and go env GOPROXY, then run it again"},
	{[]string{"404 Not Found", "403 Forbidden", "410 Gone", "unknown revision"}, "the module proxy does not have a pinned module: check go env GOPROXY"},
	{[]string{"signal: killed"}, "the compiler was killed, most likely for lack of memory: close other programs or add swap"},
	{[]string{"requires go >="}, "the installed Go is too old: install Go 1.26 or newer, https://go.dev/dl"},
	{[]string{"permission denied", "read-only file system"}, "a cache directory cannot be written: check go env GOMODCACHE GOCACHE and GITOPS_CACHE"},
	{[]string{"missing go.sum entry", "updates to go.mod needed"}, "go.mod and go.sum of the program do not agree: restore them from Git"},
}

// explain turns the output of a failed build into one line: what went wrong and what to do.
func explain(output string) error {
	for _, c := range causes {
		for _, s := range c.signs {
			if line := lineWith(output, s); line != "" {
				return fmt.Errorf("%s: %s", line, c.remedy)
			}
		}
	}
	for _, line := range strings.Split(output, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "# ") {
			return errors.New(line)
		}
	}
	return errors.New("the go command failed")
}

func lineWith(output, sign string) string {
	for _, line := range strings.Split(output, "\n") {
		if strings.Contains(line, sign) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
