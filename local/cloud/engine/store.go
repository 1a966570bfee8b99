package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// store keeps one JSON file per stack. A file is replaced by a rename, so that
// it is whole whenever the process dies; it is not synced to the disk, because
// `make local` rebuilds a state that a power cut lost.
type store struct{ dir string }

func (s store) path(st *Stack) string {
	return filepath.Join(s.dir, st.Name+"-"+st.ID[strings.LastIndexByte(st.ID, '/')+1:]+".json")
}

func (s store) save(st *Stack) error {
	b, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("stack %s: %w", st.Name, err)
	}
	path := s.path(st)
	if err := os.WriteFile(path+".tmp", b, 0o600); err != nil {
		return fmt.Errorf("save stack %s: %w", st.Name, err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("save stack %s: %w", st.Name, err)
	}
	return nil
}

func (s store) remove(st *Stack) error {
	err := os.Remove(s.path(st))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (s store) load() ([]*Stack, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("CloudFormation state: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var out []*Stack
	for _, f := range files {
		b, err := os.ReadFile(f) //nolint:gosec // our own directory
		if err != nil {
			return nil, fmt.Errorf("CloudFormation state: %w", err)
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		st := &Stack{}
		if err := d.Decode(st); err != nil || st.ID == "" {
			return nil, fmt.Errorf("CloudFormation state: %s is damaged (%w): remove the file, or run `make local-reset`", f, err)
		}
		if st.Resources == nil {
			st.Resources = map[string]*Resource{}
		}
		if st.ChangeSets == nil {
			st.ChangeSets = map[string]*ChangeSet{}
		}
		out = append(out, st)
	}
	return out, nil
}
