// Package fleet measures a fleet of services in a local system: publishing, reconciling from zero, one change, removing,
// and the memory that Flux needs for it. Pods are simulated, so that what is left is the platform's own work; the control
// plane, Flux and the Git server share the machine, which is why the CPU time of each is among the figures.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s-plus-aws-gitops/bench/result"
	"k8s-plus-aws-gitops/local/system/layout"
)

// Options say what Run measures.
type Options struct {
	// Root is the checkout whose platform is measured.
	Root string
	// Sizes are the numbers of services, each from zero.
	Sizes []int
	// Dir keeps checkout and system for another run. Empty: both are new and removed at the end.
	Dir string
	// Profiles is a folder for profiles of Flux's controllers at the largest size. Empty: none are taken.
	Profiles string
}

// The targets that a fleet is held against: everything from zero, and one change.
const (
	targetAll = 60 * time.Second
	targetOne = 2 * time.Second
	// changes is how often one service is changed; the median counts.
	changes = 3
	// patience ends a measurement that does not come to its end.
	patience = 30 * time.Minute
)

// bench is one run.
type bench struct {
	Options
	*system
	lines []result.Line
	// idle is the memory of each process before there were services.
	idle map[string]usage
	// round tells the names of services apart when the system is used again.
	round string
}

// Run starts a local system, measures each size and removes the system. Lines that were measured before an error are
// returned with it.
func Run(ctx context.Context, o Options) (lines []result.Line, err error) {
	b := &bench{Options: o, system: &system{root: o.Root, repo: filepath.Join(o.Dir, "repo"), keep: o.Dir != ""}, round: "bench"}
	if o.Dir == "" {
		tmp, err := os.MkdirTemp("", "fleet") // short: there are sockets below it
		if err != nil {
			return nil, err
		}
		b.repo = filepath.Join(tmp, "repo")
	} else {
		b.round = fmt.Sprintf("b%x", time.Now().Unix())
	}
	b.dir = &layout.Dir{Root: filepath.Join(filepath.Dir(b.repo), "s"), Repo: b.repo}
	defer func() {
		// Not the caller's context: an interrupted run must not leave a system behind.
		err = errors.Join(err, b.remove(context.WithoutCancel(ctx)))
	}()
	if err := b.up(ctx); err != nil {
		return nil, err
	}
	if err := b.clear(ctx); err != nil {
		return nil, err
	}
	if b.idle, err = b.usage(); err != nil {
		return nil, err
	}
	for i, n := range o.Sizes {
		if err := b.size(ctx, n, i == len(o.Sizes)-1); err != nil {
			return b.lines, fmt.Errorf("%d services: %w", n, err)
		}
	}
	return b.lines, nil
}

func (b *bench) add(l result.Line) {
	fmt.Fprintf(os.Stderr, "  %s: %.2f %s\n", l.Name, l.Value, l.Unit)
	b.lines = append(b.lines, l)
}

// wall adds a time; a target of 0 is none.
func (b *bench) wall(name string, took, target time.Duration) {
	against := ""
	if target > 0 {
		against = target.String()
	}
	b.add(result.Of(name, took.Seconds(), "wall s", against, target.Seconds()))
}

// size measures one number of services from zero.
func (b *bench) size(ctx context.Context, n int, last bool) error {
	fmt.Fprintf(os.Stderr, "%d services; load average %s\n", n, load(ctx))
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d-%04d", b.round, n, i)
	}
	if err := b.write(names); err != nil {
		return err
	}
	if err := b.commit(ctx, fmt.Sprintf("Add %d services", n)); err != nil {
		return err
	}
	began := time.Now()
	if err := b.publish(ctx); err != nil {
		return err
	}
	b.wall(fmt.Sprintf("publish %d new services", n), time.Since(began), 0)
	if err := b.fromZero(ctx, names, last); err != nil {
		return err
	}
	if err := b.change(ctx, names); err != nil {
		return err
	}
	if err := b.memory(n, last); err != nil {
		return err
	}
	if err := b.more(ctx, names); err != nil {
		return err
	}
	if last && !b.keep {
		return nil // with the system
	}
	return b.clearTimed(ctx, n)
}

// fromZero pushes the list of services and waits until Flux has made all of them Ready.
func (b *bench) fromZero(ctx context.Context, names []string, last bool) error {
	n := len(names)
	before, err := b.usage()
	if err != nil {
		return err
	}
	w, err := b.watch(ctx, names)
	if err != nil {
		return err
	}
	defer w.stop()
	profiled := func() error { return nil }
	if last && b.Profiles != "" {
		profiled = b.profile(ctx, before)
	}
	pushed, err := b.push(ctx, fmt.Sprintf("Add %d services", n))
	if err != nil {
		return err
	}
	if err := w.wait(ctx, "all services to be Ready", func() (string, bool) { return w.state() }); err != nil {
		return err
	}
	after, err := b.usage()
	if err != nil {
		return err
	}
	b.wall(fmt.Sprintf("reconcile %d services from zero", n), w.last(ready).Sub(pushed), targetAll)
	b.wall(fmt.Sprintf("reconcile %d services from zero: half of them", n), w.half(ready).Sub(pushed), 0)
	b.wall(fmt.Sprintf("reconcile %d services from zero: all sources made", n), w.last(listed).Sub(pushed), 0)
	b.wall(fmt.Sprintf("reconcile %d services from zero: all sources fetched", n), w.last(fetched).Sub(pushed), 0)
	b.wall(fmt.Sprintf("reconcile %d services from zero: all objects applied", n), w.last(applied).Sub(pushed), 0)
	b.cpu(fmt.Sprintf("reconcile %d services from zero", n), before, after)
	return profiled()
}

