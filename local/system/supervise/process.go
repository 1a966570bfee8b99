// Package supervise keeps the processes of a local system running. A
// supervisor starts them in order and restarts what exits; a watchdog and the
// supervisor restart each other, so that no single kill stops the system.
//
// Everything the two must agree on is in one folder: the wanted processes
// (processes.json), a record per running process (NAME.pid) with the start
// time that tells it from a later process with the same id, one lock file for
// each guard, and the file `stop` while a stop is wanted.
package supervise

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// Names of the two guards, for their records, locks and logs.
const (
	SupervisorName = "supervisor"
	WatchdogName   = "watchdog"
)

// StateVariable is set to the state directory in the environment of every
// supervised process, so that one which outlives its parent can be found.
const StateVariable = "GITOPS_STATE"

// Process is a process that should run.
type Process struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Dir     string   `json:"dir,omitempty"`
	// Env is added to the supervisor's environment.
	Env []string `json:"env,omitempty"`
	// After are names of processes that must be ready before this one starts.
	After []string `json:"after,omitempty"`
	// Ready is probed until it answers: tcp://HOST:PORT, or an http URL that
	// must return a status below 400. Empty: ready once started.
	Ready string `json:"ready,omitempty"`
	// Grace is the time between SIGTERM and SIGKILL; 10 s when zero.
	Grace time.Duration `json:"grace,omitempty"`
	// Digest changes when the program behind Command did, so that a running
	// process of the old one is replaced.
	Digest string `json:"digest,omitempty"`
}

// Plan is what processes.json holds.
type Plan struct {
	// State is the state directory, see StateVariable.
	State string `json:"state"`
	// Logs is the folder of NAME.log.
	Logs string `json:"logs"`
	// Supervisor and Watchdog are the commands that run the two guards.
	Supervisor []string  `json:"supervisor"`
	Watchdog   []string  `json:"watchdog"`
	Processes  []Process `json:"processes"`
}

// SavePlan writes the plan to the run folder after checking it.
func SavePlan(run string, p *Plan) error {
	if _, err := p.levels(); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(planFile(run), append(raw, '\n'), 0o600)
}

// LoadPlan reads the plan of the run folder.
func LoadPlan(run string) (*Plan, error) {
	raw, err := os.ReadFile(planFile(run))
	if err != nil {
		return nil, err
	}
	p := &Plan{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, fmt.Errorf("%s: %w: run `gitops local up`", planFile(run), err)
	}
	return p, nil
}

// digest identifies what the plan says.
func (p *Plan) digest() string {
	raw, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func planFile(run string) string { return filepath.Join(run, "processes.json") }

// levels orders the processes: each is in a later level than those it starts
// after. Unknown names and circles are errors.
func (p *Plan) levels() ([][]Process, error) {
	var out [][]Process
	placed := map[string]bool{}
	for rest := slices.Clone(p.Processes); len(rest) > 0; {
		var level, later []Process
		for _, x := range rest {
			if slices.ContainsFunc(x.After, func(a string) bool { return !placed[a] }) {
				later = append(later, x)
			} else {
				level = append(level, x)
			}
		}
		if len(level) == 0 {
			return nil, fmt.Errorf("process %s starts after %s, which never starts", rest[0].Name, strings.Join(rest[0].After, ", "))
		}
		for _, x := range level {
			placed[x.Name] = true
		}
		out, rest = append(out, level), later
	}
	return out, nil
}
