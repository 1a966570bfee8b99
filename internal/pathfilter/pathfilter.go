// Package pathfilter matches branches, tags and file paths as the triggers of CodePipeline do.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/syntax-glob.html
package pathfilter

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Any tells whether one of the patterns matches the whole name. The error names the pattern that is none.
func Any(patterns []string, name string) (bool, error) {
	for _, p := range patterns {
		expression, err := Compile(p)
		if err != nil {
			return false, fmt.Errorf("trigger pattern %q: %w; correct it in cdk.json", p, err)
		}
		if expression.MatchString(name) {
			return true, nil
		}
	}
	return false, nil
}

// Compile makes a regular expression of a pattern, or says what is wrong with it.
//
// * stays within a folder, ** crosses folders, ? is one character, [ ] one of a
// set, { } one of several patterns without nesting, \ takes the next character
// as it is. "**/x" asks for a folder: it does not match x at the root.
func Compile(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`\A(?s:`)
	group := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*' && strings.HasPrefix(pattern[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '\\':
			if i++; i == len(pattern) {
				return nil, errors.New(`nothing follows the last \`)
			}
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		case c == '[':
			members, length, err := set(pattern[i:])
			if err != nil {
				return nil, err
			}
			b.WriteString(members)
			i += length - 1
		case c == '{' && group:
			return nil, errors.New("groups { } cannot be nested")
		case c == '{':
			group = true
			b.WriteString("(?:(?:")
		case c == '}' && group:
			group = false
			b.WriteString("))")
		case c == '}':
			return nil, errors.New("} closes nothing")
		case c == ']':
			return nil, errors.New("] closes nothing")
		case c == ',' && group:
			b.WriteString(")|(?:")
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	if group {
		return nil, errors.New("{ is not closed")
	}
	return regexp.Compile(b.String() + `)\z`)
}

// set translates a set at the beginning of s and tells how long it is.
// Within it *, ? and \ stand for themselves, and a set never matches a slash.
func set(s string) (string, int, error) {
	i, not := 1, ""
	if strings.HasPrefix(s[i:], "!") {
		i, not = i+1, "^/"
	}
	end := strings.IndexByte(s[i:], ']')
	if end <= 0 {
		return "", 0, errors.New("[ is not closed, or is empty")
	}
	members := s[i : i+end]
	if strings.Contains(members, "/") {
		return "", 0, errors.New("a set [ ] cannot hold a slash")
	}
	quoted := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `^`, `\^`, `&`, `\&`).Replace(members)
	if strings.HasPrefix(quoted, "-") {
		quoted = `\` + quoted
	}
	return "[" + not + quoted + "]", i + end + 1, nil
}
