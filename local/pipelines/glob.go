package pipelines

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// glob compiles a pattern of a trigger by CodePipeline's rules:
// https://docs.aws.amazon.com/codepipeline/latest/userguide/syntax-glob.html
//
// * stays within a folder, ** crosses folders, ? is one character, [ ] one of a
// set, { } one of several patterns without nesting, \ takes the next character
// as it is. "**/x" asks for a folder: it does not match x at the root.
func glob(pattern string) (*regexp.Regexp, error) {
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
				return nil, badPattern(pattern, `nothing follows the last \`)
			}
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		case c == '[':
			set, length, err := globSet(pattern[i:])
			if err != nil {
				return nil, badPattern(pattern, err.Error())
			}
			b.WriteString(set)
			i += length - 1
		case c == '{' && group:
			return nil, badPattern(pattern, "groups { } cannot be nested")
		case c == '{':
			group = true
			b.WriteString("(?:(?:")
		case c == '}' && group:
			group = false
			b.WriteString("))")
		case c == ',' && group:
			b.WriteString(")|(?:")
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	if group {
		return nil, badPattern(pattern, "{ is not closed")
	}
	re, err := regexp.Compile(b.String() + `)\z`)
	if err != nil {
		return nil, badPattern(pattern, err.Error())
	}
	return re, nil
}

func badPattern(pattern, what string) error {
	return fmt.Errorf("trigger pattern %q: %s; correct it in cdk.json", pattern, what)
}

// globSet translates a set at the beginning of s and tells how long it is.
// Within it *, ? and \ stand for themselves, and a set never matches a slash.
func globSet(s string) (string, int, error) {
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
