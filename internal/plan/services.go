package plan

import (
	"context"
	"fmt"
	"slices"

	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/release"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/migrations"
)

// ofService is the name of what applies a service's manifests, in the review.
func ofService(name string) string { return "services/" + name }

// publishes finds the services whose manifests the release publishes: those of which they differ from the released commit's.
// The branches of the manifests repository are not looked at, because that takes a token that may also write there, and this
// build runs the commit's code before anybody has approved it. The released branch says the same: a release publishes before it
// moves it. Where it does not, all services are published, and those whose branches hold their manifests stay as they are.
func (p *Plan) publishes(ctx context.Context, o Options, base string) error {
	c, err := services.LoadConfig(o.Root)
	if err != nil || !c.For(o.Env.Name).ByMerge() {
		return err
	}
	fleet, err := services.Load(o.Root)
	if err != nil {
		return err
	}
	all := p.Release.Outcome != release.Moved // no gate, the first release, or the released commit once more
	if !all {
		if all, err = byTag(ctx, o, base); err != nil {
			return err
		}
	}
	for _, s := range fleet.Here(o.Env.Name) {
		if all || differs(p.Review.Environments[0], s.Name) {
			p.Services = append(p.Services, s.Name)
		}
	}
	return nil
}

// byTag reports whether the environment did not publish by merge at a commit: what is published then is of other commits.
func byTag(ctx context.Context, o Options, commit string) (bool, error) {
	text, err := git.Run(ctx, o.Root, nil, "ls-tree", "--name-only", commit, "--", services.ConfigFile)
	if err != nil || text == "" {
		return true, err
	}
	if text, err = git.Run(ctx, o.Root, nil, "show", commit+":./"+services.ConfigFile); err != nil {
		return false, err
	}
	// One that this program does not understand is of another time, and says nothing.
	c, problems := services.ParseConfig([]byte(text))
	return len(problems) > 0 || !c.For(o.Env.Name).ByMerge(), nil
}

// differs reports whether the manifests of a service do.
func differs(e review.Environment, service string) bool {
	for _, k := range e.Kustomizations {
		if k.Name == ofService(service) {
			return true
		}
	}
	return false
}

// lost are the resources that go with a change of the service's file. The same key of it makes the resource and tells the pods
// of it, so the pods' half has to go first, and cannot in a commit of its own.
func (p *Plan) lost(e review.Environment) []string {
	var all []string
	for _, s := range e.Stacks {
		if !slices.Contains(p.Services, s.Part) {
			continue
		}
		for _, r := range s.Resources {
			if r.Impact == cfndiff.Destroy {
				all = append(all, fmt.Sprintf("%s/%s/%s", e.Name, s.Part, r.ID))
			}
		}
	}
	return all
}

// schema refuses what the schemas of the services' data do not allow. Where services are published by tag, a commit of this
// repository changes none.
func (p *Plan) schema(ctx context.Context, o Options, base string) error {
	c, err := services.LoadConfig(o.Root)
	if err != nil || base == "" || !c.For(o.Env.Name).ByMerge() {
		return err
	}
	if tags, err := byTag(ctx, o, base); err != nil || tags {
		return err
	}
	why, err := migrations.Refusals(ctx, o.Root, base, o.Env.Name)
	p.Refusals = append(p.Refusals, why...)
	if err == nil && o.Env.DeletionProtection {
		p.Snapshots, err = migrations.Forward(ctx, o.Root, base, o.Env.Name)
	}
	return err
}
