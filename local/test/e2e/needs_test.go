//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// needs adds a service with a database, a bucket and a queue of its own where services are published by merge: one file, one
// commit. Once that is deployed, the service answers with what is in all three. Removed, its pods go, and its data stays.
func (s *system) needs(ctx context.Context) (string, error) {
	if err := s.publishByMerge(ctx, true); err != nil {
		return "", err
	}
	if _, err := s.gitops(ctx, "service", "add", "orders", "--image", "ghcr.io/nodezoo/nodezoo-orders:1.0.0", "--health", "/healthz",
		"--host", "orders", "--database", "mysql", "--bucket", "--queue"); err != nil {
		return "", err
	}
	if err := s.commit(ctx, "Add orders"); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Add orders"); err != nil {
		return "", err
	}
	all, err := s.ran(ctx, "deploy Succeeded")
	if err != nil {
		return "", err
	}
	if err := skipsStages(all[0], "KubernetesFirst", "Network", "Delivery"); err != nil {
		return "", err
	}
	// The deployment has published it, and waited until it runs.
	if l, err := s.service(ctx, "orders"); err != nil || l.Ready != "True" || l.Applied != l.Commit {
		return "", fmt.Errorf("after the deployment: %+v, %w", l, err)
	}
	const want = `{"row":"a kettle","object":"a receipt","message":"order 1"}`
	if err := until(ctx, patient, "orders to answer with what it has in AWS", func() error {
		code, body, err := s.get(ctx, "orders", "/")
		if err == nil && (code != 200 || strings.TrimSpace(body) != want) {
			err = fmt.Errorf("orders answers %d %.300s, want %s", code, body, want)
		}
		return err
	}); err != nil {
		return "", err
	}
	if err := s.leavesData(ctx); err != nil {
		return "", err
	}
	return took(all), s.publishByMerge(ctx, false)
}

// publishByMerge lets the deployment publish the services, or their tags again. The pipeline changes itself by it, and deploys
// the commit again.
func (s *system) publishByMerge(ctx context.Context, merge bool) error {
	from, to, message := `manifests.git"}`, `manifests.git", publish: merge}`, "Publish services by merge"
	if !merge {
		from, to, message = to, from, "Publish services by tag"
	}
	if err := s.edit("k8s/fleet/fleet.yaml", from, to); err != nil {
		return err
	}
	if err := s.commit(ctx, message); err != nil {
		return err
	}
	if err := s.push(ctx, message); err != nil {
		return err
	}
	return until(ctx, 15*time.Minute, "the changed pipeline to deploy the commit", func() error {
		_, err := s.ranAtLeast(ctx, []string{"deploy Cancelled", "deploy Succeeded"})
		return err
	})
}

// leavesData removes the service again.
func (s *system) leavesData(ctx context.Context) error {
	if _, err := s.gitops(ctx, "service", "remove", "orders"); err != nil {
		return err
	}
	if err := s.commit(ctx, "Remove orders"); err != nil {
		return err
	}
	if err := s.push(ctx, "Remove orders"); err != nil {
		return err
	}
	// Its pods go before the tie to their role does.
	all, err := s.ran(ctx, "deploy Succeeded")
	if err != nil {
		return err
	}
	if err := skipsStages(all[0], "Network", "Applications", "Delivery", "Release"); err != nil {
		return err
	}
	if _, err := s.gitops(ctx, "service", "remove", "orders", "--env", "local"); err != nil {
		return err
	}
	c, err := s.aws()
	if err != nil {
		return err
	}
	out, err := cloudformation.NewFromConfig(c).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("local-orders")})
	if err == nil && out.Stacks[0].StackStatus != "CREATE_COMPLETE" {
		err = fmt.Errorf("the stack of a service that was removed is %s", out.Stacks[0].StackStatus)
	}
	return err
}
