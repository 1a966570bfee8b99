package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// checkout makes a directory that looks like the repository and changes into it.
func checkout(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "gc")
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
	t.Chdir(dir)
}

func TestExitCodes(t *testing.T) {
	checkout(t)
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"help":            {[]string{"--help"}, 0, "Exit codes"},
		"version":         {[]string{"version"}, 0, "gitops "},
		"unknown command": {[]string{"locale"}, 2, "unknown command"},
		"unknown verb":    {[]string{"local", "upp"}, 2, "unknown command"},
		"unknown flag":    {[]string{"local", "up", "--nope"}, 2, "unknown flag"},
		"extra argument":  {[]string{"local", "up", "now"}, 2, "gitops local up"},
		"bad output":      {[]string{"local", "status", "-o", "xml"}, 2, `"xml"`},
		"no system":       {[]string{"local", "status"}, 1, "gitops local up"},
		"no logs":         {[]string{"local", "logs"}, 1, "gitops local up"},
		"push, no system": {[]string{"local", "push"}, 1, "gitops local up"},
		"down, no system": {[]string{"local", "down"}, 0, "Nothing runs"},
		"reset foreign":   {[]string{"local", "reset", "--yes", "--state", "k8s"}, 1, "not a gitops state directory"},
		"state too long":  {[]string{"local", "status", "--state", strings.Repeat("x", 120)}, 1, "--state"},
		"unknown daemon":  {[]string{"local", "run", "nothing"}, 1, "procnode"},
		"review as XML":   {[]string{"review", "-o", "xml"}, 2, `"xml"`},
		"review of PR -1": {[]string{"review", "--pull-request", "-1"}, 2, "--pull-request -1"},
		"review, no git":  {[]string{"review"}, 2, "not a git repository"},
		"state is a file": {[]string{"local", "status", "--state", "cdk.json"}, 1, "--state"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(t.Context(), c.args, &out, &errs)
			if text := out.String() + errs.String(); code != c.code || !strings.Contains(text, c.says) {
				t.Errorf("code %d, want %d; says %q, want %q", code, c.code, text, c.says)
			}
		})
	}
}

func TestOutsideACheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"local", "status"}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "not inside a checkout") {
		t.Errorf("code %d: %s", code, errs.String())
	}
}

func TestEveryCommandIsDocumented(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || c.Long == "" || c.Example == "" || !strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s lacks Short, Long or Example", c.CommandPath())
		}
		for _, line := range strings.Split(c.Long+"\n"+c.Example, "\n") {
			if n := len([]rune(line)); n > 84 {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
}
