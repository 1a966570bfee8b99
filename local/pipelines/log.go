package pipelines

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"sync"
)

// tailBytes is how much of a log's end is kept at hand.
const tailBytes = 16 << 10

// logWriter writes whole lines, secrets replaced by ***, as CodeBuild does.
type logWriter struct {
	to *os.File

	mu      sync.Mutex
	secrets []string
	line    []byte
	last    []byte
}

// shortest is the length below which a value is not masked: a secret "1" would
// blot out every digit.
const shortest = 4

// hide adds a secret: the value, its lines, and the values in it when it is
// JSON text.
func (w *logWriter) hide(value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, part := range append(strings.Split(value, "\n"), value, quotedJSON(value)) {
		if part = strings.TrimSpace(part); len(part) >= shortest && !slices.Contains(w.secrets, part) {
			w.secrets = append(w.secrets, part)
		}
	}
	// The longest first: a secret may be part of another.
	slices.SortFunc(w.secrets, func(a, b string) int { return len(b) - len(a) })
}

// quotedJSON is the value as it looks inside JSON text.
func quotedJSON(value string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value)
}

// mask replaces the secrets in a text.
func (w *logWriter) mask(text string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.masked(text)
}

func (w *logWriter) masked(text string) string {
	for _, s := range w.secrets {
		text = strings.ReplaceAll(text, s, "***")
	}
	return text
}

// Write keeps an unfinished line until its end comes.
func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line = append(w.line, p...)
	end := bytes.LastIndexByte(w.line, '\n')
	if end < 0 {
		return len(p), nil
	}
	err := w.write(w.line[:end+1])
	w.line = append(w.line[:0], w.line[end+1:]...)
	return len(p), err
}

func (w *logWriter) write(lines []byte) error {
	text := w.masked(string(lines))
	w.last = append(w.last, text...)
	if n := len(w.last) - tailBytes; n > 0 {
		w.last = append(w.last[:0], w.last[n:]...)
	}
	_, err := w.to.WriteString(text)
	return err
}

// flush writes a line that has no end.
func (w *logWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.line) > 0 {
		_ = w.write(append(w.line, '\n')) // the log is the last place to say so
		w.line = w.line[:0]
	}
}

// tail is the end of what the commands wrote, without this package's own lines
// and without colours.
func (w *logWriter) tail() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for line := range strings.Lines(colours.ReplaceAllString(string(w.last), "")) {
		if !strings.HasPrefix(line, "[Container] ") {
			b.WriteString(line)
		}
	}
	return b.String()
}
