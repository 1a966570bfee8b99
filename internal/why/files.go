package why

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/services"
)

// File is where the repository declares something.
type File struct {
	// Path in the repository.
	Path string `json:"path"`
	// Line at which the object begins; 0: not known.
	Line int `json:"line,omitempty"`
}

// String is what editors take: path:line.
func (f File) String() string {
	if f.Line == 0 {
		return f.Path
	}
	return fmt.Sprintf("%s:%d", f.Path, f.Line)
}

// declared finds the files that declare what a Kustomization applied, and the last commit that changed them.
func (s *Source) declared(ctx context.Context, a *Answer, what flux.Entry) {
	commit := short(a.Applied.Revision)
	switch namespace, name, _ := strings.Cut(a.Applied.Kustomization, "/"); {
	case commit == "":
		a.unknown("file", "Kustomization %s has applied nothing yet", a.Applied.Kustomization)
		return
	case namespace == flux.ServicesNamespace:
		s.service(ctx, a, name, commit)
		return
	case a.Applied.Source != platform:
		a.unknown("file", "GitRepository %s is another repository", a.Applied.Source)
		return
	}
	// The branch is fetched, because a commit of Flux's own, such as an image's tag, is in no checkout yet.
	if _, err := s.Tip(ctx); err != nil {
		a.unknown("branch", "%s", reason(err))
	}
	files, err := s.origins(ctx, a.Applied, commit, what)
	if err != nil {
		a.unknown("file", "%s", reason(err))
		return
	}
	a.Files = files
	s.changed(ctx, a, commit)
}

// service is what applies a service: its branch of the manifests repository says of which commit of the platform's it was made.
func (s *Source) service(ctx context.Context, a *Answer, name, applied string) {
	tip, err := s.Published(ctx, name)
	switch {
	case err != nil:
		a.unknown("commit", "the manifests repository: %s", reason(err))
	case tip.Commit != applied:
		a.unknown("commit", "the branch of %s is at %.12s, and what runs is of %.12s; wait, or see: gitops service status %[1]s --env %[4]s", name, tip.Commit, applied, s.Env.Name)
	case tip.Source.Commit == "" || strings.HasSuffix(tip.Source.Commit, "-dirty"):
		a.unknown("commit", "%s was published from files that are in no commit, by %s", name, tip.Source.Author)
	default:
		a.Files = []File{{Path: services.FilesDir + "/" + name + ".yaml"}}
		s.changed(ctx, a, tip.Source.Commit)
	}
}

// changed finds the last commit that changed the answer's files, up to another one.
func (s *Source) changed(ctx context.Context, a *Answer, upTo string) {
	var paths []string
	for _, f := range a.Files {
		paths = append(paths, f.Path)
	}
	all, err := s.log(ctx, upTo, paths, "-1")
	switch {
	case err != nil:
		a.unknown("commit", "%s; fetch the history: git fetch --unshallow", reason(err))
	case len(all) == 0:
		a.unknown("commit", "no commit up to %.12s changed the files", upTo)
	default:
		a.Commit = &all[0]
	}
}

// log reads the commits of revisions that changed paths, the newest first; no paths: all of them.
func (s *Source) log(ctx context.Context, revisions string, paths []string, options ...string) ([]Commit, error) {
	args := append([]string{"log", "--no-show-signature", "--format=%H%x00%an%x00%at%x00%s"}, options...)
	out, err := git.Run(ctx, s.Root, nil, append(append(args, "--end-of-options", revisions, "--"), paths...)...)
	if err != nil {
		return nil, err
	}
	var all []Commit
	for line := range strings.Lines(out) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\x00", 4)
		if len(fields) < 4 {
			continue
		}
		seconds, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("git log: its time must be a number, got %q", fields[2])
		}
		all = append(all, Commit{ID: fields[0], Author: fields[1], Time: time.Unix(seconds, 0).UTC(), Subject: fields[3]})
	}
	return all, nil
}

// origins builds what a Kustomization builds, at the commit that it has applied, and finds the files of an object.
func (s *Source) origins(ctx context.Context, applied *Applied, commit string, what flux.Entry) ([]File, error) {
	root, err := os.MkdirTemp("", "gitops-why-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	if err := s.unpack(ctx, commit, root); err != nil {
		return nil, err
	}
	path := filepath.ToSlash(filepath.Clean(applied.Path))
	found, err := manifests.Origins(root, path, applied.overlay, what.Kind, what.Namespace, what.Name)
	if err != nil {
		return nil, err
	}
	files := make([]File, len(found))
	for i, file := range found {
		files[i] = File{file, 0}
	}
	if len(files) > 0 {
		content, err := os.ReadFile(filepath.Join(root, files[0].Path))
		if err != nil {
			return nil, err
		}
		files[0].Line = manifests.Line(content, what.Kind.Kind, what.Name)
	}
	return files, nil
}

// unpack writes the manifests of a commit into a folder: the working tree and the index stay as they are.
func (s *Source) unpack(ctx context.Context, commit, root string) error {
	// git archive knows no --end-of-options before a path, so that it gets the name of a commit that there is.
	id, err := git.Commit(ctx, s.Root, commit)
	if err != nil {
		return err
	}
	out, err := git.Run(ctx, s.Root, nil, "archive", "--format=tar", id, "--", "k8s")
	if err != nil {
		return err
	}
	for archive := tar.NewReader(strings.NewReader(out)); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		name := filepath.Join(root, h.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return err
		}
	}
}
