package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Content is what a system is made of.
type Content struct {
	// Tree are the files of the commit: the hash and mode that git has of each, by its path.
	Tree map[string]string
	// Parts are the programs, applications and servers that it runs, with their version or the hash of what they are
	// built from, by name.
	Parts map[string]string
}

// Key is a hash of the content. Files that make nothing of a system have no part in it: documentation and tests; nor has
// a file that Flux writes in the system itself.
func Key(c Content, written ...string) string {
	h := sha256.New()
	fmt.Fprintf(h, "format %d\n", format)
	for _, name := range slices.Sorted(maps.Keys(c.Tree)) {
		if !inert(name) && !slices.Contains(written, name) {
			fmt.Fprintf(h, "file %q %s\n", name, c.Tree[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Parts)) {
		fmt.Fprintf(h, "part %q %s\n", name, c.Parts[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// inert reports whether a file of the repository is of documentation or of tests.
func inert(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	switch {
	case top == "docs", top == ".github", top == "bench", strings.HasPrefix(name, "local/test/"), strings.HasPrefix(name, "local/bench/"):
		return true
	case slices.Contains(strings.Split(path.Dir(name), "/"), "testdata"):
		return true
	}
	return strings.HasSuffix(name, ".md") || strings.HasSuffix(name, "_test.go")
}
