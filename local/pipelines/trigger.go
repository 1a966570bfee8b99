package pipelines

import (
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/pathfilter"
)

// Trigger is an entry of a pipeline's Triggers.
type Trigger struct {
	ProviderType     string
	GitConfiguration GitConfiguration
}

// GitConfiguration says which events of a repository start the pipeline: any
// filter that matches does.
type GitConfiguration struct {
	SourceActionName string
	Push             []GitFilter
	PullRequest      []GitFilter
}

// GitFilter matches when all of its parts do. Tags are for pushes, Events for
// pull requests only.
type GitFilter struct {
	Branches, FilePaths, Tags *Criteria
	Events                    []string
}

// Criteria are patterns; an excluded name is excluded even when it is included.
type Criteria struct{ Includes, Excludes []string }

// allows reports whether the criteria let a name through. Without includes
// every name is included.
func (c *Criteria) allows(name string) (bool, error) {
	if c == nil {
		return true, nil
	}
	if found, err := pathfilter.Any(c.Excludes, name); err != nil || found {
		return false, err
	}
	if len(c.Includes) == 0 {
		return true, nil
	}
	return pathfilter.Any(c.Includes, name)
}

// change is what happened in the repository, as a trigger sees it.
type change struct {
	// Branch or Tag was pushed. For a pull request Branch is where it goes to.
	Branch, Tag string
	// PullRequest is its event, OPEN, UPDATED or CLOSED, or empty for a push.
	PullRequest string
	// Files that changed. They are not known for a branch that is new.
	Files []string
	New   bool
}

// starts reports whether a change starts the pipeline.
//
// A filter with file paths does not match the first push of a branch, because
// CodePipeline has no list of changed files then:
// https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-filter.html
func (p *Pipeline) starts(c change) (bool, error) {
	if len(p.Triggers) == 0 {
		source := p.source()
		return source != nil && source.detectsChanges() && c.PullRequest == "" && c.Tag == "" && c.Branch == source.text("BranchName"), nil
	}
	for _, t := range p.Triggers {
		filters := t.GitConfiguration.Push
		if c.PullRequest != "" {
			filters = t.GitConfiguration.PullRequest
		}
		for _, f := range filters {
			if ok, err := f.matches(c); err != nil || ok {
				return ok, err
			}
		}
	}
	return false, nil
}

func (f GitFilter) matches(c change) (bool, error) {
	if c.PullRequest != "" && len(f.Events) > 0 && !slices.Contains(f.Events, c.PullRequest) {
		return false, nil
	}
	if c.Tag != "" || f.Tags != nil {
		if c.Tag == "" || f.Tags == nil {
			return false, nil // one speaks of tags and the other of branches
		}
		return f.Tags.allows(c.Tag)
	}
	if ok, err := f.Branches.allows(c.Branch); err != nil || !ok {
		return false, err
	}
	if f.FilePaths == nil {
		return true, nil
	}
	if c.New {
		return false, nil
	}
	for _, file := range c.Files {
		if ok, err := f.FilePaths.allows(file); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// changesOf are the changes that a pushed ref makes. The local Git server has
// no pull requests, so a branch other than the one that is deployed counts as
// one towards that; it is open until it is deleted.
func changesOf(ref, base string, created, deleted bool, files, against []string) []change {
	if tag, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		if deleted {
			return nil
		}
		return []change{{Tag: tag}}
	}
	branch, ok := strings.CutPrefix(ref, "refs/heads/")
	if !ok {
		return nil
	}
	var all []change
	if !deleted {
		all = append(all, change{Branch: branch, Files: files, New: created})
	}
	if branch != base && !strings.HasPrefix(branch, config.ReleasedPrefix) { // what is released is no proposal
		event := "UPDATED"
		switch {
		case created:
			event = "OPEN"
		case deleted:
			event = "CLOSED"
		}
		all = append(all, change{Branch: base, PullRequest: event, Files: against})
	}
	return all
}
