package deploy

import (
	"regexp"
	"strings"
)

// Tail remembers the end of what was written to it.
type Tail struct{ buf []byte }

const tailBytes = 8 << 10

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - tailBytes; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

var (
	colours   = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")
	errorLine = regexp.MustCompile(`(?i)(error|fail|invalid|cannot|denied|not found|undefined|: .*\.go:)`)
)

// Text is what was written, without colours.
func (t *Tail) Text() string { return colours.ReplaceAllString(string(t.buf), "") }

// telling is the last line that tells of an error, or the last line.
func telling(text string) string {
	var last, best string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		last = line
		if strings.HasPrefix(line, "make: ***") {
			continue // what it ran has said why
		}
		if errorLine.MatchString(line) {
			best = line
		}
	}
	if best != "" {
		return best
	}
	return last
}
