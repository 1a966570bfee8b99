//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/observe"
)

// killedApply kills the API server, and etcd with it, while Flux applies a commit. Flux goes on when it is back; no request is
// lost, and nothing is there twice.
func (s *system) killedApply(ctx context.Context) (string, error) {
	before, err := s.inventory(ctx)
	if err != nil {
		return "", err
	}
	counted, err := s.countObjects(ctx)
	if err != nil {
		return "", err
	}
	sets, err := s.add(history, 1)
	if err != nil {
		return "", err
	}
	pid, err := s.alive(ctx, "controlplane")
	if err != nil {
		return "", err
	}
	commit, err := s.sent(ctx, "Applied while the API server ends")
	if err != nil {
		return "", err
	}
	busy, err := s.applying(ctx, commit)
	if err != nil {
		return "", err
	}
	load, killed := s.startLoad(ctx), time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return "", err
	}
	said := ""
	e, err := s.ended(ctx, commit)
	if err == nil && e.Status != pipelines.Succeeded {
		said = fmt.Sprintf("; Verify said %.100s", e.Reason)
		_, err = s.again(ctx, commit)
	}
	if err == nil {
		_, err = s.settled(ctx)
	}
	healed := time.Since(killed)
	total, failed := load()
	switch {
	case err != nil:
		return "", err
	case len(failed) > 0 || total == 0:
		return "", fmt.Errorf("%d of %d requests failed: %v", len(failed), total, failed)
	}
	if err := s.hasHistory(ctx, sets); err != nil {
		return "", err
	}
	if err := s.sameInventory(ctx, before); err != nil {
		return "", err
	}
	now, err := s.countObjects(ctx)
	if err == nil && !maps.Equal(now, counted) {
		err = fmt.Errorf("there were %v, and now are %v", counted, now)
	}
	return fmt.Sprintf("%s was being applied%s; all ready %.0f s after the kill; %d requests, %d failed", busy, said, healed.Seconds(), total, len(failed)), err
}

// applying waits until a Kustomization works on a commit, and names it.
func (s *system) applying(ctx context.Context, commit string) (string, error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	for {
		all, err := c.Kustomizations(ctx)
		if err != nil {
			return "", err
		}
		for _, k := range all {
			if strings.HasSuffix(k.Attempted, commit) && k.Ready != "True" {
				return k.Name, nil
			}
		}
		if e, err := s.deployment(commit); err == nil && e != nil && e.Status.Ended() {
			return "", fmt.Errorf("the deployment is %s, and no Kustomization was seen at work: %s", e.Status, e.Reason)
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// countObjects counts what a second controller, or one that forgot, would make again.
func (s *system) countObjects(ctx context.Context) (map[string]int, error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return nil, err
	}
	config, err := s.aws()
	if err != nil {
		return nil, err
	}
	alb := elasticloadbalancingv2.NewFromConfig(config)
	balancers, err := alb.DescribeLoadBalancers(ctx, nil)
	if err != nil {
		return nil, err
	}
	groups, err := alb.DescribeTargetGroups(ctx, nil)
	if err != nil {
		return nil, err
	}
	found := map[string]int{"load balancers": len(balancers.LoadBalancers), "target groups": len(groups.TargetGroups)}
	deployments, err := c.Kube.AppsV1().Deployments("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, d := range deployments.Items {
		found["pods of "+d.Namespace+"/"+d.Name] = int(d.Status.Replicas)
	}
	secrets, err := c.Kube.CoreV1().Secrets("").List(ctx, metav1.ListOptions{})
	if err == nil {
		found["secrets"] = len(secrets.Items)
	}
	return found, err
}

// killedPipelines kills the runner of pipelines in each of some stages. An execution goes on with the action that was cut off, or
// fails with a cause; the commit arrives, and nothing of it is half released.
func (s *system) killedPipelines(stages ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		sets, days, err := s.moreOfBoth()
		if err != nil {
			return "", err
		}
		before, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
		if err != nil {
			return "", err
		}
		commit, err := s.sent(ctx, "Killed in "+strings.Join(stages, ", "))
		if err != nil {
			return "", err
		}
		for _, stage := range stages {
			pid, err := s.alive(ctx, "pipelines")
			if err == nil {
				err = s.atStage(ctx, commit, stage)
			}
			if err == nil {
				err = syscall.Kill(pid, syscall.SIGKILL)
			}
			if err != nil {
				return "", err
			}
			if err := s.wholly(ctx, before, commit); err != nil {
				return "", fmt.Errorf("killed in %s: %w", stage, err)
			}
		}
		killed := time.Now()
		said := ""
		if err := s.arrives(ctx, commit, sets, days, "interrupted", &said); err != nil {
			return "", err
		}
		e, err := s.deployment(commit)
		if err == nil && e.Interruptions == 0 {
			err = errors.New("no action was cut off: nothing was proven")
		}
		return fmt.Sprintf("cut off %d times%s; both halves %.0f s after the last kill", e.Interruptions, said, time.Since(killed).Seconds()), err
	}
}

// alive waits until a process runs, and returns its id: it may be about to start after a kill.
func (s *system) alive(ctx context.Context, name string) (pid int, err error) {
	err = until(ctx, 5*time.Minute, name+" to run", func() error {
		if pid, err = s.pid(ctx, name); err == nil && pid == 0 {
			err = errors.New("it does not")
		}
		return err
	})
	return pid, err
}

// wholly fails unless Flux's branch is at the commit before or at this one.
func (s *system) wholly(ctx context.Context, before, commit string) error {
	now, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
	if err == nil && now != before && now != commit {
		err = fmt.Errorf("%s is at %.8s, want %.8s or %.8s", released, now, before, commit)
	}
	return err
}
