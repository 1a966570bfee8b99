//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/signtest"
	"k8s-plus-aws-gitops/local/system/observe"
)

// signWith, in the environment, is a file with the private key with which this program signs, as gpg would for git: a
// machine need not have gpg.
const signWith = "E2E_SIGN_WITH"

// signInstead signs, and runs no test, where git has started this program.
func signInstead() {
	file := os.Getenv(signWith)
	if file == "" {
		return
	}
	if err := sign(file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// sign writes the signature of what git gives it.
func sign(file string) error {
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	ring, err := openpgp.ReadArmoredKeyRing(content)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	if err := openpgp.ArmoredDetachSign(os.Stdout, ring[0], bytes.NewReader(text), nil); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout)                             // git takes lines
	fmt.Fprint(os.Stderr, "\n[GNUPG:] SIG_CREATED D\n") // its --status-fd=2
	return nil
}

// signed asks for signatures: a push that is signed arrives in both halves, one that is not arrives in none, and a signed one
// takes it all back. Image automation has no key meanwhile, for which nothing waits.
func (s *system) signed(ctx context.Context) (said string, err error) {
	before, err := os.ReadFile(filepath.Join(s.repo, "cdk.json"))
	if err != nil {
		return "", err
	}
	key, restore, err := s.signer(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, restore()) }()
	if err := s.edit("cdk.json", `"repository": {`, `"repository": {"verify": ["`+key+`"],`); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Have commits signed"); err != nil {
		return "", fmt.Errorf("a signed commit is refused: %w", err)
	}
	if err := s.verified(ctx, true); err != nil {
		return "", err
	}
	if said, err = s.unsigned(ctx); err != nil {
		return "", err
	}
	// Signed by a key of what is released; it lists none any more.
	if _, err := s.add(history, -1); err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(filepath.Join(s.repo, "cdk.json"), before, 0o644), os.Remove(filepath.Join(s.repo, key))); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Have nothing signed"); err != nil {
		return "", fmt.Errorf("a signed commit that asks for no more signatures is refused: %w", err)
	}
	if err := s.verified(ctx, false); err != nil {
		return "", err
	}
	_, err = s.settled(ctx)
	return said, err
}

// signer writes a key into the checkout, lets the checkout sign with it, and returns its file and what ends the signing.
func (s *system) signer(ctx context.Context) (key string, restore func() error, err error) {
	program, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	someone := signtest.New(s.t, "scenario")
	key = "keys/scenario.asc"
	dir := s.t.TempDir()
	private, script := filepath.Join(dir, "private.asc"), filepath.Join(dir, "gpg")
	for file, content := range map[string]string{
		private: someone.Private(), filepath.Join(s.repo, key): someone.Public(),
		script: fmt.Sprintf("#!/bin/sh\n%s='%s' exec '%s'\n", signWith, private, program),
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o700)); err != nil {
			return "", nil, err
		}
	}
	for name, value := range map[string]string{"gpg.program": script, "user.signingKey": "scenario", "commit.gpgSign": "true"} {
		if _, err := s.git(ctx, s.repo, "config", name, value); err != nil {
			return "", nil, err
		}
	}
	return key, func() error {
		for _, name := range []string{"gpg.program", "user.signingKey", "commit.gpgSign"} {
			if _, err := s.git(context.WithoutCancel(ctx), s.repo, "config", "--unset", name); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// verified fails unless Flux has verified the commit that it applied, or asks for no signature.
func (s *system) verified(ctx context.Context, want bool) error {
	commit, err := s.head(ctx)
	if err != nil {
		return err
	}
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return err
	}
	return until(ctx, 5*time.Minute, "Flux to look at the commit as it is told", func() error {
		source, err := c.Dynamic.Resource(sources).Namespace("flux-system").Get(ctx, "flux-system", metav1.GetOptions{})
		if err != nil {
			return err
		}
		_, says, verified := flux.Condition(source, "SourceVerified", "True")
		if verified != want || want && !strings.Contains(says, commit) {
			return fmt.Errorf("the commit %.8s is verified: %t, want %t: %s", commit, verified, want, says)
		}
		return nil
	})
}

// unsigned pushes a change of a manifest that nobody signed: Plan says why, and both halves stay.
func (s *system) unsigned(ctx context.Context) (string, error) {
	at, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
	if err != nil {
		return "", err
	}
	if _, err := s.git(ctx, s.repo, "config", "commit.gpgSign", "false"); err != nil {
		return "", err
	}
	sets, err := s.add(history, 1)
	if err != nil {
		return "", err
	}
	pushed := s.push(ctx, "Nobody signs this")
	if pushed == nil || !strings.Contains(pushed.Error(), "is not signed") {
		return "", fmt.Errorf("push does not say that the commit is not signed: %w", pushed)
	}
	all, err := s.ran(ctx, "deploy Failed")
	if err != nil {
		return "", err
	}
	if all[0].Stage != "Plan" {
		return "", fmt.Errorf("the deployment went on to %s: %s", all[0].Stage, all[0].Reason)
	}
	if now, err := s.git(ctx, s.dir.Repository(), "rev-parse", released); err != nil || now != at {
		return "", fmt.Errorf("the commit that nobody signed was released: %s, %w", now, err)
	}
	if err := s.hasHistory(ctx, sets-1); err != nil {
		return "", fmt.Errorf("Flux applied a manifest that nobody signed: %w", err)
	}
	_, err = s.git(ctx, s.repo, "config", "commit.gpgSign", "true")
	return "refused: " + lastText(pushed.Error()), err
}
