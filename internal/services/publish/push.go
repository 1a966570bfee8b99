package publish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/git"
)

// committer is who made the commit; the author is the source's.
const committer = "gitops <gitops@localhost>"

// person is what git takes for an author.
var person = regexp.MustCompile(`^[^<>\n]+ <[^<>\n]*>$`)

// build writes the commits with one process and returns them by branch.
func build(ctx context.Context, scratch string, changes []change) (map[string]string, error) {
	var stream bytes.Buffer
	now := time.Now().Unix()
	for _, c := range changes {
		author, when := c.source.Author, c.source.Time
		if !person.MatchString(author) {
			author = committer
		}
		if when == "" {
			when = fmt.Sprintf("%d +0000", now)
		}
		// Each attempt starts from the remote's tips, not from what the last one built.
		fmt.Fprintf(&stream, "reset refs/built/%s\n\n", c.branch)
		fmt.Fprintf(&stream, "commit refs/built/%s\nauthor %s %s\ncommitter %s %d +0000\n", c.branch, author, when, committer, now)
		data(&stream, []byte(c.message))
		switch base, local := strings.CutPrefix(c.parent, ":"); {
		case local:
			fmt.Fprintf(&stream, "from refs/built/%s\n", base)
		case c.parent != "":
			fmt.Fprintf(&stream, "from %s\n", c.parent)
		}
		stream.WriteString("deleteall\n")
		for _, name := range slices.Sorted(maps.Keys(c.files)) {
			fmt.Fprintf(&stream, "M 100644 inline %s\n", name)
			data(&stream, c.files[name])
		}
		stream.WriteByte('\n')
	}
	stream.WriteString("done\n")
	if _, err := git.Run(ctx, scratch, &stream, "fast-import", "--quiet", "--force", "--done"); err != nil {
		return nil, err
	}
	out, err := git.Run(ctx, scratch, nil, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/built")
	if err != nil {
		return nil, err
	}
	built := map[string]string{}
	for line := range strings.Lines(out) {
		if id, branch, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			built[branch] = id
		}
	}
	commits := make(map[string]string, len(changes))
	for _, c := range changes {
		commits[c.branch] = built[c.branch]
	}
	return commits, nil
}

func data(stream *bytes.Buffer, content []byte) {
	fmt.Fprintf(stream, "data %d\n", len(content))
	stream.Write(content)
	stream.WriteByte('\n')
}

// push changes all branches or none.
func push(ctx context.Context, scratch string, changes []change, commits map[string]string, url string) error {
	args := []string{"push", "--porcelain", "--no-verify"}
	// One branch is atomic by itself, and not every server knows the option.
	if len(changes) > 1 {
		args = append(args, "--atomic")
	}
	var refs []string
	for _, c := range changes {
		// An empty lease means: it must not exist.
		args = append(args, "--force-with-lease=refs/heads/"+c.branch+":"+c.tip)
		refs = append(refs, commits[c.branch]+":refs/heads/"+c.branch)
	}
	_, err := git.Run(ctx, scratch, nil, append(append(args, url), refs...)...)
	return refused(url, err)
}

// lost are the reasons that git and servers give when a branch is no longer what the lease says.
var lost = []string{
	"stale info", "fetch first", "non-fast-forward", "already exists", "cannot lock ref", "failed to update ref",
	"incorrect old value provided", "reference already exists", "remote ref updated since checkout", "failed to lock",
}

// refused tells a lost race, which is tried again, from a refusal, which is final.
func refused(url string, err error) error {
	var failed *git.Error
	if !errors.As(err, &failed) {
		return err
	}
	var race, refusal, bystander string
	for line := range strings.Lines(failed.Out) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) < 3 || fields[0] != "!" {
			continue
		}
		_, ref, _ := strings.Cut(fields[1], ":")
		branch, reason := strings.TrimPrefix(ref, "refs/heads/"), fields[2]
		switch {
		case strings.Contains(reason, "atomic"):
			// Another branch is the cause; if all say so, the server found the race when it took its locks.
			bystander = branch
		case slices.ContainsFunc(lost, func(known string) bool { return strings.Contains(reason, known) }):
			race = branch
		default:
			refusal = branch + ": " + reason
		}
	}
	switch {
	case strings.Contains(failed.Errs, "does not support --atomic"):
		return fmt.Errorf("nothing was published: %w; publish services one at a time", err)
	case strings.Contains(failed.Errs, "cannot create") && strings.Contains(failed.Errs, "exists"):
		return fmt.Errorf("nothing was published: %w; a branch cannot have the name of another's folder, delete or rename it", err)
	case refusal != "":
		return fmt.Errorf("nothing was published: %s refuses %s (%w); ask its owner for the right to push there", git.WithoutCredentials(url), refusal, err)
	case race+bystander != "":
		return &overtakenError{cmp.Or(race, bystander)}
	}
	return fmt.Errorf("publishing: %w; run it again: what arrived is found unchanged", reach(url, err))
}

// Delete removes branches that are still what they were when they were read, their proposals among them. Those that do
// not exist are left out; it returns the ones that it removed.
func Delete(ctx context.Context, url string, branches []string) ([]string, error) {
	var all []string
	for _, b := range branches {
		all = append(all, b, proposals+b)
	}
	// ls-remote and a push of deletions need no objects, but push wants a repository to run in.
	scratch, err := scratchRepository(ctx)
	if err != nil {
		return nil, err
	}
	defer scratch.remove()
	found, err := list(ctx, scratch.dir, url, all)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(found))
	args := []string{"push", "--porcelain", "--no-verify", "--atomic"}
	var refs []string
	for _, name := range names {
		args = append(args, "--force-with-lease=refs/heads/"+name+":"+found[name])
		refs = append(refs, ":refs/heads/"+name)
	}
	if _, err := git.Run(ctx, scratch.dir, nil, append(append(args, url), refs...)...); err != nil {
		return nil, refused(url, err)
	}
	return names, nil
}
