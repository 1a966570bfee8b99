package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// User is an account.
type User struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	// Type is User, Bot or Organization.
	Type string `json:"type"`
}

// Self is the user of the token; empty for a GitHub App, which is no user.
func (c Client) Self(ctx context.Context) (User, error) {
	var user User
	_, err := c.send(ctx, request{method: http.MethodGet, path: "/user", out: &user})
	var refused *Error
	if errors.As(err, &refused) && refused.Denied() && refused.Code == http.StatusForbidden {
		return User{}, nil
	}
	return user, err
}

// Actor is who may pass a ruleset: https://docs.github.com/rest/repos/rules#create-a-repository-ruleset.
type Actor struct {
	// ID within the type; 0 for all deploy keys.
	ID int64 `json:"actor_id,omitzero"`
	// Type is User, Integration (a GitHub App), Team or DeployKey, or another that a person chose.
	Type string `json:"actor_type"`
	// Mode is always, or one that a person chose.
	Mode string `json:"bypass_mode"`
}

// The types of actors that this program names.
const (
	UserActor      = "User"
	AppActor       = "Integration"
	TeamActor      = "Team"
	DeployKeyActor = "DeployKey"
)

// NewActor is one that always passes.
func NewActor(kind string, id int64) Actor { return Actor{ID: id, Type: kind, Mode: "always"} }

// FindActor finds the actor that a person names: user:LOGIN, app:SLUG, team:SLUG of the organization, or deploy-keys.
func (c Client) FindActor(ctx context.Context, organization, name string) (Actor, error) {
	if name == "deploy-keys" {
		return NewActor(DeployKeyActor, 0), nil
	}
	kind, of, _ := strings.Cut(name, ":")
	of = url.PathEscape(of)
	var path, actor string
	switch kind {
	case "user":
		path, actor = "/users/"+of, UserActor
	case "app":
		path, actor = "/apps/"+of, AppActor
	case "team":
		path, actor = "/orgs/"+url.PathEscape(organization)+"/teams/"+of, TeamActor
	}
	if path == "" || of == "" {
		return Actor{}, fmt.Errorf("an actor must be user:LOGIN, app:SLUG, team:SLUG or deploy-keys, got %q", name)
	}
	var found struct {
		ID int64 `json:"id"`
	}
	_, err := c.send(ctx, request{method: http.MethodGet, path: path, out: &found})
	var refused *Error
	if errors.As(err, &refused) && refused.Denied() {
		return Actor{}, fmt.Errorf("%s: %w; check the name; a team needs 'Members: read' of the organization", name, err)
	}
	return NewActor(actor, found.ID), err
}
