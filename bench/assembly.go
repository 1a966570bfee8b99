package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"k8s-plus-aws-gitops/bench/result"
)

// made is what a synthesis made. CloudFormation has limits on the size of a stack and of its template.
type made struct {
	stacks, resources, exports int
	// largest are the resources of the stack that has most, and bytes those of the largest template.
	largest, bytes int
}

// assembly reads the templates below a folder.
func assembly(dir string) (made, error) {
	var m made
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".template.json") {
			return err
		}
		var template struct {
			Resources map[string]json.RawMessage
			Outputs   map[string]struct{ Export json.RawMessage }
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &template)
		}
		m.stacks++
		m.resources += len(template.Resources)
		m.largest, m.bytes = max(m.largest, len(template.Resources)), max(m.bytes, len(data))
		for _, output := range template.Outputs {
			if output.Export != nil {
				m.exports++
			}
		}
		return err
	})
	return m, err
}

// lines are the figures.
func (m made) lines(name string) []result.Line {
	var lines []result.Line
	for _, l := range []struct {
		unit  string
		value int
	}{
		{"resources", m.resources}, {"stacks", m.stacks}, {"resources of the largest stack", m.largest},
		{"KiB of the largest template", m.bytes >> 10}, {"exports", m.exports},
	} {
		lines = append(lines, result.Line{Name: name, Value: float64(l.value), Unit: l.unit})
	}
	return lines
}
