package pipelines

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s-plus-aws-gitops/internal/buildspec"
)

// wrapper runs one command of a buildspec. CodeBuild gives each command a
// script of its own and carries variables and the working directory over to
// the next one; the same here. Read-only variables of the shell cannot be set
// again, hence the first line's silence.
const wrapper = `[[ -f $1/variables ]] && source "$1/variables" 2>/dev/null
[[ -f $1/functions ]] && source "$1/functions"
[[ -f $1/pwd ]] && cd "$(<"$1/pwd")"
__scratch=$1
trap '{ __status=$?; declare -p >"$__scratch/variables"; declare -f >"$__scratch/functions"; pwd >"$__scratch/pwd"; exit $__status; }' EXIT
set --
source "$__scratch/command"
`

// phases runs the phases in their order. When one fails the build fails, and:
// after build, post_build is run all the same unless on-failure is ABORT; with
// CONTINUE the next phase is run; else the build ends.
// https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html
func (b *build) phases(ctx context.Context) error {
	var failed error
	for _, p := range b.spec.Phases {
		if len(p.Runtimes) > 0 {
			b.say("runtime-versions are not switched: this machine's programs run instead of %s", versions(p.Runtimes))
		}
		began := time.Now()
		b.say("Entering phase %s", strings.ToUpper(p.Name))
		err := b.commands(ctx, p.Commands)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if ferr := b.commands(ctx, p.Finally); err == nil {
			err = ferr
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		state := "SUCCEEDED"
		if err != nil {
			state = "FAILED"
			b.env["CODEBUILD_BUILD_SUCCEEDING"] = "0"
			if failed == nil {
				failed = fmt.Errorf("phase %s: %w", p.Name, err)
			}
		}
		b.say("Phase complete: %s State: %s (%s)", strings.ToUpper(p.Name), state, time.Since(began).Round(100*time.Millisecond))
		if err != nil && !p.Continue && (p.Name != "build" || p.Abort) {
			break
		}
	}
	return failed
}

func versions(m map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, name+" "+m[name])
	}
	return strings.Join(all, ", ")
}

// commands runs commands one after the other, until one fails.
func (b *build) commands(ctx context.Context, commands []string) error {
	for _, c := range commands {
		b.say("Running command %s", strings.TrimRight(c, "\n"))
		if err := b.command(ctx, c); err != nil {
			b.say("Command did not exit successfully %s %v", strings.TrimRight(c, "\n"), err)
			return fmt.Errorf("error while executing command: %s: %w", clipped(oneLine(c)), err)
		}
	}
	return nil
}

func clipped(text string) string {
	if r := []rune(text); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return text
}

// command runs one command. A cancelled context interrupts its whole group, as
// a person would, so that the CLIs can say where they stopped. On AWS builds have
// machines of their own: here they get what the system leaves.
func (b *build) command(ctx context.Context, text string) error {
	if err := os.WriteFile(filepath.Join(b.scratch(), "command"), []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "nice", "-n", "10", "bash", "--noprofile", "--norc", "-c", wrapper, "codebuild", b.scratch())
	cmd.Dir, cmd.Env = b.src, b.environ()
	if _, err := os.Stat(filepath.Join(b.scratch(), "variables")); err == nil {
		// The one variable that the service itself changes.
		if err := appendTo(filepath.Join(b.scratch(), "variables"), "declare -x CODEBUILD_BUILD_SUCCEEDING="+b.env["CODEBUILD_BUILD_SUCCEEDING"]+"\n"); err != nil {
			return err
		}
	}
	cmd.Stdout, cmd.Stderr = b.out, b.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what the command left in the background
	}
	b.out.flush()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // it ended well; something it left held its output open
	}
	return err
}

func appendTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

// exported reads the variables that later actions may use. Those that no
// command set are left out, so that a reference to them is an error.
func (b *build) exported() (map[string]string, error) {
	values := map[string]string{}
	for _, name := range b.spec.Env.Exported {
		if !buildspec.Name(name) {
			return nil, fmt.Errorf("env.exported-variables: %q is no name of a variable", name)
		}
		cmd := exec.Command("bash", "--noprofile", "--norc", "-c", `source "$1" 2>/dev/null; [[ -n ${!2+x} ]] && printf '%s' "${!2}"`, "codebuild", filepath.Join(b.scratch(), "variables"), name)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		if out, err := cmd.Output(); err == nil {
			values[name] = b.out.mask(string(out))
		}
	}
	return values, nil
}
