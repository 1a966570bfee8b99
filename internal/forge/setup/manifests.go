package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
)

// Manifests is what a repository with the manifests of services shall have.
type Manifests struct {
	Repository forge.Repository
	// Places are the environments whose manifests it has, in alphabetical order.
	Places []Place
}

// Place is an environment in a repository of manifests.
type Place struct {
	Environment string
	// Branches is the pattern of the services' branches.
	Branches string
	// Proposed says that a change reaches them by a pull request.
	Proposed bool
	// Platform is who publishes the services of the platform's repository, and those that its builds publish.
	Platform Actors
	// Own are the services that publish with a token of their own.
	Own []Own
}

// Own is a service that publishes with a token of its own.
type Own struct {
	// Name of the service, and its Branch.
	Name, Branch string
	Actors       Actors
}

// DesireManifests says what the repositories on GitHub shall have to which the environments' services are published. Who pushes
// there is found by the tokens in the environments' accounts. A repository that is the platform's own is left to Desire.
func DesireManifests(ctx context.Context, o Options, fleet services.Fleet) ([]Manifests, error) {
	var all []Manifests
	for _, name := range o.Config.Names() {
		e, source := o.Config.Environments[name], fleet.Config.For(name)
		host, repository, ok := forge.Parse(source.URL)
		own := strings.EqualFold(repository.String(), forge.Repository{Owner: o.Config.Repository.Owner, Name: o.Config.Repository.Name}.String())
		if !ok || host != "github.com" || own || !e.Delivers() {
			continue
		}
		place, err := o.place(ctx, e, source, fleet)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(all, func(m Manifests) bool { return strings.EqualFold(m.Repository.String(), repository.String()) })
		if at < 0 {
			at, all = len(all), append(all, Manifests{Repository: repository})
		}
		all[at].Places = append(all[at].Places, place)
	}
	return all, nil
}

// place is an environment with who pushes to its branches.
func (o Options) place(ctx context.Context, e config.Environment, source services.Source, fleet services.Fleet) (Place, error) {
	p := Place{Environment: e.Name, Branches: source.Ref(e.Name, "*"), Proposed: source.Propose}
	var err error
	if p.Platform, err = o.tokenActors(ctx, e, e.SecretName("gitops", "manifests-token"), "the platform"); err != nil {
		return p, err
	}
	if len(p.Platform.Known) == 0 && p.Platform.Unknown == "" {
		p.Platform.Unknown = "there is no secret " + e.SecretName("gitops", "manifests-token") + " yet: it says who publishes"
	}
	owners := map[forge.Actor]string{}
	for _, actor := range p.Platform.Known {
		owners[actor] = "the platform"
	}
	for _, s := range fleet.Services {
		if s.PublishedBy() != services.PublisherGitHub || !s.Enabled(e.Name) {
			continue
		}
		own := Own{Name: s.Name, Branch: source.Ref(e.Name, s.Name)}
		if own.Actors, err = o.tokenActors(ctx, e, e.PublisherSecret(s.Name), s.Name); err != nil {
			return p, err
		}
		for _, actor := range own.Actors.Known {
			if other := owners[actor]; other != "" {
				own.Actors = Actors{Who: s.Name, Unknown: fmt.Sprintf("its token is of the same user as that of %s, and GitHub tells users apart, not tokens: make one of another user, or write publisher: codebuild in %s", other, s.File)}
			}
			owners[actor] = s.Name
		}
		p.Own = append(p.Own, own)
	}
	return p, nil
}

// tokenActors is the user of the token in a secret; nobody where there is none.
func (o Options) tokenActors(ctx context.Context, e config.Environment, name, who string) (Actors, error) {
	a := Actors{Who: who}
	value, err := o.Secret(ctx, e, name)
	var unreadable UnreadableError
	switch {
	case errors.As(err, &unreadable):
		a.Unknown = unreadable.Reason
		return a, nil
	case err != nil || value == "":
		return a, err
	}
	token, err := forge.ParseToken(value)
	if err != nil {
		return a, fmt.Errorf("secret %s: %w", name, err)
	}
	switch user, err := (forge.Client{API: o.Forge.API, Token: token}).Self(ctx); {
	case ctx.Err() != nil:
		return a, ctx.Err()
	case err != nil:
		a.Unknown = "the user of the token in " + name + " is not known: " + err.Error()
	case user.ID == 0:
		a.Unknown = "the token in " + name + " is of a GitHub App, and does not say of which; store one of a user"
	default:
		a.Known = []forge.Actor{forge.NewActor(forge.UserActor, user.ID)}
	}
	return a, nil
}

// together are several who may push.
func together(all ...Actors) Actors {
	var sum Actors
	var who []string
	for _, a := range all {
		sum.Known = append(sum.Known, a.Known...)
		if sum.Unknown == "" {
			sum.Unknown = a.Unknown
		}
		if len(a.Known) > 0 || a.Unknown != "" {
			who = append(who, a.Who)
		}
	}
	sum.Who = strings.Join(who, " and ")
	return sum
}

// rulesets are all that the repository shall have. Each that names somebody is of one environment, because a run knows the tokens
// of one account.
func (m Manifests) rulesets() []ruleset {
	var live []string
	for _, p := range m.Places {
		live = append(live, p.Branches)
	}
	all := []ruleset{newRuleset("history", "no forced push of "+strings.Join(live, ", "), live, rule("non_fast_forward"))}
	for _, p := range m.Places {
		all = append(all, p.rulesets()...)
	}
	return all
}

// rulesets give each branch to those who publish it. Where changes are proposed, a branch changes by pull requests, and who
// publishes writes the proposal.
func (p Place) rulesets() []ruleset {
	var all []ruleset
	moves := []any{rule("creation"), rule("update"), rule("deletion")}
	platform := []string{publish.Proposal(p.Branches)}
	var without []string
	if p.Proposed {
		s := newRuleset("proposals of "+p.Environment, "pull requests only, with an approval, to "+p.Branches, []string{p.Branches}, pullRequest(false), rule("creation"), rule("deletion"))
		s.allow(p.Platform)
		all = append(all, s)
	} else {
		platform = append(platform, p.Branches)
	}
	var own []ruleset
	for _, o := range p.Own {
		branches := []string{publish.Proposal(o.Branch)}
		if !p.Proposed {
			branches = append(branches, o.Branch)
		}
		without = append(without, branches...)
		s := newRuleset(o.Name+" in "+p.Environment, "moves of "+strings.Join(branches, ", "), branches, moves...)
		s.allow(together(p.Platform, o.Actors))
		own = append(own, s)
	}
	s := newRuleset("manifests of "+p.Environment, "moves of all other branches "+strings.Join(platform, ", "), platform, moves...)
	for _, branch := range without {
		s.Conditions.RefName.Exclude = append(s.Conditions.RefName.Exclude, "refs/heads/"+branch)
	}
	s.allow(p.Platform)
	return append(append(all, s), own...)
}

// NewManifestsPlan compares what a repository of manifests has with what it shall have. One that the token may not see is left
// alone: it need not have the same administrator.
func NewManifestsPlan(ctx context.Context, client forge.Client, m Manifests) (Plan, error) {
	p := Plan{Repository: m.Repository}
	err := p.rulesets(ctx, client, m.rulesets())
	var refused *forge.Error
	if errors.As(err, &refused) && refused.Denied() {
		p.Items = nil
		p.add(Skip, "rulesets of "+m.Repository.String(), err.Error()+"; without them each token for manifests may push to every branch", nil)
		return p, nil
	}
	return p, err
}
