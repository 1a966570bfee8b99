package config

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// Branches lists the branches of the repository in the working directory as this clone knows them. It is nil where
// nothing can be said: no Git, no clone, or a clone without a remote (CodePipeline hands its builds a plain folder).
func Branches() []string {
	out, err := exec.Command("git", "for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes/origin").Output()
	if err != nil {
		return nil
	}
	var branches []string
	remote := false
	for ref := range strings.FieldsSeq(string(out)) {
		name, ours := strings.CutPrefix(ref, "refs/heads/")
		if !ours {
			name = strings.TrimPrefix(ref, "refs/remotes/origin/")
			remote = remote || name != "HEAD"
		}
		branches = append(branches, name)
	}
	if !remote {
		return nil
	}
	return branches
}

// CheckBranches reports selected environments whose branch is not among the known ones: their pipelines would never
// start and Flux would find nothing. Environments that follow another repository than the configured one are left out.
func (c Config) CheckBranches(selected []Environment, known []string) error {
	r := &report{}
	for _, e := range selected {
		if len(known) == 0 || e.RepositoryURL != c.Repository.URL() || slices.Contains(known, e.Branch) {
			continue
		}
		r.at(Root+".environments."+e.Name+".branch").add(fmt.Sprintf("make it with: git push origin HEAD:refs/heads/%s (or git fetch, if it is new)", e.Branch),
			"must be a branch of the repository, got %q", e.Branch)
	}
	return r.problems.Err()
}

// Beside are the other environments that follow the branch of one, by name: what is merged there is for all of them.
func (c Config) Beside(e Environment) []string {
	return slices.DeleteFunc(c.Names(), func(name string) bool {
		other := c.Environments[name]
		return name == e.Name || other.Branch != e.Branch || other.RepositoryURL != e.RepositoryURL
	})
}

// ImageUpdateBranch is the branch to which Flux pushes new image tags.
func (e Environment) ImageUpdateBranch() string {
	if e.Delivery.ImageUpdates == ImageUpdatesPullRequest {
		return "image-updates/" + e.Name
	}
	return e.Branch
}
