package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/release"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
	"k8s-plus-aws-gitops/internal/status"
)

// publish publishes the services that go with a release, before the branch moves: where a publication fails, the commit is not
// released, and the next plan finds the same services again. Who releases an earlier commit once more publishes nothing, and a
// rollback takes back what later commits have published. It does nothing in an environment that publishes by tag.
func (f *releaseFlags) publish(ctx context.Context, cmd *cobra.Command, root string, env config.Environment, o release.Options) error {
	c, err := services.LoadConfig(root)
	if err != nil {
		return err
	}
	names, byMerge := strings.Fields(f.services), c.For(env.Name).ByMerge()
	switch {
	case len(names) > 0 && !byMerge:
		return cli.UsageError{Err: fmt.Errorf("--services: %s publishes services by tag; set publish: merge in %s, or leave it out", env.Name, services.ConfigFile)}
	case !byMerge || len(names) == 0 && o.Rollback == nil:
		if byMerge && !f.first && !cmd.Flags().Changed("services") {
			fmt.Fprintf(cmd.ErrOrStderr(), "No service is published: name those that differ with --services. 'gitops plan %s' lists them.\n", env.Name)
		}
		return f.tell(cmd, env.Name, nil, "")
	}
	commit, err := git.Commit(ctx, root, "HEAD")
	if err != nil {
		return err
	}
	if env.Gated() {
		look, err := release.Look(ctx, o)
		switch {
		case err != nil:
			return err
		case look.Outcome == release.Passed:
			return f.tell(cmd, env.Name, nil, "")
		case look.Commit != commit:
			return fmt.Errorf("services are published from the commit that is checked out, %.12s, and --commit is %.12s; check it out", commit, look.Commit)
		}
	}
	if err := buildRenderer(cmd, root); err != nil {
		return err
	}
	back := o.Rollback != nil
	if back {
		names = nil // the plan of the commit that failed named them, and this one's is of another
	}
	s, p := &serviceFlags{environment: env.Name}, publishFlags{merged: true, back: back, rollback: back, dryRun: f.dryRun}
	run, err := s.open(cmd, p)
	if err != nil {
		return err
	}
	chosen, err := choose(run.loaded, env.Name, names)
	if err != nil {
		return err
	}
	results, err := s.push(cmd, run, chosen, p)
	return errors.Join(err, f.tell(cmd, env.Name, results, commit))
}

// buildRenderer makes bin/services: a build that releases has the tool alone from the plan, because few commits need the rest.
func buildRenderer(cmd *cobra.Command, root string) error {
	c := exec.CommandContext(cmd.Context(), "make", "--silent", "node_modules/.package-lock.json", "bin/services")
	c.Dir, c.Stdout, c.Stderr = root, cmd.ErrOrStderr(), cmd.ErrOrStderr()
	if err := c.Run(); err != nil {
		return fmt.Errorf("make bin/services: %w; nothing was published", err)
	}
	return nil
}

// longest is what the value of an action may have in characters, less what stands around it. CodePipeline took 1000 when it was
// the shortest: https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
const longest = 800

// tell writes what was published from the commit for the action that verifies, as PUBLISHED. Those that an earlier try of the same
// release has published are among them.
func (f *releaseFlags) tell(cmd *cobra.Command, environment string, results []publish.Result, commit string) error {
	var told []status.Published
	for _, r := range results {
		if r.Source == commit && !f.dryRun {
			told = append(told, status.Published{Service: r.Service, Commit: r.Commit})
		}
	}
	text := status.FormatPublished(told)
	for n := len(told); len(text) > longest; {
		n--
		if text = status.FormatPublished(told[:n]); len(text) <= longest {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d services are more than the verification waits for; see: gitops service status --env %s\n", len(told)-n, len(told), environment)
		}
	}
	if f.variables == "" {
		return nil
	}
	return os.WriteFile(f.variables, []byte("PUBLISHED='"+text+"'\n"), 0o644) //nolint:gosec // names and commits
}
