package services

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Problem is one thing wrong with a file.
type Problem struct {
	// File relative to the repository, and Line in it; 0 if it is about the whole file.
	File string
	Line int
	// What is wrong, and the Remedy.
	What, Remedy string
}

// String is the problem on one line.
func (p Problem) String() string {
	at := p.File
	if p.Line > 0 {
		at = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	line := at + ": " + p.What
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

// Problems is the error that Load returns: every problem, in the order of files and lines.
type Problems []Problem

// Error has one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// err returns the problems sorted and without repetitions, or nil.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p.sorted()
}

func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.What, b.What))
	})
	// What holds in several environments is said once.
	return slices.CompactFunc(p, func(a, b Problem) bool { return a.File == b.File && a.Line == b.Line && a.What == b.What })
}

// suggest names the candidate nearest to word, or all of them.
func suggest(word string, candidates []string) string {
	best, distance := "", len(word)/2+1
	for _, candidate := range candidates {
		if d := editDistance(strings.ToLower(word), strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "use one of " + strings.Join(candidates, ", ")
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

// variable matches ${NAME}, and $${NAME}, which stands for the text ${NAME}.
var variable = regexp.MustCompile(`\$?\$\{[^}]*\}?`)

// expand replaces ${NAME}. The second result names the first variable that is not known.
func expand(text string, variables map[string]string) (expanded, unknown string) {
	if !strings.Contains(text, "${") {
		return text, ""
	}
	expanded = variable.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "$$") {
			return found[1:]
		}
		value, known := variables[strings.TrimSuffix(found[2:], "}")]
		if !known || !strings.HasSuffix(found, "}") {
			unknown = first(unknown, found)
		}
		return value
	})
	return expanded, unknown
}
