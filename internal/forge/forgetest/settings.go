package forgetest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// settings are rulesets and webhooks: https://docs.github.com/rest/repos/rules, https://docs.github.com/rest/repos/webhooks.
func (s *Server) settings(mux *http.ServeMux) {
	const rulesets, hooks = repository + "/rulesets", repository + "/hooks"
	s.handle(mux, "GET "+rulesets, "Metadata: read", s.listRulesets)
	s.handle(mux, "GET "+rulesets+"/{id}", "Metadata: read", func(r *http.Request, _ Object) (int, any, error) {
		at := find(s.Rulesets, r)
		if at < 0 {
			return 0, nil, notFound
		}
		shown := maps.Clone(s.Rulesets[at])
		if s.lacks("Administration: write") {
			delete(shown, "bypass_actors")
		}
		return http.StatusOK, shown, nil
	})
	s.handle(mux, "POST "+rulesets, "Administration: write", func(_ *http.Request, in Object) (int, any, error) {
		for _, field := range []string{"name", "enforcement"} {
			if text(in, field) == "" {
				return 0, nil, missing("Ruleset", field)
			}
		}
		made := Object{"id": s.id(), "target": "branch", "source_type": "Repository", "source": "me/platform", "bypass_actors": []any{}, "rules": []any{},
			"conditions": Object{"ref_name": Object{"include": []any{}, "exclude": []any{}}}}
		if err := s.ruleset(made, in); err != nil {
			return 0, nil, err
		}
		s.Rulesets = append(s.Rulesets, made)
		return http.StatusCreated, made, nil
	})
	s.handle(mux, "PUT "+rulesets+"/{id}", "Administration: write", func(r *http.Request, in Object) (int, any, error) {
		at := find(s.Rulesets, r)
		if at < 0 {
			return 0, nil, notFound
		}
		changed := maps.Clone(s.Rulesets[at])
		if err := s.ruleset(changed, in); err != nil {
			return 0, nil, err
		}
		s.Rulesets[at] = changed
		return http.StatusOK, changed, nil
	})
	s.handle(mux, "DELETE "+rulesets+"/{id}", "Administration: write", func(r *http.Request, _ Object) (int, any, error) {
		at := find(s.Rulesets, r)
		if at < 0 {
			return 0, nil, notFound
		}
		s.Rulesets = slices.Delete(s.Rulesets, at, at+1)
		return http.StatusNoContent, nil, nil
	})
	s.handle(mux, "GET "+hooks, "Webhooks: read", func(*http.Request, Object) (int, any, error) {
		var shown []Object
		for _, h := range s.Hooks {
			shown = append(shown, masked(h))
		}
		return http.StatusOK, shown, nil
	})
	s.handle(mux, "GET "+hooks+"/{id}/deliveries", "Webhooks: read", func(r *http.Request, _ Object) (int, any, error) {
		if find(s.Hooks, r) < 0 {
			return 0, nil, notFound
		}
		return http.StatusOK, append([]Object{}, s.Deliveries...), nil
	})
	s.handle(mux, "POST "+hooks, "Webhooks: write", s.addHook)
	s.handle(mux, "PATCH "+hooks+"/{id}", "Webhooks: write", s.editHook)
}

// listRulesets shows neither rules nor who passes; with includes_parents, which is the default, also those of the organization.
func (s *Server) listRulesets(r *http.Request, _ Object) (int, any, error) {
	var shown []Object
	for _, ruleset := range s.Rulesets {
		if ruleset["source_type"] == "Organization" && r.URL.Query().Get("includes_parents") == "false" {
			continue
		}
		summary := Object{}
		for _, field := range []string{"id", "name", "target", "source_type", "source", "enforcement"} {
			summary[field] = ruleset[field]
		}
		shown = append(shown, summary)
	}
	return http.StatusOK, shown, nil
}

// ruleset lays the fields of a request over a ruleset, after it checked them.
func (s *Server) ruleset(over, in Object) error {
	for field, value := range in {
		var err error
		switch field {
		case "name":
			if slices.ContainsFunc(s.Rulesets, func(o Object) bool { return o["name"] == value && o["id"] != over["id"] }) {
				err = invalid("Name must be unique")
			}
		case "target":
			err = oneOf("target", value, "branch", "tag", "push")
		case "enforcement":
			err = oneOf("enforcement", value, "disabled", "active", "evaluate")
		case "bypass_actors":
			value, err = actors(value)
		case "conditions":
			err = conditions(value)
		case "rules":
			value, err = rules(value)
		default:
			err = invalid("no field " + field)
		}
		if err != nil {
			return err
		}
		over[field] = value
	}
	return nil
}

func oneOf(field string, value any, allowed ...string) error {
	if s, _ := value.(string); !slices.Contains(allowed, s) {
		return invalid(Object{"resource": "Ruleset", "field": field, "code": "invalid"})
	}
	return nil
}

