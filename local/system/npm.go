package system

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

type lockFile struct {
	Packages map[string]struct {
		Version  string `json:"version"`
		Optional bool   `json:"optional"`
		Peer     bool   `json:"peer"`
	} `json:"packages"`
}

// installed reports whether node_modules is what package-lock.json says. npm
// writes what it installed to node_modules/.package-lock.json.
func installed(repo string) bool {
	var want, have lockFile
	for file, to := range map[string]*lockFile{
		filepath.Join(repo, "package-lock.json"):                  &want,
		filepath.Join(repo, "node_modules", ".package-lock.json"): &have,
	} {
		raw, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(raw, to) != nil {
			return false
		}
	}
	for name, p := range want.Packages {
		if name == "" {
			continue // the project itself
		}
		h, ok := have.Packages[name]
		if !ok && !p.Optional && !p.Peer || ok && h.Version != p.Version {
			return false
		}
	}
	for _, bin := range []string{"cdk", "node"} {
		if _, err := os.Stat(filepath.Join(repo, "node_modules", ".bin", bin)); err != nil {
			return false
		}
	}
	return true
}

// npmCI installs the packages of package-lock.json.
func npmCI(ctx context.Context, repo string, out io.Writer) error {
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-fund", "--no-audit", "--loglevel=error")
	// npm on node 22 and later keeps its compiled code in TMPDIR, and runs once here.
	cmd.Env = append(os.Environ(), "NODE_DISABLE_COMPILE_CACHE=1")
	var said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = repo, out, io.MultiWriter(out, &said)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("npm ci: %w%s", err, npmCause(said.String()))
	}
	return nil
}

// npmCause is the code and the first words of what npm says about a failure,
// such as ENOSPC or ENOTFOUND: the remedy depends on it.
func npmCause(said string) string {
	var cause []string
	for line := range strings.Lines(said) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "npm error "); ok && len(cause) < 3 {
			cause = append(cause, text)
		}
	}
	if len(cause) == 0 {
		return ""
	}
	return ": " + strings.Join(cause, ", ")
}
