// Package rehearsal is the result of a rehearsal: a change that was merged, held and reverted in a system of its own before it is
// merged for good. It judges what was observed, and writes it for people and programs. The laboratory makes results; nothing here
// needs it.
package rehearsal

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// Exit codes of a rehearsal.
const (
	ExitVerified    = 0
	ExitBroke       = 1
	ExitCouldNotRun = 2
)

// Verdict is how a rehearsal ended.
type Verdict string

// The verdicts.
const (
	// Verified says that both halves came to the change and back, and nothing that a user notices went wrong.
	Verified Verdict = "verified"
	// Broke says that the change did harm; Result.Cause says which.
	Broke Verdict = "broke"
	// CouldNotRun says nothing about the change: the base did not come up, or the machine failed.
	CouldNotRun Verdict = "could-not-run"
)

// Phase is a part of a rehearsal's time.
type Phase string

// The phases, in their order. What is said in Before is the base's own, and no finding.
const (
	Before Phase = "before"       // the base, before the merge
	Merge  Phase = "merge"        // from the merge until Verify
	Second Phase = "second merge" // of two, until Verify
	Hold   Phase = "hold"         // the change is live
	Revert Phase = "revert"       // from the revert's push until Verify
	After  Phase = "after"        // the base again
)

// Phases are all phases in their order.
func Phases() []Phase { return []Phase{Before, Merge, Second, Hold, Revert, After} }

// State is how a stage or a half ended; empty when it was not reached.
type State string

// The states.
const (
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Skipped   State = "skipped"
)

// Result is what a rehearsal found. Judge sets its verdict.
type Result struct {
	Environment string `json:"environment"`
	// Base and Commit are commits: the one that the change was merged onto, and the change's own.
	Base   string `json:"base"`
	Commit string `json:"commit"`
	// Started in UTC.
	Started time.Time `json:"started"`
	Verdict Verdict   `json:"verdict"`
	// Cause is the first that broke, or why the rehearsal could not run; empty when it verified.
	Cause string `json:"cause,omitempty"`
	// Findings are all that Judge found, what broke first.
	Findings []Finding `json:"findings,omitempty"`
	Merge    Half      `json:"merge"`
	// Second is the merge on top of the first; nil where there is none. Order then names both.
	Second *Half    `json:"second,omitempty"`
	Order  []string `json:"order,omitempty"`
	// HeldSeconds is how long the change was live before the revert.
	HeldSeconds float64 `json:"heldSeconds"`
	Revert      Half    `json:"revert"`
	// Checks are what an upgrade breaks by what is written in it, before anything runs.
	Checks []Finding `json:"checks,omitempty"`
	// Data are the databases that were filled before the merge.
	Data []Data `json:"data,omitempty"`
	Observations
	// With is the other pull request of a rehearsal of two, which has a result for each order, or Conflicts.
	With      string     `json:"with,omitempty"`
	Orders    []*Result  `json:"orders,omitempty"`
	Conflicts []Conflict `json:"conflicts,omitempty"`
	// CannotShow is what no rehearsal shows.
	CannotShow []string `json:"cannotShow"`
	// Substitutions are what was otherwise than in Environment, which ran in the place of environment local.
	Substitutions []Substitution `json:"substitutions,omitempty"`
}

// Substitution is one thing that an environment has and the laboratory cannot have.
type Substitution struct {
	// Path is a key below the environment in cdk.json, or a file.
	Path string `json:"path"`
	// From is the environment's own value, To what ran in its place.
	From string `json:"from"`
	To   string `json:"to"`
	Why  string `json:"why"`
	// Changed says that the change is of this, too: that part of it was not rehearsed.
	Changed bool `json:"changed,omitempty"`
}

func (s Substitution) String() string {
	text := s.Path + ": " + s.From + " → " + s.To + ": " + s.Why
	if s.Changed {
		text += ". The change is of it, too, and that was not rehearsed"
	}
	return text
}

// otherwise is the list of substitutions with its title.
func (r *Result) otherwise() (title string, lines []string) {
	for _, s := range r.Substitutions {
		lines = append(lines, s.String())
	}
	return fmt.Sprintf("Otherwise than in %s: %d", r.Environment, len(lines)), lines
}

