//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/endpoint/fault"
	"k8s-plus-aws-gitops/local/pipelines"
)

// answersOfAWS are the errors of package fault, as SDKs and the AWS CLI tell them. The CDK CLI says of an STS that fails that there
// are no credentials.
const answersOfAWS = "no credentials have been configured|Rate exceeded|Throttling|InternalFailure|InternalError|unknown error, exception or failure|ServiceUnavailable|temporary failure of the server|Unavailable|SlowDown|status code: 500|status code: 503"

// hit makes AWS fail until the returned function is called.
func (s *system) hit(f fault.Faults) (end func() error, err error) {
	return func() error { return fault.Set(s.dir.Faults(), fault.Faults{}) }, fault.Set(s.dir.Faults(), f)
}

// awsFails lets AWS fail from a stage of a commit's deployment on. The commit arrives nevertheless, or its deployment fails with
// AWS's answer, leaves what was released, and succeeds when it is run again.
func (s *system) awsFails(stage string, rules ...fault.Rule) func(context.Context) (string, error) {
	return func(ctx context.Context) (said string, err error) {
		_, during, err := outage()
		if err != nil {
			return "", err
		}
		before, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
		if err != nil {
			return "", err
		}
		sets, days, err := s.moreOfBoth()
		if err != nil {
			return "", err
		}
		commit, err := s.sent(ctx, "On its way when AWS fails in "+stage)
		if err == nil {
			err = s.atStage(ctx, commit, stage)
		}
		if err != nil {
			return "", err
		}
		load := s.startLoad(ctx)
		err = s.whileAWSFails(ctx, fault.Faults{Errors: rules}, during)
		total, failed := load()
		switch {
		case err != nil:
			return "", err
		case len(failed) > 0:
			return "", fmt.Errorf("%d of %d requests failed: %s", len(failed), total, failed[0])
		}
		e, err := s.ended(ctx, commit)
		if err != nil {
			return "", err
		}
		now, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
		if err != nil {
			return "", err
		}
		if e.Status == pipelines.Failed && now != commit {
			if err := s.stays(ctx, before, stage, sets-1, days-1); err != nil {
				return "", fmt.Errorf("after %s failed (%s): %w", e.Stage, e.Reason, err)
			}
		}
		back := time.Now()
		err = s.arrives(ctx, commit, sets, days, answersOfAWS, &said)
		return fmt.Sprintf("failed for %.0f s, %d requests, %d failed%s; all well %.0f s later", during.Seconds(), total, len(failed), said, time.Since(back).Seconds()), err
	}
}

// whileAWSFails makes AWS fail from the first request on for a while, and fails if nobody asks it.
func (s *system) whileAWSFails(ctx context.Context, f fault.Faults, during time.Duration) (err error) {
	asked, err := s.hits()
	if err != nil {
		return err
	}
	end, err := s.hit(f)
	defer func() { err = errors.Join(err, end()) }()
	if err != nil {
		return err
	}
	if err := until(ctx, 10*time.Minute, "somebody to ask AWS, which fails", func() error {
		now, err := s.hits()
		if err == nil && now <= asked {
			err = errors.New("nobody did, so nothing is proven")
		}
		return err
	}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(during):
		return nil
	}
}

// hits counts the requests that a fault has hit.
func (s *system) hits() (int, error) {
	raw, err := os.ReadFile(s.dir.Log("endpoint"))
	return strings.Count(string(raw), "answered with an error") + strings.Count(string(raw), "refused: its signature"), err
}

// stays fails unless the branch of Flux is where it was, the cluster has what it had, and so has AWS, if the stage is before that
// deploys.
func (s *system) stays(ctx context.Context, tip, stage string, sets, days int) error {
	now, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
	if err == nil && now != tip {
		err = fmt.Errorf("%s went from %.8s to %.8s", released, tip, now)
	}
	if err != nil {
		return err
	}
	if stage == "Release" {
		return s.hasHistory(ctx, sets)
	}
	return s.hasBoth(ctx, sets, days)
}

// awsFailsAtRest throttles everybody while nothing is deployed: controllers wait, and nobody who is served notices.
func (s *system) awsFailsAtRest(ctx context.Context) (string, error) {
	_, during, err := outage()
	if err != nil {
		return "", err
	}
	if _, err := s.settled(ctx); err != nil {
		return "", err
	}
	asked, err := s.hits()
	if err != nil {
		return "", err
	}
	load := s.startLoad(ctx)
	err = s.whileAWSFails(ctx, fault.Faults{Errors: []fault.Rule{{Service: "*", Error: fault.Throttling}}}, during)
	back := time.Now()
	if err == nil {
		_, err = s.settled(ctx)
	}
	healed := time.Since(back)
	if err == nil {
		_, err = s.serves(ctx)
	}
	total, failed := load()
	if err == nil && len(failed) > 0 {
		err = fmt.Errorf("%d of %d requests failed: %s", len(failed), total, failed[0])
	}
	now, herr := s.hits()
	return fmt.Sprintf("%d requests to AWS were throttled in %.0f s; all ready %.0f s later; %d requests, %d failed", now-asked, during.Seconds(), healed.Seconds(), total, len(failed)), errors.Join(err, herr)
}

// wrongClock is a machine whose clock is 20 minutes behind AWS's: SDKs learn the time from the refusal and sign again. What
// cannot do that fails with AWS's words.
func (s *system) wrongClock(ctx context.Context) (said string, err error) {
	sets, days, err := s.moreOfBoth()
	if err != nil {
		return "", err
	}
	asked, err := s.hits()
	if err != nil {
		return "", err
	}
	end, err := s.hit(fault.Faults{Ahead: "20m"})
	if err != nil {
		return "", errors.Join(err, end())
	}
	commit, err := s.sent(ctx, "By a clock that is wrong")
	var e *pipelines.Execution
	if err == nil {
		e, err = s.ended(ctx, commit)
	}
	now, herr := s.hits()
	if err = errors.Join(err, herr, end()); err != nil {
		return "", err
	}
	if now == asked {
		return "", errors.New("no signature was refused: nothing was proven")
	}
	back := time.Now()
	err = s.arrives(ctx, commit, sets, days, "Signature expired|RequestTimeTooSkewed|RequestExpired|SignatureDoesNotMatch|InvalidSignature", &said)
	return fmt.Sprintf("%d signatures were refused, the deployment is %s%s; all well %.0f s after the clock was right", now-asked, e.Status, said, time.Since(back).Seconds()), err
}
