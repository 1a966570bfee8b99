package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/restore"
)

// exitUnproven is the exit code of a restore whose backup proves nothing.
const exitUnproven = 3

// restoreFlags are the flags of `gitops restore`.
type restoreFlags struct {
	environment, into, at, snapshot, kubeconfig, output string
	snapshots, direct, alone, keep, dryRun, yes         bool
	timeout                                             time.Duration
}

func newRestore() *cobra.Command {
	f := &restoreFlags{}
	cmd := &cobra.Command{
		Use:   "restore NAME",
		Short: "Restore a database from a backup beside the one that runs, and prove it.",
		Long: `Restore the database of an application, such as ghost, or of a service: into an
instance of its own, <environment>-NAME-restored, with the network, the parameters
and the size of the one that runs in --into. Its tables are counted and compared
with what is there now, and the instance is removed, also after an interrupt. What
is left by a command that was killed the next one removes. The database that runs
is not touched.

It takes the latest there is, or what is latest at or before --at: the moment itself
where RDS keeps the log, else a snapshot: automatic, AWS Backup's, or your own.

--keep leaves a snapshot of what was proven, and prints the lines of Git that bring
it back for good. docs/guides/restore.md has the whole way.

The tables are reached through a pod in NAME's namespace, like gitops service
connect. The administrator of the new instance gets a password that this command
alone knows. Both environments are of one account. From another region the latest
snapshot is copied, and the copy is removed with the instance.

Exit codes: 0 restored and proven, 1 an error, 2 a wrong command line, 3 the backup
has no rows, or lacks those of a table that has some now.`,
		Example: `  gitops restore ghost --env production --dry-run
  gitops restore orders --env production --at 2026-11-30T09:30:00Z
  gitops restore orders --env production --into staging --keep`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error { return f.run(cmd, names[0]) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.environment, "env", "e", "dev", "environment of cdk.json that the backup is of")
	flags.StringVar(&f.into, "into", "", "environment that it is restored into (default the same)")
	flags.StringVar(&f.at, "at", "", "the moment to go back to, like 2026-11-30T09:30:00Z (default the latest)")
	flags.BoolVar(&f.snapshots, "snapshots", false, "take a snapshot, and no moment between two")
	flags.StringVar(&f.snapshot, "snapshot", "", "take this snapshot, by its `identifier` or ARN")
	flags.BoolVar(&f.keep, "keep", false, "leave a snapshot of what was proven")
	flags.BoolVar(&f.direct, "direct", false, "this machine reaches the database: use no pod")
	flags.BoolVar(&f.alone, "alone", false, "do not compare with what is there now, and read no secret")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be restored, and change nothing")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig of the cluster of --into (default: $KUBECONFIG, or EKS)")
	flags.StringVarP(&f.output, "output", "o", "", "json, or a table when left out")
	flags.DurationVar(&f.timeout, "timeout", 2*time.Hour, "how long to wait; removal has half an hour more")
	return cmd
}

// check reads what the flags say.
func (f *restoreFlags) check() (at time.Time, err error) {
	if f.output != "" && f.output != "json" {
		return at, cli.UsageError{Err: fmt.Errorf("--output %q: it is json, or left out for a table", f.output)}
	}
	if f.at != "" && f.snapshot != "" {
		return at, cli.UsageError{Err: errors.New("--at and --snapshot both choose the backup: give one of them")}
	}
	if f.at != "" {
		if at, err = time.Parse(time.RFC3339, f.at); err != nil {
			return at, cli.UsageError{Err: fmt.Errorf("--at must be like 2026-11-30T09:30:00Z, got %q", f.at)}
		}
	}
	return at, nil
}

func (f *restoreFlags) run(cmd *cobra.Command, name string) error {
	at, err := f.check()
	if err != nil {
		return err
	}
	_, from, err := loadEnvironment(cmd, f.environment)
	if err != nil {
		return err
	}
	into := from
	if f.into != "" && f.into != f.environment {
		if _, into, err = loadEnvironment(cmd, f.into); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(cmd.Context(), f.timeout, fmt.Errorf("not done after %s", f.timeout))
	defer cancel()
	c, err := patientAWS(ctx, into.Region)
	if err != nil {
		return err
	}
	there := c
	there.Region = from.Region
	r := &restore.Restore{
		API: rds.NewFromConfig(c), Source: rds.NewFromConfig(there), From: from, Into: into, Name: name, At: at, Snapshots: f.snapshots, Snapshot: f.snapshot, Keep: f.keep,
		Say: func(string, ...any) {},
	}
	plan, err := r.Plan(ctx)
	if err != nil {
		return err
	}
	if f.dryRun {
		return f.say(cmd, plan)
	}
	if into.DeletionProtection && !f.yes {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s, %s, will be made of %s\n", plan.Instance, plan.Class, plan.Point)
		if err := confirmName(cmd, into.Name, "make it there"); err != nil {
			return err
		}
	}
	return f.prove(ctx, cmd, r, plan, &looks{flags: f, aws: c, name: name})
}

// say prints what would be restored.
func (f *restoreFlags) say(cmd *cobra.Command, plan restore.Plan) error {
	if f.output == "json" {
		return cli.JSON(cmd.OutOrStdout(), plan)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s, %s, would be made of %s, counted, and removed. Nothing is changed.\n", plan.Instance, plan.Class, plan.Point)
	return err
}

// prove restores, and prints what is in it.
func (f *restoreFlags) prove(ctx context.Context, cmd *cobra.Command, r *restore.Restore, plan restore.Plan, l *looks) error {
	display := progress.New(cmd.ErrOrStderr())
	l.log, r.Say = cmd.ErrOrStderr(), display.Say
	r.Look = func(ctx context.Context, login restore.Login) ([]restore.Table, error) {
		return l.count(ctx, r.Into, login)
	}
	if !f.alone {
		r.Now = func(ctx context.Context) ([]restore.Table, error) { return l.now(ctx, r.From) }
	}
	result, err := r.Run(ctx, plan)
	err = errors.Join(err, l.close())
	display.Close()
	if result.ProvenAfter == 0 {
		return err
	}
	if f.output == "json" {
		err = errors.Join(err, cli.JSON(cmd.OutOrStdout(), result))
	} else {
		err = errors.Join(err, result.Print(cmd.OutOrStdout()))
	}
	if err != nil {
		return err
	}
	if doubt := result.Doubt(); doubt != nil {
		return cli.ExitError{Code: exitUnproven, Err: doubt}
	}
	if result.Kept != "" {
		fmt.Fprint(cmd.ErrOrStderr(), adopt(r.Into, r.Name, result.Kept))
	}
	return nil
}

// adopt are the lines of Git by which an environment takes a snapshot over. CloudFormation makes a database of a snapshot only
// when it makes the database, so the one that runs has to go first.
func adopt(env config.Environment, name, snapshot string) string {
	where := fmt.Sprintf("k8s/services/%s.yaml:\n  environments:\n    %s: {aws: {database: {snapshot: %s}}}", name, env.Name, snapshot)
	if name == "ghost" {
		where = fmt.Sprintf("cdk.json, environments.%s.ghost:\n  \"snapshot\": %q", env.Name, snapshot)
	}
	return "To bring it back for good, remove the database that is there (docs/guides/restore.md), and commit in " + where + "\n"
}
