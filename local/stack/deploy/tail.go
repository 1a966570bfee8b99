package deploy

import (
	"regexp"
	"strings"
)

// tail remembers the end of what was written to it.
type tail struct{ buf []byte }

const tailBytes = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - tailBytes; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

var (
	colours = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")
	telling = regexp.MustCompile(`(?i)(error|fail|invalid|cannot|denied|not found|undefined|: .*\.go:)`)
)

// text is the last line that tells of an error, or the last line.
func (t *tail) text() string {
	var last, best string
	for line := range strings.Lines(colours.ReplaceAllString(string(t.buf), "")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		last = line
		if telling.MatchString(line) {
			best = line
		}
	}
	if best != "" {
		return best
	}
	return last
}
