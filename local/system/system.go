// Package system brings the whole system up on one machine, and down again:
// the steps of `gitops local up`, the processes they start, and what the
// other `gitops local` commands ask of them.
//
// local/README.md says what is real and what stands in for AWS.
package system

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/internal/atomicfile"
	"k8s-plus-aws-gitops/local/system/layout"
)

// System is the local system of one checkout.
type System struct {
	Dir *layout.Dir
	// Display shows progress; nil is silent.
	Display *progress.Display
	// Executable is the binary that runs the daemons; default: this one.
	Executable string
}

// Open returns the system of a state directory (empty: <repo>/.local) for the
// checkout that holds the working directory, or else for the checkout that
// the state directory was made for.
func Open(state, workDir string) (*System, error) {
	repo, err := checkout.Find(workDir)
	if err != nil {
		if state == "" {
			return nil, err
		}
		if repo = remembered(state); repo == "" {
			return nil, err
		}
	}
	dir, err := layout.Open(state, repo)
	if err != nil {
		return nil, err
	}
	if dir.Ours() {
		if r := remembered(dir.Root); r != "" && r != repo {
			return nil, fmt.Errorf("state directory %s belongs to the checkout %s: name another with --state", dir.Root, r)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &System{Dir: dir, Executable: exe}, nil
}

// remembered is the checkout that a state directory was made for.
func remembered(state string) string {
	var about struct{ Repository string }
	raw, err := os.ReadFile(filepath.Join(state, ".gitops-state"))
	if err != nil || json.Unmarshal(raw, &about) != nil {
		return ""
	}
	return about.Repository
}

// settings is what `up` found out and the daemons need.
type settings struct {
	// FluxOperator is the folder of the flux-operator module.
	FluxOperator string `json:"fluxOperator"`
	// AWS is the AWS CLI for the pipelines' builds.
	AWS string `json:"aws"`
}

func (s *System) settingsFile() string { return s.Dir.Path("run", "settings.json") }

func (s *System) saveSettings(x settings) error {
	raw, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(s.settingsFile(), append(raw, '\n'), 0o600)
}

func (s *System) loadSettings() (settings, error) {
	var x settings
	raw, err := os.ReadFile(s.settingsFile())
	if err != nil {
		return x, fmt.Errorf("%w: run `gitops local up`", err)
	}
	return x, json.Unmarshal(raw, &x)
}

// stopGrace is how long `down` waits for the supervisor to stop everything:
// pods first, the control plane last.
const stopGrace = 60 * time.Second
