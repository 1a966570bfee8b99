package programs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// progressEvery is the pause between two progress lines of a build.
const progressEvery = 10 * time.Second

// progress reads what `go build -v` writes to stderr: a line per downloaded module, one per compiled package
// (its import path) and the errors.
type progress struct {
	name    string
	out     io.Writer
	started time.Time
	quit    chan struct{}
	once    sync.Once

	mu         sync.Mutex
	partial    []byte
	downloaded int
	compiled   int
	tail       []string // the last lines that are neither
}

// tailLines is how many lines of an error a message may be made from.
const tailLines = 40

func newProgress(name string, out io.Writer) *progress {
	p := &progress{name: name, out: out, started: time.Now(), quit: make(chan struct{})}
	fmt.Fprintf(out, "%s: building from its Go module\n", name)
	go p.report()
	return p
}

func (p *progress) report() {
	t := time.NewTicker(progressEvery)
	defer t.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-t.C:
			fmt.Fprintf(p.out, "%s: %s\n", p.name, p)
		}
	}
}

// String is the state of the build in a few words.
func (p *progress) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%s, %d modules downloaded, %d packages compiled",
		time.Since(p.started).Round(time.Second), p.downloaded, p.compiled)
}

func (p *progress) stop() { p.once.Do(func() { close(p.quit) }) }

func (p *progress) done() {
	p.stop()
	fmt.Fprintf(p.out, "%s: built in %s\n", p.name, p)
}

// Write implements [io.Writer].
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partial = append(p.partial, b...)
	for {
		line, rest, ok := bytes.Cut(p.partial, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		p.line(string(line))
		p.partial = rest
	}
}

func (p *progress) line(s string) {
	switch {
	case strings.HasPrefix(s, "go: downloading "):
		p.downloaded++
	case s != "" && !strings.ContainsAny(s, " \t:"):
		p.compiled++
	default:
		p.tail = append(p.tail, s)
		if len(p.tail) > tailLines {
			p.tail = p.tail[1:]
		}
	}
}

// errors is what the go command said beside its progress.
func (p *progress) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(append(p.tail, string(p.partial)), "\n")
}

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
