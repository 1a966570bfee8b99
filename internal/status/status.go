// Package status tells where a commit is in an environment: how far the pipeline has come with it, which stacks are whole, what
// Flux has applied, and what keeps the rest. It is what the pipeline's last stage waits for, and what a person asks.
package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/flux"
)

// State is where a commit is.
type State string

// The states.
const (
	// Verified: both halves are at the commit, and healthy.
	Verified State = "verified"
	// Applying: nothing has failed, and something is not there yet.
	Applying State = "applying"
	// Unreleased: Flux follows a branch that does not have the commit.
	Unreleased State = "unreleased"
	// Failed: something of it has failed; Cause says what.
	Failed State = "failed"
	// Unknown: nothing that was read is amiss, and something could not be read. Only a survey has it.
	Unknown State = "unknown"
)

// Status of an environment.
type Status struct {
	Environment string `json:"environment"`
	// Commit that was asked for.
	Commit string `json:"commit"`
	// Branch that Flux follows, and the commit that it is at; empty when the branch does not exist.
	Branch string `json:"branch"`
	Tip    string `json:"tip,omitempty"`
	State  State  `json:"state"`
	// Cause of a failure, or what is waited for.
	Cause string `json:"cause,omitempty"`
	// Pipeline is where the commit is in the environment's; nil when it was not asked for.
	Pipeline *Pipeline `json:"pipeline,omitempty"`
	// Again is the command that runs the pipeline again, where it has failed or was stopped before it released the commit.
	Again string `json:"again,omitempty"`
	// Stacks of the AWS half; empty when it was not asked for.
	Stacks []Stack `json:"stacks,omitempty"`
	// Objects of Flux in the cluster.
	Objects []Object `json:"objects,omitempty"`
	// Services that were published with the commit; empty when none were asked for.
	Services []Service `json:"services,omitempty"`
	// Unread says of a survey why a part is missing.
	Unread map[Part]string `json:"unread,omitempty"`

	// patience is how long a failure must last before it counts; zero: the constant.
	patience time.Duration
}

// Part of a status that is read from one place.
type Part string

// The parts.
const (
	PartBranch  Part = "branch"
	PartStacks  Part = "stacks"
	PartCluster Part = "cluster"
)

// Stack is a CloudFormation stack of the environment.
type Stack struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	// Updated is when its last operation began.
	Updated time.Time `json:"updated"`
	// Whole is true when the stack is what its template says.
	Whole bool `json:"whole"`
}

// Object is one of Flux.
type Object struct {
	Kind string `json:"kind"`
	flux.Item
	// At is true when the object has the commit; charts have versions of their own.
	At bool `json:"at"`
}

// Source is where the status comes from.
type Source struct {
	Environment string
	Commit      string
	// Branch that Flux follows.
	Branch string
	// Tip returns the commit of the branch; empty when it does not exist.
	Tip func(ctx context.Context) (string, error)
	// Contains reports whether a head holds the commit.
	Contains func(ctx context.Context, head, commit string) bool
	// Cluster is the environment's.
	Cluster *flux.Cluster
	// Stacks lists those of the environment; nil leaves the AWS half out.
	Stacks func(ctx context.Context) ([]Stack, error)
	// Failure returns why the commit cannot be applied, or nil while it may be, for one who knows more of the cluster than Flux
	// does; nil takes what Flux says, and in a wait what is said of the pods.
	Failure func(ctx context.Context, look *flux.Look, target *flux.Target) error
	// Published are the services that the release of the commit has published.
	Published []Published
	// Pipeline reads where a commit is in it; nil leaves it out.
	Pipeline func(ctx context.Context, commit string, holds func(head string) bool) *Pipeline
}

// Read reads the status once.
func (s Source) Read(ctx context.Context) (*Status, error) {
	now, _, err := s.read(ctx, fatal)
	return now, err
}

// Survey reads what can be read: of the rest it says why. Without the branch the commit counts as released, so that the cluster
// is asked whether it is there.
func (s Source) Survey(ctx context.Context) *Status {
	now, _, _ := s.read(ctx, func(now *Status, part Part, err error) error {
		if err != nil {
			if now.Unread == nil {
				now.Unread = map[Part]string{}
			}
			now.Unread[part] = strings.Join(strings.Fields(err.Error()), " ")
		}
		return nil
	})
	return now
}

// fatal ends a reading that is no survey.
func fatal(_ *Status, _ Part, err error) error { return err }

// read returns also what the status was made of the cluster. It ends with the first error that lost returns.
func (s Source) read(ctx context.Context, lost func(*Status, Part, error) error) (*Status, *flux.Look, error) {
	now := &Status{Environment: s.Environment, Commit: s.Commit, Branch: s.Branch, State: Verified}
	var err error
	now.Tip, err = s.Tip(ctx)
	if err := lost(now, PartBranch, err); err != nil {
		return nil, nil, err
	}
	if s.Stacks != nil {
		now.Stacks, err = s.Stacks(ctx)
		if err := lost(now, PartStacks, err); err != nil {
			return nil, nil, err
		}
	}
	target := s.target(ctx)
	if s.Pipeline != nil {
		now.Pipeline = s.Pipeline(ctx, s.Commit, target.In)
	}
	look, err := s.look(ctx)
	if err := lost(now, PartCluster, err); err != nil {
		return nil, nil, err
	}
	return now, look, lost(now, PartCluster, s.judge(ctx, now, look, target))
}

