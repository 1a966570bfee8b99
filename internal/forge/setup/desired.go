// Package setup makes GitHub enforce the way of working for a repository: changes reach an environment's branch by reviewed
// pull requests only, the branches that Flux follows are moved by the platform only, and Flux hears of pushes.
//
// It compares what is there with what cdk.json asks for and changes what differs. Its rulesets bear a prefix; what people
// made is left alone.
package setup

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/forge"
)

// Desired is what the repository shall have.
type Desired struct {
	Repository forge.Repository
	// Branches that environments follow, in alphabetical order.
	Branches []Branch
	// Release is who moves the branches that Flux follows.
	Release Actors
	// Rollbacks are those of them that may go back, in the environments' order.
	Rollbacks []string
	// Receivers of pushes, one for each environment.
	Receivers []Receiver
	// Left are environments that are no matter of this repository, with the reason.
	Left []Note
}

// Branch is one that environments follow.
type Branch struct {
	Name string
	// Reviewed: an environment reviews pull requests towards it. Without, nothing would ever write the check.
	Reviewed bool
	// Rehearsed: the check of a rehearsal is asked for, too.
	Rehearsed bool
	// Writers push to it beside pull requests: Flux, where it commits image tags.
	Writers Actors
}

// Actors are those who may pass a ruleset.
type Actors struct {
	Known []forge.Actor
	// Who says it for people.
	Who string
	// Unknown says why they are not known.
	Unknown string
}

// Receiver is Flux's webhook in an environment.
type Receiver struct {
	Environment string
	// Address is https://HOST/hook/ without the hash.
	Address string
	URL     string
	Secret  forge.Token
	// Skip says why there is none.
	Skip string
}

// Note is something that was left alone, and why.
type Note struct{ What, Why string }

// Options are what Desire asks.
type Options struct {
	Config config.Config
	Forge  forge.Client
	// Secret reads a secret of an environment's account. Its error is an UnreadableError when nothing is known of the secret,
	// and the value is empty when there is none.
	Secret func(ctx context.Context, e config.Environment, name string) (string, error)
	// Hook finds the receiver in an environment's manifests: its name, its namespace and its host; empty if there is none.
	Hook func(ctx context.Context, environment string) (Hook, error)
	// ReleaseActor is who moves the branches that Flux follows, as forge.FindActor takes it. Default: who may already.
	ReleaseActor string
	// Rehearsed are the environments whose branches ask for the check of a rehearsal. Default: none; a branch that asks for it
	// already goes on.
	Rehearsed []string
}

// Hook is a Receiver in an environment's manifests.
type Hook struct{ Name, Namespace, Host string }

// UnreadableError says why nothing is known of a secret.
type UnreadableError struct{ Reason string }

func (e UnreadableError) Error() string { return e.Reason }

// Desire says what a repository shall have for its environments.
func Desire(ctx context.Context, o Options) (Desired, error) {
	d := Desired{Repository: forge.Repository{Owner: o.Config.Repository.Owner, Name: o.Config.Repository.Name}}
	var mine []config.Environment
	for _, name := range o.Config.Names() {
		e := o.Config.Environments[name]
		if _, r, ok := forge.Parse(e.RepositoryURL); !ok || !strings.EqualFold(r.String(), d.Repository.String()) {
			d.Left = append(d.Left, Note{"environment " + name, "it follows " + e.RepositoryURL})
			continue
		}
		mine = append(mine, e)
	}
	for _, name := range o.Rehearsed {
		if !slices.ContainsFunc(mine, func(e config.Environment) bool { return e.Name == name }) {
			return d, fmt.Errorf("--require-rehearsal %s: must be an environment of cdk.json that follows %s", name, d.Repository)
		}
	}
	for _, e := range mine {
		if e.RollsBack() {
			d.Rollbacks = append(d.Rollbacks, e.ReleasedBranch())
		}
		if err := d.branch(ctx, o, e); err != nil {
			return d, err
		}
		receiver, err := o.receiver(ctx, e)
		if err != nil {
			return d, err
		}
		d.Receivers = append(d.Receivers, receiver)
	}
	slices.SortFunc(d.Branches, func(a, b Branch) int { return strings.Compare(a.Name, b.Name) })
	var err error
	d.Release, err = o.release(ctx, d.Repository)
	return d, err
}

