package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// Record describes a process that was started.
type Record struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// Start identifies the process together with its PID.
	Start    string    `json:"start"`
	Since    time.Time `json:"since"`
	Ready    bool      `json:"ready"`
	Restarts int       `json:"restarts"`
	// LastExit is how the run before ended, for example "signal: killed".
	LastExit string `json:"lastExit,omitempty"`
	// Plan is the digest of the plan that the supervisor works on.
	Plan string `json:"plan,omitempty"`
	// Running is filled in when the record is read.
	Running bool `json:"-"`
}

func recordFile(run, name string) string { return filepath.Join(run, name+".pid") }

func (r *Record) save(run string) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return atomicfile.Write(recordFile(run, r.Name), append(raw, '\n'), 0o600)
}

// Read returns the record of a process; it is not running when there is none.
func Read(run, name string) Record {
	r := Record{Name: name}
	raw, err := os.ReadFile(recordFile(run, name))
	if err != nil || json.Unmarshal(raw, &r) != nil {
		return Record{Name: name}
	}
	r.Running = r.alive()
	r.Ready = r.Ready && r.Running
	return r
}

// All returns a record for each process of the plan, after the two guards. It
// is empty before the first `up`.
func All(run string) []Record {
	p, err := LoadPlan(run)
	if err != nil {
		return nil
	}
	out := []Record{Read(run, SupervisorName), Read(run, WatchdogName)}
	for _, x := range p.Processes {
		out = append(out, Read(run, x.Name))
	}
	return out
}

// records returns what is recorded in the run folder, planned or not.
func records(run string) []Record {
	files, err := filepath.Glob(filepath.Join(run, "*.pid"))
	if err != nil {
		return nil
	}
	var out []Record
	for _, f := range files {
		out = append(out, Read(run, strings.TrimSuffix(filepath.Base(f), ".pid")))
	}
	return out
}

func (r *Record) alive() bool {
	return r.PID > 0 && r.Start != "" && startTime(r.PID) == r.Start
}

// signal sends a signal to the process and the group it leads.
func (r *Record) signal(s syscall.Signal) {
	if !r.alive() {
		return
	}
	if err := syscall.Kill(-r.PID, s); err != nil {
		_ = syscall.Kill(r.PID, s)
	}
}

// end stops the processes: SIGTERM, SIGKILL after the grace, and an error for
// what is left half a minute later: a killed process takes a while to write
// back on a busy disk. Records of what ended are removed.
func end(run string, rs []Record, grace time.Duration) error {
	for i := range rs {
		rs[i].signal(syscall.SIGTERM)
	}
	if waitGone(rs, grace) {
		return forget(run, rs)
	}
	for i := range rs {
		rs[i].signal(syscall.SIGKILL)
	}
	waitGone(rs, 30*time.Second)
	return forget(run, rs)
}

func waitGone(rs []Record, limit time.Duration) bool {
	for deadline := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		left := false
		for i := range rs {
			left = left || rs[i].alive()
		}
		if !left || time.Now().After(deadline) {
			return !left
		}
	}
}

func forget(run string, rs []Record) error {
	var all []error
	for i := range rs {
		if rs[i].alive() {
			all = append(all, fmt.Errorf("%s (pid %d) does not end: kill -9 %[2]d", rs[i].Name, rs[i].PID))
			continue
		}
		if err := os.Remove(recordFile(run, rs[i].Name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}
