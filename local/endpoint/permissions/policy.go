package permissions

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Policy is an IAM policy, as far as this repository's roles have them.
type Policy struct{ Statements []Statement }

// Statement allows or denies actions on resources.
type Statement struct {
	Effect             string
	Actions, Resources []string
	Conditional        bool
}

// ParsePolicy reads a policy document.
func ParsePolicy(document []byte) (Policy, error) {
	var in struct{ Statement oneOrMany[rawStatement] }
	if err := json.Unmarshal(document, &in); err != nil {
		return Policy{}, fmt.Errorf("the policy is no JSON: %w", err)
	}
	var p Policy
	for _, s := range in.Statement {
		if s.NotAction != nil || s.NotResource != nil {
			return Policy{}, fmt.Errorf("statement %q uses NotAction or NotResource, which is not evaluated here; name what is allowed", s.Sid)
		}
		p.Statements = append(p.Statements, Statement{Effect: s.Effect, Actions: s.Action, Resources: s.Resource, Conditional: len(s.Condition) > 0})
	}
	return p, nil
}

type rawStatement struct {
	Sid, Effect            string
	Action, Resource       oneOrMany[string]
	NotAction, NotResource any
	Condition              map[string]any
}

// oneOrMany is a list whose only element may stand alone.
type oneOrMany[T any] []T

// UnmarshalJSON reads either form.
func (l *oneOrMany[T]) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '[' {
		return json.Unmarshal(raw, (*[]T)(l))
	}
	var one T
	if err := json.Unmarshal(raw, &one); err != nil {
		return err
	}
	*l = oneOrMany[T]{one}
	return nil
}

// allows reports whether one of the policies allows a call and none denies it.
// A denial with a condition does not count: whether it is met is not known.
func allows(policies []Policy, c Call) bool {
	allowed := false
	for _, p := range policies {
		for _, s := range p.Statements {
			switch {
			case !s.covers(c):
			case s.Effect == "Allow":
				allowed = true
			case !s.Conditional:
				return false
			}
		}
	}
	return allowed
}

func (s Statement) covers(c Call) bool {
	return slices.ContainsFunc(s.Actions, func(p string) bool { return matches(strings.ToLower(p), strings.ToLower(c.Action)) }) &&
		(c.Resource == "" || slices.ContainsFunc(s.Resources, func(p string) bool { return matches(p, c.Resource) }))
}

// matches holds a name against a pattern of IAM, in which * and ? cross every
// separator.
func matches(pattern, name string) bool {
	expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("^(?s:" + expression + ")$").MatchString(name)
}

// granted lists the actions that the policies allow, as they write them.
func granted(policies []Policy) []string {
	var all []string
	for _, p := range policies {
		for _, s := range p.Statements {
			if s.Effect == "Allow" {
				all = append(all, s.Actions...)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
