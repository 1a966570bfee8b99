//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/local/pipelines"
)

// TestScenario is one story: each step builds on the one before.
func TestScenario(t *testing.T) { newSystem(t).scenario() }

func (s *system) scenario() {
	s.step("1 up from an empty state", s.up)
	s.step("1 Ghost through the load balancer, an unknown host, its tables", s.serves)
	s.step("1 a second up changes nothing", s.upAgain)
	s.private()
	s.step("1 every environment's manifests pass a server-side dry-run", s.dryRun)
	s.step("2 one commit changes both halves", s.bothHalves)
	s.step("3 a new environment rolls out, no request fails", s.rollingUpdate)
	s.step("3 gitops status shows the stages that brought the commit", s.stages)
	s.step("3 a release wakes Flux by the webhook: it polls once an hour", s.wokenByWebhook)
	s.step("4 a manifest that does not validate", s.badManifest)
	s.step("4 an image that does not exist", s.badImage)
	s.step("4 a stack update that fails", s.badStack)
	s.step("5 a post is written", s.writePost)
	s.step("5 a second browser signs in with the code from the mail", s.secondBrowser)
	s.step("5 an author accepts the invitation in the mail", s.invites)
	s.step("5 without mail a password is enough", s.withoutMail)
	for _, p := range []string{"alb", "git", "procnode", "endpoint", "moto", "database", "controlplane", "watchdog", "supervisor"} {
		s.step("5 kill -9 "+p, func(ctx context.Context) (string, error) { return s.kill(ctx, p) })
	}
	s.step("5 kill -9 endpoint in the middle of a deployment", s.killedDeployment)
	s.services()
	s.releases()
	s.delivery()
	s.step("5 the roles allow every call of their pods", s.permitted)
	s.step("6 a backup of what is to be lost", s.backup)
	s.step("6 teardown", s.teardown)
	s.step("6 the roles allowed every call of the removal", s.permittedRemoval)
	s.step("6 the environment comes again from the backup", s.comesAgain)
	s.step("6 reset leaves no process and no file", s.reset)
}

func (s *system) up(ctx context.Context) (string, error) {
	if _, err := s.gitops(ctx, "local", "up", "--snapshot", "none"); err != nil {
		return "", err
	}
	if err := s.created(ctx); err != nil {
		return "", err
	}
	return s.settled(ctx)
}

// healthy fails unless everything is ready, and counts what is.
func (s *system) healthy(ctx context.Context) (string, error) {
	st, err := s.status(ctx)
	if err != nil {
		return "", err
	}
	if bad := append(st.Problems, st.Waiting...); len(bad) > 0 {
		return "", errors.New(strings.Join(bad, "; "))
	}
	return fmt.Sprintf("%d Kustomizations, %d HelmReleases, %d Deployments ready", len(st.Kustomizations), len(st.HelmReleases), len(st.Apps)), nil
}

func (s *system) serves(ctx context.Context) (string, error) {
	if code, _, err := s.get(ctx, "ghost", "/"); err != nil || code != 200 {
		return "", fmt.Errorf("ghost.localhost answers %d, %w", code, err)
	}
	if code, _, err := s.get(ctx, "unknown", "/"); err != nil || code != 404 {
		return "", fmt.Errorf("unknown.localhost answers %d, %w", code, err)
	}
	n, err := s.tables(ctx)
	if err == nil && n < 50 {
		err = fmt.Errorf("%d tables in Ghost's database, want at least 50", n)
	}
	return fmt.Sprintf("%d tables", n), err
}

func (s *system) upAgain(ctx context.Context) (string, error) {
	before, err := s.status(ctx)
	if err != nil {
		return "", err
	}
	began := time.Now()
	if _, err := s.gitops(ctx, "local", "up"); err != nil {
		return "", err
	}
	took := time.Since(began)
	after, err := s.status(ctx)
	if err != nil {
		return "", err
	}
	for i, p := range before.Processes {
		if after.Processes[i].PID != p.PID {
			return "", fmt.Errorf("%s was restarted", p.Name)
		}
	}
	if before.Deployment.Number != after.Deployment.Number {
		return "", errors.New("the stacks were deployed again")
	}
	// Seconds on an idle machine; a limit in seconds would be a test of the machine.
	return fmt.Sprintf("nothing restarted, nothing deployed, %.1f s", took.Seconds()), nil
}

func (s *system) bothHalves(ctx context.Context) (string, error) {
	if err := s.edit("k8s/apps/ghost/deployment.yaml", "replicas: 1", "replicas: 2"); err != nil {
		return "", err
	}
	if err := s.setDatabase("multiAz", true); err != nil {
		return "", err
	}
	diff, err := s.cdk(ctx, "diff", "local/*", "--context", "env=local")
	if err != nil {
		return "", err
	}
	if !strings.Contains(diff, "MultiAZ") || !strings.Contains(diff, "Number of stacks with differences: 1") {
		return "", fmt.Errorf("cdk diff before the push: %s", lastText(diff))
	}
	if err := s.push(ctx, "Two replicas and a standby database"); err != nil {
		return "", err
	}
	if multi, err := s.multiAZ(ctx); err != nil || !multi {
		return "", fmt.Errorf("MultiAZ is %v in RDS, %w", multi, err)
	}
	if ready, err := s.replicas(ctx); err != nil || ready != 2 {
		return "", fmt.Errorf("%d replicas are ready, %w", ready, err)
	}
	all, err := s.ran(ctx, "deploy Succeeded")
	if err == nil {
		err = skipsStages(all[0], "KubernetesFirst", "Network", "Cluster", "Delivery")
	}
	if err != nil {
		return "", err
	}
	diff, err = s.cdk(ctx, "diff", "local/*", "--context", "env=local")
	if err == nil && !strings.Contains(diff, "Number of stacks with differences: 0") {
		err = fmt.Errorf("cdk diff after the push: %s", lastText(diff))
	}
	return "MultiAZ and 2 replicas; cdk diff is empty; " + took(all), err
}

