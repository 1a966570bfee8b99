package deploy

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
	"k8s-plus-aws-gitops/local/system/source"
)

// assembly is the folder of the checkout that the synthesized stacks are in.
const assembly = "cdk.out"

// Synthesize makes the stacks of a commit ready for Deploy, before there is an AWS API to deploy them to. It does
// nothing where that was done, or where an earlier deployment succeeded: there is none to come then. CloudFormation's
// rules are not checked, which is most of the time: check and the pipelines do that.
func (d Deployer) Synthesize(ctx context.Context, commit string, out io.Writer) (bool, error) {
	if last, ok := Last(d.Dir); ok && last.OK || d.synthesized(commit) {
		return false, nil
	}
	lock, err := d.Dir.Wait(ctx, "deploy")
	if err != nil {
		return false, err
	}
	defer lock.Release()
	var last Tail
	if err := d.synthesize(ctx, commit, io.MultiWriter(out, &last)); err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("%w: %s", err, telling(last.Text()))
		}
		return false, err
	}
	return true, nil
}

func (d Deployer) synthesize(ctx context.Context, commit string, out io.Writer) error {
	if err := os.Remove(d.mark()); err != nil && !os.IsNotExist(err) {
		return err
	}
	checkout := d.checkout()
	fmt.Fprintf(out, "checking out %s\n", commit)
	if err := source.Export(ctx, d.Dir.Repository(), commit, checkout, "node_modules", "bin"); err != nil {
		return err
	}
	if err := d.linkModules(ctx, checkout, out); err != nil {
		return err
	}
	fmt.Fprintln(out, "building the CDK app")
	// As make compiles it, for the CDK CLI and in pipelines: by other flags everything would be compiled again. The commit's
	// files may be older than the program.
	if err := d.command(ctx, checkout, out, "make", "--silent", "--always-make", filepath.Join("bin", "app")); err != nil {
		return fmt.Errorf("the CDK app does not build: %w", err)
	}
	fmt.Fprintln(out, "synthesizing the stacks")
	err := d.command(ctx, checkout, out, d.cdk(), "synth", Environment+"/*", "--quiet", "--no-validation", "--no-lookups", "--no-notices",
		"--output", assembly, "--context", "env="+Environment)
	if err != nil {
		return err
	}
	return atomicfile.Write(d.mark(), []byte(commit+"\n"), 0o600)
}

func (d Deployer) checkout() string { return filepath.Join(folder(d.Dir), "checkout") }

// mark is the file that holds the commit whose stacks are synthesized.
func (d Deployer) mark() string { return filepath.Join(folder(d.Dir), "synthesized") }

func (d Deployer) synthesized(commit string) bool {
	have, err := os.ReadFile(d.mark())
	return err == nil && strings.TrimSpace(string(have)) == commit
}
