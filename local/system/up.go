package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"time"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/npm"
	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/platform"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
	"k8s-plus-aws-gitops/local/system/report"
	"k8s-plus-aws-gitops/local/system/snapshot"
	"k8s-plus-aws-gitops/local/system/supervise"
)

// UpOptions change how Up works.
type UpOptions struct {
	// KeepOnFailure leaves running what Up started when a step fails, so that
	// it can be looked at.
	KeepOnFailure bool
	// Programs says where programs come from; default programs.Auto.
	Programs programs.From
	// Timeout is for each step that waits for the system; default 15 min.
	Timeout time.Duration
	// Snapshot is what a new system begins with: a snapshot's key or its first characters, NoSnapshot, or empty for the
	// snapshot of the same content if there is one.
	Snapshot string
}

// Up brings the system up. Everything it does is skipped where it is done
// already, so that a second Up takes seconds, and one after a failure goes on
// where the first stopped. When a step fails, what this Up started is stopped
// and the state is kept.
func (s *System) Up(ctx context.Context, o UpOptions) (*report.Status, error) {
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Minute
	}
	if err := s.Dir.Create(); err != nil {
		return nil, err
	}
	lock, err := s.Dir.Acquire("up")
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	declared, err := platform.Load(s.Dir.Repo)
	if err != nil {
		return nil, err
	}
	store, err := snapshot.Open()
	if err != nil {
		return nil, err
	}
	u := &up{System: s, o: o, platform: declared, snapshots: store, wasRunning: supervise.Running(s.Dir.Path("run")), release: func() {}}
	defer func() { u.release() }()
	// Installations wait for the network while the compiler has the processors.
	runner := progress.Runner{Logs: s.Dir.Path("log"), Display: s.Display, Parallel: max(4, runtime.NumCPU())}
	if err := runner.Run(ctx, u.steps()); err != nil {
		return nil, u.failed(err)
	}
	return report.Collect(ctx, s.Dir, 20*time.Second)
}

// up is one run of Up and what its steps hand to each other.
type up struct {
	*System
	o          UpOptions
	platform   *platform.Platform
	wasRunning bool // before this run
	started    bool // by this run
	snapshots  *snapshot.Store
	release    func()          // the ports of a snapshot, which are this system's once its processes listen
	whole      *supervise.Plan // with the node and what needs it

	ports    layout.Ports
	parts    parts
	binaries map[string]programs.Binary
	packages map[string]npm.Installed // of applications, by packageKey
	python   string
	awsCLI   string
	commit   string
}

// steps are everything Up does, in the order in which people read it. Those that can run begin in this order, the
// longest of a first run before the others.
func (u *up) steps() []progress.Step {
	const (
		restore, tools, ports, npm, moto, build, applications, authority, charts, seed, db = "Look for a snapshot", "Check tools", "Choose ports", "Install npm packages", "Prepare moto",
			"Build programs", "Install applications", "Create the certificate authority", "Publish charts", "Fill the Git repository", "Prepare the database"
		synth, start, control, aws, node, bootstrap, stacks, flux = "Synthesize the stacks", "Start processes", "Wait for the control plane", "Wait for the AWS API", "Start the pods", "Bootstrap the AWS account", "Deploy the stacks", "Wait for Flux"
	)
	network := "the first run needs the network: check the connection and the proxy settings, then run again"
	look := "see the log; `gitops local up` goes on where this stopped"
	steps := []progress.Step{
		{Name: tools, Run: u.checkTools, Remedy: "install what is named and run again"},
		{Name: restore, Run: u.restore, Remedy: "begin from nothing with --snapshot none"},
		{Name: ports, Needs: []string{restore}, Run: u.choosePorts},
		{Name: authority, Needs: []string{restore}, Run: u.authority},
		{Name: seed, Needs: []string{tools, restore}, Run: u.seed},
		{Name: build, Needs: []string{tools}, Run: u.build, Remedy: network},
		{Name: npm, Needs: []string{tools}, Run: u.npm, Remedy: network},
		{Name: moto, Needs: []string{tools}, Run: u.prepareMoto, Remedy: network},
		{Name: db, Needs: []string{tools, ports, authority}, Run: u.prepareDatabase},
		{Name: applications, Needs: []string{tools, npm}, Run: u.installApplications, Remedy: network},
		{Name: charts, Needs: []string{tools, restore}, Run: u.charts, Remedy: network},
		// Beside the start of the processes, which wait for each other more than they work.
		{Name: synth, Needs: []string{seed, npm}, Run: u.synthesize, Remedy: look},
		{Name: start, Needs: []string{ports, authority, seed, npm, moto, build, applications, charts, db}, Run: u.start, Remedy: look},
		{Name: control, Needs: []string{start}, Run: u.controlPlane, Remedy: "see " + u.Dir.Log(controlPlane)},
		{Name: aws, Needs: []string{start}, Run: u.awsAPI, Remedy: "see " + u.Dir.Log(endpointDaemon) + " and " + u.Dir.Log(motoProcess)},
		{Name: node, Needs: []string{control, aws}, Run: u.startNode, Remedy: "see " + u.Dir.Log(procNode)},
		// Nothing waits for it: Flux looks for the branches, and follows them when they come.
		{Name: "Publish the services", Needs: []string{aws, seed, npm}, Run: u.publishServices, Remedy: look},
		{Name: bootstrap, Needs: []string{aws}, Run: u.bootstrap, Remedy: look},
		{Name: stacks, Needs: []string{bootstrap, node, synth}, Run: u.deploy, Remedy: look},
		{Name: flux, Needs: []string{stacks}, Run: u.waitFlux, Remedy: look},
	}
	for _, url := range u.platform.Ready() {
		steps = append(steps, progress.Step{
			Name: "Wait for " + url.Name, Needs: []string{flux}, Remedy: "see " + u.Dir.Log(albDaemon) + ", and with --keep-on-failure `gitops local logs`",
			Run: func(ctx context.Context, out *progress.Output) error {
				return u.waitURL(ctx, out, url.At(u.ports[layout.HTTPS]))
			},
		})
	}
	return steps
}

