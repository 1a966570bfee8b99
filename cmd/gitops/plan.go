package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/plan"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/review/render"
)

// planFlags are the flags of `gitops plan`.
type planFlags struct {
	stages    []string
	variables string
	markdown  string
	pipeline  string
	execution string
}

func newPlan() *cobra.Command {
	f := &planFlags{}
	cmd := &cobra.Command{
		Use:   "plan ENVIRONMENT",
		Short: "Show what deploying this commit would do to what is deployed, and whether it may.",
		Long: `Compare the commit of this checkout with what is deployed: the templates of the
environment's stacks in CloudFormation, and the manifests of the last release. It is
the first stage of the environment's pipeline, and changes nothing that is deployed.

It refuses a replacement or removal of what holds data without an entry in
allowReplacement, a removal of what the commit's manifests use, and a commit that
would need both halves to be first.

--variables writes what the pipeline's conditions read: which of the stages have
something to deploy, which half is first, and whether there is anything to release.

--pipeline and --execution say which execution the plan is for. The plan waits until
those before it have ended, and stops those that wait for an approval, because this
commit contains theirs.

Exit codes: 0 the deployment may go on, 1 an error, 2 a wrong command
line, 3 it is refused.`,
		Example: `  gitops plan dev
  gitops plan dev --stage Applications=ghost --variables plan.env`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.stages, "stage", nil, "a stage of the pipeline and its stacks: `NAME=STACK,STACK`")
	flags.StringVar(&f.variables, "variables", "", "write the variables of the pipeline to this `file`")
	flags.StringVar(&f.pipeline, "pipeline", "", "the `pipeline` that the plan is for")
	flags.StringVar(&f.execution, "execution", "", "its execution, by its `id`")
	flags.StringVar(&f.markdown, "markdown", "", "also write the difference to this `file`")
	cmd.MarkFlagsRequiredTogether("pipeline", "execution")
	return cmd
}

func (f *planFlags) run(cmd *cobra.Command, name string) error {
	var stages []plan.Stage
	for _, text := range f.stages {
		s, err := plan.ParseStage(text)
		if err != nil {
			return cli.UsageError{Err: err}
		}
		stages = append(stages, s)
	}
	root, env, err := loadEnvironment(cmd, name)
	if err != nil {
		return err
	}
	c, err := patientAWS(cmd.Context(), env.Region)
	if err != nil {
		return err
	}
	display := progress.New(cmd.ErrOrStderr())
	o := plan.Options{Root: root, Env: env, URL: env.RepositoryURL, Stages: stages, Deployed: cloudformation.NewFromConfig(c), Display: display}
	if f.execution != "" {
		o.Flight = &plan.Flight{API: codepipeline.NewFromConfig(c), Pipeline: f.pipeline, Execution: f.execution, Display: display}
	}
	p, err := plan.Make(cmd.Context(), o)
	display.Close()
	if err != nil {
		return err
	}
	return f.report(cmd, p)
}

// report prints the plan and writes the files that were asked for.
func (f *planFlags) report(cmd *cobra.Command, p *plan.Plan) error {
	out := cmd.OutOrStdout()
	if p.Review != nil {
		render.Text(out, p.Review)
		if f.markdown != "" {
			if err := os.WriteFile(f.markdown, []byte(render.Markdown(p.Review, render.Limit)), 0o644); err != nil {
				return err
			}
		}
	}
	p.Summary(out)
	if f.variables != "" {
		var text strings.Builder
		if err := p.Variables(&text); err != nil {
			return err
		}
		if err := os.WriteFile(f.variables, []byte(text.String()), 0o644); err != nil {
			return err
		}
	}
	if len(p.Refusals) > 0 {
		return cli.ExitError{Code: plan.ExitRefused, Err: fmt.Errorf("the deployment is refused: %w", errors.New(strings.Join(p.Refusals, "; ")))}
	}
	return nil
}
