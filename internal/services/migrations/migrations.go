// Package migrations holds the schemas of the services' data to the order in which releases may change them:
// docs/design/20261130.migrations.md has the rule.
package migrations

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/services"
)

// Forward are the instances, by the names of their applications, that have the databases of an environment's services whose schemas go
// forward from a commit to the checkout's: the service's own, or services.SharedApp, once for all on it.
func Forward(ctx context.Context, root, base, environment string) ([]string, error) {
	fleet, err := services.Load(root)
	if err != nil {
		return nil, err
	}
	c, known := fleet.Cluster(environment)
	if !known {
		return nil, nil
	}
	var names []string
	for _, s := range fleet.In(environment) {
		spec := s.Resolve(c)
		if spec.AWS == nil || spec.AWS.Database == nil || s.Settings.Migrate == nil {
			continue
		}
		released, there, err := at(ctx, root, base, s.File)
		if err != nil {
			return nil, err
		}
		if there && released.Enabled(environment) && version(s.Settings.Migrate) > version(released.Settings.Migrate) {
			name := s.Name
			if d := spec.AWS.Database; d.IsShared() {
				name = services.SharedApp(d.Engine)
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Refusals says in a line each why the services of a checkout cannot follow those of a commit in an environment, as far as their
// migrations tell.
func Refusals(ctx context.Context, root, base, environment string) ([]string, error) {
	if text, err := git.Run(ctx, root, nil, "ls-tree", "--name-only", "HEAD", "--", services.ConfigFile); err != nil || text == "" {
		return nil, err
	}
	fleet, err := services.Load(root)
	if err != nil {
		return nil, err
	}
	var refusals []string
	for _, s := range fleet.In(environment) {
		released, there, err := at(ctx, root, base, s.File)
		if err != nil {
			return nil, err
		}
		if !there || !released.Enabled(environment) {
			continue // nothing of it runs
		}
		past, err := declared(ctx, root, base, s.File)
		if err != nil {
			return nil, err
		}
		coming, err := declared(ctx, root, "HEAD", s.File)
		if err != nil {
			return nil, err
		}
		if why := step(released.Settings.Migrate, s.Settings.Migrate, past, coming); why != "" {
			refusals = append(refusals, s.File+": "+why)
		}
	}
	return refusals, nil
}

// at reads a service's file at a commit. What today's rules refuse in it does not count.
func at(ctx context.Context, root, commit, file string) (services.Service, bool, error) {
	listed, err := git.Run(ctx, root, nil, "ls-tree", "--name-only", commit, "--", file)
	if err != nil || listed == "" {
		return services.Service{}, false, err
	}
	text, err := git.Run(ctx, root, nil, "show", commit+":./"+file)
	if err != nil {
		return services.Service{}, false, err
	}
	s, _ := services.Parse(path.Base(file), []byte(text))
	return s, true, nil
}

// declared is each version of a schema as a file declared it up to a commit, last.
func declared(ctx context.Context, root, commit, file string) (map[int]services.Migrate, error) {
	out, err := git.Run(ctx, root, nil, "log", "--no-show-signature", "--format=%H", commit, "--", file)
	if err != nil {
		return nil, err
	}
	past := map[int]services.Migrate{}
	for _, c := range strings.Fields(out) {
		s, there, err := at(ctx, root, c, file)
		if err != nil {
			return nil, err
		}
		if m := s.Settings.Migrate; there && m != nil {
			if _, later := past[m.Version]; !later {
				past[m.Version] = *m
			}
		}
	}
	return past, nil
}

// step says why one migration cannot follow another; empty: it can. past are the versions of the schema that there were, coming
// those of the commit to deploy.
func step(before, after *services.Migrate, past, coming map[int]services.Migrate) string {
	was, now := version(before), version(after)
	if now < was {
		return back(was, now, past)
	}
	if after == nil {
		return ""
	}
	// A database that has run a migration never runs another one of the same version.
	if old, there := past[now]; there && (old.Phase != after.Phase || !slices.Equal(old.Command, after.Command)) {
		return fmt.Sprintf("schema %d was released with another phase or command, and a database may have run it: make it a migration of its own, %d", now, highest(past)+1)
	}
	if now > was && after.Phase == services.Contract && now != was+1 {
		return fmt.Sprintf("schema %d is of phase contract, and what runs is of schema %d: release the commit with schema %d first, so that no pod needs what %d takes away", now, was, now-1, now)
	}
	for v := was + 1; v < now; v++ {
		if coming[v].Phase == services.Contract {
			return fmt.Sprintf("schema %d is of phase contract, and this goes past it from %d to %d: release the commit with schema %[1]d first", v, was, now)
		}
	}
	return ""
}

// back says why a release cannot go back to an earlier version of a schema.
func back(was, now int, past map[int]services.Migrate) string {
	for v := was; v > now; v-- {
		m, there := past[v]
		if there && m.Phase == services.Expand {
			continue
		}
		what := "is of phase contract"
		if !there {
			what = "is in no commit, so its phase is not known"
		}
		return fmt.Sprintf("goes back from schema %d to %d, and schema %d %s: what the earlier version needs is gone. Go back to a commit with schema %[3]d or later, or bring it back by a new migration, %[5]d", was, now, v, what, highest(past)+1)
	}
	return ""
}

func version(m *services.Migrate) int {
	if m == nil {
		return 0
	}
	return m.Version
}

func highest(past map[int]services.Migrate) int {
	most := 0
	for v := range past {
		most = max(most, v)
	}
	return most
}
