// Package teardown removes an environment from AWS: its CloudFormation stacks, in the order in which they let go of each
// other, and what stands in their way because CloudFormation does not remove it: objects in buckets, records in a hosted
// zone, and what controllers in the cluster made and could not take back.
//
// It asks AWS what is there and keeps no state of its own, so it can be run again after an interruption at any moment. It
// needs neither Node.js nor a synthesis, only the environment's entry in cdk.json.
package teardown

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"k8s-plus-aws-gitops/config"
)

// attempts is how often the removal of a stack is tried: what was written or left meanwhile is removed before each.
const attempts = 3

// patience is how many looks the removal of the cluster's leftovers takes: five minutes at the default pause, and the
// network interfaces of a load balancer take one or two.
const patience = 60

// Teardown removes one environment.
type Teardown struct {
	Env config.Environment
	// AWS is the caller's account, in the environment's region.
	AWS aws.Config
	// Say gets a line for each thing that is done, and for what takes long.
	Say func(format string, args ...any)
	// Poll is the pause between two looks at what AWS is doing. Default 5 s.
	Poll time.Duration
}

// Check fails for an environment that must not be removed, and for credentials of another account than its own.
func (t *Teardown) Check(ctx context.Context) error {
	name := t.Env.Name
	if t.Env.DeletionProtection {
		return fmt.Errorf("cdk.json: environments.%s.deletionProtection is true: set it to false, deploy that (make deploy ENV=%s), and run this again", name, name)
	}
	return t.account(ctx)
}

// account fails for credentials of another account than the environment's.
func (t *Teardown) account(ctx context.Context) error {
	who, err := sts.NewFromConfig(t.AWS).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("the account of the credentials is not known: %w; sign in to account %s", err, t.Env.Account)
	}
	if got := aws.ToString(who.Account); got != t.Env.Account {
		return fmt.Errorf("%s is in account %s and the credentials are of account %s: choose others (AWS_PROFILE)", t.Env.Name, t.Env.Account, got)
	}
	return nil
}

// Remove removes what the plan lists. The report is whole also when the removal failed.
func (t *Teardown) Remove(ctx context.Context, plan Plan) (Report, error) {
	r := Report{Environment: t.Env.Name}
	err := t.remove(ctx, plan, &r)
	for i, s := range plan.Stacks[r.stacks:] {
		why := "not reached"
		if i == 0 && err != nil {
			why = err.Error()
		}
		r.add(Left, "stack "+s.Name, why)
	}
	for _, k := range plan.Kept {
		r.add(Kept, k.What, k.Why)
	}
	return r, err
}

func (t *Teardown) remove(ctx context.Context, plan Plan, r *Report) error {
	swept := false
	for _, s := range plan.Stacks {
		// The cluster is gone: what its controllers left has nobody else to remove it.
		if s.rank() > cluster && !swept {
			if err := t.leftovers(ctx, plan, r); err != nil {
				return err
			}
			swept = true
		}
		if err := t.removeStack(ctx, s.Name, plan, r); err != nil {
			return err
		}
		r.add(Removed, "stack "+s.Name, "")
		r.stacks++
	}
	if swept {
		return nil
	}
	return t.leftovers(ctx, plan, r)
}

// leftovers removes what the cluster's controllers made and did not remove.
func (t *Teardown) leftovers(ctx context.Context, plan Plan, r *Report) error {
	if err := t.sweep(ctx, plan.vpc(), r); err != nil {
		return err
	}
	if plan.zone() != "" {
		return nil // it goes with its stack, all records with it
	}
	return t.releaseRecords(ctx, r)
}

// pause waits a moment.
func (t *Teardown) pause(ctx context.Context) error {
	pause := t.Poll
	if pause == 0 {
		pause = 5 * time.Second
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}
