// Package clitest holds the tests that gitops and its plug-ins share: what a person at a command line may rely on.
package clitest

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Checkout makes a directory that looks like the repository, with a short path: a Unix socket's is limited.
func Checkout(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gc")
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.MkdirAll(filepath.Join(dir, "k8s", "clusters"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cdk.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Case is a command line, its exit code, and words of what it says.
type Case = struct {
	Args []string
	Code int
	Says string
}

// Run runs command lines, by their names, in the working directory.
func Run(t *testing.T, run func(ctx context.Context, args []string, out, errs io.Writer) int, cases map[string]Case) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(t.Context(), c.Args, &out, &errs)
			if text := out.String() + errs.String(); code != c.Code || !strings.Contains(text, c.Says) {
				t.Errorf("code %d, want %d; says %q, want %q", code, c.Code, text, c.Says)
			}
		})
	}
}

// width is what a terminal of 80 columns and the indent of a help text leave, and a little more.
const width = 84

// Documented fails for a command without a help text that a terminal can show.
func Documented(t *testing.T, c *cobra.Command) {
	t.Helper()
	if c.Short == "" || c.Long == "" || c.Example == "" || !strings.HasSuffix(c.Short, ".") {
		t.Errorf("%s lacks Short, Long or Example", c.CommandPath())
	}
	for line := range strings.Lines(c.Long + "\n" + c.Example) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > width {
			t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
		}
	}
	for _, sub := range c.Commands() {
		Documented(t, sub)
	}
}
