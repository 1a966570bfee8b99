package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
)

// publishOwn publishes a service of a repository of its own, by the registration and the tool of this checkout.
func (f *serviceFlags) publishOwn(cmd *cobra.Command, name string, p publishFlags) error {
	from, err := filepath.Abs(p.from)
	if err != nil {
		return err
	}
	// Before anything else: what is wrong with the file is what its owner wants to know first.
	own, registered, err := f.readOwn(name, from)
	if err != nil {
		return err
	}
	if err := f.ofRepository(cmd, from, registered); err != nil {
		return err
	}
	if p.release {
		if tag, err := publish.OwnTag(cmd.Context(), from); err != nil {
			return err
		} else if tag == "" {
			return errors.New("--release: the commit must have a tag v<major>.<minor>.<patch>; push one, for example v1.2.3")
		}
	}
	run, err := f.open(cmd, p)
	if err != nil {
		return err
	}
	platform, err := publish.ReadSource(cmd.Context(), run.source)
	if err != nil {
		return err
	}
	run.platform = platform.Commit
	run.source = publish.SourceOptions{Dir: from, Paths: []string{services.OwnFile}, AllowDirty: p.allowDirty, Own: true, Repository: registered.Repository}
	if run.policies, err = manifests.PoliciesOf(cmd.Context(), run.root, f.environment); err != nil {
		return err
	}
	_, err = f.push(cmd, run, []services.Service{own}, p)
	return err
}

// readOwn reads a service's file in the checkout of its repository, and holds it to the registration in this one.
func (f *serviceFlags) readOwn(name, from string) (own, registered services.Service, err error) {
	_, loaded, err := f.load()
	if err != nil {
		return own, registered, err
	}
	if _, err := f.cluster(loaded); err != nil {
		return own, registered, err
	}
	content, err := os.ReadFile(filepath.Join(from, services.OwnFile))
	if errors.Is(err, fs.ErrNotExist) {
		return own, registered, fmt.Errorf("%s: there is no %s; write it with `gitops service init` there", from, services.OwnFile)
	}
	if err != nil {
		return own, registered, err
	}
	own, err = loaded.Own(name, content, f.environment)
	registered, _ = loaded.Service(name)
	return own, registered, err
}

// ofRepository refuses a checkout of another repository than the registered one: a mistake in CI, where many are alike.
func (f *serviceFlags) ofRepository(cmd *cobra.Command, dir string, registered services.Service) error {
	origin, err := git.Run(cmd.Context(), dir, nil, "config", "--get", "remote.origin.url")
	if err != nil {
		return nil //nolint:nilerr // a checkout without a remote, as on the machine of who wrote it
	}
	is := cmp.Or(os.Getenv("SOURCE_REPOSITORY"), strings.TrimSpace(origin))
	if plainAddress(is) != plainAddress(registered.Repository) {
		return fmt.Errorf("--from: must be a checkout of %s, as %s says, got one of %s", registered.Repository, registered.File, git.WithoutCredentials(is))
	}
	return nil
}

// plainAddress is what is the same in all addresses of a repository.
func plainAddress(address string) string {
	address = git.WithoutCredentials(address)
	if host, repository, ok := forge.Parse(address); ok {
		return strings.ToLower(host + "/" + repository.String())
	}
	_, rest, _ := strings.Cut(address, "://")
	return strings.TrimSuffix(cmp.Or(rest, address), ".git")
}
