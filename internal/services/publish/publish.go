// Package publish puts manifests on the branches of the manifests repository: one branch for each service and environment,
// with the manifest and a kustomization.yaml. It works on the remote through a scratch repository; there is no checkout
// that could be out of date or left dirty.
//
// A publication is one atomic push with a lease on each branch. So it happened completely or not at all, and one that
// another publication overtook starts again from the new tips.
package publish

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/git"
)

// Manifest is what one service's branch is to hold.
type Manifest struct {
	// Service is the name.
	Service string
	// Branch to publish on.
	Branch string
	// Content of <service>.k8s.yaml.
	Content []byte
}

// Options configures Publish.
type Options struct {
	// URL of the manifests repository, as this machine reaches it.
	URL string
	// Environment is for the commit's message.
	Environment string
	// Source is what the manifests were made of.
	Source Source
	// Propose pushes to a branch of its own for a pull request against the service's branch.
	Propose bool
	// Rollback allows to publish from a commit that is older than the published one.
	Rollback bool
	// Back publishes only what a later commit than the source has published, and leaves the rest as it is. It goes with Rollback.
	Back bool
	// LeaveNewer leaves a branch as it is that was published from a later commit; by default it is an OlderError, and nothing is
	// published.
	LeaveNewer bool
	// Older reports whether commit a is an ancestor of b in the source repository. Nil: not checked.
	Older func(ctx context.Context, a, b string) bool
	// Check is asked about the manifests that would change something, before anything is pushed. Nil: not asked.
	Check func([]Manifest) error
	// DryRun stops before anything is pushed; Changed then says what would be.
	DryRun bool
	// pause between attempts; tests shorten it.
	pause time.Duration
}

// Result is what happened to one service.
type Result struct {
	Service string `json:"service"`
	// Branch that was, or was not, changed.
	Branch string `json:"branch"`
	// Base is the branch to merge Branch into; empty if Branch is live.
	Base string `json:"base,omitempty"`
	// Commit is the branch's tip.
	Commit string `json:"commit"`
	// Changed is false if the branch held the manifest already.
	Changed bool `json:"changed"`
	// Newer is true if the branch was left as it is, because a later commit than the source has published it.
	Newer bool `json:"newer,omitempty"`
	// Source is the commit that the branch's tip was made of.
	Source string `json:"-"`
	// Before are the manifests that the service's branch and its proposal held.
	Before [][]byte `json:"-"`
}

const (
	// attempts bounds how often a publication that was overtaken starts again.
	attempts = 10
	// atOnce bounds the branches of one push: their names are arguments of a process.
	atOnce = 1000
	// proposals starts the branches of proposals.
	proposals = "proposals/"
)

// Proposal is the branch with the change that is proposed for a branch.
func Proposal(branch string) string { return proposals + branch }

