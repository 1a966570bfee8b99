// Package onboard writes what a service's own repository needs: its file, the schema by which editors check it, and the
// workflow that publishes it by the platform's tool.
package onboard

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/services"
)

// The files, relative to the service's repository.
const (
	SchemaFile   = ".gitops/service.schema.json"
	WorkflowFile = ".github/workflows/publish.yml"
)

// Platform is a version of the platform's repository.
type Platform struct {
	// URL and Ref as they were named, and the Commit that Ref is.
	URL, Ref, Commit string
	// Dir holds its files until Close.
	Dir string
}

// platform is URL@REF. What follows a user is no ref: the address before it has a path.
var platform = regexp.MustCompile(`^((?:[a-z]+://[^/]+/|[^:]*:[^/]|[^:]*/).*)@([A-Za-z0-9][A-Za-z0-9._/-]*)$`)

// Fetch reads a platform named as URL@REF, where REF is a tag, a branch or a commit.
func Fetch(ctx context.Context, named string) (*Platform, error) {
	match := platform.FindStringSubmatch(named)
	if match == nil {
		return nil, fmt.Errorf("--platform must be URL@TAG, for example https://github.com/my-company/platform.git@v1.2.3, got %q", git.WithoutCredentials(named))
	}
	dir, err := os.MkdirTemp("", "platform-")
	if err != nil {
		return nil, err
	}
	p := &Platform{URL: match[1], Ref: match[2], Dir: dir}
	for _, args := range [][]string{
		{"init", "--quiet"}, {"fetch", "--quiet", "--depth=1", "--no-tags", p.URL, p.Ref}, {"checkout", "--quiet", "--detach", "FETCH_HEAD"},
	} {
		if _, err := git.Run(ctx, dir, nil, args...); err != nil {
			p.Close()
			return nil, fmt.Errorf("platform %s at %s: %w; check the address, the tag and your credentials", git.WithoutCredentials(p.URL), p.Ref, err)
		}
	}
	if p.Commit, err = git.Commit(ctx, dir, "HEAD"); err != nil {
		p.Close()
		return nil, err
	}
	p.URL = git.WithoutCredentials(p.URL)
	return p, nil
}

// Close removes its files.
func (p *Platform) Close() { _ = os.RemoveAll(p.Dir) }

// Place is an environment that the workflow publishes to.
type Place struct{ Environment, Region, Role, Secret string }

// Places are the environments in which a service is registered. One that is in no account of AWS has no role.
func Places(all config.Config, s services.Service) []Place {
	if s.PublishedBy() == "" {
		return nil
	}
	var places []Place
	for _, name := range all.Names() {
		env := all.Environments[name]
		if !s.Enabled(name) || !env.Delivers() {
			continue
		}
		places = append(places, Place{
			Environment: name, Region: env.Region, Role: env.ARN("iam", "role/"+env.PublisherRole(s.Name)), Secret: env.PublisherSecret(s.Name),
		})
	}
	return places
}

//go:embed publish.yml
var workflow string

var workflowTemplate = template.Must(template.New("publish.yml").Parse(workflow))

// Workflow is the workflow of GitHub that publishes a service. Its first line tells whether somebody has edited it since.
func Workflow(name string, p Platform, places []Place) ([]byte, error) {
	var body bytes.Buffer
	err := workflowTemplate.Execute(&body, map[string]any{"Name": name, "Places": places, "Platform": p.URL, "Commit": p.Commit, "Ref": p.Ref})
	return append([]byte(mark+digest(body.Bytes())+"\n"), body.Bytes()...), err
}

// mark begins a generated file, and its digest follows.
const mark = "# Written by `gitops service init`, which renews it until somebody edits it: "

func digest(body []byte) string { return fmt.Sprintf("%x", sha256.Sum256(body))[:16] }

// edited reports whether a file is not as it was generated, by whatever version.
func edited(content []byte) bool {
	first, body, _ := bytes.Cut(content, []byte("\n"))
	said, marked := strings.CutPrefix(string(first), mark)
	return !marked || said != digest(body)
}

// File is one that is to be written.
type File struct {
	Name    string
	Content []byte
	// Once is for a file that is its owner's from then on.
	Once bool
	// Copied is for a file that holds no mark, and is the platform's.
	Copied bool
}

// What Write does with a file.
const (
	Created   = "created"
	Renewed   = "renewed"
	Unchanged = "unchanged"
	Kept      = "kept, edited since: --force replaces it"
	Yours     = "kept"
)

// Write makes the files below dir, and returns what it does with each, in order. What somebody has edited it leaves alone, unless
// it is forced; nothing is written in a dry run.
func Write(dir string, files []File, force, dryRun bool) ([]string, error) {
	done := make([]string, len(files))
	for i, f := range files {
		target := filepath.Join(dir, f.Name)
		have, err := os.ReadFile(target)
		missing := errors.Is(err, fs.ErrNotExist)
		switch {
		case err != nil && !missing:
			return nil, err
		case missing:
			done[i] = Created
		case bytes.Equal(have, f.Content):
			done[i] = Unchanged
		case f.Once:
			done[i] = Yours
		case !f.Copied && edited(have) && !force:
			done[i] = Kept
		default:
			done[i] = Renewed
		}
		if dryRun || done[i] != Created && done[i] != Renewed {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(target, f.Content, 0o644); err != nil { //nolint:gosec // a file of the repository
			return nil, err
		}
	}
	return done, nil
}
