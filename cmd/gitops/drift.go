package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/spf13/cobra"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/audit"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/drift"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/plugin"
	"k8s-plus-aws-gitops/internal/review/risk"
)

// driftFlags are the flags of `gitops drift`.
type driftFlags struct {
	output, kubeconfig, only, commit, alert string
	repair                                  bool
	timeout                                 time.Duration
}

// unseen is the exit code of `gitops drift` when not everything could be looked at.
const unseen = 2

func newDrift() *cobra.Command {
	f := &driftFlags{}
	cmd := &cobra.Command{
		Use:   "drift [ENVIRONMENT]",
		Short: "Show what is otherwise than the repository says, in AWS and in Kubernetes.",
		Long: `Show what differs from the repository: resources of stacks, by CloudFormation's
drift detection; what Flux has not applied, or does not apply; objects that somebody
else than Flux wrote; images behind; and certificates, secrets and versions whose
time is over soon. The worst comes first, each with what to do. Nothing is changed.

--alert also tells the environment's topic, whose addresses are delivery.notify, of
what is new since the look before, and when it is over. An object in S3 remembers
what was told. The build ENVIRONMENT-drift does this by drift.schedule.

The environment is dev when none is named. Its account is that of the AWS
credentials at hand; docs/guides/drift.md lists the rights. The cluster is reached
by --kubeconfig, by $KUBECONFIG, or as EKS, which needs an access entry. What cannot
be looked at is listed, and keeps nothing else from being looked at.

--repair puts back what can be put back without anybody's data: Flux is asked to
apply objects that somebody changed or removed, and CloudFormation takes back the
drift of stacks, where nothing that holds data would be touched and nothing
replaced. What somebody has suspended stays so. It prints what it did, and what it
left and why.

Detection takes minutes where stacks are large.

Exit codes: 0 no difference, or all of them put back, 1 a difference, 2 none found,
but not everything could be looked at, or a wrong command line. With --alert: 0 once
everybody who must know was told, 1 an error.`,
		Example: `  gitops drift dev
  gitops drift production --only aws
  gitops drift production --output json
  gitops drift dev --repair
  gitops drift dev --alert s3://my-bucket/drift/dev.json`,
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.output != "" && f.output != "json":
				return cli.UsageError{Err: fmt.Errorf("--output must be json, or left out for a table, got %q", f.output)}
			case f.only != "" && f.only != string(drift.AWS) && f.only != string(drift.Kubernetes):
				return cli.UsageError{Err: fmt.Errorf("--only must be aws or kubernetes, or left out for both halves, got %q", f.only)}
			}
			if f.alert != "" {
				if _, _, err := drift.ParseMemory(f.alert); err != nil {
					return cli.UsageError{Err: fmt.Errorf("--alert %w", err)}
				}
			}
			return f.run(cmd, append(args, "dev")[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "", "json, or a table when left out")
	flags.StringVar(&f.only, "only", "", "aws or kubernetes: leave the other half out")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig of the environment's cluster (default: $KUBECONFIG, or EKS)")
	flags.StringVar(&f.commit, "commit", "", "the released `commit`, in full (default: that of the branch that Flux follows)")
	flags.StringVar(&f.alert, "alert", "", "tell the environment's topic of what is new, and remember it in this `object`, s3://BUCKET/KEY")
	flags.BoolVar(&f.repair, "repair", false, "put back what can be put back without anybody's data")
	flags.DurationVar(&f.timeout, "timeout", 15*time.Minute, "how long to look; what is not seen by then is listed")
	return cmd
}

func (f *driftFlags) run(cmd *cobra.Command, name string) error {
	root, env, err := loadEnvironment(cmd, name)
	if err != nil {
		return cli.ExitError{Code: unseen, Err: err}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	c, err := patientAWS(ctx, env.Region)
	if err != nil {
		return cli.ExitError{Code: unseen, Err: err}
	}
	var checks []drift.Check
	repairer := drift.Repairer{Holds: risk.Holds, Pause: drift.Sleep, Now: time.Now}
	if f.only != string(drift.Kubernetes) {
		checks = append(checks, awsChecks(c, root, env)...)
		if _, elsewhere := plugin.Find(env.Name); !elsewhere {
			repairer.Stacks = cloudformation.NewFromConfig(c)
		}
	}
	if f.only != string(drift.AWS) {
		var more []drift.Check
		more, repairer.Cluster = f.clusterChecks(ctx, c, root, env)
		checks = append(checks, more...)
	}
	began := time.Now()
	report := drift.Look(ctx, env.Name, checks, func(what string) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%4.0fs looked at: %s\n", time.Since(began).Seconds(), what)
	})
	if cmd.Context().Err() != nil {
		return cli.ExitError{Code: unseen, Err: cmd.Context().Err()}
	}
	if f.repair {
		repairer.Repair(ctx, report)
	}
	if f.output == "json" {
		err = cli.JSON(cmd.OutOrStdout(), report)
	} else {
		report.Print(cmd.OutOrStdout())
	}
	switch code := report.Code(); {
	case err != nil:
		return err
	case f.alert != "":
		return f.tell(cmd, c, env, report)
	case code != 0:
		return cli.ExitError{Code: code}
	}
	return nil
}

// tellTime is how long telling may take, after a look that may have used up its own time.
const tellTime = 2 * time.Minute

// tell alerts people of what is new.
func (f *driftFlags) tell(cmd *cobra.Command, c aws.Config, env config.Environment, report *drift.Report) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), tellTime)
	defer cancel()
	a := drift.Alert{
		Objects: s3.NewFromConfig(c), Messages: sns.NewFromConfig(c), Topic: env.ARN("sns", env.NotificationsTopic()), Now: time.Now,
	}
	var err error
	if a.Bucket, a.Key, err = drift.ParseMemory(f.alert); err != nil {
		return err
	}
	subject, err := a.Tell(ctx, report)
	switch {
	case err != nil:
		return err
	case subject == "":
		fmt.Fprintln(cmd.ErrOrStderr(), "Nothing is new since the look before: nobody was told.")
	default:
		fmt.Fprintf(cmd.ErrOrStderr(), "Told %s: %s\n", env.NotificationsTopic(), subject)
	}
	return nil
}

