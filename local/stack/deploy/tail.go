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
	// first begins the cause in what the CDK, the CLI and the Go compiler say.
	first   = regexp.MustCompile(`^(ERROR|Error:|❌)|\.go:\d+:\d+: `)
	telling = regexp.MustCompile(`(?i)(error|fail|invalid|cannot|denied|not found)`)
)

// text is the line that begins the cause; else the last that tells of an
// error; else the last.
func (t *tail) text() string {
	var last, best string
	for line := range strings.Lines(colours.ReplaceAllString(string(t.buf), "")) {
		switch line = strings.TrimSpace(line); {
		case line == "":
		case first.MatchString(line):
			return line
		case telling.MatchString(line):
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
