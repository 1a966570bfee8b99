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
	colours = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")
	// first begins the cause in what the CDK, the CLI, the Go compiler and Go's
	// tests say.
	first     = regexp.MustCompile(`^(ERROR|Error:|❌)|\.go:\d+(:\d+)?: `)
	errorLine = regexp.MustCompile(`(?i)(error|fail|invalid|cannot|denied|not found)`)
)

// Text is what was written, without colours.
func (t *Tail) Text() string { return colours.ReplaceAllString(string(t.buf), "") }

// telling is the line that begins the cause; else the last that tells of an
// error; else the last.
func telling(text string) string {
	var last, best string
	for line := range strings.Lines(text) {
		switch line = strings.TrimSpace(line); {
		case line == "":
		case first.MatchString(line):
			return line
		case strings.HasPrefix(line, "make: ***"):
			last = line // what it ran has said why
		case errorLine.MatchString(line):
			last, best = line, line
		default:
			last = line
		}
	}
	if best != "" {
		return best
	}
	return last
}
