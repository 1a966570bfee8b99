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
	entered := slices.ContainsFunc(e.Actions, func(a *ActionState) bool { return a.Stage == s.Name })
	status, said := Succeeded, ""
	switch {
	case state.Status == Skipped || state.Status == Failed && !entered:
		status, said = Failed, state.Reason
	}
	rules := []object{}
	for _, r := range s.BeforeEntry.Conditions[0].Rules {
		one := status
		if status == Failed && !strings.Contains(said, "rule "+r.Name+": ") {
			one = Succeeded
		}
		rules = append(rules, object{"ruleName": r.Name, "latestExecution": object{"status": one}})
	}
	return object{
		"latestExecution": object{"status": status}.with("summary", said),
		"conditionStates": []object{{"latestExecution": object{"status": status}.with("summary", said), "ruleStates": rules}},
	}
}
