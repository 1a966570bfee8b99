package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/cli"
)

// The dates are those of the time zone, and the pipeline reads the answer.
func TestWindow(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 12, 23, 23, 30, 0, 0, time.UTC) }
	for name, c := range map[string]struct{ zone, frozen, want, said string }{
		"open":       {"UTC", "2026-12-24", "FROZEN=no\nUNTIL=-\n", "not frozen"},
		"frozen":     {"Europe/Berlin", "2026-11-01,2026-12-24/2027-01-03", "FROZEN=yes\nUNTIL=2027-01-03\n", "frozen until 2027-01-03 (Europe/Berlin)"},
		"no dates":   {"UTC", "", "FROZEN=no\nUNTIL=-\n", "not frozen"},
		"bad dates":  {"UTC", "tomorrow", "", ""},
		"a bad zone": {"Europe/Bärlin", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			file, said := filepath.Join(t.TempDir(), "window.env"), &strings.Builder{}
			cmd := newWindow(now)
			cmd.SetOut(said)
			cmd.SetErr(said)
			cmd.SetArgs([]string{"--time-zone", c.zone, "--frozen", c.frozen, "--variables", file})
			err := cmd.ExecuteContext(t.Context())
			if usage := (cli.UsageError{}); c.want == "" {
				if !errors.As(err, &usage) {
					t.Errorf("got %v, want a usage error", err)
				}
				return
			}
			got, rerr := os.ReadFile(file)
			if err != nil || rerr != nil || string(got) != c.want || !strings.Contains(said.String(), c.said) {
				t.Errorf("%v, %v: wrote %q, want %q; said %q", err, rerr, got, c.want, said)
			}
		})
	}
}
