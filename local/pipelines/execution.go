package pipelines

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
	"k8s-plus-aws-gitops/local/system/layout"
)

// Status of an execution, a stage or an action, by the names of CodePipeline's API:
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StageExecution.html
type Status string

// The values of Status. Queued and Waiting are what the console shows for an
// execution before its first stage and for an approval that nobody gave yet, Held
// is of a stage whose window is not open, for which CodePipeline has no name;
// Skipped is of a stage whose entry condition is not met and says so.
const (
	Queued     Status = "Queued"
	InProgress Status = "InProgress"
	Waiting    Status = "WaitingForApproval"
	Held       Status = "WaitingForWindow"
	Succeeded  Status = "Succeeded"
	Failed     Status = "Failed"
	Cancelled  Status = "Cancelled"
	Superseded Status = "Superseded"
	Stopped    Status = "Stopped"
	// Abandoned is of an action whose execution was stopped.
	Abandoned Status = "Abandoned"
	Skipped   Status = "Skipped"
)

// Ended reports whether the status is a last one.
func (s Status) Ended() bool {
	return s != Queued && s != InProgress && s != Waiting && s != Held && s != ""
}

// Execution is a run of a pipeline.
type Execution struct {
	ID       string `json:"id"`
	Pipeline string `json:"pipeline"`
	Status   Status `json:"status"`
	// Trigger is what started it: Push, PullRequest, CreatePipeline,
	// PipelineUpdated, StartPipelineExecution or AutomatedRollback, with what it
	// was about.
	Trigger string `json:"trigger"`
	// Type is ROLLBACK for an execution that runs one stage as RollbackTarget did,
	// after the execution Failed; empty for any other.
	Type           string `json:"type,omitempty"`
	RollbackTarget string `json:"rollbackTarget,omitempty"`
	Failed         string `json:"failed,omitempty"`
	Commit         string `json:"commit"`
	Branch         string `json:"branch"`
	// Tag that was pushed, if that started it.
	Tag     string `json:"tag,omitempty"`
	Subject string `json:"subject"`
	Mode    string `json:"mode"`
	// Definition is the digest of the pipeline's definition when it started.
	Definition string    `json:"definition,omitempty"`
	Queued     time.Time `json:"queued"`
	Started    time.Time `json:"started,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
	// Stage is the current one, or the last.
	Stage string `json:"stage,omitempty"`
	// Stages are those that it has come to, in their order.
	Stages  []*StageState  `json:"stages,omitempty"`
	Actions []*ActionState `json:"actions,omitempty"`
	// Reason is why it did not succeed.
	Reason string `json:"reason,omitempty"`
	// Interruptions count how often the runner ended under it.
	Interruptions int `json:"interruptions,omitempty"`
	// Event is the last one of it that rules have heard of.
	Event string `json:"event,omitempty"`
	// About is the execution of which a rule told a build; Variables are what the rule gave to that.
	About     string     `json:"about,omitempty"`
	Variables []Variable `json:"variables,omitempty"`
}

// StageState is a stage of an execution.
type StageState struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Reason is why it was skipped, waits, or did not succeed.
	Reason string `json:"reason,omitempty"`
	// Override is who let the execution enter before the window was open.
	Override *Decision `json:"override,omitempty"`
}

// StageTook is the time from the start of a stage's first action to the end of its last; 0 for one that did not end.
func (e *Execution) StageTook(stage string) time.Duration {
	var first, last time.Time
	for _, a := range e.Actions {
		if a.Stage != stage || a.Started.IsZero() {
			continue
		}
		if first.IsZero() || a.Started.Before(first) {
			first = a.Started
		}
		if a.Ended.After(last) {
			last = a.Ended
		}
	}
	return max(0, last.Sub(first))
}

// ActionState is an action of an execution.
type ActionState struct {
	Stage   string    `json:"stage"`
	Name    string    `json:"name"`
	Type    string    `json:"type"`
	Status  Status    `json:"status"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	// Build is the id of the build, Log the path of its log.
	Build string `json:"build,omitempty"`
	Log   string `json:"log,omitempty"`
	// Reason is why it failed, or what an approver should look at.
	Reason string `json:"reason,omitempty"`
	Link   string `json:"link,omitempty"`
	// Outputs are its variables, for the actions after it.
	Outputs map[string]string `json:"outputs,omitempty"`
}

// Duration of an execution so far; zero before it started.
func (e *Execution) Duration(now time.Time) time.Duration {
	switch {
	case e.Started.IsZero():
		return 0
	case !e.Ended.IsZero():
		now = e.Ended
	}
	return now.Sub(e.Started)
}

