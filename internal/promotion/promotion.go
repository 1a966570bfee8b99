// Package promotion says what a pull request from one environment's branch to the next one's carries.
package promotion

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/pathfilter"
)

// Promotion is what the branch of From has and the branch of To has not.
type Promotion struct {
	From, To config.Environment
	// Base and Head are the commits that are compared: of To's branch, and of From's.
	Base, Head string
	Commits    []string // subjects, newest first
	Files      []string
	// Pipelines of To that the merge starts, with the files that start them.
	Pipelines map[string][]string
	// Settings of To that cdk.json changes.
	Settings []Change
	Images   []Change // versions in the image's recipe, and the images that run
	Charts   []Change // versions of Helm charts
	// Manifests that Flux applies.
	Manifests []string
	// Behind says that To's file names other images than From runs: TakeImages brings them.
	Behind bool
	// source are the images of From by variable.
	source map[string]string
	// Compare is the page on which GitHub opens the pull request.
	Compare string
}

// Change is a value that differs; an empty side is absent.
type Change struct{ Name, Old, New string }

// Find compares the branches of two environments in the clone at root.
func Find(ctx context.Context, root string, c config.Config, from, to string) (*Promotion, error) {
	selected, err := c.Select(from + "," + to)
	if err != nil {
		return nil, err
	}
	if len(selected) != 2 || selected[0].Branch == selected[1].Branch {
		return nil, fmt.Errorf("%s and %s follow the same branch: there is nothing to promote", from, to)
	}
	r := repository{ctx, root}
	p := &Promotion{From: selected[0], To: selected[1], Pipelines: map[string][]string{}}
	if p.Base, err = r.branch(p.To.Branch); err != nil {
		return nil, err
	}
	if p.Head, err = r.branch(p.From.Branch); err != nil {
		return nil, err
	}
	// As a pull request shows it: since the two parted.
	since, err := r.git("merge-base", p.Base, p.Head)
	if err != nil {
		return nil, fmt.Errorf("branches %s and %s have no commit in common; start one from the other", p.From.Branch, p.To.Branch)
	}
	if p.Commits, err = r.lines("log", "--no-merges", "--format=%s", since+".."+p.Head); err != nil {
		return nil, err
	}
	if p.Files, err = r.lines("diff", "--name-only", "--no-renames", since, p.Head); err != nil {
		return nil, err
	}
	if err := p.sort(c.Repository.Paths); err != nil {
		return nil, err
	}
	p.Compare = fmt.Sprintf("https://github.com/%s/%s/compare/%s...%s?expand=1", c.Repository.Owner, c.Repository.Name, url.PathEscape(p.To.Branch), url.PathEscape(p.From.Branch))
	return p, errors.Join(p.settings(r, since), p.versions(r, since))
}

// triggers are the patterns of the pipelines that To has.
func (p *Promotion) triggers(paths config.Paths) map[string][]string {
	all := map[string][]string{"deploy": paths.Deploy}
	if p.To.ReadsManifests() {
		all["deploy"] = append(slices.Clone(paths.Deploy), config.ManifestPaths)
	}
	if p.To.BuildsImages() {
		all["dockerbuild"] = paths.Dockerbuild
	}
	return all
}

// sort files the changed files under what they start.
func (p *Promotion) sort(paths config.Paths) error {
	for _, file := range p.Files {
		for name, patterns := range p.triggers(paths) {
			found, err := pathfilter.Any(patterns, file)
			if err != nil {
				return err
			}
			if found {
				p.Pipelines[name] = append(p.Pipelines[name], file)
			}
		}
		other := strings.HasPrefix(file, "k8s/clusters/") && !strings.HasPrefix(file, "k8s/clusters/"+p.To.Name+"/") && !strings.HasPrefix(file, "k8s/clusters/base/")
		if strings.HasPrefix(file, "k8s/") && !other {
			p.Manifests = append(p.Manifests, file)
		}
	}
	return nil
}

// repository runs git.
type repository struct {
	ctx  context.Context
	root string
}

// git returns the output of a git command without the line's end.
func (r repository) git(args ...string) (string, error) {
	out, err := git.Run(r.ctx, r.root, nil, args...)
	return strings.TrimRight(out, "\n"), err
}

// lines returns the lines of a git command's output.
func (r repository) lines(args ...string) ([]string, error) {
	out, err := r.git(args...)
	if err != nil || out == "" {
		return nil, err
	}
	return strings.Split(out, "\n"), nil
}

// branch resolves a branch as the remote has it, else as this clone has it.
func (r repository) branch(name string) (string, error) {
	for _, ref := range []string{"refs/remotes/origin/" + name, "refs/heads/" + name} {
		if commit, err := r.git("rev-parse", "--verify", "--quiet", ref+"^{commit}"); err == nil {
			return commit, nil
		}
	}
	return "", fmt.Errorf("the repository has no branch %q; git fetch, or make it with: git push origin HEAD:refs/heads/%s", name, name)
}

// file returns a file of a commit; empty when there is none.
func (r repository) file(commit, path string) string {
	text, err := r.git("show", commit+":"+path)
	if err != nil {
		return ""
	}
	return text
}
