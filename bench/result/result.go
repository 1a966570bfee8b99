// Package result is the form of out/bench.json: one line for each figure.
package result

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Line is one figure and what it is held against.
type Line struct {
	// Name says what was measured.
	Name string `json:"name"`
	// Value is the figure, in Unit.
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Against is a peer of the same run, or a target. Empty: a figure that only informs.
	Against string `json:"against"`
	// Ratio is Value by what it is held against; 0 without one.
	Ratio float64 `json:"ratio"`
}

// Of is a figure that is held against a number.
func Of(name string, value float64, unit, against string, number float64) Line {
	l := Line{Name: name, Value: value, Unit: unit, Against: against}
	if number != 0 {
		l.Ratio = value / number
	}
	return l
}

// Median is the middle of the values, the upper one of two; 0 without values.
func Median[T cmp.Ordered](values []T) T {
	if len(values) == 0 {
		var none T
		return none
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// Sizes reads numbers of services.
func Sizes(text string) ([]int, error) {
	var all []int
	for size := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 || n > 9999 {
			return nil, fmt.Errorf("-sizes %q: write numbers from 1 to 9999 with commas", text)
		}
		all = append(all, n)
	}
	return all, nil
}

// Print writes a table.
func Print(out io.Writer, lines []Line) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVALUE\tUNIT\tRATIO\tAGAINST")
	for _, l := range lines {
		ratio := "-"
		if l.Ratio != 0 {
			ratio = fmt.Sprintf("%.2f", l.Ratio)
		}
		fmt.Fprintf(w, "%s\t%.2f\t%s\t%s\t%s\n", l.Name, l.Value, l.Unit, ratio, cmp.Or(l.Against, "-"))
	}
	return w.Flush()
}

// Save writes the lines to a file. Lines that the file has of other names stay, so that one part can be measured again.
func Save(path string, lines []Line) error {
	measured := map[string]bool{}
	for _, l := range lines {
		measured[l.Name+"\x00"+l.Unit] = true
	}
	old, err := load(path)
	if err != nil {
		return err
	}
	old = slices.DeleteFunc(old, func(l Line) bool { return measured[l.Name+"\x00"+l.Unit] })
	data, err := json.MarshalIndent(append(old, lines...), "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644) //nolint:gosec // figures for everybody to read
}

func load(path string) ([]Line, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var lines []Line
	if err := json.Unmarshal(data, &lines); err != nil {
		return nil, fmt.Errorf("%s: %w: remove the file", path, err)
	}
	return lines, nil
}