// Shown is the status for people: that of an approval or a window when it waits for one.
func (e *Execution) Shown() Status {
	switch {
	case e.Status == InProgress && e.waits() != nil:
		return Waiting
	case e.Status == InProgress && e.held() != nil:
		return Held
	}
	return e.Status
}

// Rests reports whether nothing happens until somebody or the clock says so.
func (e *Execution) Rests() bool {
	s := e.Shown()
	return s.Ended() || s == Waiting || s == Held
}

// held is the stage whose window the execution waits for.
func (e *Execution) held() *StageState {
	for _, s := range e.Stages {
		if s.Status == Held {
			return s
		}
	}
	return nil
}

// Opens says when the window opens that the execution waits for.
func (e *Execution) Opens() string {
	if s := e.held(); s != nil {
		return s.Reason
	}
	return ""
}

// waits is the approval that the execution waits for.
func (e *Execution) waits() *ActionState {
	for _, a := range e.Actions {
		if a.Status == Waiting {
			return a
		}
	}
	return nil
}

// FailedAction is the first action that failed, or nil.
func (e *Execution) FailedAction() *ActionState {
	for _, a := range e.Actions {
		if a.Status == Failed {
			return a
		}
	}
	return nil
}

// Skipped are the names of the stages whose entry conditions passed it by.
func (e *Execution) Skipped() []string {
	var names []string
	for _, s := range e.Stages {
		if s.Status == Skipped {
			names = append(names, s.Name)
		}
	}
	return names
}

// end gives the execution its last status, and the stage that it was in.
func (e *Execution) end(status Status, reason string) {
	e.Status, e.Reason, e.Ended = status, reason, time.Now()
	for _, s := range e.Stages {
		if !s.Status.Ended() {
			s.Status, s.Reason = status, reason
		}
	}
}

// stage finds or adds the state of a stage.
func (e *Execution) stage(name string) *StageState {
	for _, s := range e.Stages {
		if s.Name == name {
			return s
		}
	}
	s := &StageState{Name: name, Status: Queued}
	e.Stages = append(e.Stages, s)
	return s
}

// action finds or adds the state of an action.
func (e *Execution) action(stage, name, kind string) *ActionState {
	for _, a := range e.Actions {
		if a.Stage == stage && a.Name == name {
			return a
		}
	}
	a := &ActionState{Stage: stage, Name: name, Type: kind, Status: Queued}
	e.Actions = append(e.Actions, a)
	return a
}

// executionID makes the same id of the same event again, so that an event that
// is read twice starts nothing twice.
func executionID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// Folder is where the executions of a local system lie.
func Folder(d *layout.Dir) string { return d.Path("pipelines") }

const executionFile = "execution.json"

// folderOf is the folder of one execution: its state, logs and decisions.
func folderOf(root string, e *Execution) string {
	return filepath.Join(root, "executions", e.Pipeline, e.ID)
}

func (e *Execution) save(root string) error {
	raw, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	dir := folderOf(root, e)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, executionFile), append(raw, '\n'), 0o600)
}

// List reads the executions below a folder, the newest first.
func List(root string) ([]*Execution, error) {
	files, err := filepath.Glob(filepath.Join(root, "executions", "*", "*", executionFile))
	if err != nil {
		return nil, err
	}
	var all []*Execution
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue // forgotten meanwhile
		}
		e := &Execution{}
		if err == nil {
			err = json.Unmarshal(raw, e)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: remove the folder to forget this execution", f, err)
		}
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b *Execution) int { return b.Queued.Compare(a.Queued) })
	return all, nil
}

// Last returns the newest execution of each pipeline, by pipeline.
func Last(root string) ([]*Execution, error) {
	all, err := List(root)
	seen := map[string]bool{}
	var last []*Execution
	for _, e := range all {
		if !seen[e.Pipeline] {
			seen[e.Pipeline] = true
			last = append(last, e)
		}
	}
	slices.SortFunc(last, func(a, b *Execution) int { return strings.Compare(a.Pipeline, b.Pipeline) })
	return last, err
}

// keep is how many executions of a pipeline are remembered.
const keep = 30

// forget removes the oldest executions that ended.
func forget(root string) error {
	all, err := List(root)
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, e := range all {
		if count[e.Pipeline]++; count[e.Pipeline] > keep && e.Status.Ended() {
			if err := os.RemoveAll(folderOf(root, e)); err != nil {
				return err
			}
		}
	}
	return nil
}
