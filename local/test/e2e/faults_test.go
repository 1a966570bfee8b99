//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"

	commitstatus "k8s-plus-aws-gitops/internal/status"
	"k8s-plus-aws-gitops/local/endpoint/fault"
	"k8s-plus-aws-gitops/local/pipelines"
)

// TestFaults does to a system of its own what breaks in the second month, and holds what the user sees and how it heals. It is
// `make faults`, and takes too long for `make e2e`. With TEST_STEPS it runs single steps on a running system, as TestSteps does.
func TestFaults(t *testing.T) {
	switch {
	case os.Getenv("TEST_STEPS") != "":
		s := running(t)
		s.result = "faults"
		s.faults()
	case os.Getenv("TEST_FAULTS") != "":
		s := newSystem(t)
		s.result = "faults"
		s.step("1 up from an empty state", s.up)
		s.faults()
		s.step("6 reset leaves no process and no file", s.reset)
	default:
		t.Skip("TEST_FAULTS is not set: `make faults` runs this")
	}
}

func (s *system) faults() {
	s.step("2 Git is gone while a commit is on its way", s.gitGone)
	s.step("2 AWS throttles CloudFormation in Plan", s.awsFails("Plan", fault.Rule{Service: "cloudformation", Error: fault.Throttling}))
	s.step("2 AWS answers 500 while stacks are deployed", s.awsFails("Applications", fault.Rule{Service: "*", Error: fault.Internal}))
	s.step("2 AWS answers 503 in Release and Verify", s.awsFails("Release", fault.Rule{Service: "*", Error: fault.Unavailable}))
	s.step("2 AWS throttles everything while the system is at rest", s.awsFailsAtRest)
	s.step("2 the clock is wrong by 20 minutes", s.wrongClock)
	s.step("3 kill -9 controlplane in the middle of an apply", s.killedApply)
	s.step("4 kill -9 pipelines in Plan, Test and Applications", s.killedPipelines("Plan", "Test", "Applications"))
	s.step("4 kill -9 pipelines in Release and Verify", s.killedPipelines("Release", "Verify"))
	s.step("5 a Helm release is left in pending-upgrade", s.wedgedHelm)
	s.step("5 the disk of source-controller is full", s.fullDisk)
	s.step("5 two pushes at once", s.pushesAtOnce)
}

// outage is how long Git is gone; AWS fails for two fifths of it. TEST_FAULT_MINUTES is 5 by default.
func outage() (git, cloud time.Duration, err error) {
	minutes := 5.0
	if text := os.Getenv("TEST_FAULT_MINUTES"); text != "" {
		if minutes, err = strconv.ParseFloat(text, 64); err != nil || minutes <= 0 {
			return 0, 0, fmt.Errorf("TEST_FAULT_MINUTES must be a number above 0, got %q", text)
		}
	}
	git = time.Duration(minutes * float64(time.Minute))
	return git, git * 2 / 5, nil
}

// sent pushes the checkout, does not wait, and returns the commit, which the checkout then knows.
func (s *system) sent(ctx context.Context, message string) (string, error) {
	if _, err := s.gitops(ctx, "local", "push", "--message", message, "--no-wait"); err != nil {
		return "", err
	}
	if _, err := s.git(ctx, s.repo, "fetch", "--quiet", s.dir.Repository(), "refs/heads/main"); err != nil {
		return "", err
	}
	return s.git(ctx, s.repo, "rev-parse", "FETCH_HEAD")
}

// deployment is the newest of a commit, as the runner has written it down; nil before it began.
func (s *system) deployment(commit string) (*pipelines.Execution, error) {
	all, err := pipelines.List(pipelines.Folder(s.dir))
	i := slices.IndexFunc(all, func(e *pipelines.Execution) bool { return e.Commit == commit && e.Pipeline == "local-deploy" })
	if err != nil || i < 0 {
		return nil, err
	}
	return all[i], nil
}

// atStage waits until a build of a stage, or of an action of that name, runs for a commit. It looks often: some take seconds.
func (s *system) atStage(ctx context.Context, commit, stage string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	for {
		e, err := s.deployment(commit)
		switch {
		case err != nil:
			return err
		case e == nil:
		case e.Status.Ended():
			return fmt.Errorf("the execution of %.8s is %s before a build of %s was seen: %s", commit, e.Status, stage, e.Reason)
		case slices.ContainsFunc(e.Actions, func(a *pipelines.ActionState) bool {
			return (a.Stage == stage || a.Name == stage) && a.Status == pipelines.InProgress && a.Build != ""
		}):
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stage %s of %.8s: %w", stage, commit, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ended waits for the end of a commit's deployment.
func (s *system) ended(ctx context.Context, commit string) (e *pipelines.Execution, err error) {
	err = until(ctx, 30*time.Minute, "the deployment to end", func() error {
		if e, err = s.deployment(commit); err != nil {
			return err
		}
		if e == nil || !e.Status.Ended() {
			return errors.New("it has not yet")
		}
		return nil
	})
	return e, err
}

// again runs the command that `gitops status` names for a commit whose deployment failed, and waits until it has succeeded.
func (s *system) again(ctx context.Context, commit string) (string, error) {
	now, err := s.where(ctx, commit)
	if now == nil {
		return "", err
	}
	const name = "local-deploy"
	want := "aws codepipeline start-pipeline-execution --name " + name
	tip, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
	if err != nil {
		return "", err
	}
	// What is released is Flux's: status then says whether it has arrived, and the last stage alone can be repeated.
	if tip != commit && now.Again != want {
		return "", fmt.Errorf("of a deployment that failed, status must say how to repeat it, %q, got %q: %s", want, now.Again, now.Cause)
	}
	c, err := s.aws()
	if err != nil {
		return "", err
	}
	before, err := s.deployment(commit)
	if err != nil {
		return "", err
	}
	if _, err := codepipeline.NewFromConfig(c).StartPipelineExecution(ctx, &codepipeline.StartPipelineExecutionInput{Name: aws.String(name)}); err != nil {
		return "", err
	}
	return want, until(ctx, 30*time.Minute, "the deployment that was started again", func() error {
		e, err := s.deployment(commit)
		switch {
		case err != nil:
			return err
		case e.ID == before.ID || e.Status != pipelines.Succeeded:
			return fmt.Errorf("%s is %s: %s", e.ID, e.Status, e.Reason)
		}
		return nil
	})
}

// where is what `gitops status` says of a commit; its error is the command's, which says the same to a person.
func (s *system) where(ctx context.Context, commit string) (*commitstatus.Status, error) {
	args := []string{"status", "local", "--output", "json"}
	if commit != "" {
		args = append(args, "--commit", commit)
	}
	out, err := s.gitops(ctx, args...)
	return decoded(out, err)
}