// awsChecks are those of the AWS half. Where a plug-in serves the environment, what only AWS can tell is left out.
func awsChecks(c aws.Config, root string, env config.Environment) []drift.Check {
	stacks := cloudformation.NewFromConfig(c)
	checks := []drift.Check{
		drift.Certificates(stacks, acm.NewFromConfig(c), env.Name, time.Now),
		drift.Secrets(secretsmanager.NewFromConfig(c), env.Name, time.Now),
	}
	if path, served := plugin.Find(env.Name); served {
		return append(checks, drift.Outside(filepath.Base(path), env.Name))
	}
	return append(checks,
		drift.Stacks(stacks, env.Name, drift.Sleep),
		drift.ClusterVersion(awseks.NewFromConfig(c), env.ClusterName(), time.Now),
		drift.Databases(stacks, rds.NewFromConfig(c), env.Name, time.Now),
		drift.Execution(iam.NewFromConfig(c), root, env),
	)
}

// clusterChecks are those of the Kubernetes half, and its cluster. Where that is out of reach, one check says so.
func (f *driftFlags) clusterChecks(ctx context.Context, c aws.Config, root string, env config.Environment) ([]drift.Check, *flux.Cluster) {
	reached := func(err error) drift.Check {
		return drift.Check{What: "the cluster", Run: func(context.Context, *drift.Found) error { return err }}
	}
	unreached := func(err error) ([]drift.Check, *flux.Cluster) { return []drift.Check{reached(err)}, nil }
	to := toRead
	if f.repair {
		to = toChange
	}
	access, err := clusterAccess(ctx, f.kubeconfig, c, env, to)
	if err != nil {
		return unreached(err)
	}
	cluster, err := flux.New(access)
	if err != nil {
		return unreached(err)
	}
	objects, err := metadata.NewForConfig(access)
	if err != nil {
		return unreached(err)
	}
	served, err := discovery.NewDiscoveryClientForConfig(access)
	if err != nil {
		return unreached(err)
	}
	from, err := (&statusFlags{only: string(drift.Kubernetes), commit: f.commit}).released(ctx, root, env)
	from.Cluster = cluster
	released := drift.Flux(from)
	if err != nil { // the branch cannot be read; what the cluster itself tells can
		released.Run = func(context.Context, *drift.Found) error { return err }
	}
	byHand := drift.Objects{Cluster: cluster, Metadata: objects, Resources: served.ServerResourcesForGroupVersion, Now: time.Now}
	if _, elsewhere := plugin.Find(env.Name); !elsewhere && f.only == "" { // else nothing of AWS is asked
		byHand.Audit = audit.Logs{API: cloudwatchlogs.NewFromConfig(c), Group: config.ControlPlaneLogs(env.ClusterName())}
	}
	return []drift.Check{reached(nil), released, drift.Releases(cluster), drift.Images(cluster), drift.ByHand(byHand)}, cluster
}
