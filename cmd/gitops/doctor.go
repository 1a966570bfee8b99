package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/awsclient"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/doctor"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/forge/setup"
	"k8s-plus-aws-gitops/internal/plugin"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/release"
)

// doctorFlags are those of doctor.
type doctorFlags struct{ output, kubeconfig, api string }

func newDoctor() *cobra.Command {
	f := &doctorFlags{}
	cmd := &cobra.Command{
		Use:   "doctor [ENVIRONMENT]",
		Short: "Say what an environment lacks, and what mends it.",
		Long: `Look at what an environment needs before and after its first deployment, and say
for what is missing the command that mends it, in the order in which to mend:

- tools: git, go, npm, node, the CDK CLI and the AWS CLI, and their versions
- credentials of the environment's account, region, and this machine's clock
- the CDK's bootstrap, what CloudFormation may do, the connection to the repository
- quotas: VPCs, elastic IPs, vCPUs, and what Lambda and CodeBuild run at once
- the secrets with Git credentials and tokens, and the branch that Flux follows
- hosted zone, its delegation in the DNS, certificate
- the cluster, Flux, and the last delivery of GitHub's webhook

It changes nothing and needs rights to read only. What it may not look at is
unknown, with the right that it lacks. Without ENVIRONMENT it looks at all
environments of the account of the credentials. The webhook is looked at with a
token in GITHUB_TOKEN that has 'Webhooks: read'.

Exit codes: 0 nothing is missing, 1 something is missing, 2 it could not look, or a
wrong command line.`,
		Example: `  gitops doctor dev
  AWS_PROFILE=dev gitops doctor
  gitops doctor production --output json`,
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if f.output != "" && f.output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output must be json, or left out for a table, got %q", f.output)}
			}
			return f.run(cmd, strings.Join(names, ""))
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "", "json, or a table when left out")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig of the environment's cluster (default: $KUBECONFIG, or EKS)")
	flags.StringVar(&f.api, "github-api", forge.API, "`address` of GitHub's REST API")
	return cmd
}

func (f *doctorFlags) run(cmd *cobra.Command, name string) error {
	reports, err := f.look(cmd, name)
	if err != nil {
		var usage cli.UsageError
		if errors.As(err, &usage) {
			return err
		}
		return cli.ExitError{Code: 2, Err: err}
	}
	if f.output == "json" {
		if err := cli.JSON(cmd.OutOrStdout(), reports); err != nil {
			return err
		}
	}
	missing, looked := 0, true
	for i, r := range reports {
		if f.output == "" {
			if i > 0 {
				fmt.Fprintln(cmd.OutOrStdout())
			}
			r.Print(cmd.OutOrStdout())
		}
		missing, looked = missing+r.Count(doctor.Missing), looked && r.Looked()
	}
	switch {
	case missing > 0:
		return cli.SilentError{}
	case !looked:
		return cli.ExitError{Code: 2}
	}
	return nil
}

// look looks at the environments, one after the other.
func (f *doctorFlags) look(cmd *cobra.Command, name string) ([]doctor.Report, error) {
	root, c, err := loadConfig()
	if err != nil {
		return nil, err
	}
	var found []config.Environment
	if name == "" {
		found, err = ofCaller(cmd.Context(), c)
	} else if found, err = c.Select(name); err != nil {
		err = cli.UsageError{Err: err}
	}
	if err != nil {
		return nil, err
	}
	display := progress.New(cmd.ErrOrStderr())
	defer display.Close()
	var reports []doctor.Report
	for _, env := range found {
		d, err := f.doctor(cmd.Context(), root, env)
		if err != nil {
			return nil, err
		}
		d.Display = display
		r, err := d.Look(cmd.Context())
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// ofCaller are the environments of the account of the caller's credentials. Those that a plug-in serves have credentials of
// their own.
func ofCaller(ctx context.Context, c config.Config) ([]config.Environment, error) {
	var found []config.Environment
	id, why := "", error(nil)
	for _, name := range c.Names() {
		env := c.Environments[name]
		if _, served := plugin.Find(name); served || why != nil {
			continue
		}
		if id == "" {
			if id, why = caller(ctx, env.Region); why != nil {
				continue
			}
		}
		if env.Account == id {
			found = append(found, env)
		}
	}
	switch {
	case why != nil:
		return nil, fmt.Errorf("the account of the credentials is not known: %w; sign in, or name an environment: %s", why, strings.Join(c.Names(), ", "))
	case len(found) == 0:
		return nil, fmt.Errorf("no environment is in account %s of the credentials; name one: %s", id, strings.Join(c.Names(), ", "))
	}
	return found, nil
}

// caller is the account of the caller's credentials.
func caller(ctx context.Context, region string) (string, error) {
	c, err := awsclient.Load(ctx, awsconfig.WithDefaultRegion(region))
	if err != nil {
		return "", err
	}
	who, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(who.Account), nil
}

// doctor is one of an environment.
func (f *doctorFlags) doctor(ctx context.Context, root string, env config.Environment) (*doctor.Doctor, error) {
	in, err := account(ctx, env)
	if err != nil {
		return nil, err
	}
	in.RetryMaxAttempts = 5 // what is out of order is to be said within the time of one look
	own, err := awsclient.Load(ctx)
	if err != nil {
		return nil, err
	}
	d := &doctor.Doctor{
		Root: root, Env: env, AWS: in, Region: own.Region, Resolver: net.DefaultResolver, Run: doctor.Execute,
		Forge: forge.Client{API: f.api, Token: forge.Token(os.Getenv("GITHUB_TOKEN"))},
		Hook:  func(ctx context.Context) (setup.Hook, error) { return setup.FindHook(ctx, root, env.Name) },
		Tip: func(ctx context.Context) (string, error) {
			return release.Tip(ctx, root, env.RepositoryURL, env.FluxBranch())
		},
		Cluster: func(ctx context.Context) (*flux.Cluster, error) {
			access, err := clusterAccess(ctx, f.kubeconfig, in, env, toRead)
			if err != nil {
				return nil, err
			}
			return flux.New(access)
		},
	}
	if path, served := plugin.Find(env.Name); served {
		d.Outside = path[strings.LastIndex(path, "/")+1:]
	}
	return d, nil
}