// rollingUpdate changes a variable that says what is the default anyway.
func (s *system) rollingUpdate(ctx context.Context) (string, error) {
	if err := s.edit("k8s/apps/ghost/deployment.yaml", "            - name: NODE_ENV\n",
		"            - name: logging__level\n              value: info\n            - name: NODE_ENV\n"); err != nil {
		return "", err
	}
	load := s.startLoad(ctx)
	err := s.push(ctx, "Say how much Ghost logs")
	total, failed := load()
	if err == nil && total == 0 {
		err = errors.New("no request was made during the roll-out")
	}
	var all []pipelines.Shown
	if err == nil {
		if all, err = s.ran(ctx, "deploy Succeeded"); err == nil {
			err = skipsStages(all[0], "KubernetesFirst", "Network", "Applications", "Cluster", "Delivery")
		}
	}
	if err == nil && len(failed) > 0 {
		err = fmt.Errorf("%d of %d requests failed: %s", len(failed), total, failed[0])
	}
	return fmt.Sprintf("%d requests, %d failed; %s", total, len(failed), took(all)), err
}

func (s *system) badManifest(ctx context.Context) (string, error) {
	return s.fault(ctx, "k8s/apps/ghost/deployment.yaml", "replicas: 2", "replicas: many", "apps", "Deployment")
}

// The image in Ghost's Deployment, and one that does not exist.
const (
	ghostManifest = "k8s/apps/ghost/deployment.yaml"
	ghostImage    = "${GHOST_IMAGE:=docker.io/library/ghost:"
	missingImage  = "${SCENARIO_IMAGE:=docker.io/library/ghost:0.0.0-"
)

// badImage is in the Deployment: Flux writes images.yaml, and did so for the first image of the pipeline.
func (s *system) badImage(ctx context.Context) (string, error) {
	return s.fault(ctx, ghostManifest, ghostImage, missingImage, "pull", "0.0.0-")
}

func (s *system) badStack(ctx context.Context) (string, error) {
	// CloudFormation's schema knows the class, so synth takes it; the local RDS refuses it.
	return s.mistake(ctx, func(bad bool) error {
		if bad {
			return s.setDatabase("instanceClass", "db.x2iedn.xlarge")
		}
		return s.setDatabase("instanceClass", nil)
	}, "local-ghost", "db.x2iedn.xlarge")
}

// fault is a mistake in the text of a file.
func (s *system) fault(ctx context.Context, file, from, to string, causes ...string) (string, error) {
	return s.mistake(ctx, func(bad bool) error {
		if bad {
			return s.edit(file, from, to)
		}
		return s.edit(file, to, from)
	}, causes...)
}

// mistake pushes a mistake and expects that the push fails with the causes,
// that status shows them, that Ghost serves all the while, and that a revert
// heals.
func (s *system) mistake(ctx context.Context, change func(bad bool) error, causes ...string) (string, error) {
	if err := change(true); err != nil {
		return "", err
	}
	load := s.startLoad(ctx)
	pushed := s.push(ctx, "A mistake")
	st, err := s.status(ctx)
	total, failed := load()
	if err != nil {
		return "", err
	}
	shown := strings.Join(st.Problems, "\n")
	switch {
	case pushed == nil:
		return "", errors.New("the push succeeded")
	case len(failed) > 0:
		return "", fmt.Errorf("%d of %d requests failed: %s", len(failed), total, failed[0])
	}
	for _, c := range causes {
		if !strings.Contains(pushed.Error(), c) {
			return "", fmt.Errorf("push does not name %q: %w", c, pushed)
		}
		if !strings.Contains(shown, c) {
			return "", fmt.Errorf("status does not name %q: %s", c, shown)
		}
	}
	if err := change(false); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Revert the mistake"); err != nil {
		return "", fmt.Errorf("the revert does not heal: %w", err)
	}
	_, err = s.settled(ctx)
	return st.Problems[0], err
}

func (s *system) writePost(ctx context.Context) (string, error) {
	return "", s.post(ctx, "Written before the kills")
}

// kill kills one process and waits until everything is ready again and the
// post is there.
func (s *system) kill(ctx context.Context, name string) (string, error) {
	pid, err := s.killProcess(ctx, name)
	if err != nil {
		return "", err
	}
	began := time.Now()
	err = until(ctx, 15*time.Minute, "the system to heal after a kill of "+name, func() error {
		now, err := s.pid(ctx, name)
		if err == nil && (now == pid || now == 0) {
			err = errors.New(name + " is not restarted")
		}
		if err == nil {
			_, err = s.healthy(ctx)
		}
		if err == nil {
			err = s.hasPost(ctx)
		}
		return err
	})
	return fmt.Sprintf("healed in %.1f s", time.Since(began).Seconds()), err
}

func (s *system) reset(ctx context.Context) (string, error) {
	if _, err := s.gitops(ctx, "local", "reset", "--yes"); err != nil {
		return "", err
	}
	return "", s.nothingLeft()
}