// Half is the way to a commit: the merge's or the revert's.
type Half struct {
	// Commit that the environment's branch was moved to.
	Commit string `json:"commit,omitempty"`
	// Seconds from the push until both halves were at the commit, or until it failed.
	Seconds float64 `json:"seconds"`
	State   State   `json:"state,omitempty"`
	// Cause says why it failed where no stage says it.
	Cause  string  `json:"cause,omitempty"`
	Stages []Stage `json:"stages,omitempty"`
}

// Data is what a database got before the merge.
type Data struct {
	Database string `json:"database"`
	Rows     int64  `json:"rows"`
	// Bytes of all its tables and indexes.
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

// String says it in a line.
func (d Data) String() string {
	return fmt.Sprintf("%s: %s rows, %.1f MB with indexes, in %s", d.Database, grouped(int(d.Rows)), float64(d.Bytes)/1e6, seconds(d.Seconds))
}

// Stage is one of the environment's pipeline.
type Stage struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	State   State   `json:"state,omitempty"`
	Cause   string  `json:"cause,omitempty"`
}

// Observations are what was seen from outside while the change was merged, held and reverted.
type Observations struct {
	// Hosts by name: all that an Ingress names, in any phase.
	Hosts []Host `json:"hosts,omitempty"`
	// Restarts of containers and evictions of pods.
	Restarts []Restart `json:"restarts,omitempty"`
	// Events are Kubernetes events of type Warning that the base does not have.
	Events []Event `json:"events,omitempty"`
	// Errors are lines of errors in logs that the base does not have.
	Errors []LogLine `json:"errors,omitempty"`
	// Unhealthy are target groups of the load balancer of which every target failed its health check.
	Unhealthy []Unhealthy `json:"unhealthy,omitempty"`
	// Migrations are the Jobs that ran.
	Migrations []Migration `json:"migrations,omitempty"`
	// AWS are resources of CloudFormation, Kubernetes the objects that Flux applies.
	AWS        Changes `json:"aws"`
	Kubernetes Changes `json:"kubernetes"`
	// Refused are the calls that AWS would have refused.
	Refused []Refusal `json:"refused,omitempty"`
	// Unseen is what could not be looked at, and why: a rehearsal that is blind somewhere says so.
	Unseen []string `json:"unseen,omitempty"`
}

// Host is a public name, asked all the time.
type Host struct {
	Name string `json:"name"`
	// URL that was asked.
	URL string `json:"url"`
	// Periods by phase; a phase in which the host did not exist is left out.
	Periods []Period `json:"periods"`
	// FirstLost is the first request that was lost after Before.
	FirstLost *Loss `json:"firstLost,omitempty"`
	// Session is how a signed-in user fares: cookies kept, and a connection kept open.
	Session Session `json:"session"`
	// Added and Removed say that an Ingress with the host came or went with the change.
	Added   bool `json:"added,omitempty"`
	Removed bool `json:"removed,omitempty"`
}

// Period is the requests to a host in a phase. Latencies, in milliseconds, are of those that were answered.
type Period struct {
	Phase    Phase   `json:"phase"`
	Requests int     `json:"requests"`
	Lost     int     `json:"lost"`
	P50      float64 `json:"p50Ms"`
	P95      float64 `json:"p95Ms"`
}

// Loss is a request that got no answer, or a wrong one.
type Loss struct {
	Phase Phase `json:"phase"`
	// Seconds since the phase began.
	Seconds float64 `json:"seconds"`
	// Said is the status, or the error.
	Said string `json:"said"`
}

// Session is one client's cookies and connection.
type Session struct {
	// Kept is false when a cookie that the base gave was taken back or given anew, or when the connection broke under a request.
	Kept bool `json:"kept"`
	// Why it was not kept.
	Why string `json:"why,omitempty"`
	// Phase in which it was lost.
	Phase Phase `json:"phase,omitempty"`
	// Reconnects are connections that the server closed between two requests, which a client does not notice.
	Reconnects int `json:"reconnects,omitempty"`
}

