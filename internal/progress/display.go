package progress

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Display writes progress for people to a terminal or a file. A nil *Display
// is silent.
type Display struct {
	w     io.Writer
	live  bool // a terminal: running steps are redrawn in place
	width int
	marks marks

	mu      sync.Mutex
	running []*line
	drawn   int
	frame   int
	stop    chan struct{}
	stopped sync.WaitGroup
}

type line struct {
	name  string
	out   *Output
	began time.Time
	said  time.Time // last heartbeat, when not live
}

type marks struct {
	ok, failed, begin, more string
	spin                    []string
}

var (
	unicode = marks{"✔", "✗", "►", "…", []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}}
	ascii   = marks{"ok", "FAILED", ">", "...", []string{"|", "/", "-", "\\"}}
)

// heartbeat is how often a long step says that it lives when lines cannot be
// redrawn, as in a CI log.
const heartbeat = 30 * time.Second

// New makes a Display on w. It redraws only on a terminal, and uses ASCII
// unless the locale says UTF-8.
func New(w io.Writer) *Display {
	d := &Display{w: w, width: 80, marks: ascii, stop: make(chan struct{})}
	for _, v := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if l := os.Getenv(v); l != "" {
			if l = strings.ToUpper(l); strings.Contains(l, "UTF-8") || strings.Contains(l, "UTF8") {
				d.marks = unicode
			}
			break
		}
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		d.live = true
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 20 {
			d.width = w
		}
	}
	d.stopped.Add(1)
	go d.tick()
	return d
}

// Close ends the redrawing; finished lines stay.
func (d *Display) Close() {
	if d == nil {
		return
	}
	close(d.stop)
	d.stopped.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erase()
}

// Say writes one line for people.
func (d *Display) Say(format string, args ...any) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erase()
	fmt.Fprintf(d.w, format+"\n", args...)
	d.draw()
}

func (d *Display) tick() {
	defer d.stopped.Done()
	every := time.NewTicker(120 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-d.stop:
			return
		case now := <-every.C:
			d.mu.Lock()
			if d.live {
				d.frame++
				d.erase()
				d.draw()
			} else {
				d.beat(now)
			}
			d.mu.Unlock()
		}
	}
}

// beat says which steps still run, each at most once per heartbeat.
func (d *Display) beat(now time.Time) {
	for _, l := range d.running {
		if now.Sub(l.said) < heartbeat {
			continue
		}
		l.said = now
		note, _ := l.out.texts()
		fmt.Fprintln(d.w, d.clip(fmt.Sprintf("%s %s (%s) %s", d.marks.more, l.name, Seconds(now.Sub(l.began)), note)))
	}
}

func (d *Display) begin(name string, out *Output) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.erase()
	d.running = append(d.running, &line{name: name, out: out, began: now, said: now})
	d.draw()
}

func (d *Display) end(name, result string, took time.Duration, err error) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erase()
	for i, l := range d.running {
		if l.name == name {
			d.running = append(d.running[:i:i], d.running[i+1:]...)
			break
		}
	}
	mark := d.marks.ok
	if err != nil {
		mark = d.marks.failed
	}
	text := fmt.Sprintf("%s %s (%s)", mark, name, Seconds(took))
	if err == nil && result != "" {
		text += " " + result
	}
	fmt.Fprintln(d.w, d.clip(text))
	d.draw()
}

// erase removes the lines of running steps from the terminal.
func (d *Display) erase() {
	if d.drawn > 0 {
		fmt.Fprintf(d.w, "\x1b[%dA\x1b[J", d.drawn)
		d.drawn = 0
	}
}

func (d *Display) draw() {
	if !d.live {
		return
	}
	for _, l := range d.running {
		note, _ := l.out.texts()
		spin := d.marks.spin[d.frame%len(d.marks.spin)]
		fmt.Fprintln(d.w, d.clip(fmt.Sprintf("%s %s %s  %s", spin, l.name, Seconds(time.Since(l.began)), note)))
		d.drawn++
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// clip cuts a line to the width, without the colours that a tool wrote.
func (d *Display) clip(s string) string {
	r := []rune(strings.TrimRight(escapes.ReplaceAllString(s, ""), " "))
	for i, c := range r {
		if c < ' ' {
			r[i] = ' '
		}
	}
	if len(r) < d.width {
		return string(r)
	}
	return string(r[:d.width-1-len([]rune(d.marks.more))]) + d.marks.more
}
