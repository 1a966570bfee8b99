package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/migrations"
	"k8s-plus-aws-gitops/internal/services/publish"
	"k8s-plus-aws-gitops/local/system/observe"
)

// servicesStage is the stage of the result in which services are published that no pipeline publishes.
const servicesStage = "Services"

// publishes reports whether a change of files may change what services are.
func publishes(files []string) bool {
	return slices.ContainsFunc(files, func(name string) bool {
		return strings.HasPrefix(name, services.FilesDir+"/") || strings.HasPrefix(name, services.AppDir+"/") || strings.HasPrefix(name, "internal/services/")
	})
}

// release publishes the services of a commit that differ from what is published, as their tags would after the merge, and waits
// until they run. content is the commit with the same files in the scratch. Nil: there were none.
func (r *run) release(ctx context.Context, content, commit string) (*rehearsal.Stage, error) {
	if !publishes(r.files()) {
		return nil, nil
	}
	stage := &rehearsal.Stage{Name: servicesStage, State: rehearsal.Succeeded}
	began, some := time.Now(), false
	err := r.steps(ctx, progress.Step{Name: "Publish the services", Run: func(ctx context.Context, out *progress.Output) error {
		if err := r.schema(ctx); err != nil {
			return err
		}
		r.published = content // also where a service then fails: its migration may have run
		if err := r.scratch.buildServices(ctx); err != nil {
			return err
		}
		changed, made, err := r.system.PublishServices(ctx, commit)
		for _, text := range made {
			r.note("secrets that people make: " + strings.TrimSpace(text))
		}
		if some = len(changed) > 0; err != nil || !some {
			out.Result("none changed")
			return err
		}
		names := make([]string, len(changed))
		for i, c := range changed {
			names[i] = c.Service
		}
		out.Result("%s", strings.Join(names, ", "))
		r.note("when services are released: the rehearsal published " + strings.Join(names, ", ") + " itself, after the merge")
		return r.await(ctx, changed, out)
	}})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if stage.Seconds = time.Since(began).Seconds(); err != nil {
		stage.State, stage.Cause = rehearsal.Failed, cause(err)
	}
	if err == nil && !some {
		return nil, nil
	}
	return stage, nil
}

// schema refuses what the migrations of services do not allow, such as the way back over one of phase contract. Plan asks the same of
// services that the merge publishes, and `gitops rollback` of all.
func (r *run) schema(ctx context.Context) error {
	refusals, err := migrations.Refusals(ctx, r.scratch.repo(), r.published, Environment)
	if err != nil || len(refusals) == 0 {
		return err
	}
	return errors.New(strings.Join(refusals, "; "))
}

// await waits until Flux has applied the services at their commits, or says why it cannot.
func (r *run) await(ctx context.Context, all []publish.Result, out *progress.Output) error {
	cluster, err := observe.Open(r.system.Dir.Kubeconfig())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	for {
		items, err := cluster.Services(ctx)
		if err != nil {
			return err
		}
		open := ""
		for _, p := range all {
			i := slices.IndexFunc(items, func(x observe.Item) bool { return x.Name == p.Service })
			switch {
			case i < 0:
				open = p.Service + " has no Kustomization yet"
			case strings.HasSuffix(items[i].Attempted, p.Commit) && items[i].Failed():
				return fmt.Errorf("service %s: %s: %s", p.Service, items[i].Reason, items[i].Message)
			case !strings.HasSuffix(items[i].Revision, p.Commit) || items[i].Ready != "True":
				open = p.Service + " is not there yet"
			}
		}
		if open == "" {
			return nil
		}
		out.Note("%s", open)
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return fmt.Errorf("not after %s: %s", r.Timeout, open)
		}
	}
}