// Where is an object of Kubernetes; Namespace is empty for what has none.
type Where struct {
	Namespace string `json:"namespace,omitempty"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
}

func (w Where) String() string { return strings.TrimPrefix(w.Namespace+"/"+w.Kind+"/"+w.Name, "/") }

// Restart is a container that started again, or an evicted pod, by the workload that made it.
type Restart struct {
	Where
	Container string `json:"container,omitempty"`
	Phase     Phase  `json:"phase"`
	Count     int    `json:"count"`
	// Reason is Kubernetes': OOMKilled, Error with its exit code, Evicted.
	Reason string `json:"reason"`
}

// Event is a Warning about an object: of a pod, about the workload that made it.
type Event struct {
	Where
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Count   int    `json:"count"`
	// First and Last are the phases in which it was said.
	First Phase `json:"first"`
	Last  Phase `json:"last"`
}

// LogLine is a line of a container's log; lines that differ in numbers, times and ids are one.
type LogLine struct {
	Where
	Container string `json:"container"`
	// Text of the first of them.
	Text  string `json:"text"`
	Count int    `json:"count"`
	First Phase  `json:"first"`
	Last  Phase  `json:"last"`
}

// Unhealthy is a Service of which every pod failed the load balancer's health check. AWS then sends requests to all of them, so that
// users notice nothing; pods that come are not ready before they pass it.
type Unhealthy struct {
	Where
	// Phase in which it began.
	Phase   Phase   `json:"phase"`
	Seconds float64 `json:"seconds"`
	// Reason of one of them.
	Reason string `json:"reason,omitempty"`
}

// Migration is a Job that ran because of the change.
type Migration struct {
	Where
	Seconds float64 `json:"seconds"`
	State   State   `json:"state"`
	// LockedSeconds is the longest time that a statement of another client waited for it; 0 when it was not measured.
	LockedSeconds float64 `json:"lockedSeconds,omitempty"`
	Phase         Phase   `json:"phase"`
}

// Changes compares three looks: at the base, at the change, and after the revert.
type Changes struct {
	// Made, Changed and Removed are the change's.
	Made    []string `json:"made,omitempty"`
	Changed []string `json:"changed,omitempty"`
	Removed []string `json:"removed,omitempty"`
	// Left is what the revert left: made and still there, or changed and not as before. Missing is what did not come back.
	Left    []string `json:"left,omitempty"`
	Missing []string `json:"missing,omitempty"`
	// Kept is what a DeletionPolicy keeps on purpose, such as a database with data.
	Kept []string `json:"kept,omitempty"`
	// Stays are stacks of the change: the revert takes them out of the app, and no deployment destroys a stack.
	Stays []string `json:"stays,omitempty"`
}

// Refusal is a call of a pod that its role does not allow.
type Refusal struct {
	// ServiceAccount as namespace/name.
	ServiceAccount string `json:"serviceAccount"`
	Role           string `json:"role,omitempty"`
	// Action as policies have it: s3:GetObject.
	Action   string `json:"action"`
	Resource string `json:"resource,omitempty"`
	Count    int    `json:"count"`
}

// CannotShow is what a rehearsal on one machine does not show.
func CannotShow() []string {
	return []string{
		"real capacity: nodes, sizes of databases and caches, load",
		"the network's packets: security groups, NAT, routes, certificates of AWS",
		"AWS's own delays, quotas and throttling",
		"images that the laboratory does not run as programs",
	}
}

// ReadFile reads a result as JSON.
func ReadFile(file string) (*Result, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &Result{}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("%s must be the JSON that `gitops rehearse -o json` writes: %w", file, err)
	}
	switch r.Verdict {
	case Verified, Broke:
		if r.Commit == "" {
			return nil, fmt.Errorf("%s: commit must be that of the change where the verdict is %s, got none; run `gitops rehearse -o json` again", file, r.Verdict)
		}
		return r, nil
	case CouldNotRun:
		return r, nil
	default:
		return nil, fmt.Errorf("%s: verdict must be %s, %s or %s, got %q", file, Verified, Broke, CouldNotRun, r.Verdict)
	}
}

// ExitCode is the exit code of the verdict. A result that nobody judged is none.
func (r *Result) ExitCode() int {
	switch r.Verdict {
	case Verified:
		return ExitVerified
	case Broke:
		return ExitBroke
	default:
		return ExitCouldNotRun
	}
}
