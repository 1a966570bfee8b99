// Package environment adds environments to the repository and takes them away: their entry in cdk.json, and their folder
// below k8s/clusters.
package environment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// member is a key and its value in the text of a JSON object.
type member struct {
	key        string
	start, end int // of key and value
	value      json.RawMessage
}

// members lists the members of the object that begins at an offset.
func members(content []byte, offset int) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(content[offset:]))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, fmt.Errorf("cdk.json: must have an object at byte %d: %w", offset, err)
	}
	var list []member
	for decoder.More() {
		from := offset + int(decoder.InputOffset())
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: fmt.Sprint(token), start: from + bytes.IndexByte(content[from:], '"')}
		if err := decoder.Decode(&m.value); err != nil {
			return nil, err
		}
		m.end = offset + int(decoder.InputOffset())
		list = append(list, m)
	}
	_, err := decoder.Token()
	return list, err
}

// environments finds the members of context.gitops.environments, and where that object begins.
func environments(content []byte) (list []member, begin int, err error) {
	begin = bytes.IndexByte(content, '{')
	if begin < 0 {
		return nil, 0, errors.New("cdk.json: must be an object in braces; correct the JSON")
	}
	for _, key := range []string{"context", "gitops", "environments"} {
		if list, err = members(content, begin); err != nil {
			return nil, 0, err
		}
		i := slices.IndexFunc(list, func(m member) bool { return m.key == key })
		if i < 0 {
			return nil, 0, fmt.Errorf("cdk.json: has no %q; run in a checkout of the platform", key)
		}
		begin = list[i].end - len(list[i].value)
	}
	list, err = members(content, begin)
	return list, begin, err
}

// insert adds a member behind the last, in the file's own indentation. All else stays as it is.
func insert(content []byte, name string, fields []field) ([]byte, error) {
	list, begin, err := environments(content)
	if err != nil {
		return nil, err
	}
	at, indent, comma := begin+1, "        ", ""
	if len(list) > 0 {
		last := list[len(list)-1]
		at, comma = last.end, ","
		indent = string(content[bytes.LastIndexByte(content[:last.start], '\n')+1 : last.start])
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n%s%q: {\n", comma, indent, name)
	for i, f := range fields {
		separator := ","
		if i == len(fields)-1 {
			separator = ""
		}
		fmt.Fprintf(&text, "%s  %q: %s%s\n", indent, f.key, compact(f.value), separator)
	}
	text.WriteString(indent + "}")
	return slices.Concat(content[:at], []byte(text.String()), content[at:]), nil
}

// drop removes a member and the comma that it leaves behind.
func drop(content []byte, name string) ([]byte, error) {
	list, begin, err := environments(content)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(m member) bool { return m.key == name })
	if i < 0 {
		return nil, fmt.Errorf("cdk.json: there is no environment %q", name)
	}
	from, to := begin+1, list[i].end
	switch {
	case i > 0:
		from = list[i-1].end
	case len(list) > 1: // the first of several: up to the next one's line
		from, to = list[0].start, list[1].start
	}
	return slices.Concat(content[:from], content[to:]), nil
}

// field is a key of a new environment.
type field struct {
	key   string
	value any
}

// compact is a value on one line, spaced as in the sample.
func compact(value any) string {
	switch v := value.(type) {
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, key := range sortedKeys(v) {
			parts = append(parts, fmt.Sprintf("%q: %s", key, compact(v[key])))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = compact(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return "null" // nothing but decoded JSON and literals of this package comes here
		}
		return string(text)
	}
}
