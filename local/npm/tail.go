package npm

import (
	"io"
	"strings"
	"sync"
	"time"
)

// tailSize is how much of a tool's output is kept for its error message.
const tailSize = 16 << 10

// tail passes a tool's output on and keeps the end of it.
type tail struct {
	out io.Writer

	mu   sync.Mutex
	kept []byte
}

// Write implements [io.Writer].
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if n := len(t.kept) - tailSize; n > 0 {
		t.kept = t.kept[n:]
	}
	return t.out.Write(b)
}

// String is the end of the output.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}

// last is the last line that is not empty.
func (t *tail) last() string {
	lines := strings.Split(strings.TrimSpace(t.String()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// every reports the last line, if there is one, at an interval until stop is called.
func (t *tail) every(d time.Duration, report func(string)) (stop func()) {
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				if line := t.last(); line != "" {
					report(line)
				}
			}
		}
	})
	return func() { close(quit); done.Wait() }
}
