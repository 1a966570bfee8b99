package plan

import (
	"context"
	"fmt"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/signature"
)

// signed refuses a commit that is not signed as repository.verify asks. Two commits have a say: the one that is released,
// because its keys were trusted before, and whoever signs with a new key must not let themselves in; and the commit
// itself, because its keys are those by which Flux, once they are deployed, verifies it. A change of keys is therefore
// signed by a key that is in both. Flux looks at the commit that it follows and at none before it; so does this.
func (p *Plan) signed(ctx context.Context, o Options) error {
	commit, err := git.Commit(ctx, o.Root, "HEAD")
	if err != nil {
		return err
	}
	for _, of := range []struct{ at, label string }{{p.Release.Before, "the released commit"}, {commit, "the commit itself"}} {
		if of.at == "" {
			continue
		}
		keys, err := keysAt(ctx, o.Root, of.at)
		if err != nil {
			return fmt.Errorf("keys of %s, %.12s: %w", of.label, of.at, err)
		}
		if len(keys) == 0 {
			continue
		}
		text, err := git.Run(ctx, o.Root, nil, "cat-file", "commit", commit)
		if err != nil {
			return err
		}
		if err := signature.Verify(text, keys); err != nil {
			p.Refusals = append(p.Refusals, fmt.Sprintf("commit %.12s %s (repository.verify of %s, docs/guides/signed.md)", commit, err, of.label))
			return nil
		}
	}
	return nil
}

// keysAt reads the keys that a commit lists, from the commit and not from the working tree.
func keysAt(ctx context.Context, root, commit string) ([]signature.Key, error) {
	read := func(file string) (string, error) { return git.Run(ctx, root, nil, "show", commit+":./"+file) }
	text, err := read("cdk.json")
	if err != nil {
		return nil, err
	}
	c, err := config.ParseOld([]byte(text))
	if err != nil {
		return nil, err
	}
	var keys []signature.Key
	for _, file := range c.Repository.Verify {
		text, err := read(file)
		if err != nil {
			return nil, err
		}
		key, err := signature.Parse(file, text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
