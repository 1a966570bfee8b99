// Package moto starts moto, the AWS API in one Python process, with its state
// on disk (see serve.py for what is added and why).
package moto

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

//go:embed serve.py
var launcher []byte

//go:embed requirements.txt
var requirements []byte

// Version returns the pinned version of moto, from requirements.txt.
func Version() string {
	for line := range strings.Lines(string(requirements)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "moto=="); ok {
			return v
		}
	}
	return ""
}

// Command returns the command that serves the AWS API on 127.0.0.1:port and
// keeps its state below dir, which it creates. python is what EnsureVenv
// returned. The process answers GET /_local/healthz once it serves, and writes
// its state a last time on SIGTERM.
func Command(python string, port int, dir string) (*exec.Cmd, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("moto state: %w", err)
	}
	script := filepath.Join(dir, "serve.py")
	if err := os.WriteFile(script, launcher, 0o644); err != nil {
		return nil, fmt.Errorf("moto launcher: %w", err)
	}
	cmd := exec.Command(python, "-u", script, "--port", strconv.Itoa(port), "--dir", dir)
	// moto is the service itself: no AWS setting of the caller applies to it,
	// and a proxy would catch the calls it makes to itself.
	cmd.Env = append(withoutAWS(os.Environ()),
		"PYTHONDONTWRITEBYTECODE=1",
		// Of Python's threads one runs at a time. glibc's arenas, one for each that served a request, kept 140 of its 380 MB.
		"MALLOC_ARENA_MAX=1",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"NO_PROXY=*", "no_proxy=*")
	return cmd, nil
}

func withoutAWS(env []string) []string {
	var kept []string
	for _, e := range env {
		if !strings.HasPrefix(e, "AWS_") && !strings.HasPrefix(e, "MOTO_") {
			kept = append(kept, e)
		}
	}
	return kept
}

// EnsureVenv returns a Python that can import the pinned moto: the system's
// python3 when it has exactly that version, else the one of a virtual
// environment that it makes once under cacheDir from the pinned requirements.
// Progress of the installation goes to out.
func EnsureVenv(ctx context.Context, cacheDir string, out io.Writer) (string, error) {
	system, err := exec.LookPath("python3")
	if err != nil {
		return "", errors.New("python3 is not on PATH: install Python 3.10 or later (Debian: apt-get install python3 python3-venv)")
	}
	if check(ctx, system) == nil {
		return system, nil
	}
	return environment(ctx, system, cacheDir, out)
}

// EnsureCLI returns an AWS CLI: the one on PATH when it works, else that of
// the virtual environment.
func EnsureCLI(ctx context.Context, cacheDir string, out io.Writer) (string, error) {
	if cli, err := exec.LookPath("aws"); err == nil && exec.CommandContext(ctx, cli, "--version").Run() == nil {
		return cli, nil
	}
	system, err := exec.LookPath("python3")
	if err != nil {
		return "", errors.New("neither aws nor python3 is on PATH: install one of them")
	}
	python, err := environment(ctx, system, cacheDir, out)
	return filepath.Join(filepath.Dir(python), "aws"), err
}

// environment makes the virtual environment unless it is there.
func environment(ctx context.Context, system, cacheDir string, out io.Writer) (string, error) {
	sum := sha256.Sum256(requirements)
	dir := filepath.Join(cacheDir, "moto-"+hex.EncodeToString(sum[:6]))
	python := filepath.Join(dir, "bin", "python3")
	if check(ctx, python) == nil {
		return python, nil
	}
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return "", fmt.Errorf("moto environment: %w", err)
	}
	lock := flock.New(dir + ".lock")
	if err := lock.Lock(); err != nil {
		return "", fmt.Errorf("moto environment %s: %w", dir, err)
	}
	defer func() { _ = lock.Unlock() }()
	if check(ctx, python) == nil { // another process made it meanwhile
		return python, nil
	}
	return python, install(ctx, system, dir, out)
}

// check reports whether python has the pinned moto and what its server needs. It looks for the modules and does not import
// them, which takes a second and more.
func check(ctx context.Context, python string) error {
	program := "import sys; from importlib import metadata, util\n" +
		"sys.exit(metadata.version('moto') != " + strconv.Quote(Version()) + " or None in map(util.find_spec, ('moto', 'flask', 'flask_cors', 'yaml', 'pyparsing')))"
	return exec.CommandContext(ctx, python, "-c", program).Run()
}

func install(ctx context.Context, system, dir string, out io.Writer) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("moto environment: %w", err)
	}
	fmt.Fprintf(out, "installing moto %s into %s\n", Version(), dir)
	if err := run(ctx, out, nil, system, "-m", "venv", dir); err != nil {
		return fmt.Errorf("python3 -m venv: %w (Debian: apt-get install python3-venv)", err)
	}
	python := filepath.Join(dir, "bin", "python3")
	err := run(ctx, out, bytes.NewReader(requirements), python, "-m", "pip", "install",
		"--quiet", "--disable-pip-version-check", "--no-input", "--requirement", "/dev/stdin")
	if err == nil {
		err = check(ctx, python)
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return fmt.Errorf("pip install moto %s: %w (is the package index reachable?)", Version(), err)
	}
	return nil
}

// run executes a command; its error ends with the last line the command wrote.
func run(ctx context.Context, out io.Writer, in io.Reader, name string, args ...string) error {
	var tail bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = in
	cmd.Stdout = io.MultiWriter(out, &tail)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(tail.String()), "\n")
		return fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	return nil
}
