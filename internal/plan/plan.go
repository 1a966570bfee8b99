// Package plan decides what a deployment does before any of it is done: which stages have something to deploy, in which
// order the two halves go, and whether the guard lets it pass. It compares the commit with what is deployed, not with
// another commit.
package plan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/release"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/risk"
)

// Stage is a stage of the pipeline with the stacks that it deploys, by their names after the environment. config.RestStacks
// are all that no other stage names, so that the pipeline of yesterday deploys the application that the commit adds.
type Stage struct {
	Name   string
	Stacks []string
}

// has reports whether a stage among others deploys a stack.
func (s Stage) has(part string, all []Stage) bool {
	if !slices.Contains(s.Stacks, config.RestStacks) {
		return slices.Contains(s.Stacks, part)
	}
	return !slices.ContainsFunc(all, func(other Stage) bool { return slices.Contains(other.Stacks, part) })
}

// ParseStage reads NAME=stack,stack.
func ParseStage(text string) (Stage, error) {
	name, stacks, ok := strings.Cut(text, "=")
	if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') }) {
		return Stage{}, fmt.Errorf("--stage %q must be NAME=STACK,STACK, for example Network=network", text)
	}
	return Stage{Name: name, Stacks: strings.FieldsFunc(stacks, func(r rune) bool { return r == ',' })}, nil
}

// Options say what to plan.
type Options struct {
	// Root is the checkout with the commit, and its history.
	Root string
	// Env is the environment.
	Env config.Environment
	// URL of the repository with the branch of the last release; empty: the environment's repository.
	URL string
	// Stages of the pipeline.
	Stages []Stage
	// Deployed reads the stacks that exist.
	Deployed Stacks
	// Flight is the execution that the plan is for; nil outside of a pipeline.
	Flight *Flight
	// Display shows progress; nil shows nothing.
	Display *progress.Display
}

// Order says which half goes first.
type Order string

// The orders.
const (
	// AWSFirst is for what is added and changed: pods find what they use.
	AWSFirst Order = "aws"
	// KubernetesFirst is for what is removed: nothing uses it any more when it goes.
	KubernetesFirst Order = "kubernetes"
)

// Plan is what a deployment will do.
type Plan struct {
	// Release says where the released branch is, seen from the commit.
	Release release.Result
	// Review is the difference to what is deployed and released; nil when the commit was passed.
	Review *review.Review
	// Deploy holds, by the names of the stages, the stacks to deploy.
	Deploy map[string][]string
	Order  Order
	// Services are those whose manifests the release publishes, where the environment publishes by merge.
	Services []string
	// Snapshots are the instances with databases whose schemas the release migrates, as migrations.Forward names them, where the
	// environment protects data: they are kept as they are before it.
	Snapshots []string
	// Refusals are the reasons for which the deployment must not go on, one line each.
	Refusals []string
}

// ExitRefused is the exit code of a plan with refusals.
const ExitRefused = review.ExitForbidden

// Make plans. In a pipeline it waits for the executions before, and takes the place of those that wait for an approval.
func Make(ctx context.Context, o Options) (*Plan, error) {
	if o.Flight == nil {
		return compare(ctx, o)
	}
	for {
		if err := o.Flight.Clear(ctx); err != nil {
			return nil, err
		}
		p, err := compare(ctx, o)
		if err != nil || len(p.Refusals) > 0 || !p.Releases() {
			return p, err // it will not deploy, so what waits may go on
		}
		if alone, err := o.Flight.Supersede(ctx); err != nil || alone {
			return p, err
		}
	}
}

