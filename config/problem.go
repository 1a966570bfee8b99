package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with what users write: cdk.json, or a file that the tool reads.
type Problem struct {
	// File is relative to the repository. Empty: the configuration, which the CDK may hand over without its file.
	File string
	// Line in File; 0 if the problem is about all of it.
	Line int
	// Path of the keys, for example context.gitops.environments.dev.account.
	Path string
	// What is wrong, and the Remedy.
	What, Remedy string
}

// String is the problem on one line: where, what is wrong, remedy.
func (p Problem) String() string {
	var parts []string
	switch {
	case p.Line > 0:
		parts = append(parts, fmt.Sprintf("%s:%d", p.File, p.Line))
	case p.File != "":
		parts = append(parts, p.File)
	}
	if p.Path != "" {
		parts = append(parts, p.Path)
	}
	line := strings.Join(append(parts, p.What), ": ")
	if p.Remedy != "" {
		line += "; " + p.Remedy
	}
	// A value quoted from the file may hold anything; a problem stays one line.
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, line)
}

// Problems is an error of every problem found, not only the first.
type Problems []Problem

// Error has one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the problems sorted, or nil if there is none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p.Sorted()
}

// Sorted orders the problems by file, line and path, and keeps one of equal ones.
func (p Problems) Sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path), cmp.Compare(a.What, b.What))
	})
	return slices.CompactFunc(p, func(a, b Problem) bool {
		return a.File == b.File && a.Line == b.Line && a.Path == b.Path && a.What == b.What
	})
}

// aliases are words that other tools use for a value.
var aliases = map[string]string{"amd64": string(X8664), "aarch64": string(ARM64)}

// Suggest returns the remedy for a word that is none of the candidates: "did you mean …" the nearest, or the list if it is
// short.
func Suggest(word string, candidates []string) string {
	best := nearest(word, candidates)
	if alias := aliases[word]; slices.Contains(candidates, alias) {
		best = alias
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(candidates) == 0:
		return "remove it"
	case len(candidates) > 16:
		return fmt.Sprintf("use one like %q", candidates[len(candidates)/2])
	default:
		return "use one of " + strings.Join(candidates, ", ")
	}
}
