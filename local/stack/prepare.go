package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/charts"
	"k8s-plus-aws-gitops/local/cloud/moto"
	"k8s-plus-aws-gitops/local/ghost"
	"k8s-plus-aws-gitops/local/git"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/stack/deploy"
	"k8s-plus-aws-gitops/local/stack/layout"
	"k8s-plus-aws-gitops/local/stack/progress"
	"k8s-plus-aws-gitops/local/stack/source"
	"k8s-plus-aws-gitops/local/stack/supervise"
)

func (u *up) checkTools(ctx context.Context, _ *progress.Output) error {
	if err := checkTools(ctx); err != nil {
		return err
	}
	return checkSpace(u.Dir.Root)
}

// choosePorts also checks that nothing else listens on the port of a process
// that does not run.
func (u *up) choosePorts(_ context.Context, out *progress.Output) (err error) {
	if u.ports, err = u.Dir.ChoosePorts(); err != nil {
		return err
	}
	var stopped []string
	for process, names := range portsOf {
		if !supervise.Read(u.Dir.Path("run"), process).Running {
			stopped = append(stopped, names...)
		}
	}
	if supervise.Running(u.Dir.Path("run")) {
		stopped = nil // the supervisor is about to start it
	}
	if err := u.Dir.CheckFree(u.ports, stopped...); err != nil {
		return err
	}
	out.Result("https %d, AWS %d", u.ports[layout.HTTPS], u.ports[layout.AWS])
	return layout.WriteFile(u.Dir.Path("env"), []byte(envFile(u.Dir, u.ports)), 0o600)
}

func (u *up) authority(context.Context, *progress.Output) error {
	_, err := ca.Ensure(u.Dir.Path("ca"))
	return err
}

func (u *up) seed(ctx context.Context, out *progress.Output) error {
	for _, repository := range []string{u.Dir.Repository(), u.Dir.Manifests()} {
		if err := git.Init(repository); err != nil {
			return err
		}
	}
	did, err := source.Seed(ctx, u.Dir.Repo, u.Dir.Repository())
	if err != nil {
		return err
	}
	if u.commit, err = source.Head(ctx, u.Dir.Repository()); err != nil {
		return err
	}
	if did {
		out.Result("HEAD is main@%.8s", u.commit)
	} else {
		out.Result("at main@%.8s", u.commit)
	}
	return nil
}

func (u *up) npm(ctx context.Context, out *progress.Output) error {
	if installed(u.Dir.Repo) {
		out.Result("already there")
		return nil
	}
	return npmCI(ctx, u.Dir.Repo, out)
}

func (u *up) prepareMoto(ctx context.Context, out *progress.Output) error {
	cache, err := programs.CacheDir()
	if err != nil {
		return err
	}
	if u.python, err = moto.EnsureVenv(ctx, cache, out); err != nil {
		return err
	}
	u.awsCLI, err = moto.EnsureCLI(ctx, cache, out)
	return err
}

// build builds the programs two at a time: linking uses one core.
func (u *up) build(ctx context.Context, out *progress.Output) error {
	names := programs.Names()
	u.images.binaries, u.images.tags = map[string]string{}, map[string]string{}
	type built struct{ name, path, tag string }
	results := make(chan built, len(names))
	jobs, ctx := errgroup.WithContext(ctx)
	jobs.SetLimit(2)
	for _, name := range names {
		jobs.Go(func() error {
			began := time.Now()
			path, err := programs.Build(ctx, name, out)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			tag, err := programs.Tag(name)
			if took := time.Since(began); took > time.Second {
				fmt.Fprintf(out, "%s built in %s\n", name, progress.Seconds(took))
				u.Display.Say("  %s (%s)", name, progress.Seconds(took))
			}
			results <- built{name, path, tag}
			return err
		})
	}
	if err := jobs.Wait(); err != nil {
		return err
	}
	close(results)
	for b := range results {
		u.images.binaries[b.name], u.images.tags[b.name] = b.path, b.tag
	}
	u.parts.controlPlane = u.images.binaries["controlplane"]
	out.Result("%d of %d", len(names), len(names))
	return nil
}

func (u *up) installGhost(ctx context.Context, out *progress.Output) error {
	g, err := ghost.Install(ctx, out)
	if err != nil {
		return err
	}
	u.images.ghostDir, u.images.ghostNode = g.Dir, g.Node
	u.images.ghostTag, err = ghost.Version()
	return err
}

func (u *up) charts(ctx context.Context, _ *progress.Output) error {
	return charts.Publish(ctx, u.Dir.Path("charts"))
}

// fluxOperatorModule carries the operator's own manifests and those of Flux.
const fluxOperatorModule = "github.com/controlplaneio-fluxcd/flux-operator"

// start writes what the processes read, and starts or reloads the supervisor.
func (u *up) start(ctx context.Context, out *progress.Output) error {
	operator, err := programs.ModuleDir(ctx, "flux-operator", fluxOperatorModule)
	if err != nil {
		return err
	}
	u.images.fluxData = filepath.Join(operator, "config", "data")
	u.images.endpoint, u.images.region = u.ports.URL(layout.AWS), deploy.Region
	u.images.gitops = u.Executable
	table, err := encode(imageTable(u.images))
	if err != nil {
		return err
	}
	if err := layout.WriteFile(u.Dir.Images(), table, 0o600); err != nil {
		return err
	}
	if err := u.saveSettings(settings{FluxOperator: operator, AWS: u.awsCLI}); err != nil {
		return err
	}
	if u.parts.moto, err = moto.Command(u.python, u.ports[layout.Moto], u.Dir.Path("cloud", "moto")); err != nil {
		return err
	}
	plan, err := u.plan(u.ports, u.parts)
	if err != nil {
		return err
	}
	run := u.Dir.Path("run")
	if err := supervise.SavePlan(run, plan); err != nil {
		return err
	}
	u.started = true
	if u.wasRunning {
		out.Result("already running")
	}
	ctx, cancel := context.WithTimeout(ctx, processStart)
	defer cancel()
	return supervise.Start(ctx, run)
}
