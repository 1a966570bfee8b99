package publish

import (
	"context"
	"fmt"
	"strings"

	"k8s-plus-aws-gitops/internal/git"
)

// SourceOptions configures ReadSource: what to read of a checkout.
type SourceOptions struct {
	// Dir is the checkout.
	Dir string
	// Paths are what the manifests are made of; a change there that is not committed makes the source dirty.
	Paths []string
	// Service, if one is published: its release tag, <service>/v…, is then part of the source.
	Service string
	// Own is set for a service's own repository, whose release tags are v1.2.3.
	Own bool
	// Repository is its address, where the checkout's origin is another: a build clones through an address of the
	// connection. Empty: origin.
	Repository string
	// AllowDirty publishes uncommitted changes, and marks them.
	AllowDirty bool
}

// ReadSource returns what the manifests of a checkout are made of.
func ReadSource(ctx context.Context, o SourceOptions) (Source, error) {
	head, err := git.Run(ctx, o.Dir, nil, "log", "-1", "--date=raw", "--format=%H%n%an%n%ae%n%ad")
	if err != nil {
		return Source{}, fmt.Errorf("the source commit: %w; run in a checkout that has a commit", err)
	}
	fields := strings.SplitN(strings.TrimRight(head, "\n"), "\n", 4)
	if len(fields) != 4 {
		return Source{}, fmt.Errorf("the source commit: git log answered %q; check the checkout with git log -1", head)
	}
	s := Source{Commit: fields[0], Author: clean(fields[1]) + " <" + clean(fields[2]) + ">", Time: fields[3]}
	changed, err := git.Run(ctx, o.Dir, nil, append([]string{"status", "--porcelain", "--untracked-files=all", "--"}, o.Paths...)...)
	if err != nil {
		return Source{}, err
	}
	if changed != "" {
		if !o.AllowDirty {
			first, _, _ := strings.Cut(changed, "\n")
			return Source{}, fmt.Errorf("%s is not committed; commit it, or pass --allow-dirty, which marks the source as changed", strings.TrimSpace(first[min(3, len(first)):]))
		}
		s.Commit += dirty
	}
	// A checkout without a remote has no address to remember.
	if o.Repository != "" {
		s.Repository = git.WithoutCredentials(o.Repository)
	} else if origin, err := git.Run(ctx, o.Dir, nil, "config", "--get", "remote.origin.url"); err == nil {
		s.Repository = git.WithoutCredentials(strings.TrimSpace(origin))
	}
	if o.Service == "" || changed != "" {
		return s, nil
	}
	if o.Own {
		s.Tag, err = OwnTag(ctx, o.Dir)
		return s, err
	}
	// A tag that is not a release is not a mistake here: nobody asked to release by it.
	tags, _, err := Tags(ctx, o.Dir)
	if err != nil {
		return Source{}, err
	}
	if t, released := tags[o.Service]; released {
		s.Tag = t.Name
	}
	return s, nil
}

// clean removes what would break git's form of an author.
func clean(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '<' || r == '>' || r < ' ' {
			return -1
		}
		return r
	}, text))
}

// OlderIn returns a function for Options.Older that asks the checkout. A commit that the checkout does not have, as in a
// shallow clone, is not called older.
func OlderIn(dir string) func(ctx context.Context, a, b string) bool {
	known := map[[2]string]bool{}
	return func(ctx context.Context, a, b string) bool {
		answer, asked := known[[2]string{a, b}]
		if !asked {
			_, err := git.Run(ctx, dir, nil, "merge-base", "--is-ancestor", "--end-of-options", a, b)
			answer = err == nil && a != b
			known[[2]string{a, b}] = answer
		}
		return answer
	}
}
