package engine

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Status is a stack's or a resource's status, by the service's names.
type Status string

// The statuses that the engine uses.
const (
	ReviewInProgress                Status = "REVIEW_IN_PROGRESS"
	CreateInProgress                Status = "CREATE_IN_PROGRESS"
	CreateComplete                  Status = "CREATE_COMPLETE"
	CreateFailed                    Status = "CREATE_FAILED"
	RollbackInProgress              Status = "ROLLBACK_IN_PROGRESS"
	RollbackComplete                Status = "ROLLBACK_COMPLETE"
	RollbackFailed                  Status = "ROLLBACK_FAILED"
	UpdateInProgress                Status = "UPDATE_IN_PROGRESS"
	UpdateCompleteCleanupInProgress Status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
	UpdateComplete                  Status = "UPDATE_COMPLETE"
	UpdateFailed                    Status = "UPDATE_FAILED"
	UpdateRollbackInProgress        Status = "UPDATE_ROLLBACK_IN_PROGRESS"
	UpdateRollbackCleanupInProgress Status = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
	UpdateRollbackComplete          Status = "UPDATE_ROLLBACK_COMPLETE"
	UpdateRollbackFailed            Status = "UPDATE_ROLLBACK_FAILED"
	DeleteInProgress                Status = "DELETE_IN_PROGRESS"
	DeleteComplete                  Status = "DELETE_COMPLETE"
	DeleteFailed                    Status = "DELETE_FAILED"
	DeleteSkipped                   Status = "DELETE_SKIPPED"
)

// running reports whether an operation is under way.
func (s Status) running() bool {
	return strings.HasSuffix(string(s), "_IN_PROGRESS") && s != ReviewInProgress
}

// updatable reports whether a stack in this status can be updated.
func (s Status) updatable() bool {
	switch s {
	case CreateComplete, UpdateComplete, UpdateRollbackComplete, UpdateFailed, CreateFailed:
		return true
	}
	return false
}

// Version is what a create or update request says about a stack: everything
// that a rollback puts back.
type Version struct {
	Template   string                    `json:"template"` // as given, JSON or YAML
	Parameters map[string]ParameterValue `json:"parameters,omitempty"`
	Tags       map[string]string         `json:"tags,omitempty"`
	RoleARN    string                    `json:"roleARN,omitempty"`
	Notify     []string                  `json:"notify,omitempty"`
	Caps       []string                  `json:"capabilities,omitempty"`
}

// Stack is one stack, deleted ones included.
type Stack struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Created time.Time  `json:"created"`
	Updated *time.Time `json:"updated,omitempty"`
	Deleted *time.Time `json:"deleted,omitempty"`
	Status  Status     `json:"status"`
	Reason  string     `json:"reason,omitempty"`
	Version
	TerminationProtection bool                  `json:"terminationProtection,omitempty"`
	Outputs               []Output              `json:"outputs,omitempty"`
	Imports               []string              `json:"imports,omitempty"`
	Resources             map[string]*Resource  `json:"resources,omitempty"`
	Events                []Event               `json:"events,omitempty"` // oldest first
	ChangeSets            map[string]*ChangeSet `json:"changeSets,omitempty"`
	Operation             *Operation            `json:"operation,omitempty"`
}

// Output is one output of a stack.
type Output struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
	Export      string `json:"export,omitempty"`
}

// Resource is one resource of a stack.
type Resource struct {
	LogicalID  string         `json:"logicalId"`
	Type       string         `json:"type"`
	PhysicalID string         `json:"physicalId,omitempty"`
	Status     Status         `json:"status"`
	Reason     string         `json:"reason,omitempty"`
	Updated    time.Time      `json:"updated"`
	Properties map[string]any `json:"properties,omitempty"` // evaluated, dynamic references kept as written
	Attributes map[string]any `json:"attributes,omitempty"`
	// Attempt holds the properties that an unfinished or failed create or
	// update was going for.
	Attempt    map[string]any `json:"attempt,omitempty"`
	Generation int            `json:"generation,omitempty"` // counts replacements, part of the generated name
	DependsOn  []string       `json:"dependsOn,omitempty"`
	Deletion   string         `json:"deletionPolicy,omitempty"`
	Replaced   string         `json:"updateReplacePolicy,omitempty"`
	Metadata   any            `json:"metadata,omitempty"`
}

// Event is one entry of a stack's history.
type Event struct {
	ID         string    `json:"id"`
	Time       time.Time `json:"time"`
	LogicalID  string    `json:"logicalId"`
	PhysicalID string    `json:"physicalId,omitempty"`
	Type       string    `json:"type"`
	Status     Status    `json:"status"`
	Reason     string    `json:"reason,omitempty"`
	Token      string    `json:"token,omitempty"`
}

// maxEvents bounds a stack's history; the service keeps 90 days of it.
const maxEvents = 3000

const stackType = "AWS::CloudFormation::Stack"

func (st *Stack) event(now time.Time, r *Resource, status Status, reason string) {
	e := Event{ID: newUUID(), Time: now, Status: status, Reason: reason}
	if st.Operation != nil {
		e.Token = st.Operation.Token
	}
	if r == nil {
		e.LogicalID, e.PhysicalID, e.Type = st.Name, st.ID, stackType
	} else {
		e.LogicalID, e.PhysicalID, e.Type = r.LogicalID, r.PhysicalID, r.Type
	}
	st.Events = append(st.Events, e)
	if over := len(st.Events) - maxEvents; over > 0 {
		st.Events = append([]Event(nil), st.Events[over:]...)
	}
}

func (st *Stack) live() bool { return st.Status != DeleteComplete }

func (st *Stack) export(name string) (string, bool) {
	for _, o := range st.Outputs {
		if o.Export == name {
			return o.Value, true
		}
	}
	return "", false
}

// physicalName is the name that CloudFormation would generate for a resource:
// stack, logical ID and a suffix, cut to max characters. The suffix comes from
// the stack's ID, so that a second attempt finds the same name and a new stack
// of the same name does not.
func physicalName(st *Stack, logicalID string, generation, limit int, lower bool) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", st.ID, logicalID, generation))
	suffix := strings.ToUpper(hex.EncodeToString(sum[:6]))
	prefix := st.Name + "-" + logicalID
	if room := limit - len(suffix) - 1; limit > 0 && len(prefix) > room {
		prefix = strings.TrimRight(prefix[:max(room, 0)], "-")
	}
	name := suffix
	if prefix != "" {
		name = prefix + "-" + suffix
	}
	if limit > 0 && len(name) > limit {
		name = name[len(name)-limit:]
	}
	if lower {
		name = strings.ToLower(name)
	}
	return name
}

// newUUID is a random (version 4) UUID.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, it would end the process
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (r *Resource) clone() *Resource {
	c := *r
	return &c
}

func cloneResources(m map[string]*Resource) map[string]*Resource {
	out := make(map[string]*Resource, len(m))
	for id, r := range m {
		out[id] = r.clone()
	}
	return out
}
