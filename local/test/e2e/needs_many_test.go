//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// twenty adds twenty services by one commit, each with a database, a bucket and a queue of its own, and removes them by another.
func (s *system) twenty(ctx context.Context) (string, error) {
	if err := s.publishByMerge(ctx, true); err != nil {
		return "", err
	}
	const count = 20
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("many-%02d", i)
		if err := s.addNeeds(ctx, names[i], "--database", "postgres"); err != nil {
			return "", err
		}
	}
	began := time.Now()
	if _, err := s.merge(ctx, "Add twenty services"); err != nil {
		return "", err
	}
	deployed := time.Since(began)
	for _, name := range names {
		if err := s.answers(ctx, name, "/", served); err != nil {
			return "", err
		}
	}
	answered := time.Since(began)
	for _, name := range names {
		if _, err := s.gitops(ctx, "service", "remove", name); err != nil {
			return "", err
		}
	}
	began = time.Now()
	if _, err := s.merge(ctx, "Remove twenty services"); err != nil {
		return "", err
	}
	removed := time.Since(began)
	for _, name := range names {
		if _, err := s.gitops(ctx, "service", "remove", name, "--env", "local"); err != nil {
			return "", err
		}
		if _, err := s.gitops(ctx, "teardown", "local", "--stack", name, "--yes"); err != nil {
			return "", err
		}
	}
	detail := fmt.Sprintf("%d services deployed after %.0f s, answering after %.0f s; their pods gone after %.0f s, their stacks %.0f s later",
		count, deployed.Seconds(), answered.Seconds(), removed.Seconds(), time.Since(began).Seconds()-removed.Seconds())
	return detail, s.publishByMerge(ctx, false)
}

// scaffolded deploys what `gitops app add` writes, and removes it.
func (s *system) scaffolded(ctx context.Context) (string, error) {
	if _, err := s.gitops(ctx, "app", "add", "store", "--image", "ghcr.io/nodezoo/nodezoo-npm:1.0.0", "--health", "/healthz"); err != nil {
		return "", err
	}
	all, err := s.merge(ctx, "Add store")
	if err != nil {
		return "", err
	}
	if err := until(ctx, patient, "store to answer", func() error {
		code, body, err := s.get(ctx, "store", "/packages/react")
		if err == nil && code != 200 {
			err = fmt.Errorf("store answers %d %.300s", code, body)
		}
		return err
	}); err != nil {
		return "", err
	}
	if _, err := s.gitops(ctx, "app", "remove", "store"); err != nil {
		return "", err
	}
	if _, err := s.merge(ctx, "Remove store"); err != nil {
		return "", err
	}
	if _, err := s.gitops(ctx, "teardown", "local", "--stack", "store", "--yes"); err != nil {
		return "", err
	}
	c, err := s.aws()
	if err != nil {
		return "", err
	}
	if out, err := cloudformation.NewFromConfig(c).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("local-store")}); err == nil {
		return "", fmt.Errorf("the stack of store is %s", out.Stacks[0].StackStatus)
	}
	return took(all), nil
}
