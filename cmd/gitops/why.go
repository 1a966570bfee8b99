package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/audit"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/plugin"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
	"k8s-plus-aws-gitops/internal/why"
)

// whyFlags are the flags of `gitops why`.
type whyFlags struct {
	environment, namespace, field   string
	output, kubeconfig, secret, api string
	timeout                         time.Duration
}

func newWhy() *cobra.Command {
	f := &whyFlags{}
	cmd := &cobra.Command{
		Use:   "why KIND/NAME | STACK/LOGICALID | ID | ARN",
		Short: "Show who and what brought an object or a resource into its state.",
		Long: `Show of an object in the cluster, or of a resource of a stack, what brought it into
its state: the object of Flux that applied it, the file and the last commit that
changed it, its pull request with author and reviewers, the pipeline's execution,
who approved it, and the images with their digests and builds. --field shows who
wrote a field, and when; of what was written by hand also who asked for it, where
there is an audit log. What cannot be known is listed, with why. Nothing is changed.

A resource is STACK/LOGICALID, where STACK begins with the environment's name, or
its physical id or ARN. KIND is as kubectl takes it.

GitHub is asked with GITOPS_REVIEW_TOKEN or GITHUB_TOKEN, or the token of the
environment's secret; it needs 'Pull requests: read'. The cluster is reached by
--kubeconfig, by $KUBECONFIG, or as EKS, which needs an access entry.

Exit codes: 0 success, 1 an error or there is no such thing, 2 a wrong command line.`,
		Example: `  gitops why deployment/ghost --namespace ghost --env dev
  gitops why deploy/ghost -n ghost --field spec.replicas
  gitops why dev-ghost/GhostMySQLDatabaseE30388B3 --env dev
  gitops why arn:aws:s3:::dev-ghost-content-111111111111-eu-west-1 -o json`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.output != "" && f.output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output must be json, or left out for a table, got %q", f.output)}
			}
			return f.run(cmd, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.environment, "env", "e", "dev", "the `environment`")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "`namespace` of the object (default: the only one that has it)")
	flags.StringVar(&f.field, "field", "", "also show who wrote this `field`, for example spec.replicas")
	flags.StringVarP(&f.output, "output", "o", "", "json, or a table when left out")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig of the environment's cluster (default: $KUBECONFIG, or EKS)")
	flags.StringVar(&f.secret, "token-secret", "", "`name` of the secret with GitHub's token (default: REVIEW_TOKEN_SECRET, or /<environment>/gitops/review-token)")
	flags.StringVar(&f.api, "github-api", forge.API, "`address` of GitHub's REST API")
	flags.DurationVar(&f.timeout, "timeout", 2*time.Minute, "how long to look")
	return cmd
}

func (f *whyFlags) run(cmd *cobra.Command, what string) error {
	root, env, err := loadEnvironment(cmd, f.environment)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	c, err := patientAWS(ctx, env.Region)
	if err != nil {
		return err
	}
	from := f.source(ctx, c, root, env)
	if f.output == "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "Asking for %s in %s\n", what, env.Name)
	}
	answer, err := f.ask(ctx, c, from, what)
	switch {
	case err != nil:
		return err
	case f.output == "json":
		return cli.JSON(cmd.OutOrStdout(), answer)
	}
	answer.Print(cmd.OutOrStdout())
	return nil
}

// ask finds out what the question is about: a stack's name begins with that of the environment.
func (f *whyFlags) ask(ctx context.Context, c aws.Config, from *why.Source, what string) (*why.Answer, error) {
	first, second, both := strings.Cut(what, "/")
	resource := !both || strings.HasPrefix(what, "arn:") || strings.HasPrefix(what, "https:") || strings.HasPrefix(first, from.Env.Name+"-")
	if resource && (f.field != "" || f.namespace != "") {
		return nil, cli.UsageError{Err: fmt.Errorf("--field and --namespace are of objects, KIND/NAME, got %q", what)}
	}
	switch {
	case strings.HasPrefix(what, "arn:") || strings.HasPrefix(what, "https:") || !both:
		return from.Physical(ctx, what)
	case resource:
		return from.InStack(ctx, first, second)
	}
	access, err := clusterAccess(ctx, f.kubeconfig, c, from.Env, toRead)
	if err != nil {
		return nil, err
	}
	if from.Kubernetes, err = kubernetesOf(access); err != nil {
		return nil, err
	}
	return from.Object(ctx, why.Question{Kind: first, Name: second, Namespace: f.namespace, Field: f.field})
}

// kubernetesOf opens a cluster, whose API server says which kinds it serves.
func kubernetesOf(access *rest.Config) (*why.Kubernetes, error) {
	cluster, err := flux.New(access)
	if err != nil {
		return nil, err
	}
	objects, err := metadata.NewForConfig(access)
	if err != nil {
		return nil, err
	}
	served, err := discovery.NewDiscoveryClientForConfig(access)
	if err != nil {
		return nil, err
	}
	// An API that is out of order keeps nobody from asking about the rest.
	cached := memory.NewMemCacheClient(served)
	kinds := restmapper.NewShortcutExpander(restmapper.NewDeferredDiscoveryRESTMapper(cached), cached, nil)
	return &why.Kubernetes{Cluster: cluster, Metadata: objects, Kinds: kinds}, nil
}

// source is everything but the cluster.
func (f *whyFlags) source(ctx context.Context, c aws.Config, root string, env config.Environment) *why.Source {
	from := &why.Source{
		Env: env, Root: root, Tip: sourceOf(root, env).Tip,
		AWS: why.AWS{Stacks: cloudformation.NewFromConfig(c), Pipelines: codepipeline.NewFromConfig(c), Registry: ecr.NewFromConfig(c)},
		Published: func(ctx context.Context, service string) (publish.Tip, error) {
			return publishedTip(ctx, root, env, service)
		},
	}
	if env.BuildsImages() {
		from.Builds = env.StackName(config.ImagesPipeline)
	}
	if path, served := plugin.Find(env.Name); served {
		from.Outside = filepath.Base(path)
	} else {
		from.AWS.Audit = audit.Logs{API: cloudwatchlogs.NewFromConfig(c), Group: config.ControlPlaneLogs(env.ClusterName())}
	}
	token, none := platformToken(ctx, f.secret, env)
	if from.NoForge = none; token != "" {
		from.Forge = &forge.Client{API: f.api, Token: token}
	}
	return from
}

// publishedTip reads what a service's branch was published from.
func publishedTip(ctx context.Context, root string, env config.Environment, service string) (publish.Tip, error) {
	fleet, err := services.LoadConfig(root)
	if err != nil {
		return publish.Tip{}, err
	}
	to := fleet.For(env.Name)
	branch := to.Ref(env.Name, service)
	tips, err := publish.Tips(ctx, to.URL, []string{branch})
	return tips[branch], err
}
