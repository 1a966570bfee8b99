package rehearsal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/platform"
	"k8s-plus-aws-gitops/local/rehearsal/data"
	"k8s-plus-aws-gitops/local/system"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/report"
	"k8s-plus-aws-gitops/local/system/snapshot"
)

// start brings the base up, from its snapshot. Where there is none it is made first, which takes minutes once.
func (r *run) start(ctx context.Context) error {
	dir, err := layout.Open(r.scratch.state(), r.scratch.repo())
	if err != nil {
		return err
	}
	r.system = &system.System{Dir: dir, Executable: r.Executable}
	tools := progress.Step{Name: "Prepare the base's checkout", Run: func(ctx context.Context, _ *progress.Output) error {
		return errors.Join(r.scratch.linkModules(r.Repo), r.scratch.buildServices(ctx))
	}}
	if err := r.steps(ctx, tools); err != nil {
		return err
	}
	store, err := snapshot.Open()
	if err != nil {
		return err
	}
	found, err := r.snapshot(ctx, store)
	if errors.Is(err, snapshot.ErrNone) {
		found, err = r.makeSnapshot(ctx, store)
	}
	if err != nil {
		return err
	}
	began := progress.Step{Name: "Start the base", Run: func(ctx context.Context, out *progress.Output) error {
		out.Note("from the snapshot %.12s", found.Key)
		// In a directory that has its state already this is no restoration.
		if _, err := r.system.Up(ctx, system.UpOptions{Timeout: r.Timeout}); err != nil {
			return err
		}
		out.Result("snapshot %.12s", found.Key)
		return r.whole(ctx, 0, out)
	}}
	if err := r.steps(ctx, began); err != nil {
		return err
	}
	return r.fill(ctx)
}

// fill brings the data of the base's environment into its databases.
func (r *run) fill(ctx context.Context) error {
	c, err := config.LoadDir(r.scratch.repo())
	if err != nil {
		return err
	}
	ports, err := r.system.Dir.LoadPorts()
	if err != nil {
		return err
	}
	filler := data.Filler{Repo: r.scratch.repo(), Server: database.Dumps{Dir: r.system.Dir.Path("database"), Port: ports[layout.Database]}}
	r.data = nil
	for _, d := range c.Environments[r.Environment].Rehearsal.Data {
		step := progress.Step{Name: "Fill the database " + d.Database, Run: func(ctx context.Context, out *progress.Output) error {
			got, err := filler.Fill(ctx, d)
			if err != nil {
				return err
			}
			r.data = append(r.data, got)
			out.Result("%s", got)
			return nil
		}}
		if err := r.steps(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// snapshot looks for the base's.
func (r *run) snapshot(ctx context.Context, store *snapshot.Store) (snapshot.Manifest, error) {
	declared, err := platform.Load(r.scratch.repo())
	if err != nil {
		return snapshot.Manifest{}, err
	}
	key, err := system.SnapshotKey(ctx, declared, r.scratch.repo(), r.change.base)
	if err != nil {
		return snapshot.Manifest{}, fmt.Errorf("%w: %w", snapshot.ErrNone, err) // a program is missing, which `up` builds
	}
	return store.Find(key)
}

// makeSnapshot makes the base from nothing, lets it come to rest, stops it and saves it.
func (r *run) makeSnapshot(ctx context.Context, store *snapshot.Store) (snapshot.Manifest, error) {
	r.Display.Say("No snapshot of %.8s: it is made now, and later rehearsals on it begin with it", r.change.base)
	loud := *r.system
	loud.Display = r.Display
	if _, err := loud.Up(ctx, system.UpOptions{Timeout: r.Timeout, Snapshot: system.NoSnapshot}); err != nil {
		return snapshot.Manifest{}, fmt.Errorf("the base does not come up: %w", err)
	}
	rest := func(ctx context.Context, out *progress.Output) error { return r.whole(ctx, quiet, out) }
	if err := r.steps(ctx, progress.Step{Name: "Let the base come to rest", Run: rest}); err != nil {
		return snapshot.Manifest{}, fmt.Errorf("the base does not come to rest: %w", err)
	}
	if _, err := loud.Down(ctx); err != nil {
		return snapshot.Manifest{}, err
	}
	return loud.SaveSnapshot(ctx, store)
}

// quiet is how long a base must have been well before it counts as at rest: the new pipelines have built images, of which Flux
// finds the tags at its interval (k8s/clusters/base/image-automation) and commits them. In a snapshot without that commit it would
// come in the midst of a rehearsal.
const quiet = 75 * time.Second

// whole waits until everything of the system has been well for a while, and nothing is at work.
func (r *run) whole(ctx context.Context, while time.Duration, out *progress.Output) error {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	since := time.Now()
	for {
		s, err := report.Collect(ctx, r.system.Dir, 20*time.Second)
		if err != nil {
			return err
		}
		r.answer(r.system, s.Pipelines) // the first execution of an environment with an approval waits for it, too
		open := unwell(s)
		if len(open) > 0 {
			since = time.Now()
		} else if open = []string{"quiet for " + progress.Seconds(time.Since(since))}; time.Since(since) >= while {
			return nil
		}
		out.Note("%s", open[0])
		select {
		case <-ctx.Done():
			return fmt.Errorf("not after %s: %s", r.Timeout, strings.Join(open, "; "))
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// unwell is what fails or is at work, services included.
func unwell(s *report.Status) []string {
	open := append(s.Problems(), s.Waiting()...)
	for _, i := range s.Services {
		if i.Ready != "True" && !i.Suspended {
			open = append(open, flux.ServicesNamespace+"/"+i.Name)
		}
	}
	return open
}

// buildServices builds the program that renders services, of the commit that is checked out, where there are any.
func (s *scratch) buildServices(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(s.repo(), services.FilesDir, "*.yaml"))
	if err != nil || len(files) == 0 {
		return err
	}
	cmd := exec.CommandContext(ctx, "make", "--silent", "bin/services")
	var said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.repo(), &said, &said
	cmd.Env = append(os.Environ(), "CI=true") // no line that moves
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make bin/services: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return nil
}