// change publishes one changed service and waits: for the new Deployment in the cluster, and for Flux to call it Ready,
// which is after the rollout.
func (b *bench) change(ctx context.Context, names []string) error {
	n, name := len(names), names[len(names)/2]
	var deployed, done, command []time.Duration
	for i := range changes {
		if err := b.set(name, i+1); err != nil {
			return err
		}
		if err := b.commit(ctx, "Change "+name); err != nil {
			return err
		}
		w, err := b.watch(ctx, []string{name})
		if err != nil {
			return err
		}
		began := time.Now()
		err = b.publish(ctx, name)
		took := time.Since(began)
		var pushed time.Time
		if err == nil {
			pushed, err = b.pushedAt("manifests", branch(name))
		}
		var commit string
		if err == nil {
			commit, err = b.tip(ctx, "manifests", branch(name))
		}
		if err == nil {
			err = w.wait(ctx, name+" to be Ready", func() (string, bool) { return w.at(name, commit, image(name, i+1)) })
		}
		w.stop()
		if err != nil {
			return err
		}
		command = append(command, took)
		deployed = append(deployed, w.last(applied).Sub(pushed))
		done = append(done, w.last(ready).Sub(pushed))
	}
	b.wall(fmt.Sprintf("publish one changed service of %d", n), result.Median(command), 0)
	b.wall(fmt.Sprintf("one changed service of %d: applied after the push", n), result.Median(deployed), targetOne)
	b.wall(fmt.Sprintf("one changed service of %d: rolled out and Ready", n), result.Median(done), 0)
	return nil
}

// more onboards one service beside the others: a push to the platform's repository, which concerns all of the fleet.
func (b *bench) more(ctx context.Context, names []string) error {
	name := names[0] + "-more"
	if err := b.write([]string{name}); err != nil {
		return err
	}
	if err := b.commit(ctx, "Add "+name); err != nil {
		return err
	}
	if err := b.publish(ctx, name); err != nil {
		return err
	}
	w, err := b.watch(ctx, []string{name})
	if err != nil {
		return err
	}
	defer w.stop()
	before, err := b.usage()
	if err != nil {
		return err
	}
	pushed, err := b.push(ctx, "Add "+name)
	if err != nil {
		return err
	}
	if err := w.wait(ctx, name+" to be Ready", func() (string, bool) { return w.state() }); err != nil {
		return err
	}
	title := fmt.Sprintf("one new service beside %d", len(names))
	b.wall(title+": Ready after the push", w.last(ready).Sub(pushed), 0)
	if err := b.settled(ctx); err != nil {
		return err
	}
	b.wall(title+": all of the fleet checked", time.Since(pushed), 0)
	after, err := b.usage()
	if err != nil {
		return err
	}
	b.cpu(title, before, after)
	return nil
}

// clearTimed removes all services.
func (b *bench) clearTimed(ctx context.Context, n int) error {
	began := time.Now()
	if err := b.clear(ctx); err != nil {
		return err
	}
	b.wall(fmt.Sprintf("remove %d services", n), time.Since(began), 0)
	return nil
}

// memory adds what Flux's controllers use with the services, for each of them.
func (b *bench) memory(n int, last bool) error {
	now, err := b.usage()
	if err != nil {
		return err
	}
	for _, controller := range []string{sourceController, kustomizeController} {
		idle, with := b.idle[controller], now[controller]
		if with.rss == 0 || idle.rss == 0 {
			return fmt.Errorf("%s is not among the processes of the system", controller)
		}
		title := fmt.Sprintf("%s with %d services", controller, n)
		b.add(result.Of(title, mib(with.rss), "MiB RSS", "without services", mib(idle.rss)))
		if last {
			b.add(result.Line{Name: title + ", for each", Value: float64(with.rss-idle.rss) / 1024 / float64(n), Unit: "KiB RSS"})
		}
	}
	if last && b.Profiles != "" {
		return b.heaps(now)
	}
	return nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// cpu adds the processor time of each process between two looks, most first: it tells where the wall time goes when all
// share one machine.
func (b *bench) cpu(title string, before, after map[string]usage) {
	var total float64
	spent := map[string]float64{}
	for name, u := range after {
		spent[name] = (u.cpu - before[name].cpu).Seconds()
		total += spent[name]
	}
	b.add(result.Of(title+": CPU of all processes", total, "CPU s", fmt.Sprintf("%s on %d cores", targetAll, cores()), targetAll.Seconds()*float64(cores())))
	names := make([]string, 0, len(spent))
	for name := range spent {
		names = append(names, name)
	}
	slices.SortFunc(names, func(x, y string) int {
		switch {
		case spent[x] > spent[y]:
			return -1
		case spent[x] < spent[y]:
			return 1
		}
		return 0
	})
	const most = 7
	for _, name := range names[:min(most, len(names))] {
		if spent[name] > 0 { // ps counts whole seconds
			b.add(result.Of(title+": CPU of "+name, spent[name], "CPU s", "all processes", total))
		}
	}
}
