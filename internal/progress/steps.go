// Package progress runs the named steps of a command, in parallel where their
// needs allow, and shows each on one line with its elapsed time.
package progress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Step is one named piece of work.
type Step struct {
	// Name is shown to people; it is also how Needs refers to the step.
	Name string
	// Needs are the names of steps that must have succeeded before.
	Needs []string
	// Remedy tells what to do when the step fails, unless its error says so.
	Remedy string
	// Run does the work. What it writes to out goes to the step's log; the
	// last line is shown beside the step while it runs.
	Run func(ctx context.Context, out *Output) error
}

// Output is a step's log.
type Output struct {
	io.Writer

	mu     sync.Mutex
	note   string
	result string
}

// Result sets the text behind the finished step's name, for example
// "already there".
func (o *Output) Result(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.result = fmt.Sprintf(format, args...)
}

// Note sets the text that is shown beside the step while it runs.
func (o *Output) Note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note = fmt.Sprintf(format, args...)
}

func (o *Output) texts() (note, result string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.note, o.result
}

// Error is a step that failed.
type Error struct {
	Step, Log, Remedy string
	Err               error
}

// Error names the step and its cause; Log and Remedy are for the caller to show.
func (e *Error) Error() string { return e.Step + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Runner runs steps.
type Runner struct {
	// Logs is the folder of the steps' logs: up-<name>.log. Empty: no logs.
	Logs string
	// Parallel is how many steps run at once; 1 when unset.
	Parallel int
	// Display shows the progress; nothing is shown when it is nil.
	Display *Display
	// All runs every step to its end although another failed.
	All bool
}

type outcome struct {
	step Step
	err  *Error
}

// Run runs the steps. When one fails no other is begun, the running ones are
// cancelled unless All is set, and the first failure is returned as *Error.
func (r Runner) Run(ctx context.Context, steps []Step) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		waiting  = append([]Step(nil), steps...)
		done     = map[string]bool{}
		running  int
		outcomes = make(chan outcome)
		failure  *Error
	)
	for {
		for i := 0; i < len(waiting) && failure == nil && ctx.Err() == nil && running < max(r.Parallel, 1); {
			if !ready(waiting[i], done) {
				i++
				continue
			}
			s := waiting[i]
			waiting = append(waiting[:i:i], waiting[i+1:]...)
			running++
			go func() { outcomes <- outcome{s, r.one(ctx, s)} }()
		}
		if running == 0 {
			break
		}
		o := <-outcomes
		running--
		if o.err == nil {
			done[o.step.Name] = true
		} else if failure == nil || errors.Is(failure.Err, context.Canceled) {
			failure = o.err
			if !r.All {
				cancel()
			}
		}
	}
	switch {
	case failure != nil:
		return failure
	case ctx.Err() != nil:
		return ctx.Err()
	case len(waiting) > 0:
		return fmt.Errorf("step %q needs %q, which is no step", waiting[0].Name, waiting[0].Needs)
	}
	return nil
}

func ready(s Step, done map[string]bool) bool {
	for _, n := range s.Needs {
		if !done[n] {
			return false
		}
	}
	return true
}

func (r Runner) one(ctx context.Context, s Step) *Error {
	began := time.Now()
	log := ""
	w := io.Discard
	if r.Logs != "" {
		log = filepath.Join(r.Logs, "up-"+slug(s.Name)+".log")
		f, err := os.Create(log)
		if err != nil {
			return &Error{Step: s.Name, Err: err, Remedy: "make room on the disk or make the directory writable"}
		}
		defer f.Close()
		w = f
	}
	out := &Output{}
	out.Writer = io.MultiWriter(w, &lastLine{out: out})
	r.Display.begin(s.Name, out)
	err := s.Run(ctx, out)
	_, result := out.texts()
	r.Display.end(s.Name, result, time.Since(began), err)
	if err == nil {
		return nil
	}
	fmt.Fprintf(w, "failed after %s: %v\n", Seconds(time.Since(began)), err)
	return &Error{Step: s.Name, Log: log, Remedy: s.Remedy, Err: err}
}

// slug makes a file name of a step's name.
func slug(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name), "-")
}

// lastLine keeps the last line written as the step's note.
type lastLine struct {
	mu   sync.Mutex
	part []byte
	out  *Output
}

func (l *lastLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, p...)
	for {
		i := strings.IndexAny(string(l.part), "\r\n")
		if i < 0 {
			break
		}
		if line := strings.TrimSpace(string(l.part[:i])); line != "" {
			l.out.Note("%s", line)
		}
		l.part = l.part[i+1:]
	}
	if len(l.part) > 4096 {
		l.part = l.part[:0]
	}
	return len(p), nil
}

// Seconds writes a duration for people: 0.4s, 12.3s, 2m05s.
func Seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}