func (s Source) look(ctx context.Context) (*flux.Look, error) {
	if s.Cluster == nil {
		return nil, fmt.Errorf("the cluster of %s is not reached", s.Environment)
	}
	look, err := s.Cluster.Look(ctx)
	if err != nil {
		return nil, fmt.Errorf("the cluster of %s: %w", s.Environment, err)
	}
	return look, nil
}

// judge says what state the commit is in, and what keeps it. Without a look the cluster says nothing. Its error is of
// the published services.
func (s Source) judge(ctx context.Context, now *Status, look *flux.Look, target *flux.Target) error {
	released := now.Tip != "" && target.In(now.Tip) || now.Unread[PartBranch] != ""
	kept, keeper := now.Pipeline.keeps(released)
	now.worse(kept, keeper)
	// Where the branch cannot be read, what failed may have kept the commit from it.
	if kept == Failed && (!released || now.Unread[PartBranch] != "") {
		now.Again = "aws codepipeline start-pipeline-execution --name " + now.Pipeline.Name
	}
	for _, k := range now.Stacks {
		if !k.Whole {
			now.worse(stackState(k), fmt.Sprintf("stack %s is %s", k.Name, k.Status))
		}
	}
	for _, part := range slices.Sorted(maps.Keys(now.Unread)) {
		now.worse(Unknown, now.Unread[part])
	}
	if look != nil {
		now.Objects = objects(look, target)
	}
	if !released {
		cause := fmt.Sprintf("branch %s does not have commit %.12s", s.Branch, s.Commit)
		if keeper != "" {
			cause += ": " + keeper
		}
		now.worse(Unreleased, cause)
		return nil
	}
	if look == nil {
		return nil
	}
	if missing := look.Applied(target); missing != nil {
		now.worse(Applying, missing.Error())
		if failed := s.failure(ctx, look, target); failed != nil {
			now.worse(Failed, failed.Error())
		}
	}
	return s.services(ctx, now)
}

func (s Source) failure(ctx context.Context, look *flux.Look, target *flux.Target) error {
	if s.Failure != nil {
		return s.Failure(ctx, look, target)
	}
	return look.Failure(target, nil)
}

// target is the commit as Flux is asked about it.
func (s Source) target(ctx context.Context) *flux.Target {
	return &flux.Target{Commit: s.Commit, Contains: func(head, commit string) bool { return s.Contains(ctx, head, commit) }}
}

// stackState tells a stack at work from one that failed.
func stackState(s Stack) State {
	if strings.HasSuffix(s.Status, "_IN_PROGRESS") {
		return Applying
	}
	return Failed
}

// worse keeps the worst state and its cause.
func (s *Status) worse(state State, cause string) {
	rank := map[State]int{Verified: 0, Unknown: 1, Applying: 2, Unreleased: 3, Failed: 4}
	if rank[state] > rank[s.State] {
		s.State, s.Cause = state, cause
	}
}

// objects are Flux's, the sources first.
func objects(look *flux.Look, target *flux.Target) []Object {
	var all []Object
	for _, kind := range []struct {
		name  string
		items []flux.Item
		at    func(flux.Item) bool
	}{
		// Other sources follow branches of their own, such as the one that image tags are written to.
		{"GitRepository", look.GitRepositories, func(i flux.Item) bool { return i.Name != flux.Root || target.In(i.Revision) }},
		{"Kustomization", look.Kustomizations, func(i flux.Item) bool { return target.In(i.Revision) }},
		{"HelmRelease", look.HelmReleases, func(flux.Item) bool { return true }},
	} {
		for _, i := range kind.items {
			all = append(all, Object{Kind: kind.name, Item: i, At: kind.at(i)})
		}
	}
	return all
}

// patience is how long a failure must last before it counts: Flux tries again, and so does a kubelet.
const patience = 10 * time.Second

// Wait reads until the commit is verified or has failed for good, and returns the last status. Its error is the cause, or that
// the time is over and what was still missing. Each status that differs is told.
func (s Source) Wait(ctx context.Context, every time.Duration, told func(*Status)) (*Status, error) {
	var last *Status
	var lastErr error
	var since time.Time
	tried := trials{}
	for {
		now, look, err := s.read(ctx, fatal)
		if err == nil {
			s.pods(ctx, now, look, tried)
			if last == nil || last.State != now.State || last.Cause != now.Cause {
				told(now)
			}
			last = now
			switch {
			case now.State == Verified:
				return now, nil
			case now.State != Failed:
				since = time.Time{}
			case since.IsZero():
				since = time.Now()
			case time.Since(since) > cmp.Or(now.patience, patience):
				return now, errors.New(now.Cause)
			}
		}
		lastErr = err
		select {
		case <-ctx.Done():
			return last, over(ctx, last, lastErr)
		case <-time.After(every):
		}
	}
}

// over explains a wait that ended without a verdict.
func over(ctx context.Context, last *Status, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("the time is over: %w", err)
	case last == nil:
		return errors.New("the time is over")
	}
	return fmt.Errorf("the time is over; still missing: %s", last.Cause)
}
