package pipelines

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// reported is a status as the API has it: Queued and WaitingForApproval are of people's tables only.
func (s Status) reported() Status {
	if s.Ended() {
		return s
	}
	return InProgress
}

func getExecution(q question, p *Pipeline, all []*Execution) (object, error) {
	e, err := find(q.PipelineExecutionID, p, all)
	if err != nil {
		return nil, err
	}
	out := object{
		"pipelineName": e.Pipeline, "pipelineExecutionId": e.ID, "status": e.Status.reported(),
		"executionMode": e.Mode, "executionType": e.kind(), "trigger": e.trigger(),
	}
	out.with("statusSummary", e.Reason).with("rollbackMetadata", e.rolledBack())
	if s := p.source(); s != nil && e.Commit != "" && len(s.OutputArtifacts) > 0 {
		out["artifactRevisions"] = []object{e.revision().with("name", s.OutputArtifacts[0].Name).with("created", e.Queued)}
	}
	return object{"pipelineExecution": out}, nil
}

func find(id string, p *Pipeline, all []*Execution) (*Execution, error) {
	if id == "" {
		return nil, refuse("ValidationException", "pipelineExecutionId must be an id of an execution, got none")
	}
	i := slices.IndexFunc(all, func(e *Execution) bool { return e.ID == id })
	if i < 0 {
		return nil, refuse("PipelineExecutionNotFoundException", "Pipeline %s has no execution with id '%s'", p.Name, id)
	}
	return all[i], nil
}

// revision is the commit.
func (e *Execution) revision() object {
	return object{"revisionId": e.Commit, "revisionSummary": e.message()}
}

// message is the commit's, as a connection to GitHub reports it.
func (e *Execution) message() string {
	said, _ := json.Marshal(struct{ ProviderType, CommitMessage string }{"GitHub", e.Subject}) // texts always can be
	return string(said)
}

// trigger tells what started it. A pipeline that runs again after its update is started by CloudFormation.
func (e *Execution) trigger() object {
	kind, _, _ := strings.Cut(e.Trigger, " ")
	switch kind {
	case "Push", "PullRequest":
		kind = "WebhookV2"
	case "PipelineUpdated":
		kind = "StartPipelineExecution"
	case automatedRollback:
		failed, _ := json.Marshal(struct{ FailedPipelineExecutionId string }{e.Failed}) //nolint:revive // the API's name
		return object{"triggerType": kind, "triggerDetail": string(failed)}
	}
	return object{}.with("triggerType", kind).with("triggerDetail", e.Trigger)
}

// updated is when something of it last changed.
func (e *Execution) updated() time.Time {
	last := e.Queued
	for _, a := range e.Actions {
		last = latest(last, a.updated())
	}
	return latest(latest(last, e.Started), e.Ended)
}

func (a *ActionState) updated() time.Time { return latest(a.Started, a.Ended) }

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func listExecutions(q question, p *Pipeline, all []*Execution) (object, error) {
	if stage := q.Filter.SucceededInStage.StageName; stage != "" {
		all = slices.DeleteFunc(slices.Clone(all), func(e *Execution) bool {
			return !slices.ContainsFunc(e.Stages, func(s *StageState) bool { return s.Name == stage && s.Status == Succeeded })
		})
	}
	part, token, err := page(q, all, func(e *Execution) string { return e.ID })
	if err != nil {
		return nil, err
	}
	list := []object{}
	for _, e := range part {
		one := object{
			"pipelineExecutionId": e.ID, "status": e.Status.reported(), "executionMode": e.Mode, "executionType": e.kind(), "trigger": e.trigger(),
		}
		one.with("rollbackMetadata", e.rolledBack()).with("statusSummary", e.Reason).with("startTime", e.Queued).with("lastUpdateTime", e.updated())
		if s := p.source(); s != nil && e.Commit != "" {
			one["sourceRevisions"] = []object{e.revision().with("actionName", s.Name)}
		}
		list = append(list, one)
	}
	return object{"pipelineExecutionSummaries": list}.with("nextToken", token), nil
}

