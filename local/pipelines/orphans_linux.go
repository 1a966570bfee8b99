package pipelines

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endBuild ends the processes of a build whose runner was killed. They are
// known by the build's id in their environment. One that starts another while
// it is looked for is found by the next look.
func endBuild(id string) {
	for range 500 {
		if !killBuild(id) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// killBuild reports whether there were any.
func killBuild(id string) (some bool) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return false
	}
	want := []byte("\x00CODEBUILD_BUILD_ID=" + id + "\x00")
	for _, f := range files {
		env, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(append(append([]byte{0}, env...), 0), want) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(f, "/")[2]); err == nil && pid != os.Getpid() {
			some = syscall.Kill(pid, syscall.SIGKILL) == nil || some
		}
	}
	return some
}
