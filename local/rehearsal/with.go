package rehearsal

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/system/source"
)

// other is the second pull request of a rehearsal with Options.With, as one commit on the change's base.
type other struct {
	source.Commit
	name, subject string
	// both is a commit with both changes. They do not conflict, so it is the same in both orders.
	both string
}

// thisChange names the change of the checkout beside the other.
const thisChange = "this change"

// number is a pull request's, as forges write it.
var number = regexp.MustCompile(`^#?([0-9]{1,6})$`)

// findOther finds the pull request that the change is rehearsed with. The base of both is the newer one of the two places where
// they left the branch: the older knows nothing of what the other was written for. Conflicts are for the result; there is then no
// other.
func (c *change) findOther(ctx context.Context, s *scratch, o Options) (*other, []rehearsal.Conflict, error) {
	gitDir := filepath.Join(s.repo(), ".git")
	b := source.Builder{Repo: o.Repo, Scratch: gitDir}
	found := &other{}
	commit, name, err := resolve(ctx, o.Repo, gitDir, o.With)
	if err != nil {
		return nil, nil, err
	}
	found.name = name
	tip, err := git.Commit(ctx, o.Repo, c.tip)
	if err != nil {
		return nil, nil, err
	}
	left, err := source.Base(ctx, s.repo(), commit, tip)
	if err != nil {
		return nil, nil, fmt.Errorf("--with %s and %s have no commit in common; a shallow clone lacks it: git fetch --unshallow", o.With, c.tip)
	}
	if found.subject, err = source.Subject(ctx, s.repo(), commit); err != nil {
		return nil, nil, err
	}
	newer, err := source.Contains(ctx, s.repo(), left, c.base)
	if err != nil {
		return nil, nil, err
	}
	if newer && left != c.base {
		on, files, err := b.Combine(ctx, c.base, left, c.ID, "Rehearse: "+c.subject)
		if err != nil || len(files) > 0 {
			return nil, conflicts(files, thisChange, c.tip), err
		}
		if on.Unchanged() {
			return nil, nil, fmt.Errorf("nothing of this change is left on %.8s, where %s left %s", left, name, c.tip)
		}
		c.Commit, c.base, c.why = on, left, fmt.Sprintf("where %s left %s", name, c.tip)
	}
	var files []string
	if found.Commit, files, err = b.Combine(ctx, left, c.base, commit, "Rehearse: "+found.subject); err != nil || len(files) > 0 {
		return nil, conflicts(files, name, c.tip), err
	}
	together, files, err := b.Combine(ctx, c.base, c.ID, found.ID, "Rehearse: "+found.subject)
	if err != nil || len(files) > 0 {
		return nil, conflicts(files, thisChange, name), err
	}
	found.both = together.ID
	if err := c.apart(ctx, s, found, together); err != nil {
		return nil, nil, err
	}
	return found, nil, s.checkout(ctx, c.base)
}

// apart refuses two pull requests of which one has all of the other: there is one order then.
func (c *change) apart(ctx context.Context, s *scratch, o *other, together source.Commit) error {
	if o.Unchanged() {
		return fmt.Errorf("--with %s: nothing of it differs from %.8s, %s: it is merged already", o.name, c.base, c.why)
	}
	if together.Unchanged() {
		return fmt.Errorf("--with %s: this change has all of it: leave --with out", o.name)
	}
	rest, err := source.Changed(ctx, s.repo(), o.ID, together.ID)
	if err == nil && len(rest) == 0 {
		return fmt.Errorf("--with %s: it has all of this change: rehearse it by itself, in its own checkout", o.name)
	}
	return err
}

// conflicts are files that two changes change at the same place.
func conflicts(files []string, a, b string) []rehearsal.Conflict {
	var all []rehearsal.Conflict
	for _, name := range files {
		all = append(all, rehearsal.Conflict{File: name, Between: []string{a, b}})
	}
	return all
}

// resolve returns the commit of a pull request and its name: a revision of the checkout, a branch of its remote, or a number, whose
// commit is fetched into the repository with the given Git directory.
func resolve(ctx context.Context, repo, gitDir, with string) (commit, name string, err error) {
	if m := number.FindStringSubmatch(with); m != nil {
		ref := "refs/pull/" + m[1] + "/head"
		if commit, err = source.Fetch(ctx, repo, gitDir, "origin", ref); err != nil {
			return "", "", fmt.Errorf("--with %s: cannot fetch %s from origin: %w; fetch its branch, and name that", with, ref, err)
		}
		return commit, "#" + m[1], nil
	}
	for _, revision := range []string{with, "origin/" + with} {
		if commit, err = git.Commit(ctx, repo, revision); err == nil {
			return commit, with, nil
		}
	}
	return "", "", fmt.Errorf("--with %s: there is no revision %[1]q: fetch it, or give the number of the pull request", with)
}

// merge is a step of a round: the content of a commit, pushed on top of what is there.
type merge struct{ commit, name, subject string }

// bothOrders rehearses the two pull requests in both orders, each by play.
func (r *run) bothOrders(ctx context.Context, play func(ctx context.Context, merges []merge, anew bool) error) error {
	pair, mine, theirs := r.result, merge{r.change.ID, thisChange, r.change.subject}, merge{r.other.ID, r.other.name, r.other.subject}
	for i, order := range [][]merge{{mine, theirs}, {theirs, mine}} {
		r.result = rehearsal.Result{Environment: pair.Environment, Base: pair.Base, Commit: order[0].commit, Started: time.Now().UTC()}
		r.result.Order = []string{order[0].name, order[1].name}
		r.Display.Say("Order %d of 2: %s", i+1, strings.Join(r.result.Order, ", then "))
		order[1].commit = r.other.both
		// No revert takes back what a migration did to rows.
		anew := i > 0 && (!pair.Orders[0].Healed() || len(r.data) > 0)
		if err := play(ctx, order, anew); err != nil {
			if i == 0 || ctx.Err() != nil {
				return err
			}
			r.result.Verdict, r.result.Cause = rehearsal.CouldNotRun, cause(err) // what the first order said stands
		}
		done := r.result
		pair.Orders = append(pair.Orders, &done)
	}
	r.result = pair
	r.result.CannotShow = append(rehearsal.CannotShow(), r.notes...)
	r.result.Judge()
	return nil
}

// order rehearses one order, where it must be on a base that is started anew.
func (r *run) order(ctx context.Context, merges []merge, anew bool) error {
	if anew {
		r.Display.Say("The base is started anew: a revert does not bring everything back")
		if err := r.system.Reset(ctx); err != nil {
			return err
		}
		if err := r.start(ctx); err != nil {
			return err
		}
	}
	return r.round(ctx, merges...)
}

// files are those of the change, and of the other pull request.
func (r *run) files() []string {
	if r.other == nil {
		return r.change.Files
	}
	return slices.Concat(r.change.Files, r.other.Files)
}