// compare compares the commit with what is deployed.
func compare(ctx context.Context, o Options) (*Plan, error) {
	p := &Plan{Deploy: map[string][]string{}, Order: AWSFirst}
	if o.Env.Gated() {
		var err error
		p.Release, err = release.Look(ctx, release.Options{Dir: o.Root, URL: o.URL, Branch: o.Env.ReleasedBranch()})
		var diverged *release.DivergedError
		switch {
		case errors.As(err, &diverged):
			p.Refusals = append(p.Refusals, err.Error())
			return p, nil
		case err != nil:
			return nil, err
		case p.Release.Outcome == release.Passed:
			for _, stage := range o.Stages {
				p.Deploy[stage.Name] = nil
			}
			return p, nil
		}
	}
	if err := p.signed(ctx, o); err != nil || len(p.Refusals) > 0 {
		return p, err
	}
	base := p.Release.Before
	if !o.Env.Gated() {
		base = "HEAD^" // Flux has what came before; a first commit has nothing before it
		if _, err := git.Run(ctx, o.Root, nil, "rev-parse", "--verify", "--quiet", base); err != nil {
			base = ""
		}
	}
	stacks := reader{Stacks: o.Deployed, unfit: map[string]bool{}}
	var err error
	p.Review, err = review.Run(ctx, review.Options{
		Root: o.Root, Base: base, Environments: []string{o.Env.Name}, Deployed: stacks.read, Display: o.Display,
	})
	if err != nil {
		return nil, err
	}
	if err := p.publishes(ctx, o, base); err != nil {
		return nil, err
	}
	if err := p.schema(ctx, o, base); err != nil {
		return nil, err
	}
	p.decide(o, stacks.unfit)
	return p, nil
}

// decide draws the conclusions from the difference. Stacks that are unfit are deployed although nothing differs: their last
// deployment has failed.
func (p *Plan) decide(o Options, unfit map[string]bool) {
	e := p.Review.Environments[0]
	var parts []string
	for _, s := range e.Stacks {
		parts = append(parts, s.Part)
	}
	for name, really := range unfit {
		if part := strings.TrimPrefix(name, e.Name+"-"); really && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	slices.Sort(parts)
	for _, stage := range o.Stages {
		var deploy []string
		for _, part := range parts {
			if stage.has(part, o.Stages) {
				deploy = append(deploy, part)
			}
		}
		p.Deploy[stage.Name] = deploy
	}
	for _, f := range e.Findings {
		if f.Verdict == risk.Forbidden {
			p.Refusals = append(p.Refusals, fmt.Sprintf("%s: %s; %s", f.Resource, f.Message, f.Note))
		}
	}
	p.order(e, o.Env.RollsBack())
}

// Releases reports whether the commit is one to release.
func (p *Plan) Releases() bool { return p.Release.Outcome != release.Passed }

// Variables are what the pipeline's conditions read: RELEASE is yes or no, FIRST is one of the orders, and each stage's name
// in capitals is deploy or skip. With _STACKS behind it it lists the stacks to deploy, for a shell, and SERVICES lists the
// services to publish, SNAPSHOTS the instances of which a snapshot is made before.
func (p *Plan) Variables(out io.Writer) error {
	lines := []string{"RELEASE=" + word(p.Releases(), "yes", "no"), "FIRST=" + string(p.Order), "SERVICES='" + strings.Join(p.Services, " ") + "'", "SNAPSHOTS='" + strings.Join(p.Snapshots, " ") + "'"}
	for name, deploy := range p.Deploy {
		lines = append(lines,
			strings.ToUpper(name)+"="+word(len(deploy) > 0 && p.Releases(), "deploy", "skip"),
			fmt.Sprintf("%s_STACKS='%s'", strings.ToUpper(name), strings.Join(deploy, " ")))
	}
	slices.Sort(lines)
	_, err := io.WriteString(out, strings.Join(lines, "\n")+"\n")
	return err
}

// Summary says in a few lines what will be done.
func (p *Plan) Summary(out io.Writer) {
	if !p.Releases() {
		fmt.Fprintf(out, "\nNothing is done: %.12s is released, and contains %.12s.\n", p.Release.Before, p.Release.Commit)
		return
	}
	fmt.Fprintln(out)
	for _, name := range slices.Sorted(maps.Keys(p.Deploy)) {
		fmt.Fprintf(out, "%-14s %s\n", name, word(len(p.Deploy[name]) > 0, "deploys "+strings.Join(p.Deploy[name], ", "), "is skipped: no difference"))
	}
	if len(p.Services) > 0 {
		fmt.Fprintf(out, "%-14s publishes %s\n", "Services", strings.Join(p.Services, ", "))
	}
	if len(p.Snapshots) > 0 {
		fmt.Fprintf(out, "%-14s of the instances of %s, with the databases whose schemas it migrates\n", "Snapshots", strings.Join(p.Snapshots, ", "))
	}
	if p.Order == KubernetesFirst && len(p.Refusals) == 0 {
		fmt.Fprintln(out, "Kubernetes goes first: what it used is removed after it.")
	}
	for _, refusal := range p.Refusals {
		fmt.Fprintf(out, "Refused: %s\n", refusal)
	}
}

func word(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}
