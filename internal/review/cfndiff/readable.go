package cfndiff

import (
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/internal/unified"
)

// Text is the change of a resource as a unified difference: the properties and attributes that differ, as YAML. A resource
// that comes or goes is shown as a whole.
func (r Resource) Text() string {
	switch {
	case r.Old == nil:
		return unified.Diff("", encode(r.New["Properties"]))
	case r.New == nil:
		return unified.Diff(encode(r.Old["Properties"]), "")
	}
	old, now := map[string]any{}, map[string]any{}
	for name, change := range r.Attributes {
		put(old, name, change.Old)
		put(now, name, change.New)
	}
	for name, change := range r.Properties {
		put(old, name, change.Old)
		put(now, name, change.New)
	}
	return unified.Diff(encode(old), encode(now))
}

// Text is the change of a section as a unified difference.
func (s Section) Text() string {
	old, now := map[string]any{}, map[string]any{}
	put(old, s.ID, s.Old)
	put(now, s.ID, s.New)
	return unified.Diff(encode(old), encode(now))
}

// put sets a value that is there.
func put(in map[string]any, name string, value any) {
	if value != nil {
		in[name] = value
	}
}

// encode writes a value of a template as YAML for people.
func encode(value any) string {
	if object, ok := value.(map[string]any); value == nil || ok && len(object) == 0 {
		return ""
	}
	text, err := yaml.Marshal(Readable(value))
	if err != nil {
		return fmt.Sprintln(value)
	}
	return string(text)
}

// Readable writes the intrinsic functions of a value as ${…} text, and unfolds text that is JSON, such as the manifests
// that the bootstrap applies.
func Readable(value any) any {
	switch value := value.(type) {
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			list[i] = Readable(item)
		}
		return list
	case map[string]any:
		if text, ok := intrinsic(value); ok {
			return unfold(text)
		}
		object := map[string]any{}
		for key, item := range value {
			object[key] = Readable(item)
		}
		return object
	case string:
		return unfold(value)
	default:
		return value
	}
}

// intrinsic is the text of an intrinsic function that stands for one value.
func intrinsic(object map[string]any) (string, bool) {
	if len(object) != 1 {
		return "", false
	}
	for name, argument := range object {
		switch name {
		case "Ref":
			return fmt.Sprintf("${%v}", argument), true
		case "Fn::GetAtt":
			return "${" + joined(argument, ".") + "}", true
		case "Fn::ImportValue":
			return "${import " + joined(argument, "") + "}", true
		case "Fn::Sub":
			if text, ok := argument.(string); ok {
				return text, true
			}
		case "Fn::Join":
			if parts, ok := argument.([]any); ok && len(parts) == 2 {
				separator, _ := parts[0].(string)
				return joined(parts[1], separator), true
			}
		}
	}
	return "", false
}

// joined writes a list as one text.
func joined(value any, separator string) string {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	parts := make([]string, len(list))
	for i, item := range list {
		parts[i] = fmt.Sprint(Readable(item))
		if object, ok := item.(map[string]any); ok {
			if text, ok := intrinsic(object); ok {
				parts[i] = text // before it is unfolded: it is a part of a longer text
			}
		}
	}
	return strings.Join(parts, separator)
}

// unfold parses text that is a JSON object or list.
func unfold(text string) any {
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		var parsed any
		if json.Unmarshal([]byte(text), &parsed) == nil {
			return parsed
		}
	}
	return text
}
