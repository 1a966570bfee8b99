package pipelines

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// What CodePipeline allows an approval: how long it waits, the characters of the
// action's values and of the answer's summary.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionConfiguration.html
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ApprovalResult.html
const (
	approvalTimeout = 7 * 24 * time.Hour
	maxValue        = 1000
	maxSummary      = 512
)

// Decision is the answer to an approval, or to a condition.
type Decision struct {
	Approved bool      `json:"approved"`
	By       string    `json:"by"`
	Summary  string    `json:"summary,omitempty"`
	Time     time.Time `json:"time"`
}

// Decide answers the approval that waits. With more than one a pipeline must
// be named.
func Decide(root, pipeline string, d Decision) (*Execution, *ActionState, error) {
	e, err := choose(root, pipeline, "an approval", d, func(e *Execution) bool { return e.waits() != nil })
	if err != nil {
		return nil, nil, err
	}
	a := e.waits()
	return e, a, d.save(decisionFile(root, e, a))
}

// choose finds the execution that a decision is about: the oldest of the pipeline, or of the only one in which any waits.
func choose(root, pipeline, what string, d Decision, waits func(*Execution) bool) (*Execution, error) {
	if n := utf8.RuneCountInString(d.Summary); n > maxSummary {
		return nil, fmt.Errorf("the summary of a decision must have at most %d characters, got %d", maxSummary, n)
	}
	all, err := List(root)
	if err != nil {
		return nil, err
	}
	var waiting []*Execution
	for _, e := range all {
		if e.Status == InProgress && waits(e) && (pipeline == "" || e.Pipeline == pipeline) {
			waiting = append(waiting, e)
		}
	}
	switch {
	case len(waiting) == 0 && pipeline != "":
		return nil, fmt.Errorf("no execution of %s waits for %s: `gitops local pipelines` lists them", pipeline, what)
	case len(waiting) == 0:
		return nil, fmt.Errorf("nothing waits for %s: `gitops local pipelines` lists the executions", what)
	case len(waiting) > 1 && pipeline == "":
		names := make([]string, len(waiting))
		for i, e := range waiting {
			names[i] = e.Pipeline
		}
		return nil, fmt.Errorf("%d executions wait for %s: name one of %s", len(waiting), what, strings.Join(names, ", "))
	}
	return waiting[len(waiting)-1], nil
}

// save leaves the decision where the runner looks.
func (d Decision) save(file string) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return atomicfile.Write(file, append(raw, '\n'), 0o600)
}

func decisionFile(root string, e *Execution, a *ActionState) string {
	return filepath.Join(folderOf(root, e), "decision-"+a.Stage+"-"+a.Name+".json")
}

// approve waits for the decision.
func (j *job) approve(ctx context.Context, a *Action, s *ActionState) error {
	limit := approvalTimeout
	if a.TimeoutInMinutes > 0 {
		limit = time.Duration(a.TimeoutInMinutes) * time.Minute
	}
	note, err := j.shown(a, "CustomData")
	if err != nil {
		return err
	}
	link, err := j.shown(a, "ExternalEntityLink")
	if err != nil {
		return err
	}
	if err := j.update(func() { s.Status, s.Reason, s.Link = Waiting, note, link }); err != nil {
		return err
	}
	j.log.Info("waits for an approval", "action", s.Name)
	for {
		d, err := readDecision(decisionFile(j.root, j.execution, s))
		switch {
		case err != nil:
			return err
		case d != nil:
			if !d.Approved {
				return fmt.Errorf("rejected by %s%s", d.By, colon(d.Summary))
			}
			return j.update(func() { s.Reason = "approved by " + d.By + colon(d.Summary) })
		case time.Since(s.Started) > limit:
			return fmt.Errorf("nobody approved it within %s", limit)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// shown is a value of an approval, as its approver reads it.
func (j *job) shown(a *Action, key string) (string, error) {
	value, err := j.expand(a.text(key))
	if n := utf8.RuneCountInString(value); err == nil && n > maxValue {
		err = fmt.Errorf("must have at most %d characters, got %d", maxValue, n)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return value, nil
}

// colon puts a text behind what it explains, if there is one.
func colon(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// pause waits for the next look at a file.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(200 * time.Millisecond):
		return nil
	}
}
