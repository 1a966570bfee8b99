package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/stack/layout"
)

const approvalType = "Approval/AWS/Manual"

// approvalTimeout is CodePipeline's.
const approvalTimeout = 7 * 24 * time.Hour

// Decision is the answer to an approval.
type Decision struct {
	Approved bool      `json:"approved"`
	By       string    `json:"by"`
	Summary  string    `json:"summary,omitempty"`
	Time     time.Time `json:"time"`
}

// Pending are the executions that wait for an approval, of one pipeline or of
// all.
func Pending(root, pipeline string) ([]*Execution, error) {
	all, err := List(root)
	var waiting []*Execution
	for _, e := range all {
		if e.Status == InProgress && e.waits() != nil && (pipeline == "" || e.Pipeline == pipeline) {
			waiting = append(waiting, e)
		}
	}
	return waiting, err
}

// Decide answers the approval that waits. With more than one a pipeline must
// be named.
func Decide(root, pipeline string, d Decision) (*Execution, *ActionState, error) {
	waiting, err := Pending(root, pipeline)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case len(waiting) == 0 && pipeline != "":
		return nil, nil, fmt.Errorf("no execution of %s waits for an approval: `gitops local pipelines` lists them", pipeline)
	case len(waiting) == 0:
		return nil, nil, errors.New("nothing waits for an approval: `gitops local pipelines` lists the executions")
	case len(waiting) > 1 && pipeline == "":
		names := make([]string, len(waiting))
		for i, e := range waiting {
			names[i] = e.Pipeline
		}
		return nil, nil, fmt.Errorf("%d executions wait for an approval: name one of %s", len(waiting), strings.Join(names, ", "))
	}
	e := waiting[len(waiting)-1] // the oldest first
	a := e.waits()
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, nil, err
	}
	return e, a, layout.WriteFile(decisionFile(root, e, a), append(raw, '\n'), 0o600)
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
	var err error
	note, link := a.text("CustomData"), a.text("ExternalEntityLink")
	if note, err = j.expand(note); err != nil {
		return err
	}
	if link, err = j.expand(link); err != nil {
		return err
	}
	if err := j.update(func() { s.Status, s.Reason, s.Link = Waiting, note, link }); err != nil {
		return err
	}
	j.log.Info("waits for an approval", "action", s.Name)
	for {
		var d Decision
		raw, err := os.ReadFile(decisionFile(j.root, j.execution, s))
		switch {
		case err == nil && json.Unmarshal(raw, &d) == nil:
			if !d.Approved {
				return fmt.Errorf("rejected by %s%s", d.By, after(": ", d.Summary))
			}
			return j.update(func() { s.Reason = "approved by " + d.By + after(": ", d.Summary) })
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case time.Since(s.Started) > limit:
			return fmt.Errorf("nobody approved it within %s", limit)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func after(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + text
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
