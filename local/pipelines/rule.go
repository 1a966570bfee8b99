package pipelines

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// EventRule is an AWS::Events::Rule. Those that start builds are carried out.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rules.html
type EventRule struct {
	Name, State, ScheduleExpression string
	EventPattern                    map[string]any
	Targets                         []RuleTarget
}

// RuleTarget is what a rule starts. Project is the one that Arn names; targets
// that are no project are other services'.
type RuleTarget struct {
	ID               string `json:"Id"`
	Arn              string
	Input, InputPath string
	InputTransformer *InputTransformer
	Project          string `json:"-"`
}

// InputTransformer makes the target's input of an event.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
type InputTransformer struct {
	InputPathsMap map[string]string
	InputTemplate string
}

// named resolves the targets: a project's ARN is Fn::GetAtt of the stack's own.
func (r *EventRule) named(ids map[string]string) {
	for i, t := range r.Targets {
		if id, ok := strings.CutSuffix(t.Arn, ".Arn"); ok {
			r.Targets[i].Project = ids[id]
		}
		if _, name, ok := strings.Cut(t.Arn, ":project/"); ok {
			r.Targets[i].Project = name
		}
	}
	r.Targets = slices.DeleteFunc(r.Targets, func(t RuleTarget) bool { return t.Project == "" })
}

// event is what happened, as EventBridge has it.
type event map[string]any

// hears reports whether the rule's pattern matches an event. A rule with a schedule hears none, and no clock starts it here.
func (r *EventRule) hears(e event) (bool, error) {
	if r.State == "DISABLED" || r.State != "" && r.State != "ENABLED" {
		return false, nil
	}
	if r.ScheduleExpression != "" && r.EventPattern == nil {
		return false, nil // it hears nothing; no schedule runs here
	}
	ok, err := match(r.EventPattern, e)
	if err != nil {
		return false, fmt.Errorf("rule %s: %w", r.Name, err)
	}
	return ok, nil
}

// match compares a pattern: each of its keys must be there, with one of its values.
func match(pattern, value map[string]any) (bool, error) {
	whole := true
	for _, key := range slices.Sorted(maps.Keys(pattern)) {
		ok := false
		switch want := pattern[key].(type) {
		case map[string]any:
			inner, _ := value[key].(map[string]any)
			var err error
			if ok, err = match(want, inner); err != nil {
				return false, err
			}
		case []any:
			for _, w := range want {
				switch w.(type) {
				case string, float64, bool, nil:
					ok = ok || w == value[key]
				default:
					text, _ := json.Marshal(w) // it was read from JSON
					return false, errors.New(unknown("the pattern has %s for %s", text, key))
				}
			}
		default:
			return false, fmt.Errorf("the pattern must have a list for %s, got %v", key, want)
		}
		whole = whole && ok
	}
	return whole, nil
}

// buildInput is what a target asks of StartBuild.
type buildInput struct {
	EnvironmentVariablesOverride []Variable
}

// input is what the target's project gets for an event. The event itself is no
// input that CodeBuild takes, so a target has one of its own.
func (t *RuleTarget) input(e event) (buildInput, error) {
	var in buildInput
	text := t.Input
	switch {
	case t.InputPath != "":
		return in, errors.New(unknown("target %s has an InputPath", t.ID))
	case t.InputTransformer != nil:
		var err error
		if text, err = t.InputTransformer.apply(e); err != nil {
			return in, fmt.Errorf("target %s: %w", t.ID, err)
		}
	case text == "":
		return in, nil
	}
	read := json.NewDecoder(strings.NewReader(text))
	read.DisallowUnknownFields()
	if err := read.Decode(&in); err != nil {
		return in, fmt.Errorf("target %s: its input is not what the local pipelines know of StartBuild: %w", t.ID, err)
	}
	return in, nil
}

var (
	placeholder = regexp.MustCompile(`<([A-Za-z0-9_.-]+)>`)
	eventPath   = regexp.MustCompile(`^\$(\.[A-Za-z0-9_-]+)+$`)
)

// apply fills in the template. A text that stands alone gets quotes, one inside
// of quotes none.
func (x *InputTransformer) apply(e event) (string, error) {
	values := map[string]any{}
	for name, path := range x.InputPathsMap {
		if !eventPath.MatchString(path) {
			return "", errors.New(unknown("the path %s of %s", path, name))
		}
		var at any = map[string]any(e)
		for key := range strings.SplitSeq(strings.TrimPrefix(path, "$."), ".") {
			object, _ := at.(map[string]any)
			at = object[key]
		}
		values[name] = at
	}
	var out strings.Builder
	rest := x.InputTemplate
	for {
		at := placeholder.FindStringSubmatchIndex(rest)
		if at == nil {
			out.WriteString(rest)
			return out.String(), nil
		}
		out.WriteString(rest[:at[0]])
		name := rest[at[2]:at[3]]
		value, ok := values[name]
		if !ok {
			return "", fmt.Errorf("<%s> is not in InputPathsMap", name)
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return "", err
		}
		if inQuotes(out.String()) {
			raw = []byte(strings.Trim(string(raw), `"`))
		}
		out.Write(raw)
		rest = rest[at[1]:]
	}
}

// inQuotes reports whether a JSON text ends inside of a string.
func inQuotes(text string) bool {
	inside, escaped := false, false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			inside = !inside
		}
	}
	return inside
}