// failed stops what this run started and completes the error.
func (u *up) failed(err error) error {
	var step *progress.Error
	if errors.As(err, &step) {
		if r := remedy(step.Err); r != "" {
			step.Remedy = r
		}
	}
	if !u.started || u.wasRunning || u.o.KeepOnFailure {
		return err
	}
	u.Display.Say("Stopping what was started; the state is kept")
	// Not the caller's context: it may be what ended.
	if serr := supervise.Stop(context.Background(), u.Dir.Path("run"), u.Dir.Root, stopGrace); serr != nil {
		return errors.Join(err, serr)
	}
	return err
}

// remedy knows the failures that can befall any step.
func remedy(err error) string {
	text := err.Error()
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "run `gitops local up` again to go on"
	case errors.Is(err, syscall.ENOSPC), has("no space left on device", "ENOSPC"):
		return "the disk is full: make room, then run again"
	case has("ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ECONNREFUSED", "ECONNRESET", "no such host", "network is unreachable", "Temporary failure in name resolution", "connection timed out"):
		return "the network does not answer: check the connection and the proxy settings, then run again"
	}
	return ""
}

// wait polls a question until it has no complaint. The last complaint is shown
// while it waits, and is the error when the time is up.
func wait(ctx context.Context, limit time.Duration, out *progress.Output, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			if last == nil || last.Error() != err.Error() {
				fmt.Fprintf(out, "%s %v\n", time.Now().Format("15:04:05"), err)
			}
			last = err
			out.Note("%v", err)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("not after %s: %w", limit, last)
			}
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// processStart bounds the start of processes. They take seconds; where all
// processors are busy, minutes.
const processStart = 6 * time.Minute

func (u *up) controlPlane(ctx context.Context, out *progress.Output) error {
	// It fails early when the process does not stay up.
	starting, cancel := context.WithTimeout(ctx, processStart)
	defer cancel()
	if err := supervise.WaitReady(starting, u.Dir.Path("run"), controlPlane); err != nil {
		return err
	}
	err := wait(ctx, processStart, out, func(ctx context.Context) error {
		c, err := observe.Open(u.Dir.Kubeconfig())
		if err != nil {
			return err
		}
		return c.Ready(ctx)
	})
	if err != nil {
		return err
	}
	return u.writeFacts(ctx, u.ports)
}

func (u *up) awsAPI(ctx context.Context, out *progress.Output) error {
	out.Note("waiting for moto and the database")
	ctx, cancel := context.WithTimeout(ctx, processStart)
	defer cancel()
	if err := supervise.WaitReady(ctx, u.Dir.Path("run"), motoProcess, databaseProcess, endpointDaemon, gitDaemon); err != nil {
		return err
	}
	return u.storeSecrets(ctx)
}

func (u *up) deployer() deploy.Deployer {
	return deploy.Deployer{Dir: u.Dir, Endpoint: u.ports.URL(layout.AWS)}
}

func (u *up) bootstrap(ctx context.Context, out *progress.Output) error {
	did, err := u.deployer().Bootstrap(ctx, out)
	if err == nil && !did {
		out.Result("already there")
	}
	return err
}

// synthesize goes before the deployment, so that both are done when the AWS API is there.
func (u *up) synthesize(ctx context.Context, out *progress.Output) error {
	did, err := u.deployer().Synthesize(ctx, u.commit, out)
	if err == nil && !did {
		out.Result("already there")
	}
	return err
}

func (u *up) deploy(ctx context.Context, out *progress.Output) error {
	d := u.deployer()
	// What an earlier run left to the pipelines is theirs to finish.
	if err := wait(ctx, u.o.Timeout, out, func(context.Context) error { return idle(pipelines.Folder(u.Dir)) }); err != nil {
		return err
	}
	done, err := d.Done(ctx)
	if err != nil {
		return err
	}
	if done {
		out.Result("already there")
		return nil
	}
	_, err = d.Deploy(ctx, u.commit, out)
	return err
}

// idle fails while an execution runs; one that waits for a person does not
// count.
func idle(root string) error {
	all, err := pipelines.List(root)
	for _, e := range all {
		if e.Shown() == pipelines.InProgress {
			return fmt.Errorf("pipeline %s is at work on %.8s", e.Pipeline, e.Commit)
		}
	}
	return err
}

// waitFlux waits until every Kustomization has the repository's commit and
// every HelmRelease is ready.
func (u *up) waitFlux(ctx context.Context, out *progress.Output) error {
	to := u.target(ctx, u.commit)
	return wait(ctx, u.o.Timeout, out, func(ctx context.Context) error {
		c, err := observe.Open(u.Dir.Kubeconfig())
		if err != nil {
			return err
		}
		look, err := c.Look(ctx)
		if err != nil {
			return err
		}
		return look.Applied(to)
	})
}

// waitURL waits until a URL answers 200.
func (u *up) waitURL(ctx context.Context, out *progress.Output, url string) error {
	client, err := report.Client(u.Dir, u.ports)
	if err != nil {
		return err
	}
	return wait(ctx, u.o.Timeout, out, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, resp.Status)
		}
		return nil
	})
}
