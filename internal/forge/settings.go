package forge

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Ruleset is what a repository enforces on its branches: https://docs.github.com/rest/repos/rules.
type Ruleset struct {
	ID   int64  `json:"id,omitzero"`
	Name string `json:"name"`
	// Target is branch, or one that a person chose.
	Target string `json:"target"`
	// Enforcement is active, evaluate or disabled.
	Enforcement string `json:"enforcement"`
	// Bypass is who may pass all rules. Nil: not known, since GitHub shows it to those only who may change it.
	Bypass     []Actor    `json:"bypass_actors"`
	Conditions Conditions `json:"conditions"`
	// Rules as JSON has them: objects with a type and parameters. An update replaces them all, so what this program does
	// not know has to go back as it came.
	Rules []any `json:"rules"`
}

// Conditions say which branches a ruleset is about.
type Conditions struct {
	RefName struct {
		// Include and Exclude are patterns of whole names, refs/heads/…
		Include []string `json:"include"`
		Exclude []string `json:"exclude"`
	} `json:"ref_name"`
}

// RulesetNames lists the repository's own rulesets, with id and name only.
func (c Client) RulesetNames(ctx context.Context, r Repository) ([]Ruleset, error) {
	return list[Ruleset](ctx, c, request{path: r.path("rulesets") + "?includes_parents=false", need: "Metadata: read", of: r})
}

// Ruleset reads one ruleset.
func (c Client) Ruleset(ctx context.Context, r Repository, id int64) (Ruleset, error) {
	var found Ruleset
	q := request{method: http.MethodGet, path: r.path("rulesets", strconv.FormatInt(id, 10)), need: "Metadata: read", of: r, out: &found}
	_, err := c.send(ctx, q)
	return found, err
}

// PutRuleset changes the ruleset with the id, or makes one if that is 0.
func (c Client) PutRuleset(ctx context.Context, r Repository, s Ruleset) error {
	q := request{method: http.MethodPost, path: r.path("rulesets"), need: "Administration: write", of: r, in: s}
	if s.ID != 0 {
		q.method, q.path = http.MethodPut, r.path("rulesets", strconv.FormatInt(s.ID, 10))
		s.ID = 0
		q.in = s
	}
	_, err := c.send(ctx, q)
	return err
}

// DeleteRuleset deletes a ruleset.
func (c Client) DeleteRuleset(ctx context.Context, r Repository, id int64) error {
	_, err := c.send(ctx, request{method: http.MethodDelete, path: r.path("rulesets", strconv.FormatInt(id, 10)), need: "Administration: write", of: r})
	return err
}

// Hook is a webhook of a repository: https://docs.github.com/rest/repos/webhooks.
type Hook struct {
	ID int64 `json:"id,omitzero"`
	// Name is web for all of them.
	Name   string     `json:"name"`
	Active bool       `json:"active"`
	Events []string   `json:"events"`
	Config HookConfig `json:"config"`
}

// HookConfig is where a webhook goes.
type HookConfig struct {
	URL string `json:"url"`
	// ContentType is json or form.
	ContentType string `json:"content_type"`
	// InsecureSSL is "0" where certificates are checked.
	InsecureSSL numeral `json:"insecure_ssl"`
}

// numeral is a text that GitHub documents as a text or a number.
type numeral string

// UnmarshalJSON takes both.
func (n *numeral) UnmarshalJSON(content []byte) error {
	*n = numeral(strings.Trim(string(content), `"`))
	return nil
}

// Hooks lists the webhooks.
func (c Client) Hooks(ctx context.Context, r Repository) ([]Hook, error) {
	return list[Hook](ctx, c, request{path: r.path("hooks"), need: "Webhooks: read", of: r})
}

// Delivery is what GitHub sent to a webhook once: https://docs.github.com/rest/repos/webhooks#list-deliveries-for-a-repository-webhook.
type Delivery struct {
	At    time.Time `json:"delivered_at"`
	Event string    `json:"event"`
	// Code is the HTTP status of the answer, 0 if there was none, and Status says it in words.
	Code   int    `json:"status_code"`
	Status string `json:"status"`
}

// Delivered reports whether the receiver took it.
func (d Delivery) Delivered() bool { return d.Code/100 == 2 }

// Deliveries lists the last hundred to a webhook, the newest first. GitHub keeps them for some days.
func (c Client) Deliveries(ctx context.Context, r Repository, hook int64) ([]Delivery, error) {
	var all []Delivery
	q := request{method: http.MethodGet, path: r.path("hooks", strconv.FormatInt(hook, 10), "deliveries") + "?per_page=100", need: "Webhooks: read", of: r, out: &all}
	_, err := c.send(ctx, q)
	return all, err
}

// PutHook changes the webhook with the id, or makes one if that is 0. The secret signs its deliveries; GitHub never shows
// it, and takes it away by an update without it.
func (c Client) PutHook(ctx context.Context, r Repository, h Hook, secret Token) error {
	q := request{method: http.MethodPost, path: r.path("hooks"), need: "Webhooks: write", of: r}
	if h.ID != 0 {
		q.method, q.path = http.MethodPatch, r.path("hooks", strconv.FormatInt(h.ID, 10))
		h.ID = 0
	}
	type config struct {
		HookConfig
		Secret string `json:"secret"`
	}
	q.in = struct {
		Hook
		Config config `json:"config"`
	}{h, config{h.Config, string(secret)}}
	_, err := c.send(ctx, q)
	return err
}
