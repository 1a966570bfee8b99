package programs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// goflags are the flags of every build; see [buildEnv].
const goflags = "-trimpath -buildvcs=false"

// toolchain is what of the Go installation goes into a binary.
type toolchain struct{ GOVERSION, GOOS, GOARCH string }

// readToolchain asks the go command in dir, whose go.mod may select another toolchain.
func readToolchain(ctx context.Context, dir string) (toolchain, error) {
	c := exec.CommandContext(ctx, "go", "env", "-json", "GOVERSION", "GOOS", "GOARCH")
	c.Dir, c.Env = dir, buildEnv()
	out, err := c.Output()
	if err != nil {
		return toolchain{}, goCommandError(err)
	}
	var t toolchain
	if err := json.Unmarshal(out, &t); err != nil {
		return toolchain{}, fmt.Errorf("go env: %w", err)
	}
	return t, nil
}

// goCommandError explains why the go command could not be run or what it said.
func goCommandError(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("the go command is not on PATH: install Go 1.26 or newer, https://go.dev/dl")
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("go: %s", strings.TrimSpace(string(exit.Stderr)))
	}
	return fmt.Errorf("go: %w", err)
}

// contentHash is the hash of everything that decides what a build of p makes: the files in its directory
// (go.mod, go.sum and sources; tests are left out), the recipe in table.go, the flags and the toolchain.
func contentHash(p program, dir string, t toolchain) (string, error) {
	files, err := sources(dir)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %+v\n", goflags, t, p.pkg, p.ldflags)
	for _, e := range p.edits {
		fmt.Fprintf(h, "edit %q %q %q\n", e.file, e.old, e.new)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "file %q %d\n", filepath.ToSlash(f), len(b))
		if _, err := h.Write(b); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// sources are the files below dir that go into a build, sorted, relative to dir.
func sources(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := d.Name()
		if name != "go.mod" && name != "go.sum" && (!strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go")) {
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		files = append(files, rel)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 || !slices.Contains(files, "go.mod") {
		return nil, fmt.Errorf("%s holds no go.mod", dir)
	}
	sort.Strings(files)
	return files, nil
}

// buildEnv is the environment of the go command: the user's, with what changes a binary fixed. Proxy,
// checksum database and module cache stay the user's choice; go.sum is always enforced.
func buildEnv() []string {
	return append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="+goflags, "GOWORK=off", "GO111MODULE=on", "GODEBUG=", "GOEXPERIMENT=")
}

// discard is where progress goes when the caller wants none.
func discard(out io.Writer) io.Writer {
	if out == nil {
		return io.Discard
	}
	return out
}
