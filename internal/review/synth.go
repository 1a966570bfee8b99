package review

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/progress"
)

// Synthesize runs the CDK app of the checkout in root for environments, and returns their stacks by environment and part.
func Synthesize(ctx context.Context, root string, environments []config.Environment, out *progress.Output) (map[string]map[string]assembly.Stack, error) {
	c := checkout{label: "working tree", root: root, environments: map[string]config.Environment{}}
	var of []Environment
	for _, e := range environments {
		c.environments[e.Name] = e
		of = append(of, Environment{Name: e.Name})
	}
	return synthesize(ctx, root, c, of, out)
}

// SynthesizeAt is Synthesize of a revision, which is checked out beside the working tree in root.
func SynthesizeAt(ctx context.Context, root, revision, environment string, out *progress.Output) (map[string]assembly.Stack, error) {
	scratch, err := os.MkdirTemp("", "gitops-synth-")
	if err != nil {
		return nil, err
	}
	w := &work{git: git(root), scratch: scratch}
	defer w.close(context.WithoutCancel(ctx))
	w.head = checkout{name: revision, label: "commit " + revision, environments: map[string]config.Environment{environment: {}}}
	if w.head.commit, err = w.git.commit(ctx, revision); err != nil {
		return nil, err
	}
	if err := w.add(ctx, &w.head, "head"); err != nil {
		return nil, err
	}
	all, err := synthesize(ctx, root, w.head, []Environment{{Name: environment}}, out)
	return all[environment], err
}

// synthesize runs the CDK app of a side for those of the environments that the side has. tools is the checkout whose
// node_modules may be shared.
func synthesize(ctx context.Context, tools string, c checkout, environments []Environment, out *progress.Output) (map[string]map[string]assembly.Stack, error) {
	var names []string
	for _, e := range environments {
		if c.has(e.Name) {
			names = append(names, e.Name)
		}
	}
	if len(names) == 0 {
		return map[string]map[string]assembly.Stack{}, nil
	}
	if err := packages(ctx, tools, c, out); err != nil {
		return nil, fmt.Errorf("%s: %w", c.label, err)
	}
	dir, err := os.MkdirTemp("", "gitops-synth-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out.Note("cdk synth")
	err = run(ctx, c.root, out, filepath.Join(c.root, "node_modules", ".bin", "cdk"), "synth", "--quiet", "--no-lookups",
		"--output", dir, "--context", "env="+strings.Join(names, ","), "--context", "checkBranches=false", "**")
	if err != nil {
		return nil, fmt.Errorf("%s: cdk synth: %w", c.label, err)
	}
	return assembly.Read(dir)
}

// packages makes node_modules of a temporary checkout: a link when the lock file is the one of tools, else an
// installation. A checkout of the user's is used as it is.
func packages(ctx context.Context, tools string, c checkout, out *progress.Output) error {
	own := filepath.Join(c.root, "node_modules")
	if _, err := os.Stat(own); err == nil {
		return nil
	}
	if !c.temporary {
		return fmt.Errorf("node_modules: not found; run npm ci")
	}
	theirs := filepath.Join(tools, "node_modules")
	if _, err := os.Stat(theirs); err == nil && sameFile(filepath.Join(c.root, "package-lock.json"), filepath.Join(tools, "package-lock.json")) {
		target, err := filepath.EvalSymlinks(theirs)
		if err != nil {
			return err
		}
		return os.Symlink(target, own)
	}
	out.Note("npm ci, because package-lock.json differs")
	if err := run(ctx, c.root, out, "npm", "ci", "--no-fund", "--no-audit", "--loglevel=error"); err != nil {
		return fmt.Errorf("npm ci: %w", err)
	}
	return nil
}

// sameFile compares two files by content.
func sameFile(a, b string) bool {
	x, err1 := os.ReadFile(a)
	y, err2 := os.ReadFile(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// run runs a program of a side. Its error holds what the program said last.
func run(ctx context.Context, dir string, out io.Writer, name string, args ...string) error {
	var said bytes.Buffer
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Env = dir, environ(dir)
	command.Stdout, command.Stderr = io.MultiWriter(out, &said), io.MultiWriter(out, &said)
	err := command.Run()
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s (%w)", cause(said.String()), err)
	}
	return nil
}

// environ is the environment of a side's programs: the side's own tools first, no validation (a comparison needs none and
// it takes most of the time), and no credentials, since what runs here is code that nobody has approved yet.
func environ(dir string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "GIT_") || strings.HasPrefix(name, "MAKE") ||
			name == "MFLAGS" || name == "PATH" || strings.HasSuffix(name, "_TOKEN")
	})
	return append(env,
		"PATH="+filepath.Join(dir, "node_modules", ".bin")+string(os.PathListSeparator)+os.Getenv("PATH"),
		"CDK_VALIDATION=false",
		"CDK_DISABLE_CLI_TELEMETRY=true",
		"JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION=true",
	)
}

// cause is what a program said that explains its failure: its lines without those that only say that it failed.
func cause(said string) string {
	var lines []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.Contains(line, "Subprocess exited with error") && !strings.HasPrefix(line, "make: ***") {
			lines = append(lines, line)
		}
	}
	const most = 5
	if len(lines) > most {
		lines = append(lines[:most:most], fmt.Sprintf("and %d lines more", len(lines)-most))
	}
	return strings.Join(lines, "; ")
}
