package system

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"

	"k8s-plus-aws-gitops/local/git"
	"k8s-plus-aws-gitops/local/internal/atomicfile"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
)

// The platform's repository is private, as most are: Flux reads it as one account and pushes image tags as another, with
// passwords from Secrets Manager. Whoever works on this machine, and its builds, are the second.
const (
	reader = "flux"
	writer = "gitops"
)

// accounts returns who may sign in at the platform's repository. They are made up at the first call and kept.
func (s *System) accounts() ([]git.Account, error) {
	file := s.Dir.Path("git", "accounts.json")
	var all []git.Account
	raw, err := os.ReadFile(file)
	if err == nil {
		return all, json.Unmarshal(raw, &all)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all = []git.Account{{User: reader, Password: rand.Text()}, {User: writer, Password: rand.Text(), Writes: true}}
	if raw, err = json.Marshal(all); err != nil {
		return nil, err
	}
	return all, atomicfile.Write(file, append(raw, '\n'), 0o600)
}

// writeLogin lets git on this machine sign in, by the file that deploy.GitVariables names to it.
func (s *System) writeLogin(p layout.Ports) error {
	all, err := s.accounts()
	if err != nil {
		return err
	}
	var text string
	for _, a := range all {
		if a.Writes {
			text += (&url.URL{Scheme: "http", User: url.UserPassword(a.User, a.Password), Host: p.Addr(layout.Git)}).String() + "\n"
		}
	}
	return atomicfile.Write(deploy.GitLogin(s.Dir), []byte(text), 0o600)
}
