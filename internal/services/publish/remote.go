package publish

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"k8s-plus-aws-gitops/internal/git"
)

// tip is a branch of the remote.
type tip struct {
	commit, parent string
	source         Source
	// time of the commit, in seconds since 1970.
	time int64
	// files by name; those that were not asked for are missing.
	files map[string][]byte
}

// holds reports whether the branch is what publishing the manifest from its recorded source would make of it.
func (t tip) holds(m Manifest) bool {
	if t.commit == "" {
		return false
	}
	for name, want := range content(m, t.source) {
		if got, there := t.files[name]; !there || !bytes.Equal(got, want) {
			return false
		}
	}
	return true
}

// list returns the branches that exist among those named, with their commits.
func list(ctx context.Context, dir, url string, branches []string) (map[string]string, error) {
	args := []string{"ls-remote", "--quiet", url}
	for _, b := range branches {
		args = append(args, "refs/heads/"+b)
	}
	out, err := git.Run(ctx, dir, nil, args...)
	if err != nil {
		return nil, reach(url, err)
	}
	found := map[string]string{}
	for line := range strings.Lines(out) {
		if id, ref, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			found[strings.TrimPrefix(ref, "refs/heads/")] = id
		}
	}
	return found, nil
}

// reach adds the remedy to a remote that does not answer.
func reach(url string, err error) error {
	return fmt.Errorf("manifests repository %s: %w; check its address in k8s/fleet/fleet.yaml and your credentials", git.WithoutCredentials(url), err)
}

// read fetches the branches of the manifests, and of their proposals.
func read(ctx context.Context, scratch string, manifests []Manifest, o Options) (map[string]tip, error) {
	var branches []string
	files := map[string]string{}
	for _, m := range manifests {
		branches = append(branches, m.Branch)
		files[m.Branch] = m.file()
		if o.Propose {
			branches = append(branches, proposals+m.Branch)
			files[proposals+m.Branch] = m.file()
		}
	}
	found, err := list(ctx, scratch, o.URL, branches)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	if err := fetch(ctx, scratch, o.URL, found); err != nil {
		return nil, err
	}
	tips := make(map[string]tip, len(found))
	var names []string
	for branch := range found {
		names = append(names, branch)
	}
	slices.Sort(names)
	var want []string
	for _, branch := range names {
		want = append(want, found[branch], found[branch]+":"+files[branch], found[branch]+":kustomization.yaml")
	}
	objects, err := contents(ctx, scratch, want)
	if err != nil {
		return nil, err
	}
	for i, branch := range names {
		t := parseCommit(string(objects[3*i]))
		t.commit = found[branch]
		t.files = map[string][]byte{}
		for j, name := range []string{files[branch], "kustomization.yaml"} {
			if object := objects[3*i+1+j]; object != nil {
				t.files[name] = object
			}
		}
		tips[branch] = t
	}
	return tips, nil
}

// fetch brings the tips, without their history.
func fetch(ctx context.Context, scratch, url string, found map[string]string) error {
	var refs strings.Builder
	for branch := range found {
		fmt.Fprintf(&refs, "+refs/heads/%s:refs/tips/%s\n", branch, branch)
	}
	_, err := git.Run(ctx, scratch, strings.NewReader(refs.String()), "fetch", "--quiet", "--no-tags", "--depth=1", "--no-write-fetch-head", "--stdin", url)
	var failed *git.Error
	if errors.As(err, &failed) && strings.Contains(failed.Errs, "couldn't find remote ref") {
		return &overtakenError{"a branch"}
	}
	if err != nil {
		return reach(url, err)
	}
	// Somebody may have pushed between the list and this: what was fetched is what counts.
	out, err := git.Run(ctx, scratch, nil, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/tips")
	for line := range strings.Lines(out) {
		if id, branch, ok := strings.Cut(strings.TrimSpace(line), " "); ok && found[branch] != "" {
			found[branch] = id
		}
	}
	return err
}

// contents reads objects by name, in order, with one process; nil for those that do not exist.
func contents(ctx context.Context, dir string, names []string) ([][]byte, error) {
	out, err := git.Run(ctx, dir, strings.NewReader(strings.Join(names, "\n")+"\n"), "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	reader := bufio.NewReader(strings.NewReader(out))
	objects := make([][]byte, 0, len(names))
	for range names {
		header, err := reader.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("git cat-file: %w", err)
		}
		fields := strings.Fields(header)
		if len(fields) < 3 || fields[len(fields)-1] == "missing" {
			objects = append(objects, nil)
			continue
		}
		size, err := strconv.Atoi(fields[2])
		if err != nil {
			return nil, fmt.Errorf("git cat-file: %w", err)
		}
		object := make([]byte, size+1) // and a newline
		if _, err := io.ReadFull(reader, object); err != nil {
			return nil, fmt.Errorf("git cat-file: %w", err)
		}
		objects = append(objects, object[:size])
	}
	return objects, nil
}

// parseCommit reads a commit object.
func parseCommit(object string) tip {
	header, message, _ := strings.Cut(object, "\n\n")
	t := tip{source: parseSource(message)}
	for line := range strings.Lines(header) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key {
		case "parent":
			t.parent = value
		case "committer":
			if fields := strings.Fields(value); len(fields) > 2 {
				t.time, _ = strconv.ParseInt(fields[len(fields)-2], 10, 64)
			}
		}
	}
	return t
}
