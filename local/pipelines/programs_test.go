package pipelines

import (
	"os"
	"path/filepath"
	"testing"
)

// A build finds what builds before it have linked, older than every source, so that make asks Go. What a build that failed has
// linked may be half of a program.
func TestProgramsAreLent(t *testing.T) {
	w := newWorld(t)
	w.define("p", "QUEUED", "", stage("S", w.project("x", spec(
		"{ cat bin/a bin/sub/b; find bin -newermt 1971-01-01 -type f; } 2>/dev/null >> $OUT/found || true",
		"mkdir -p bin/sub && cp p/1 bin/new && mv bin/new bin/a && cp p/1 bin/new && mv bin/new bin/sub/b", // as the linker does
		"test \"$(cat p/1)\" != bad",
	))))
	w.start()
	found := func() string {
		raw, _ := os.ReadFile(filepath.Join(w.dir, "found"))
		return string(raw)
	}
	for _, c := range []struct {
		text   string
		status Status
		found  string
	}{
		{"one ", Succeeded, ""}, {"two ", Succeeded, "one one "}, {"bad", Failed, "two two "}, {"three ", Succeeded, "two two "}, {"four ", Succeeded, "three three "},
	} {
		before := found()
		w.wait("p", w.push(map[string]string{"p/1": c.text}), c.status)
		if got := found()[len(before):]; got != c.found {
			t.Errorf("the build of %q found %q, want %q", c.text, got, c.found)
		}
	}
}