// Publish makes each branch hold its manifest. Up to 1000 branches change in one atomic push.
func Publish(ctx context.Context, manifests []Manifest, o Options) ([]Result, error) {
	if o.pause == 0 {
		o.pause = 200 * time.Millisecond
	}
	scratch, err := scratchRepository(ctx)
	if err != nil {
		return nil, err
	}
	defer scratch.remove()
	var all []Result
	for part := range slices.Chunk(manifests, atOnce) {
		done, err := publishPart(ctx, scratch.dir, part, o)
		all = append(all, done...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// repository is a bare repository that lives as long as a command. It is new each time: two commands never share one, and there
// is nothing in it to be out of date.
type repository struct{ dir string }

func scratchRepository(ctx context.Context) (repository, error) {
	dir, err := os.MkdirTemp("", "publish-")
	if err != nil {
		return repository{}, err
	}
	r := repository{dir}
	if _, err := git.Run(ctx, dir, nil, "init", "--quiet", "--bare", "."); err != nil {
		r.remove()
		return repository{}, err
	}
	return r, nil
}

func (r repository) remove() { os.RemoveAll(r.dir) }

// publishPart tries until nobody is faster.
func publishPart(ctx context.Context, scratch string, manifests []Manifest, o Options) ([]Result, error) {
	var overtaken error
	for n := range attempts {
		if n > 0 {
			// Those that collided once must not collide again at the same moment.
			wait := o.pause * time.Duration(n) * time.Duration(50+rand.IntN(100)) / 100
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(wait):
			}
		}
		results, err := attempt(ctx, scratch, manifests, o)
		var retry *overtakenError
		if !errors.As(err, &retry) {
			return results, err
		}
		overtaken = err
	}
	return nil, fmt.Errorf("nothing was published: %w, %d times; try again when fewer publish at once", overtaken, attempts)
}

// attempt does it once: read the tips, build commits on them, push with a lease on what was read.
func attempt(ctx context.Context, scratch string, manifests []Manifest, o Options) ([]Result, error) {
	remote, err := read(ctx, scratch, manifests, o)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(manifests))
	var changes []change
	var changed []Manifest
	for i, m := range manifests {
		result, needed, err := plan(ctx, m, remote, o)
		if err != nil {
			return nil, err
		}
		results[i] = result
		if len(needed) > 0 {
			changes, changed = append(changes, needed...), append(changed, m)
		}
	}
	if len(changes) == 0 {
		return results, nil
	}
	if o.Check != nil {
		if err := o.Check(changed); err != nil {
			return nil, fmt.Errorf("nothing was published: %w", err)
		}
	}
	if o.DryRun {
		for i := range results {
			results[i].Changed = slices.ContainsFunc(changes, func(c change) bool { return c.branch == results[i].Branch })
		}
		return results, nil
	}
	commits, err := build(ctx, scratch, changes)
	if err != nil {
		return nil, err
	}
	for i := range results {
		if commit := commits[results[i].Branch]; commit != "" {
			results[i].Commit, results[i].Changed, results[i].Source = commit, true, o.Source.Commit
		}
	}
	return results, push(ctx, scratch, changes, commits, o.URL)
}

// change is a commit that is needed.
type change struct {
	branch string
	// tip is what the branch is now; empty if it does not exist. It is the lease.
	tip string
	// parent of the new commit: a commit, or :branch for the change of that branch. Empty: a root.
	parent  string
	message string
	source  Source
	files   map[string][]byte
}

// plan compares a manifest with the remote.
func plan(ctx context.Context, m Manifest, remote map[string]tip, o Options) (Result, []change, error) {
	base := remote[m.Branch]
	result := Result{Service: m.Service, Branch: m.Branch, Commit: base.commit, Source: base.source.Commit}
	for _, t := range []tip{base, remote[proposals+m.Branch]} {
		if manifest, there := t.files[m.file()]; there {
			result.Before = append(result.Before, manifest)
		}
	}
	if base.holds(m) || o.Back && !o.passed(ctx, base) {
		return result, nil, nil
	}
	if err := newest(ctx, m, base, o); err != nil {
		if result.Newer = o.LeaveNewer; result.Newer {
			return result, nil, nil
		}
		return result, nil, err
	}
	live := change{branch: m.Branch, tip: base.commit, parent: base.commit, message: message(m, o), source: o.Source, files: content(m, o.Source)}
	if !o.Propose {
		return result, []change{live}, nil
	}
	result.Base, result.Branch = m.Branch, proposals+m.Branch
	proposal := remote[result.Branch]
	result.Commit = proposal.commit
	if proposal.holds(m) && proposal.parent == base.commit {
		return result, nil, nil
	}
	var changes []change
	live.branch, live.tip = result.Branch, proposal.commit
	if base.commit == "" {
		// A pull request needs a branch to go into: one that applies nothing.
		changes = append(changes, change{
			branch: m.Branch, message: "Make the branch of " + m.Service + " in " + o.Environment, source: o.Source, files: empty(m),
		})
		live.parent = ":" + m.Branch
	}
	return result, append(changes, live), nil
}

// newest refuses to put an older state on a branch: a slow pipeline must not undo what a later one published.
func newest(ctx context.Context, m Manifest, base tip, o Options) error {
	if !o.Rollback && o.passed(ctx, base) {
		return &OlderError{fmt.Errorf("%s was published from %.12s, which is newer than %.12s; pass --rollback to go back", m.Service, base.source.Commit, o.Source.Commit)}
	}
	return nil
}

// passed reports whether a branch was published from a later commit than the source.
func (o Options) passed(ctx context.Context, base tip) bool {
	published := base.source.Commit
	return o.Older != nil && published != "" && published != o.Source.Commit && o.Older(ctx, strings.TrimSuffix(o.Source.Commit, dirty), strings.TrimSuffix(published, dirty))
}

// OlderError says that what is published is newer than the source.
type OlderError struct{ error }

// overtakenError is a push that lost a race; the remote did not change.
type overtakenError struct{ branch string }

func (e *overtakenError) Error() string { return e.branch + " was changed by somebody else meanwhile" }
