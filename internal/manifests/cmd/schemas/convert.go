package main

import (
	"strings"

	"k8s-plus-aws-gitops/internal/manifests/schemas"
)

// openAPIRef starts a reference in an OpenAPI document.
const openAPIRef = "#/components/schemas/"

// convert turns an OpenAPI v3 schema, as Kubernetes writes them, into a JSON schema that also refuses
// fields that the schema does not name (an API server would drop them in silence).
func convert(node any) any {
	switch node := node.(type) {
	case []any:
		converted := make([]any, len(node))
		for i, child := range node {
			converted[i] = convert(child)
		}
		return converted
	case map[string]any:
		return convertObject(node)
	default:
		return node
	}
}

func convertObject(schema map[string]any) map[string]any {
	// OpenAPI writes a reference with a default as allOf with one item; said plainly, findings name only
	// the field that is wrong.
	if all, ok := schema["allOf"].([]any); ok && len(all) == 1 {
		if only, ok := all[0].(map[string]any); ok && only["$ref"] != nil {
			return convertObject(only)
		}
	}
	converted := map[string]any{}
	for key, value := range schema {
		switch {
		case key == "$ref":
			converted[key] = schemas.RefPrefix + strings.TrimPrefix(value.(string), openAPIRef)
		case key == "properties":
			converted[key] = convertEach(value.(map[string]any))
		case key == "enum", key == "required":
			converted[key] = value
		case dropped(key):
		default:
			converted[key] = convert(value)
		}
	}
	if schema["x-kubernetes-int-or-string"] == true {
		delete(converted, "type")
		converted["anyOf"] = []any{map[string]any{"type": "integer"}, map[string]any{"type": "string"}}
	}
	_, hasProperties := schema["properties"]
	_, hasAdditional := schema["additionalProperties"]
	open := schema["x-kubernetes-preserve-unknown-fields"] == true || schema["x-kubernetes-embedded-resource"] == true
	if hasProperties && !hasAdditional && !open {
		converted["additionalProperties"] = false
	}
	return converted
}

// convertEach converts the values of a map whose keys are names, not keywords.
func convertEach(named map[string]any) map[string]any {
	converted := map[string]any{}
	for name, schema := range named {
		converted[name] = convert(schema)
	}
	return converted
}

// dropped tells the keywords that do not decide whether an object is valid. Formats are among them:
// Kubernetes' (int32, date-time, duration) differ from JSON schema's of the same name.
func dropped(keyword string) bool {
	switch keyword {
	case "description", "default", "example", "externalDocs", "format", "nullable", "title":
		return true
	}
	return strings.HasPrefix(keyword, "x-kubernetes-")
}
