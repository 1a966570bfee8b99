package pipelines

import (
	"slices"
	"strings"
)

// getState tells of each stage the last execution that came to it, and of each action the last one at all.
func getState(_ question, p *Pipeline, all []*Execution) (object, error) {
	states := []object{}
	for i := range p.Stages {
		s := &p.Stages[i]
		one := object{"stageName": s.Name, "inboundTransitionState": object{"enabled": true}}
		one["actionStates"] = s.actionStates(all)
		if e, state := came(all, s.Name); e != nil {
			one["latestExecution"] = object{"pipelineExecutionId": e.ID, "status": state.Status.reported(), "type": e.kind()}
			one.with("beforeEntryConditionState", s.entryState(e, state))
		}
		one.inbound(all, s.Name, i == 0)
		states = append(states, one)
	}
	return object{"pipelineName": p.Name, "stageStates": states}, nil
}

// inbound are the executions that wait before a stage for the ones ahead of them.
func (o object) inbound(all []*Execution, stage string, first bool) {
	var waiting []object
	for _, e := range slices.Backward(all) {
		before := first && e.Status == Queued
		for _, s := range e.Stages {
			before = before || s.Name == stage && s.Status == Queued && !e.Status.Ended()
		}
		if before {
			waiting = append(waiting, object{"pipelineExecutionId": e.ID, "status": InProgress, "type": e.kind()})
		}
	}
	if len(waiting) > 0 {
		o["inboundExecutions"] = waiting
		o["inboundExecution"] = waiting[0]
	}
}

// came is the newest execution that was let into a stage, or past it.
func came(all []*Execution, stage string) (*Execution, *StageState) {
	for _, e := range all {
		for _, s := range e.Stages {
			if s.Name == stage && s.Status != Queued {
				return e, s
			}
		}
	}
	return nil, nil
}

func (s *Stage) actionStates(all []*Execution) []object {
	states := []object{}
	for _, a := range s.Actions {
		one := object{"actionName": a.Name}
		for _, e := range all {
			i := slices.IndexFunc(e.Actions, func(x *ActionState) bool { return x.Stage == s.Name && x.Name == a.Name && !x.Started.IsZero() })
			if i < 0 {
				continue
			}
			r := ran{e.Actions[i], e}
			one["latestExecution"] = r.state()
			one.with("entityUrl", r.Link)
			if a.ActionTypeID.String() == sourceType {
				one["currentRevision"] = object{"revisionId": e.Commit, "revisionChangeId": e.Commit}.with("created", e.Queued)
			}
			break
		}
		states = append(states, one)
	}
	return states
}

// state is the action for the pipeline's state.
func (r ran) state() object {
	out := object{"actionExecutionId": r.id(), "status": r.reported()}
	out.with("summary", r.summary()).with("lastStatusChange", r.updated()).with("externalExecutionId", r.external()).with("errorDetails", r.problem())
	if r.Log != "" {
		out["externalExecutionUrl"] = "file://" + r.Log
	}
	return out
}

// entryState is the outcome of the entry condition. One that is not met and skips the stage has failed, in AWS's words: it is
// the stage that is skipped.
func (s *Stage) entryState(e *Execution, state *StageState) object {
	if s.BeforeEntry == nil || len(s.BeforeEntry.Conditions) == 0 {
		return nil
	}
	status, said := s.entered(e, state)
	rules := []object{}
	for _, r := range s.BeforeEntry.Conditions[0].Rules {
		rules = append(rules, object{"ruleName": r.Name, "latestExecution": object{"status": r.status(status, said)}})
	}
	return object{
		"latestExecution": object{"status": status}.with("summary", said),
		"conditionStates": []object{{"latestExecution": object{"status": status}.with("summary", said), "ruleStates": rules}},
	}
}

// entered is the status of a stage's entry condition, with what was said of it.
func (s *Stage) entered(e *Execution, state *StageState) (Status, string) {
	began := slices.ContainsFunc(e.Actions, func(a *ActionState) bool { return a.Stage == s.Name })
	switch {
	case state.Status == Held:
		return InProgress, state.Reason
	case state.Status == Skipped || state.Status == Failed && !began:
		return Failed, state.Reason
	case state.Status == Stopped && !began:
		return Abandoned, state.Reason
	}
	return Succeeded, ""
}

// status of a rule of a condition: of several that must be met one may have decided alone.
func (r *Rule) status(condition Status, said string) Status {
	waits := r.RuleTypeID.String() == windowRule
	if condition == Failed && !strings.Contains(said, "rule "+r.Name+": ") || (condition == InProgress || condition == Abandoned) && !waits {
		return Succeeded
	}
	return condition
}

// listRules lists the rules of entry conditions that were looked at, the newest execution first.
func listRules(q question, p *Pipeline, all []*Execution) (object, error) {
	all, err := q.chosen(p, all)
	if err != nil {
		return nil, err
	}
	rules := []object{}
	for _, e := range all {
		for _, state := range slices.Backward(e.Stages) {
			i := slices.IndexFunc(p.Stages, func(s Stage) bool { return s.Name == state.Name })
			if i < 0 || state.Status == Queued || p.Stages[i].BeforeEntry == nil {
				continue
			}
			status, said := p.Stages[i].entered(e, state)
			for _, r := range p.Stages[i].BeforeEntry.Conditions[0].Rules {
				kind := object{"category": r.RuleTypeID.Category, "owner": r.RuleTypeID.Owner, "provider": r.RuleTypeID.Provider, "version": r.RuleTypeID.Version}
				rules = append(rules, object{
					"pipelineExecutionId": e.ID, "ruleExecutionId": executionID(e.ID, state.Name, r.Name), "ruleName": r.Name, "stageName": state.Name,
					"status": r.status(status, said), "input": object{"ruleTypeId": kind},
				})
			}
		}
	}
	part, token, err := page(q, rules, func(o object) string { return o["ruleExecutionId"].(string) })
	if err != nil {
		return nil, err
	}
	return object{"ruleExecutionDetails": part}.with("nextToken", token), nil
}
