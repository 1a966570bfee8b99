// Package release moves the branch that Flux applies, released/<environment>, to a commit that its pipeline has tested,
// approved and deployed. The branch goes forward, and back only where CodePipeline rolls back:
// docs/design/20261129.one-gate.md tells why it is a branch.
package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/git"
)

// Options say what to release.
type Options struct {
	// Dir is a clone with the history of the commit.
	Dir string
	// URL of the repository with the branch.
	URL string
	// Branch to move, for example released/dev.
	Branch string
	// Commit to move it to; default: HEAD.
	Commit string
	// Rollback lets it go back; nil: only forward.
	Rollback *Rollback
}

// Outcome says what became of a release.
type Outcome string

// The outcomes.
const (
	Made   Outcome = "made"   // the branch did not exist
	Moved  Outcome = "moved"  // it went forward
	Same   Outcome = "same"   // it was there already
	Passed Outcome = "passed" // it is at a later commit, which contains this one
	Back   Outcome = "back"   // it was, and went back
)

// Result is what a release did.
type Result struct {
	Outcome Outcome
	// Commit that was asked for, in full.
	Commit string
	// Before is where the branch was; empty if it was not there.
	Before string
}

// Text says in one line what was done, or with look what would be.
func (r Result) Text(branch string, look bool) string {
	is := "is"
	if look {
		is = "would be"
	}
	switch r.Outcome {
	case Made:
		return fmt.Sprintf("%s %s made at %.12s.", branch, is, r.Commit)
	case Moved:
		return fmt.Sprintf("%s %s moved from %.12s to %.12s.", branch, is, r.Before, r.Commit)
	case Back:
		return fmt.Sprintf("%s %s taken back from %.12s to %.12s, which was verified.", branch, is, r.Before, r.Commit)
	case Passed:
		return fmt.Sprintf("%s is at %.12s already, which contains %.12s.", branch, r.Before, r.Commit)
	}
	return fmt.Sprintf("%s is at %.12s already.", branch, r.Commit)
}

// DivergedError says that the branch holds commits that the released one does not descend from: somebody has rewound the
// environment's branch. Going there would take released commits back without a commit that says so.
type DivergedError struct{ Branch, At, Commit string }

func (e *DivergedError) Error() string {
	return fmt.Sprintf("%s is at %.12s, which commit %.12s does not contain, and a release only goes forward; bring it back with git revert, or move the branch by hand: git push --force-with-lease origin %.12[3]s:refs/heads/%[1]s",
		e.Branch, e.At, e.Commit)
}

// Run releases a commit. An earlier one than the branch is at changes nothing, so that an execution that is run again does
// not take the environment back, unless it rolls back. A context with git.WithToken signs in with the token.
func Run(ctx context.Context, o Options) (Result, error) {
	r, err := Look(ctx, o)
	if err != nil || r.Outcome == Same || r.Outcome == Passed {
		return r, err
	}
	// The lease is what was looked at: two releases at once cannot undo each other. An empty one means: it must not exist.
	_, err = git.Run(ctx, o.Dir, nil, "push", "--porcelain", "--no-verify",
		"--force-with-lease=refs/heads/"+o.Branch+":"+r.Before, o.URL, r.Commit+":refs/heads/"+o.Branch)
	return r, pushed(o, err)
}

// Look finds out what Run would do, and does nothing.
func Look(ctx context.Context, o Options) (Result, error) {
	r := Result{Outcome: Made}
	var err error
	if r.Commit, err = git.Commit(ctx, o.Dir, cmp.Or(o.Commit, "HEAD")); err != nil {
		return r, err
	}
	if r.Before, err = Tip(ctx, o.Dir, o.URL, o.Branch); err != nil || r.Before == "" {
		return r, err
	}
	if r.Before == r.Commit {
		r.Outcome = Same
		return r, nil
	}
	return r.order(ctx, o)
}

// order says which of the two commits contains the other.
func (r Result) order(ctx context.Context, o Options) (Result, error) {
	forward, err := Contains(ctx, o.Dir, r.Commit, r.Before)
	if err != nil {
		return r, err
	}
	if forward {
		r.Outcome = Moved
		return r, nil
	}
	back, err := Contains(ctx, o.Dir, r.Before, r.Commit)
	switch {
	case err != nil:
		return r, err
	case back && o.Rollback != nil:
		return r.takeBack(o)
	case back:
		r.Outcome = Passed
		return r, nil
	}
	return r, &DivergedError{Branch: o.Branch, At: r.Before, Commit: r.Commit}
}

// Tip returns the commit of a branch and has it, with its history, in the clone; empty when the branch does not exist.
func Tip(ctx context.Context, dir, url, branch string) (string, error) {
	out, err := git.Run(ctx, dir, nil, "ls-remote", "--quiet", url, "refs/heads/"+branch)
	if err != nil {
		return "", reach(url, err)
	}
	tip, _, _ := strings.Cut(strings.TrimSpace(out), "\t")
	if tip == "" {
		return "", nil
	}
	if _, err := git.Run(ctx, dir, nil, "cat-file", "-e", tip+"^{commit}"); err == nil {
		return tip, nil
	}
	if _, err := git.Run(ctx, dir, nil, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", url, "refs/heads/"+branch); err != nil {
		return "", reach(url, err)
	}
	return tip, nil
}

// Contains reports whether the history of one commit has another.
func Contains(ctx context.Context, dir, descendant, ancestor string) (bool, error) {
	_, err := git.Run(ctx, dir, nil, "merge-base", "--is-ancestor", ancestor, descendant)
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, nil
	}
	return err == nil, err
}

// pushed adds the remedy to a refused push.
func pushed(o Options, err error) error {
	var failed *git.Error
	if !errors.As(err, &failed) {
		return err
	}
	switch {
	case strings.Contains(failed.Out, "stale info"):
		return fmt.Errorf("another release moved %s meanwhile; run it again", o.Branch)
	case strings.Contains(failed.Out, "[remote rejected]"):
		return fmt.Errorf("%s refuses to move %s (%w); let the token's owner push to %s*: docs/guides/releases.md", git.WithoutCredentials(o.URL), o.Branch, err, prefix(o.Branch))
	}
	return reach(o.URL, err)
}

// prefix is what the branch's name begins with, with its slash.
func prefix(branch string) string { return branch[:strings.LastIndexByte(branch, '/')+1] }

// silences are what git says of a host that does not answer.
var silences = []string{"Operation too slow", "Failed to connect", "Couldn't connect", "Could not connect", "Could not resolve", "timed out", "Connection refused", "returned error: 5"}

// reach adds the remedy to a repository that does not answer.
func reach(url string, err error) error {
	if slices.ContainsFunc(silences, func(s string) bool { return strings.Contains(err.Error(), s) }) {
		return fmt.Errorf("repository %s: %w; the host does not answer: what runs goes on as it is; try again when it does", git.WithoutCredentials(url), err)
	}
	return fmt.Errorf("repository %s: %w; check repository in cdk.json and the credentials", git.WithoutCredentials(url), err)
}
