package programs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// contentHash is the hash of everything that decides what a build of p makes: go.mod and go.sum of the set in dir,
// p's own sources where it has some there (tests are left out), the recipe in table.go, the flags and the toolchain.
func contentHash(p program, dir string, t toolchain) (string, error) {
	files := []string{"go.mod", "go.sum"}
	if folder, own := strings.CutPrefix(p.pkg, setModule+"/"); own {
		code, err := sources(dir, folder)
		if err != nil {
			return "", err
		}
		files = append(files, code...)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q %q\n", goflags, compilerFlags, t, p.pkg, p.ldflags())
	for _, e := range p.edits {
		fmt.Fprintf(h, "edit %q %q %q %q\n", e.file, e.old, e.pattern, e.new)
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

// sources are the Go files below a folder of dir, sorted, relative to dir.
func sources(dir, folder string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(filepath.Join(dir, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		files = append(files, rel)
		return err
	})
	slices.Sort(files)
	return files, err
}

// buildVariables fix what changes a binary. Proxy, checksum database and module cache stay the user's choice; go.sum is
// always enforced.
var buildVariables = []string{"CGO_ENABLED=0", "GOFLAGS=" + goflags, "GOWORK=off", "GO111MODULE=on", "GODEBUG=", "GOEXPERIMENT="}

// buildEnv is the environment of the go command: the user's, with buildVariables.
func buildEnv() []string { return append(os.Environ(), buildVariables...) }