// ran is an action that has begun.
type ran struct {
	*ActionState
	of *Execution
}

func (r ran) id() string { return executionID(r.of.ID, r.Stage, r.Name) }

// reported is the action's status: it was abandoned when its execution ended before it.
func (r ran) reported() Status {
	if !r.Status.Ended() && r.of.Status.Ended() {
		return "Abandoned"
	}
	return r.Status.reported()
}

// actions that have begun, the newest first.
func (e *Execution) ran() []ran {
	var all []ran
	for _, a := range e.Actions {
		if !a.Started.IsZero() {
			all = append(all, ran{a, e})
		}
	}
	slices.Reverse(all) // those of one time in their order
	slices.SortStableFunc(all, func(a, b ran) int { return b.Started.Compare(a.Started) })
	return all
}

// chosen are the executions that the filter names, by default all.
func (q question) chosen(p *Pipeline, all []*Execution) ([]*Execution, error) {
	for _, id := range []string{q.Filter.PipelineExecutionID, q.Filter.LatestInPipelineExecution.PipelineExecutionID} {
		if id == "" {
			continue
		}
		e, err := find(id, p, all)
		if err != nil {
			return nil, err
		}
		all = []*Execution{e}
	}
	return all, nil
}

func listActions(q question, p *Pipeline, all []*Execution) (object, error) {
	all, err := q.chosen(p, all)
	if err != nil {
		return nil, err
	}
	var actions []ran
	for _, e := range all {
		actions = append(actions, e.ran()...)
	}
	part, token, err := page(q, actions, ran.id)
	if err != nil {
		return nil, err
	}
	list := []object{}
	for _, r := range part {
		list = append(list, r.detail(p))
	}
	return object{"actionExecutionDetails": list}.with("nextToken", token), nil
}

// detail is what the action got and made. The definition may have another one of the name by now, or none.
func (r ran) detail(p *Pipeline) object {
	kind := strings.SplitN(r.Type+"//", "/", 4)
	in := object{"actionTypeId": object{"category": kind[0], "owner": kind[1], "provider": kind[2], "version": "1"}}
	out := object{"executionResult": r.result()}
	if a := p.action(r.Stage, r.Name); a != nil && a.ActionTypeID.String() == r.Type {
		configuration := map[string]string{}
		for key := range a.Configuration {
			configuration[key] = a.text(key)
		}
		in.with("configuration", configuration).with("namespace", a.Namespace)
		in["inputArtifacts"], out["outputArtifacts"] = names(a.InputArtifacts), names(a.OutputArtifacts)
	}
	return object{
		"pipelineExecutionId": r.of.ID, "actionExecutionId": r.id(), "stageName": r.Stage, "actionName": r.Name, "status": r.reported(),
		"input": in, "output": out.with("outputVariables", r.Outputs),
	}.with("startTime", r.Started).with("lastUpdateTime", r.updated())
}

// result is what the service behind the action said. The log stands where AWS has the build's page.
func (r ran) result() object {
	out := object{}.with("externalExecutionId", r.external()).with("externalExecutionSummary", r.summary())
	if r.Log != "" {
		out["externalExecutionUrl"] = "file://" + r.Log
	}
	return out.with("errorDetails", r.problem())
}

// summary and external are what AWS says of a source, and else what the action said.
func (r ran) summary() string {
	if r.Type == sourceType && r.Status == Succeeded {
		return r.of.message()
	}
	return r.Reason
}

func (r ran) external() string {
	if r.Type == sourceType {
		return r.of.Commit
	}
	return r.Build
}

func (r ran) problem() object {
	if r.Status != Failed {
		return nil
	}
	return object{"code": "JobFailed", "message": r.Reason}
}

func names(all []Artifact) []object {
	out := []object{}
	for _, a := range all {
		out = append(out, object{"name": a.Name})
	}
	return out
}

// action finds an action of the definition.
func (p *Pipeline) action(stage, name string) *Action {
	for _, s := range p.Stages {
		for i := range s.Actions {
			if s.Name == stage && s.Actions[i].Name == name {
				return &s.Actions[i]
			}
		}
	}
	return nil
}
