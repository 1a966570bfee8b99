package programs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// progressEvery is the pause between two progress lines of a build.
const progressEvery = 10 * time.Second

// progress reads what `go build -v` writes to stderr: a line per downloaded module, one per compiled package (its import
// path) and the errors.
type progress struct {
	out     io.Writer
	started time.Time
	quit    chan struct{}
	once    sync.Once

	mu         sync.Mutex
	partial    []byte
	downloaded int
	compiled   int
	tail       []string // the last lines that are neither

	begun    time.Time // when compiling began
	packages int       // how many are to be compiled
	programs int       // how many are to be linked
	made     string    // the directory where linked programs appear
}

// linking is how many packages are compiled in the time that it takes to link a program.
const linking = 40

// tailLines is how many lines of an error a message may be made from.
const tailLines = 40

func newProgress(name string, out io.Writer) *progress {
	p := &progress{out: out, started: time.Now(), quit: make(chan struct{})}
	fmt.Fprintf(out, "building %s\n", name)
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
			fmt.Fprintln(p.out, p)
		}
	}
}

// expect says what is to be made, when it is known.
func (p *progress) expect(packages, programs int, made string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun, p.packages, p.programs, p.made = time.Now(), packages, programs, made
}

// String is the state of the build in a few words.
func (p *progress) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == "" {
		return fmt.Sprintf("%d modules downloaded", p.downloaded)
	}
	linked, _ := os.ReadDir(p.made) // none before the first
	text := fmt.Sprintf("%d of about %d packages compiled, %d of %d programs linked", p.compiled, p.packages, len(linked), p.programs)
	done, all := p.compiled+linking*len(linked), p.packages+linking*p.programs
	if done*10 > all { // before, small packages pass for the speed of all
		left := time.Since(p.begun) * time.Duration(all-done) / time.Duration(done)
		text += fmt.Sprintf(", about %s left", left.Round(10*time.Second))
	}
	return text
}

func (p *progress) stop() { p.once.Do(func() { close(p.quit) }) }

func (p *progress) end() {
	p.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "built in %s, %d modules downloaded, %d packages compiled\n", time.Since(p.started).Round(time.Second), p.downloaded, p.compiled)
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
