// Package rollback prepares the way back of an environment: a branch of reverts from what is released to an earlier commit, with
// what goes back in both halves and what cannot. A person merges it; the pipeline then deploys it as any other commit.
package rollback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/release"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
	"k8s-plus-aws-gitops/internal/review/kubediff"
	"k8s-plus-aws-gitops/internal/review/risk"
)

// Options say what to take back.
type Options struct {
	// Root is the checkout, with the history. Its working tree stays as it is.
	Root        string
	Environment string
	// Also are the other environments that follow Branch, and go back with it.
	Also []string
	// URL of the repository, Branch the environment's, and Released the branch that Flux follows.
	URL, Branch, Released string
	// To is the commit to go back to; empty: Verified is asked.
	To string
	// Verified lists the commits that were verified in the environment, the last one first.
	Verified func(ctx context.Context) ([]string, error)
	// Compare compares a folder with a commit.
	Compare func(ctx context.Context, base, folder string) (*review.Review, error)
	// Schema says in one line each why the schema of an environment's database keeps a folder's content from taking the place of a
	// commit's; nil: nobody knows of any.
	Schema func(ctx context.Context, environment, base, folder string) ([]string, error)
	// DryRun pushes nothing.
	DryRun bool
}

// Report is what a rollback does.
type Report struct {
	Environment string `json:"environment"`
	// Also are the other environments that follow the branch, and go back with it.
	Also []string `json:"also,omitempty"`
	// Branch is the one that they follow.
	Branch string `json:"branch"`
	// From is the tip of the environment's branch, Released what Flux applies.
	From     string `json:"from"`
	Released string `json:"released,omitempty"`
	// To is the commit that is gone back to.
	To string `json:"to"`
	// Reverted are the commits that are taken back, the newest first.
	Reverted []Commit `json:"reverted"`
	// AWS and Kubernetes are what goes back, a line each.
	AWS        []string `json:"aws"`
	Kubernetes []string `json:"kubernetes"`
	// Stays is what does not go back with it, a line each.
	Stays []string `json:"stays"`
	// Refusals are why it is not prepared.
	Refusals []string `json:"refusals,omitempty"`
	// Head is the branch with the reverts. Pushed is false where it was there already, and in a dry run.
	Head   string `json:"head,omitempty"`
	Pushed bool   `json:"pushed"`
	// Pull is the address of the pull request; empty where none was opened.
	Pull string `json:"pullRequest,omitempty"`
	// Done is true when the branch has the commit's content already.
	Done bool `json:"done"`
}

// Commit is one that is taken back.
type Commit struct {
	ID      string `json:"id"`
	Subject string `json:"subject"`
	merge   bool
}

// Make prepares the rollback, and does again nothing that was done.
func Make(ctx context.Context, o Options) (*Report, error) {
	r := &Report{Environment: o.Environment, Also: o.Also, Branch: o.Branch, AWS: []string{}, Kubernetes: []string{}, Stays: []string{}}
	var err error
	if r.From, err = release.Tip(ctx, o.Root, o.URL, o.Branch); err != nil {
		return nil, err
	}
	if r.From == "" {
		return nil, fmt.Errorf("branch %s does not exist in %s; push it", o.Branch, git.WithoutCredentials(o.URL))
	}
	if r.Released, err = release.Tip(ctx, o.Root, o.URL, o.Released); err != nil {
		return nil, err
	}
	if err := o.target(ctx, r); err != nil {
		return nil, err
	}
	same, err := equal(ctx, o.Root, r.From, r.To)
	if err != nil || same {
		r.Done = same
		return r, err
	}
	if r.Reverted, err = o.between(ctx, r); err != nil {
		return nil, err
	}
	r.Head = fmt.Sprintf("rollback/%s-%.12s-%.12s", o.Environment, r.From, r.To)
	folder, remove, err := o.revert(ctx, r)
	if err != nil {
		return nil, err
	}
	defer remove(context.WithoutCancel(ctx))
	if err := o.judge(ctx, r, folder); err != nil || len(r.Refusals) > 0 || o.DryRun {
		return r, err
	}
	return r, o.push(ctx, r, folder)
}

