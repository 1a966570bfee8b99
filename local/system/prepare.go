package system

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cachedir"
	gitprogram "k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/charts"
	"k8s-plus-aws-gitops/local/endpoint/moto"
	"k8s-plus-aws-gitops/local/git"
	"k8s-plus-aws-gitops/local/internal/atomicfile"
	"k8s-plus-aws-gitops/local/npm"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/source"
	"k8s-plus-aws-gitops/local/system/supervise"
)

func (u *up) checkTools(ctx context.Context, _ *progress.Output) error {
	if err := checkTools(ctx); err != nil {
		return err
	}
	if err := u.checkServices(); err != nil {
		return err
	}
	missing, err := u.toCompile(ctx)
	if err != nil {
		return err
	}
	return checkSpace(u.Dir.Root, missing)
}

// choosePorts also checks that nothing else listens on the port of a process
// that does not run.
func (u *up) choosePorts(_ context.Context, out *progress.Output) (err error) {
	r := pending(u.Dir)
	var avoid []int
	if r != nil {
		avoid = slices.Collect(maps.Values(r.Ports)) // an old port that is new for something else could not be told apart
	}
	if u.ports, err = u.Dir.ChoosePorts(avoid...); err != nil {
		return err
	}
	if r != nil {
		if err := u.moveFiles(r); err != nil {
			return err
		}
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
	if err := u.writeLogin(u.ports); err != nil {
		return err
	}
	return atomicfile.Write(u.Dir.Path("env"), []byte(envFile(u.Dir, u.ports)), 0o600)
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
		// What `gitops release` does before the first deployment: Flux needs a branch to follow.
		if _, err := gitprogram.Run(ctx, u.Dir.Repository(), nil, "update-ref", "refs/heads/"+config.ReleasedPrefix+environment, u.commit, ""); err != nil {
			return err
		}
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
	cache, err := cachedir.Dir()
	if err != nil {
		return err
	}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) { u.python, err = moto.EnsureVenv(ctx, cache, out); return err })
	both.Go(func() (err error) { u.awsCLI, err = moto.EnsureCLI(ctx, cache, out); return err })
	return both.Wait()
}

// installApplications installs the applications from npm that the cache lacks.
func (u *up) installApplications(ctx context.Context, out *progress.Output) error {
	u.packages = map[string]npm.Installed{}
	for _, a := range u.platform.Applications() {
		found, err := a.Install(ctx, out)
		if err != nil {
			return err
		}
		u.packages[packageKey(a)] = found
	}
	return nil
}

func (u *up) charts(ctx context.Context, _ *progress.Output) error {
	return charts.Publish(ctx, u.Dir.Repo, u.Dir.Path("charts"), u.platform.Charts...)
}

// start writes what the processes read, and starts or reloads the supervisor.
func (u *up) start(ctx context.Context, out *progress.Output) error {
	if err := u.writeImages(ctx); err != nil {
		return err
	}
	// It carries its own manifests and those of Flux.
	operator, err := programs.Module(ctx, "flux-operator")
	if err != nil {
		return err
	}
	if err := u.saveSettings(settings{FluxOperator: operator.Dir, AWS: u.awsCLI}); err != nil {
		return err
	}
	if u.parts.moto, err = moto.Command(u.python, u.ports[layout.Moto], u.Dir.Path("cloud", "moto")); err != nil {
		return err
	}
	if u.whole, err = u.plan(u.ports, u.parts); err != nil {
		return err
	}
	plan := u.whole
	if pending(u.Dir) != nil {
		plan = withoutNode(plan)
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
