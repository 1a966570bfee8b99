// Package deploy is the bootstrap of the local environment: `cdk bootstrap`
// and the one `cdk deploy` that makes all stacks, its pipelines included, which
// deploy every later commit. It also knows how to reach the local AWS endpoint.
package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
	"k8s-plus-aws-gitops/local/system/source"
)

// Deployer deploys commits of the local repository.
type Deployer struct {
	Dir *layout.Dir
	// Endpoint is the local AWS endpoint.
	Endpoint string

	// run replaces the commands in tests: dir, output, command line.
	run func(ctx context.Context, dir string, out io.Writer, command ...string) error
	// stacks replaces the question for failed stacks in tests.
	stacks func(context.Context, aws.Config) ([]observe.Stack, error)
}

// Bootstrap prepares the local account for the CDK CLI, once.
func (d Deployer) Bootstrap(ctx context.Context, out io.Writer) (bool, error) {
	have, err := observe.HasStack(ctx, Config(d.Endpoint), "CDKToolkit")
	if err != nil || have {
		return false, err
	}
	// Not in a folder with a cdk.json: the CLI would synthesize the app first.
	err = d.command(ctx, folder(d.Dir), out, filepath.Join(d.Dir.NodeBin(), "cdk"), "bootstrap", "aws://"+Account+"/"+Region)
	return err == nil, err
}

// Done reports whether the bootstrap succeeded and all stacks of the
// environment are whole. What was pushed since then is the pipelines' matter.
func (d Deployer) Done(ctx context.Context) (bool, error) {
	last, ok := Last(d.Dir)
	if !ok || !last.OK {
		return false, nil
	}
	stacks, err := d.allStacks(ctx)
	if err != nil {
		return false, err
	}
	ours := 0
	for _, s := range stacks {
		if strings.HasPrefix(s.Name, Environment+"-") {
			ours++
			if !s.Stable() {
				return false, nil
			}
		}
	}
	return ours > 0, nil
}

func (d Deployer) allStacks(ctx context.Context) ([]observe.Stack, error) {
	if d.stacks != nil {
		return d.stacks(ctx, Config(d.Endpoint))
	}
	return observe.Stacks(ctx, Config(d.Endpoint))
}

// Deploy checks the commit out and runs `cdk deploy` for the environment. It
// waits for another deployment to end first. The result is written down, also
// when it failed; out gets a copy of the log.
func (d Deployer) Deploy(ctx context.Context, commit string, out io.Writer) (Result, error) {
	lock, err := d.Dir.Wait(ctx, "deploy")
	if err != nil {
		return Result{}, err
	}
	defer lock.Release()
	r := Result{Commit: commit}
	if r.Subject, err = source.Subject(ctx, d.Dir.Repository(), commit); err != nil {
		return r, err
	}
	if err := begin(d.Dir, &r); err != nil {
		return r, err
	}
	log, err := os.OpenFile(r.Log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return r, err
	}
	defer log.Close()
	var last Tail
	err = d.deploy(ctx, commit, io.MultiWriter(log, out, &last))
	if err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("%w: %s", err, Cause(ctx, d.allStacks, r.Started, last.Text()))
		}
		r.Error = err.Error()
	}
	r.OK, r.Ended = err == nil, time.Now()
	if serr := r.save(d.Dir); serr != nil {
		err = errors.Join(err, serr)
	}
	return r, err
}

// deploy synthesizes the commit unless that was done before.
func (d Deployer) deploy(ctx context.Context, commit string, out io.Writer) error {
	if !d.synthesized(commit) {
		if err := d.synthesize(ctx, commit, out); err != nil {
			return err
		}
	}
	// The stacks that do not need each other are deployed side by side.
	return d.command(ctx, d.checkout(), out, d.cdk(), "deploy", Environment+"/*", "--app", assembly,
		"--concurrency", "4", "--require-approval", "never", "--progress", "events", "--no-notices", "--ci")
}

func (d Deployer) cdk() string { return filepath.Join(d.Dir.NodeBin(), "cdk") }

// linkModules gives the checkout the npm packages: those of the user's
// checkout when the lock files agree, else its own.
func (d Deployer) linkModules(ctx context.Context, checkout string, out io.Writer) error {
	link := filepath.Join(checkout, "node_modules")
	mine, errMine := os.ReadFile(filepath.Join(d.Dir.Repo, "package-lock.json"))
	its, errIts := os.ReadFile(filepath.Join(checkout, "package-lock.json"))
	if errMine == nil && errIts == nil && bytes.Equal(mine, its) {
		if err := os.RemoveAll(link); err != nil {
			return err
		}
		return os.Symlink(filepath.Join(d.Dir.Repo, "node_modules"), link)
	}
	if info, err := os.Lstat(link); err == nil && info.Mode()&os.ModeSymlink != 0 {
		if err := os.Remove(link); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "installing the commit's npm packages")
	return d.command(ctx, checkout, out, "npm", "ci", "--no-fund", "--no-audit", "--loglevel=error")
}

// command runs one command; a cancelled context interrupts it as a person
// would, so that the CLI can say where it stopped.
func (d Deployer) command(ctx context.Context, dir string, out io.Writer, command ...string) error {
	if d.run != nil {
		return d.run(ctx, dir, out, command...)
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = dir, out, out, Environ(d.Dir, d.Endpoint)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // jsii's node, should the app have left it
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(append([]string{filepath.Base(command[0])}, command[1:min(len(command), 2)]...), " "), err)
	}
	return nil
}

// Cause says why the CDK CLI failed, from the end of what it wrote: the failed
// event of a stack that it names, or else its most telling line.
func Cause(ctx context.Context, list func(context.Context) ([]observe.Stack, error), since time.Time, said string) string {
	if stacks, err := list(ctx); err == nil {
		for _, s := range stacks {
			if s.Cause != "" && s.Updated.After(since.Add(-time.Second)) && strings.Contains(said, s.Name) {
				return fmt.Sprintf("stack %s: %s", s.Name, s.Cause)
			}
		}
	}
	return telling(said)
}
