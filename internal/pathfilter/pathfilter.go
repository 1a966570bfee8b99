// Package pathfilter matches branches and file paths as the triggers of CodePipeline do.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/syntax-glob.html
package pathfilter

import (
	"regexp"
	"slices"
	"strings"
)

// Any tells whether one of the patterns matches the name.
func Any(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Match(p, name) })
}

// Match tells whether the pattern matches the whole name: * stays inside a folder, ** does not, ? is one character,
// [a-z] one of them ([!a] none), {a,b} either.
func Match(pattern, name string) bool {
	expression, err := regexp.Compile("^" + translate(pattern) + "$")
	return err == nil && expression.MatchString(name)
}

// translate turns a pattern into a regular expression.
func translate(pattern string) string {
	var out strings.Builder
	depth := 0
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i:]
		switch c := pattern[i]; {
		case strings.HasPrefix(rest, "**"):
			out.WriteString(".*")
			i++
		case c == '*':
			out.WriteString("[^/]*")
		case c == '?':
			out.WriteString("[^/]")
		case c == '[' && strings.Contains(rest, "]"):
			end := strings.IndexByte(rest, ']')
			set := rest[1:end]
			if negated, ok := strings.CutPrefix(set, "!"); ok {
				set = "^" + negated
			}
			out.WriteString("[" + set + "]")
			i += end
		case c == '{':
			out.WriteString("(?:")
			depth++
		case c == '}' && depth > 0:
			out.WriteString(")")
			depth--
		case c == ',' && depth > 0:
			out.WriteString("|")
		default:
			out.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return out.String()
}
