package services

import (
	"cmp"
	"regexp"
	"strings"
)

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
			unknown = cmp.Or(unknown, found)
		}
		return value
	})
	return expanded, unknown
}