// actors checks who may pass, and completes it: the id is not shown as missing but as null.
func actors(value any) (any, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, invalid("bypass_actors must be an array")
	}
	var all []any
	for _, v := range list {
		a, _ := v.(Object)
		if err := oneOf("actor_type", a["actor_type"], "Integration", "OrganizationAdmin", "RepositoryRole", "Team", "DeployKey", "User"); err != nil {
			return nil, err
		}
		_, numbered := a["actor_id"].(float64)
		if kind := a["actor_type"]; numbered == (kind == "DeployKey") && kind != "OrganizationAdmin" {
			return nil, invalid("actor_id does not fit " + text(a, "actor_type"))
		}
		mode := text(a, "bypass_mode")
		if mode == "" {
			mode = "always"
		}
		if err := oneOf("bypass_mode", mode, "always", "pull_request", "exempt"); err != nil {
			return nil, err
		}
		all = append(all, Object{"actor_id": a["actor_id"], "actor_type": a["actor_type"], "bypass_mode": mode})
	}
	return append([]any{}, all...), nil
}

// conditions checks the names of branches: whole ones, or ~ALL and ~DEFAULT_BRANCH.
func conditions(value any) error {
	c, _ := value.(Object)
	names, ok := c["ref_name"].(Object)
	if !ok {
		return missing("Conditions", "ref_name")
	}
	for _, field := range []string{"include", "exclude"} {
		list, ok := names[field].([]any)
		if !ok {
			return missing("ref_name", field)
		}
		for _, v := range list {
			if name, _ := v.(string); !strings.HasPrefix(name, "refs/heads/") && !strings.HasPrefix(name, "~") {
				return invalid("Invalid target patterns: '" + name + "'")
			}
		}
	}
	return nil
}

// required are the parameters that each rule must have.
var required = map[string][]string{
	"creation": nil, "update": nil, "deletion": nil, "non_fast_forward": nil, "required_signatures": nil, "required_linear_history": nil,
	"pull_request": {"dismiss_stale_reviews_on_push", "require_code_owner_review", "require_last_push_approval", "required_approving_review_count",
		"required_review_thread_resolution"},
	"required_status_checks": {"required_status_checks", "strict_required_status_checks_policy"},
}

// defaults are parameters that GitHub adds.
var defaults = map[string]Object{
	"update":       {"update_allows_fetch_and_merge": false},
	"pull_request": {"allowed_merge_methods": []any{"merge", "squash", "rebase"}, "required_reviewers": []any{}},
}

// rules checks rules and adds what GitHub adds.
func rules(value any) (any, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, invalid("rules must be an array")
	}
	var all []any
	for _, v := range list {
		r, _ := v.(Object)
		kind := text(r, "type")
		fields, known := required[kind]
		if !known {
			return nil, invalid("Invalid rule '" + kind + "'")
		}
		parameters, _ := r["parameters"].(Object)
		for _, field := range fields {
			if _, there := parameters[field]; !there {
				return nil, invalid("Invalid parameters for rule '" + kind + "': " + field + " is missing")
			}
		}
		checks, _ := parameters["required_status_checks"].([]any)
		for _, check := range checks {
			if c, _ := check.(Object); text(c, "context") == "" {
				return nil, missing("required_status_checks", "context")
			}
		}
		whole := Object{"type": kind}
		merged := maps.Clone(defaults[kind])
		if merged == nil && parameters != nil {
			merged = Object{}
		}
		maps.Copy(merged, parameters)
		if merged != nil {
			whole["parameters"] = merged
		}
		all = append(all, whole)
	}
	return append([]any{}, all...), nil
}

// addHook makes a webhook: config.url is required, and no two are the same.
func (s *Server) addHook(_ *http.Request, in Object) (int, any, error) {
	config, _ := in["config"].(Object)
	if text(config, "url") == "" {
		return 0, nil, missing("Hook", "url")
	}
	made := Object{"id": s.id(), "type": "Repository", "name": "web", "active": true, "events": []any{"push"}}
	if err := hook(made, in); err != nil {
		return 0, nil, err
	}
	if slices.ContainsFunc(s.Hooks, func(h Object) bool { return h["config"].(Object)["url"] == config["url"] }) {
		return 0, nil, invalid(Object{"resource": "Hook", "code": "custom", "message": "Hook already exists on this repository"})
	}
	s.Hooks = append(s.Hooks, made)
	return http.StatusCreated, masked(made), nil
}

// editHook changes a webhook. A config replaces the whole one, the secret with it.
func (s *Server) editHook(r *http.Request, in Object) (int, any, error) {
	at := find(s.Hooks, r)
	if at < 0 {
		return 0, nil, notFound
	}
	if err := hook(s.Hooks[at], in); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, masked(s.Hooks[at]), nil
}

// hook lays the fields of a request over a webhook.
func hook(over, in Object) error {
	if name, given := in["name"]; given && name != "web" {
		return invalid(Object{"resource": "Hook", "field": "name", "code": "invalid"})
	}
	for _, field := range []string{"active", "events"} {
		if value, given := in[field]; given {
			over[field] = value
		}
	}
	config, given := in["config"].(Object)
	if !given {
		return nil
	}
	if kind := text(config, "content_type"); kind != "" && kind != "json" && kind != "form" {
		return invalid(Object{"resource": "Hook", "field": "content_type", "code": "invalid"})
	}
	whole := Object{"content_type": "form", "insecure_ssl": "0"}
	maps.Copy(whole, config)
	over["config"] = whole
	return nil
}

// masked is a webhook as GitHub shows it: the secret as stars.
func masked(h Object) Object {
	shown := maps.Clone(h)
	config := maps.Clone(h["config"].(Object))
	if text(config, "secret") != "" {
		config["secret"] = "********"
	}
	shown["config"] = config
	return shown
}
