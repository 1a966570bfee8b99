package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// store keeps one JSON file per stack, whole whenever the process dies.
type store struct{ dir string }

func (s store) path(st *Stack) string {
	return filepath.Join(s.dir, st.Name+"-"+st.ID[strings.LastIndexByte(st.ID, '/')+1:]+".json")
}

func (s store) save(st *Stack) error {
	return atomicfile.WriteJSON(s.path(st), st)
}

func (s store) remove(st *Stack) error {
	err := os.Remove(s.path(st))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (s store) load() ([]*Stack, error) {
	files, err := filepath.Glob(filepath.Join(s.dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var out []*Stack
	for _, f := range files {
		st := &Stack{Resources: map[string]*Resource{}, ChangeSets: map[string]*ChangeSet{}}
		if err := atomicfile.ReadJSON(f, st); err != nil {
			return nil, fmt.Errorf("CloudFormation state: %w", err)
		}
		out = append(out, st)
	}
	return out, nil
}
