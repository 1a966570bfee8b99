package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with the configuration.
type Problem struct {
	Path   string // JSON path, from context.gitops
	What   string // what is wrong
	Remedy string // what to do about it
}

// String is the problem on one line: path, what is wrong, remedy.
func (p Problem) String() string {
	line := p.Path + ": " + p.What
	if p.Remedy != "" {
		line += "; " + p.Remedy
	}
	// A value quoted from the file may hold anything; a problem stays one line.
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, line)
}

// Problems is the error that Load returns: every problem found, in the order of their paths.
type Problems []Problem

// Error has one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// report collects problems.
type report struct{ problems Problems }

// add notes a problem at path.
func (r *report) add(path, remedy, format string, args ...any) {
	r.problems = append(r.problems, Problem{Path: path, What: fmt.Sprintf(format, args...), Remedy: remedy})
}

// under tells whether a problem at path or below was noted.
func (r *report) under(path string) bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool {
		return p.Path == path || strings.HasPrefix(p.Path, path+".") || strings.HasPrefix(p.Path, path+"[")
	})
}

// err returns the problems sorted by path, or nil.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return cmp.Compare(a.Path, b.Path) })
	return r.problems
}

// aliases are words that other tools use for a value.
var aliases = map[string]string{"amd64": string(X8664), "aarch64": string(ARM64)}

// suggest returns "did you mean …" for the candidate nearest to word, or the list of candidates if it is short.
func suggest(word string, candidates []string) string {
	best, distance := "", len(word)/2+1
	for _, candidate := range candidates {
		d := editDistance(strings.ToLower(word), strings.ToLower(candidate))
		if len(word) > 2 && strings.HasPrefix(candidate, word) {
			d = min(d, 1)
		}
		if aliases[word] == candidate {
			d = 0
		}
		if d < distance {
			best, distance = candidate, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(candidates) > 16:
		return fmt.Sprintf("use one like %q; docs/configuration.md tells more", candidates[len(candidates)/2])
	default:
		return "use one of " + strings.Join(candidates, ", ")
	}
}

// editDistance is the Levenshtein distance of a and b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