// target finds the commit to go back to. Without a name it is the last verified one before what is released that has another
// content: where a rollback was merged already, its own commits are no way back.
func (o Options) target(ctx context.Context, r *Report) error {
	if o.To != "" {
		to, err := git.Commit(ctx, o.Root, o.To)
		if err != nil {
			return err
		}
		before, err := release.Contains(ctx, o.Root, r.From, to)
		if err == nil && !before {
			err = fmt.Errorf("--to %s: branch %s does not contain it, so no revert leads there; name a commit of 'git log --first-parent %.12s'", o.To, o.Branch, r.From)
		}
		r.To = to
		return err
	}
	verified, err := o.Verified(ctx)
	if err != nil {
		return err
	}
	present := r.Released
	if present == "" {
		present = r.From
	}
	for _, commit := range verified {
		if commit == present {
			continue
		}
		before, err := release.Contains(ctx, o.Root, present, commit)
		if err != nil || !before {
			continue // of another history, or later
		}
		if same, err := equal(ctx, o.Root, present, commit); err != nil || same {
			continue
		}
		r.To = commit
		return nil
	}
	return errors.New("no earlier commit was verified here that differs from the present one; name one with --to")
}

// equal reports whether two commits have the same content.
func equal(ctx context.Context, root, a, b string) (bool, error) {
	trees, err := git.Run(ctx, root, nil, "rev-parse", a+"^{tree}", b+"^{tree}")
	lines := strings.Fields(trees)
	return err == nil && lines[0] == lines[1], err
}

// between lists the commits of the branch behind the target, as somebody merged them: what is on the side of a merge goes with it.
func (o Options) between(ctx context.Context, r *Report) ([]Commit, error) {
	out, err := git.Run(ctx, o.Root, nil, "log", "--no-show-signature", "--first-parent", "--format=%H%x00%P%x00%s", r.To+".."+r.From)
	if err != nil {
		return nil, err
	}
	var all []Commit
	oldest := ""
	for line := range strings.Lines(out) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\x00", 3)
		parents := strings.Fields(fields[1])
		all = append(all, Commit{ID: fields[0], Subject: fields[2], merge: len(parents) > 1})
		if oldest = ""; len(parents) > 0 {
			oldest = parents[0]
		}
	}
	if oldest != r.To {
		return nil, fmt.Errorf("commit %.12s came to %s with a merge, by itself it was never deployed; name one of 'git log --first-parent %.12s'", r.To, o.Branch, r.From)
	}
	return all, nil
}

// judge says what goes back and what does not.
func (o Options) judge(ctx context.Context, r *Report, folder string) error {
	compared, err := o.Compare(ctx, r.From, folder)
	if err != nil {
		return err
	}
	for _, e := range compared.Environments {
		if slices.Contains(r.environments(), e.Name) {
			r.halves(e)
		}
	}
	for _, name := range r.environments() {
		if o.Schema == nil {
			break
		}
		why, err := o.Schema(ctx, name, r.From, folder)
		if err != nil {
			return err
		}
		for _, line := range why {
			r.Refusals = append(r.Refusals, r.of(name)+line)
		}
	}
	r.Stays = append(r.Stays, "data: rows, objects and messages that were written since stay as they are; what was deleted stays deleted")
	return nil
}

// environments are all that go back.
func (r *Report) environments() []string { return append([]string{r.Environment}, r.Also...) }

// of names an environment before a line that does not, where there are several.
func (r *Report) of(name string) string {
	if len(r.Also) == 0 {
		return ""
	}
	return name + ": "
}

// halves lists what goes back in each half. What is made again has none of the data that it had, and what goes takes its own with it.
func (r *Report) halves(e review.Environment) {
	for _, s := range e.Stacks {
		for _, c := range s.Resources {
			name := e.Name + "/" + s.Part + "/" + c.ID
			r.AWS = append(r.AWS, fmt.Sprintf("%s (%s) %s", name, c.Type, words[c.Impact]))
			if c.Impact != cfndiff.Create {
				continue
			}
			if holds := risk.Holds(c.Type); holds != "" {
				r.Stays = append(r.Stays, fmt.Sprintf("%s: is made again empty; %s went with its removal, restore it from a backup", name, holds))
			}
		}
	}
	for _, k := range e.Kustomizations {
		for _, c := range k.Objects {
			r.Kubernetes = append(r.Kubernetes, r.of(e.Name)+c.Object+" "+actions[c.Action])
		}
	}
	for _, f := range e.Findings {
		if f.Verdict == risk.Forbidden {
			r.Refusals = append(r.Refusals, fmt.Sprintf("%s: %s; choose a later commit with --to, or revert by hand with an entry in allowReplacement", f.Resource, f.Message))
		}
	}
}

var words = map[cfndiff.Impact]string{
	cfndiff.Create: "is made again", cfndiff.Destroy: "goes", cfndiff.Orphan: "leaves the stack and stays in AWS",
	cfndiff.Replace: "is replaced", cfndiff.MayReplace: "changes back, and may be replaced", cfndiff.Update: "changes back",
}

var actions = map[kubediff.Action]string{kubediff.Added: "is made again", kubediff.Changed: "changes back", kubediff.Removed: "goes"}
