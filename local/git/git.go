// Package git serves bare repositories over smart HTTP on loopback, as a Git host would, tells its owner about each
// pushed ref, and can announce a push the way GitHub does. Beside them it serves a directory of Helm charts.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// DefaultBranch is the branch that Init makes HEAD point to.
const DefaultBranch = "main"

// zero is the object name that stands for "no such ref" in a push.
const zero = "0000000000000000000000000000000000000000"

// Push is one ref that changed.
type Push struct {
	// Repository is the repository's directory name without .git, for example "platform".
	Repository string
	// Ref is the full name, for example "refs/heads/main".
	Ref string
	// Before and After are object names; forty zeros stand for a ref that was created or deleted.
	Before, After string
}

// Created reports whether the push made the ref.
func (p Push) Created() bool { return p.Before == zero }

// Deleted reports whether the push removed the ref.
func (p Push) Deleted() bool { return p.After == zero }

// Config says what Run serves.
type Config struct {
	// Listen is the loopback address, for example 127.0.0.1:8081.
	Listen string
	// Repositories is the directory of bare repositories: <name>.git is served as /<name>.git.
	Repositories string
	// Private lists, for each repository that asks for a login, who may sign in there. All others are open.
	Private map[string][]Account
	// Charts is a directory of static files (a Helm repository), served at / for the host charts.localhost and at
	// /charts/ for every other host. It may appear later. Empty: none.
	Charts string
	// OnReceive is called for every changed ref, in the order of arrival and before OnPush; it should only take a note.
	// A change that was cut off by a crash is reported at the next start, some of them twice. Nil: nothing is noted.
	OnReceive func(Push)
	// OnPush is called once per changed ref after the client has its answer. Its context ends with Run, or when a
	// newer push to the same ref arrives; calls for one ref never overlap. Refs that changed while nobody listened
	// are reported at the next start. Nil: pushes are only accepted.
	OnPush func(context.Context, Push)
	// Log defaults to slog.Default().
	Log *slog.Logger
}

// Account may read a private repository.
type Account struct {
	User, Password string
	// Writes says that it may push, too.
	Writes bool
}

// Init makes dir a bare repository that accepts pushes over HTTP, with the default branch main. An existing repository
// is left as it is.
func Init(dir string) error {
	if err := installed(context.Background()); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("git repository: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
		return nil
	}
	if _, err := run(context.Background(), "", "init", "--quiet", "--bare", "--initial-branch="+DefaultBranch, dir); err != nil {
		return err
	}
	return writeSeen(dir, map[string]string{}) // so that even the very first push is announced when it is cut off
}

// settings apply to every git process of the server. The user's and the system's configuration is left out: their
// hooks, signing keys or receive rules have no say in what this server accepts.
var settings = [][2]string{
	{"http.receivepack", "true"},
	{"http.uploadpack", "true"},
	{"uploadpack.allowAnySHA1InWant", "true"}, // GitHub allows it; source-controller asks for single commits
	{"gc.autoDetach", "false"},                // no process outlives its request
	{"maintenance.autoDetach", "false"},
}

// environment is what git processes get instead of this process's own variables, which may point at a repository.
func environment() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_TERMINAL_PROMPT=0", fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(settings)),
	}
	for i, s := range settings {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, s[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, s[1]))
	}
	return env
}

// installed names the remedy when git, or its HTTP backend, is missing.
func installed(ctx context.Context) error {
	const remedy = "install it (Debian: apt-get install git; macOS: xcode-select --install)"
	if _, err := exec.LookPath("git"); err != nil {
		return errors.New("git is not on the PATH: " + remedy)
	}
	dir, err := run(ctx, "", "--exec-path")
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "git-http-backend")); err != nil {
		return errors.New("git has no http-backend in " + dir + ": install the package that holds it (Alpine: git-daemon) or " + remedy)
	}
	return nil
}

// run executes git in dir and returns its trimmed output. Errors carry the last line that git wrote.
func run(ctx context.Context, dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = dir, environment()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, lines[len(lines)-1])
	}
	return strings.TrimSpace(string(out)), nil
}

// refs lists the branches and tags of a repository with their object names.
func refs(ctx context.Context, dir string) (map[string]string, error) {
	out, err := run(ctx, dir, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for line := range strings.Lines(out) {
		if id, ref, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all[ref] = id
		}
	}
	return all, nil
}
