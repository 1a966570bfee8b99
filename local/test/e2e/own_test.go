//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ownRepository registers a service of a repository of its own, publishes it by a tag there, and tries to get more than is
// registered.
func (s *system) ownRepository(ctx context.Context) (string, error) {
	const address = "http://git.localhost/shop.git"
	dir := filepath.Join(s.temp(), "shop")
	if _, err := s.git(ctx, s.dir.Root, "init", "--quiet", "--bare", s.dir.Path("git", "shop.git")); err != nil {
		return "", err
	}
	if _, err := s.gitops(ctx, "service", "add", "shop", "--repository", address, "--owner", "shop@example.com", "--host", "shop"); err != nil {
		return "", err
	}
	if err := s.commit(ctx, "Register shop"); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Register shop"); err != nil {
		return "", err
	}
	if _, err := s.git(ctx, s.temp(), "clone", "--quiet", address, dir); err != nil {
		return "", err
	}
	if _, err := s.command(ctx, nil, "env", "-C", dir, filepath.Join(s.repo, "bin", "gitops"), "service", "init", "--platform", s.repo+"@HEAD",
		"--image", "ghcr.io/nodezoo/nodezoo-npm:1.0.0", "--health", "/healthz"); err != nil {
		return "", err
	}
	began := time.Now()
	if err := s.releaseOwn(ctx, dir, "v1.0.0"); err != nil {
		return "", err
	}
	if err := s.runs(ctx, "shop", ""); err != nil {
		return "", err
	}
	if err := until(ctx, patient, "shop to answer", func() error {
		code, body, err := s.get(ctx, "shop", "/healthz")
		if err == nil && code != 200 {
			err = fmt.Errorf("shop answers %d %.300s", code, body)
		}
		return err
	}); err != nil {
		return "", err
	}
	took := time.Since(began)
	before, err := s.service(ctx, "shop")
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(filepath.Join(dir, "service.yaml"))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "service.yaml"), append(content, "replicas: 9\nuses: [bucket]\n"...), 0o600); err != nil {
		return "", err
	}
	err = s.releaseOwn(ctx, dir, "v1.1.0")
	for _, want := range []string{"replicas: must be at most 3", "uses[0]: must be in the registration's aws"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			return "", fmt.Errorf("more than is registered: %w, want %s", err, want)
		}
	}
	after, err := s.service(ctx, "shop")
	if err != nil || after.Commit != before.Commit {
		return "", errors.Join(err, fmt.Errorf("the refused release made %s of %s", after.Commit, before.Commit))
	}
	return fmt.Sprintf("answers %.1f s after its first tag", took.Seconds()), nil
}

// releaseOwn commits, tags and pushes in the service's repository, and publishes the tag as its workflow does.
func (s *system) releaseOwn(ctx context.Context, dir, tag string) error {
	for _, args := range [][]string{
		{"add", "--all"}, {"-c", "user.name=e2e", "-c", "user.email=e2e@localhost", "commit", "--quiet", "-m", tag}, {"tag", tag}, {"push", "--quiet", "origin", "HEAD", tag},
	} {
		if _, err := s.git(ctx, dir, args...); err != nil {
			return err
		}
	}
	_, err := s.gitops(ctx, "service", "publish", "shop", "--env", "local", "--release", "--from", dir)
	return err
}