// branch adds what an environment asks of its branch, which it may share.
func (d *Desired) branch(ctx context.Context, o Options, e config.Environment) error {
	at := slices.IndexFunc(d.Branches, func(b Branch) bool { return b.Name == e.Branch })
	if at < 0 {
		at = len(d.Branches)
		d.Branches = append(d.Branches, Branch{Name: e.Branch})
	}
	b := &d.Branches[at]
	b.Reviewed = b.Reviewed || e.Delivers() && e.Delivery.Review
	b.Rehearsed = b.Rehearsed || slices.Contains(o.Rehearsed, e.Name)
	if !e.Delivers() || e.Delivery.ImageUpdates != config.ImageUpdatesCommit {
		return nil
	}
	b.Writers.Who = "Flux with its image tags"
	actor, err := o.fluxActor(ctx, e)
	var unreadable UnreadableError
	switch {
	case errors.As(err, &unreadable):
		b.Writers.Unknown = unreadable.Reason
	case err != nil:
		return err
	case actor != nil && !slices.Contains(b.Writers.Known, *actor):
		b.Writers.Known = append(b.Writers.Known, *actor)
	}
	return nil
}

// fluxActor is who Flux pushes as, by the credentials that it has; nil if it has none and so cannot push. Flux documents
// them at https://fluxcd.io/flux/components/source/gitrepositories/#secret-reference.
func (o Options) fluxActor(ctx context.Context, e config.Environment) (*forge.Actor, error) {
	name := e.SecretName("flux", "git-write")
	value, err := o.Secret(ctx, e, name)
	if err != nil || value == "" {
		return nil, err
	}
	var c struct {
		App      string `json:"githubAppID"`
		Password string `json:"password"`
		Identity string `json:"identity"`
	}
	// The error of encoding/json may quote the value.
	if json.Unmarshal([]byte(value), &c) != nil {
		return nil, UnreadableError{"the secret " + name + " must be a JSON object"}
	}
	var actor forge.Actor
	switch id, err := strconv.ParseInt(c.App, 10, 64); {
	case c.App != "" && err == nil:
		actor = forge.NewActor(forge.AppActor, id)
	case c.Identity != "":
		actor = forge.NewActor(forge.DeployKeyActor, 0)
	default:
		user, err := forge.Client{API: o.Forge.API, Token: forge.Token(c.Password)}.Self(ctx)
		if err != nil {
			return nil, UnreadableError{"the user of the token in " + name + " is not known: " + err.Error()}
		}
		if user.ID == 0 {
			return nil, UnreadableError{"the token in " + name + " is of a GitHub App; store the App's own keys there"}
		}
		actor = forge.NewActor(forge.UserActor, user.ID)
	}
	return &actor, nil
}

// release is who moves the branches that Flux follows. It cannot be found in the environment's secrets: the review's build
// runs the code of pull requests and reads its token, so that must not be one that releases.
func (o Options) release(ctx context.Context, r forge.Repository) (Actors, error) {
	if o.ReleaseActor == "" {
		return Actors{Unknown: "name who pushes them with --release-actor"}, nil
	}
	actor, err := o.Forge.FindActor(ctx, r.Owner, o.ReleaseActor)
	return Actors{Known: []forge.Actor{actor}, Who: o.ReleaseActor}, err
}

// receiver is an environment's webhook. Flux makes its path of the token and the Receiver's name:
// https://fluxcd.io/flux/components/notification/receivers/#webhook-path.
func (o Options) receiver(ctx context.Context, e config.Environment) (Receiver, error) {
	r := Receiver{Environment: e.Name}
	hook, err := o.Hook(ctx, e.Name)
	if err != nil {
		return r, err
	}
	if hook.Host == "" {
		r.Skip = "its manifests have no Receiver for GitHub"
		return r, nil
	}
	r.Address = "https://" + hook.Host + "/hook/"
	name := e.SecretName("flux", "webhook-token")
	value, err := o.Secret(ctx, e, name)
	var unreadable UnreadableError
	switch {
	case errors.As(err, &unreadable):
		r.Skip = unreadable.Reason
		return r, nil
	case err != nil:
		return r, err
	case value == "":
		r.Skip = "there is no secret " + name + " yet: deploy " + e.Name + " first"
		return r, nil
	}
	if r.Secret, err = forge.ParseToken(value); err != nil {
		return r, fmt.Errorf("secret %s: %w", name, err)
	}
	r.URL = r.Address + fmt.Sprintf("%x", sha256.Sum256([]byte(string(r.Secret)+hook.Name+hook.Namespace)))
	return r, nil
}
