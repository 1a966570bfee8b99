package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
	"k8s-plus-aws-gitops/local/system/layout"
)

// Result is one run of `cdk deploy`.
type Result struct {
	Number  int       `json:"number"`
	Commit  string    `json:"commit"`
	Subject string    `json:"subject"`
	Started time.Time `json:"started"`
	// Ended is zero while the deployment runs, and stays so when the process
	// that ran it was killed.
	Ended time.Time `json:"ended,omitzero"`
	OK    bool      `json:"ok"`
	// Error is the cause of a failure: the stack event, or the CLI's last words.
	Error string `json:"error,omitempty"`
	// Log is the path of the CLI's output.
	Log string `json:"log"`
}

// keep is how many deployments are remembered.
const keep = 20

func folder(d *layout.Dir) string { return d.Path("deployments") }

func (r *Result) file(d *layout.Dir) string {
	return filepath.Join(folder(d), fmt.Sprintf("%06d.json", r.Number))
}

func (r *Result) save(d *layout.Dir) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(r.file(d), append(raw, '\n'), 0o600)
}

// Results lists the remembered deployments, the oldest first.
func Results(d *layout.Dir) []Result {
	files, err := filepath.Glob(filepath.Join(folder(d), "[0-9]*.json"))
	if err != nil {
		return nil
	}
	slices.Sort(files)
	var out []Result
	for _, f := range files {
		var r Result
		raw, err := os.ReadFile(f)
		if err == nil && json.Unmarshal(raw, &r) == nil {
			out = append(out, r)
		}
	}
	return out
}

// Last returns the newest deployment; false before the first.
func Last(d *layout.Dir) (Result, bool) {
	all := Results(d)
	if len(all) == 0 {
		return Result{}, false
	}
	return all[len(all)-1], true
}

// begin numbers a new deployment, writes it down and forgets old ones.
func begin(d *layout.Dir, r *Result) error {
	all := Results(d)
	r.Number, r.Started = 1, time.Now()
	if len(all) > 0 {
		r.Number = all[len(all)-1].Number + 1
	}
	r.Log = strings.TrimSuffix(r.file(d), ".json") + ".log"
	for len(all) >= keep {
		for _, f := range []string{all[0].file(d), all[0].Log} {
			if err := os.Remove(f); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
		all = all[1:]
	}
	return r.save(d)
}
