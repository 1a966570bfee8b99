package pipelines

import (
	"fmt"
	"regexp"
	"strings"
)

// EntryConditions decide whether an execution enters a stage. CodePipeline takes
// exactly one: https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_BeforeEntryConditions.html
type EntryConditions struct{ Conditions []Condition }

// Condition is met when all of its rules pass. Result is what happens otherwise.
type Condition struct {
	Result string
	Rules  []Rule
}

// Rule is a check of a condition.
type Rule struct {
	Name           string
	RuleTypeID     ActionType `json:"RuleTypeId"`
	Configuration  map[string]any
	Commands       []string
	InputArtifacts []Artifact
}

// The results of a condition that is not met.
const (
	resultFail = "FAIL"
	resultSkip = "SKIP"
)

// maxRules is CodePipeline's limit for a condition.
const maxRules = 5

const (
	variableRule = "Rule/AWS/VariableCheck"
	windowRule   = "Rule/AWS/DeploymentWindow"
)

// operators of the rule VariableCheck report whether a variable passes.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-VariableCheck.html
var operators = map[string]func(variable, value string) (bool, error){
	"EQ":       func(variable, value string) (bool, error) { return variable == value, nil },
	"NE":       func(variable, value string) (bool, error) { return variable != value, nil },
	"CONTAINS": func(variable, value string) (bool, error) { return strings.Contains(variable, value), nil },
	"MATCHES":  matches,
}

// matches reports whether an expression matches the variable. CodePipeline's
// reference does not say whether a part is enough: where that decides, it is an error.
func matches(variable, expression string) (bool, error) {
	part, err := regexp.Compile(expression)
	if err != nil {
		return false, err
	}
	whole, err := regexp.Compile(`\A(?:` + expression + `)\z`)
	if err != nil {
		return false, err
	}
	if part.MatchString(variable) != whole.MatchString(variable) {
		return false, fmt.Errorf("%q matches a part of %q, and CodePipeline does not say whether that is enough: begin and end the expression with .* or with ^ and $", expression, variable)
	}
	return whole.MatchString(variable), nil
}

// unsupported names what of the conditions is not run here, or is refused by
// CodePipeline.
func (c *EntryConditions) unsupported() string {
	if c == nil {
		return ""
	}
	if n := len(c.Conditions); n != 1 {
		return fmt.Sprintf("BeforeEntry must have 1 condition, got %d", n)
	}
	condition := c.Conditions[0]
	if r := condition.Result; r != resultFail && r != resultSkip {
		return fmt.Sprintf("the result of an entry condition must be %s or %s, got %q", resultFail, resultSkip, r)
	}
	if n := len(condition.Rules); n < 1 || n > maxRules {
		return fmt.Sprintf("a condition must have 1 to %d rules, got %d", maxRules, n)
	}
	for _, r := range condition.Rules {
		if problem := r.unsupported(); problem != "" {
			return fmt.Sprintf("rule %s %s", r.Name, problem)
		}
	}
	return condition.unsupportedWindow()
}

func (r *Rule) unsupported() string {
	switch kind := r.RuleTypeID.String(); {
	case len(r.Commands)+len(r.InputArtifacts) > 0:
		return unknown("has commands or artifacts")
	case kind == windowRule && r.RuleTypeID.Version == "1":
		_, problem := readWindow(r.Configuration)
		return problem
	case kind != variableRule || r.RuleTypeID.Version != "1":
		return unknown("is of type %s, version %s", kind, r.RuleTypeID.Version)
	}
	for _, key := range []string{"Variable", "Value", "Operator"} {
		if textOf(r.Configuration, key) == "" {
			return "must have a " + key
		}
	}
	operator, value := textOf(r.Configuration, "Operator"), textOf(r.Configuration, "Value")
	if operators[operator] == nil {
		return fmt.Sprintf("must have an Operator of EQ, NE, CONTAINS or MATCHES, got %q", operator)
	}
	if reference.MatchString(value) {
		return unknown("has a reference in its Value, %s", value)
	}
	if _, err := operators[operator]("", value); operator == "MATCHES" && err != nil {
		return unknown("has the expression %q (%v)", value, err)
	}
	return ""
}

// refusal says which rules of a stage's entry condition fail, and what follows.
// No result: the execution enters the stage, once its window is open.
func (j *job) refusal(s *Stage) (result, reason string, err error) {
	if s.BeforeEntry == nil {
		return "", "", nil
	}
	condition := s.BeforeEntry.Conditions[0]
	var failed []string
	for _, r := range condition.Rules {
		if r.RuleTypeID.String() == windowRule {
			continue // it is waited for
		}
		wrong, err := j.check(&r)
		if err != nil {
			return "", "", fmt.Errorf("rule %s: %w", r.Name, err)
		}
		if wrong != "" {
			failed = append(failed, fmt.Sprintf("rule %s: %s", r.Name, wrong))
		}
	}
	if len(failed) == 0 {
		return "", "", nil
	}
	return condition.Result, strings.Join(failed, "; "), nil
}

// check runs a rule and says what is wrong with its variable.
func (j *job) check(r *Rule) (string, error) {
	variable, operator, value := textOf(r.Configuration, "Variable"), textOf(r.Configuration, "Operator"), textOf(r.Configuration, "Value")
	got, err := j.expand(variable)
	if err != nil {
		return "", err
	}
	if ok, err := operators[operator](got, value); err != nil || ok {
		return "", err
	}
	return fmt.Sprintf("%s must be %s %q, got %q", variable, operator, value, got), nil
}
