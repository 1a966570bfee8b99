package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
)

// Variables through which the CDK CLI hands its context (cdk.json, cdk.context.json and -c) to the app.
// What does not fit into the environment of a process it writes to a file.
const (
	contextVariable  = "CDK_CONTEXT_JSON"
	overflowVariable = "CONTEXT_OVERFLOW_LOCATION_ENV"
)

// Context returns the CDK context: from the CDK CLI that started this process or, when the app is run by hand, from
// cdk.json in the working directory. It needs no jsii, so a mistake is found before Node starts.
func Context(lookup func(string) (string, bool)) (map[string]any, error) {
	text, given := lookup(contextVariable)
	overflow, more := lookup(overflowVariable)
	if !given && !more {
		return fromFile("cdk.json")
	}
	context := map[string]any{}
	if given {
		if err := json.Unmarshal([]byte(text), &context); err != nil {
			return nil, fmt.Errorf("%s: %w; run the app through the CDK CLI, or unset the variable", contextVariable, err)
		}
	}
	if more {
		rest := map[string]any{}
		content, err := os.ReadFile(overflow)
		if err == nil {
			err = json.Unmarshal(content, &rest)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w; the CDK CLI writes this file, run it again", overflowVariable, err)
		}
		maps.Copy(context, rest)
	}
	return context, nil
}

// fromFile reads the context of a cdk.json.
func fromFile(name string) (map[string]any, error) {
	content, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: not found; run in the folder of the repository", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var file struct {
		Context map[string]any `json:"context"`
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, fmt.Errorf("%s: %w%s", name, err, position(content, err))
	}
	return file.Context, nil
}

// position tells the line of a JSON syntax error.
func position(content []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return ""
	}
	line := 1
	for _, b := range content[:min(int(syntax.Offset), len(content))] {
		if b == '\n' {
			line++
		}
	}
	return fmt.Sprintf(" (line %d)", line)
}

// LoadFile reads and validates the configuration of a cdk.json.
func LoadFile(name string) (Config, error) {
	context, err := fromFile(name)
	if err != nil {
		return Config{}, err
	}
	return Load(context)
}
