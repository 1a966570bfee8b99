package pipelines

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// Event is something that may start pipelines. Events are files, so that the
// Git server and the command line can leave them while the runner is away.
type Event struct {
	// Ref was pushed; Before and After are as in a Git hook.
	Ref    string `json:"ref,omitempty"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Start names a pipeline that a person starts.
	Start string `json:"start,omitempty"`

	file string
}

func eventFolder(root string) string { return filepath.Join(root, "events") }

// Record leaves an event for the runner. Their names keep the order.
func Record(root string, e Event) error {
	_, err := record(root, e)
	return err
}

// record returns the event's file, of which the ids of its executions are made.
func record(root string, e Event) (string, error) {
	if err := os.MkdirAll(eventFolder(root), 0o700); err != nil {
		return "", err
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("%020d-%.12s.json", time.Now().UnixNano(), strings.NewReplacer("/", "-", ".", "-").Replace(e.After+e.Start))
	file := filepath.Join(eventFolder(root), name)
	return file, atomicfile.Write(file, append(raw, '\n'), 0o600)
}

// events lists what was left, the oldest first.
func events(root string) ([]Event, error) {
	files, err := filepath.Glob(filepath.Join(eventFolder(root), "[0-9]*.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var all []Event
	for _, f := range files {
		e := Event{file: f}
		raw, err := os.ReadFile(f)
		if err == nil {
			err = json.Unmarshal(raw, &e)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: remove it", f, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// state is what the runner remembers beside the executions.
type state struct {
	// Refs are the commits up to which pushes were looked at.
	Refs map[string]string `json:"refs"`
	// Definitions are the digests of the pipelines as last seen.
	Definitions map[string]string `json:"definitions"`
}

func stateFile(root string) string { return filepath.Join(root, "state.json") }

func loadState(root string) (state, error) {
	s := state{Refs: map[string]string{}, Definitions: map[string]string{}}
	raw, err := os.ReadFile(stateFile(root))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w: remove it", stateFile(root), err)
	}
	return s, nil
}

func (s state) save(root string) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(stateFile(root), append(raw, '\n'), 0o600)
}

// Seen is the commit of a ref up to which the runner has started pipelines.
func Seen(root, ref string) (string, error) {
	s, err := loadState(root)
	return s.Refs[ref], err
}

// Names are the pipelines that the runner knows.
func Names(root string) ([]string, error) {
	s, err := loadState(root)
	return slices.Sorted(maps.Keys(s.Definitions)), err
}
