package system

import (
	"context"
	"fmt"
	"time"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/status"
	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
	"k8s-plus-aws-gitops/local/system/source"
)

// PushOptions change how Push works.
type PushOptions struct {
	// Message is the commit's; default "Change the platform".
	Message string
	// NoWait returns as soon as the commit is pushed.
	NoWait bool
	// Timeout is for Flux and the pipelines together; default 15 min.
	Timeout time.Duration
}

// Pushed is what Push did.
type Pushed struct {
	source.Commit
	// Executions are those that the push started, in their last state.
	Executions []*pipelines.Execution
	// Applied is how long Flux took from the end of the push.
	Applied time.Duration
}

// Push commits the working tree to the local repository, as a merge would, and
// waits until Flux applied the commit and the pipelines that it started ended,
// or wait for an approval. It fails with the cause when one of them did.
func (s *System) Push(ctx context.Context, o PushOptions) (Pushed, error) {
	ports, err := s.running()
	if err != nil {
		return Pushed{}, err
	}
	if o.Message == "" {
		o.Message = "Change the platform"
	}
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Minute
	}
	lock, err := s.Dir.Wait(ctx, "push")
	if err != nil {
		return Pushed{}, err
	}
	defer lock.Release()
	b := source.Builder{Repo: s.Dir.Repo, Bare: s.Dir.Repository(), Scratch: s.Dir.Path("run", "push.git"), Env: deploy.List(deploy.GitVariables(s.Dir, ports))}
	var p Pushed
	if p.Commit, err = send(ctx, b, o.Message, ports.URL(layout.Git)+"/platform.git"); err != nil || p.Unchanged() {
		return p, err
	}
	pushed := time.Now()
	s.Display.Say("Pushed main@%.8s, files changed: %d", p.ID, len(p.Files))
	if p.Merged {
		s.Display.Say("Merged: main has changes that this checkout does not have, such as image tags that Flux wrote; they stay")
	}
	if o.NoWait {
		return p, nil
	}
	return p, s.waitPushed(ctx, &p, pushed, o.Timeout)
}

// Await waits again for what a Push started, such as after the approval that it waited for.
func (s *System) Await(ctx context.Context, p *Pushed, limit time.Duration) error {
	if _, err := s.running(); err != nil {
		return err
	}
	return s.waitPushed(ctx, p, time.Now(), limit)
}

// send builds and pushes a commit, again when somebody else, as Flux with an
// image tag, pushed in between.
func send(ctx context.Context, b source.Builder, message, url string) (source.Commit, error) {
	for {
		c, err := b.Build(ctx, message)
		if err != nil || c.Unchanged() {
			return c, err
		}
		if err = b.Push(ctx, c, url); err == nil {
			return c, nil
		}
		if head, herr := source.Head(ctx, b.Bare); herr != nil || head == c.Parent {
			return c, err
		}
	}
}

func (s *System) waitPushed(ctx context.Context, p *Pushed, pushed time.Time, limit time.Duration) error {
	c, err := config.LoadDir(s.Dir.Repo)
	if err != nil {
		return err
	}
	env := c.Environments[environment]
	flux := progress.Step{Name: "Flux applies the commit", Run: func(ctx context.Context, out *progress.Output) error {
		if env.Gated() && !s.released(ctx, env, p.ID) {
			out.Result("not released")
			return nil
		}
		err := s.waitApplied(ctx, p.ID, limit, out)
		p.Applied = time.Since(pushed)
		return err
	}}
	started := progress.Step{Name: "Pipelines", Run: func(ctx context.Context, out *progress.Output) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		var err error
		p.Executions, err = s.waitExecutions(ctx, p.ID, out)
		return err
	}}
	if env.Gated() {
		flux.Needs = []string{started.Name} // which let Flux have it
	}
	steps := []progress.Step{started, flux}
	// Without the gate both are watched to the end: one half's failure says nothing of the other.
	return progress.Runner{Display: s.Display, Parallel: len(steps), All: true}.Run(ctx, steps)
}

// released reports whether Flux's branch has a commit.
func (s *System) released(ctx context.Context, env config.Environment, commit string) bool {
	tip, err := source.Resolve(ctx, s.Dir.Repository(), "refs/heads/"+env.FluxBranch())
	return err == nil && contains(ctx, s, tip, commit)
}

// environment is the one that runs here.
const environment = "local"

// waitApplied waits until Flux has brought the cluster to a commit, or cannot: the branch that Flux follows has it already.
func (s *System) waitApplied(ctx context.Context, commit string, limit time.Duration, out *progress.Output) error {
	c, err := observe.Open(s.Dir.Kubeconfig())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	from := status.Source{
		Environment: environment, Commit: commit, Cluster: &c.Cluster,
		Tip:      func(context.Context) (string, error) { return commit, nil },
		Contains: func(ctx context.Context, head, commit string) bool { return contains(ctx, s, head, commit) },
		Failure: func(ctx context.Context, look *flux.Look, target *flux.Target) error {
			return failure(ctx, c, look, target)
		},
	}
	_, err = from.Wait(ctx, 300*time.Millisecond, func(now *status.Status) {
		if now.Cause != "" {
			fmt.Fprintf(out, "%s %s\n", time.Now().Format("15:04:05"), now.Cause)
			out.Note("%s", now.Cause)
		}
	})
	return err
}
