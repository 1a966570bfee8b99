package config

import (
	"fmt"
	"slices"
	"strings"
)

// report collects problems.
type report struct {
	problems Problems
	// absent are the paths without a value: what is missing there, or has another type.
	absent map[string]bool
}

// at returns a place from which rules go on.
func (r *report) at(path string) field { return field{report: r, path: path} }

// field is a place in the configuration, and where its problems go. It skips itself: a rule judges the value without asking
// whether there is one, and add drops what is said of a value that is not there. Kubernetes' field.Path gave the idea.
type field struct {
	report *report
	path   string
	parent *field
}

// key is the value of a key in the field.
func (f field) key(name string) field { return field{f.report, f.path + "." + name, &f} }

// index is an item of the field, a list.
func (f field) index(i int) field { return field{f.report, fmt.Sprintf("%s[%d]", f.path, i), &f} }

// add notes a problem, unless the field has no value, or a problem already: the first makes the others hard to judge.
func (f field) add(remedy, format string, args ...any) {
	if f.isAbsent() || slices.ContainsFunc(f.report.problems, func(p Problem) bool { return p.Path == f.path }) {
		return
	}
	f.report.problems = append(f.report.problems, Problem{Path: f.path, What: fmt.Sprintf(format, args...), Remedy: remedy})
}

// reject notes the problem of a field that has no value for it: nothing more will be said of it, or of what would be in it.
func (f field) reject(remedy, format string, args ...any) {
	f.add(remedy, format, args...)
	if f.report.absent == nil {
		f.report.absent = map[string]bool{}
	}
	f.report.absent[f.path] = true
}

// isAbsent reports whether the field, or one that would hold it, was rejected.
func (f field) isAbsent() bool {
	return f.report.absent[f.path] || f.parent != nil && f.parent.isAbsent()
}

// reported reports whether the field is absent, or has a problem, or has one inside. A rule asks it of the fields that it
// compares its own with.
func (f field) reported() bool {
	return f.isAbsent() || slices.ContainsFunc(f.report.problems, func(p Problem) bool {
		rest, in := strings.CutPrefix(p.Path, f.path)
		return in && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// once notes an item that is in a list for the second time.
func (f field) once(list []string, i int) {
	if slices.Index(list, list[i]) < i {
		f.add("remove one", "must be there once, got %q twice", list[i])
	}
}

// oneOf checks an enumeration.
func (f field) oneOf(value string, known ...string) {
	if !slices.Contains(known, value) {
		f.add(Suggest(value, known), "must be a known value, got %q", value)
	}
}

// between checks a number.
func (f field) between(value, low, high int) {
	switch {
	case value < low:
		f.add(fmt.Sprintf("raise it to %d or more", low), "must be from %d to %d, got %d", low, high, value)
	case value > high:
		f.add(fmt.Sprintf("lower it to %d or less", high), "must be from %d to %d, got %d", low, high, value)
	}
}

// retention checks a number of days against the periods of CloudWatch Logs.
func (f field) retention(days int) {
	i, found := slices.BinarySearch(retentionDays, days)
	if !found {
		next := retentionDays[min(i, len(retentionDays)-1)]
		f.add(fmt.Sprintf("use %d", next), "must be a number of days that CloudWatch Logs offers, got %d", days)
	}
}
