// Package spawn starts processes that end with this one.
package spawn

import (
	"os/exec"
	"runtime"
	"sync"
)

// thread runs functions on one operating-system thread that lives as long as
// this process. Linux sends the parent-death signal when the *thread* that
// started a child ends, and Go ends idle threads: https://go.dev/issue/27505.
var thread = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread() // never unlocked: the thread must not end
		for f := range work {
			f()
		}
	}()
	return work
})

// Start starts a command as the leader of a process group of its own. On Linux
// the kernel kills it when this process ends, however that happens. On other
// systems it stays, and the next start has to find it.
func Start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = attributes()
	result := make(chan error)
	thread() <- func() { result <- cmd.Start() }
	return <-result
}
