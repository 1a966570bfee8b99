package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
)

// Variables through which the CDK CLI hands its context (cdk.json, cdk.context.json and -c) to the app.
// What does not fit into the environment of a process it writes to a file.
const (
	file             = "cdk.json"
	contextVariable  = "CDK_CONTEXT_JSON"
	overflowVariable = "CONTEXT_OVERFLOW_LOCATION_ENV"
)

// Context returns the CDK context: from the CDK CLI that started this process or, when the app is run by hand, from
// cdk.json in the working directory. It needs no jsii, so a mistake is found before Node starts.
func Context(lookup func(string) (string, bool)) (map[string]any, error) {
	text, given := lookup(contextVariable)
	overflow, more := lookup(overflowVariable)
	if !given && !more {
		return fromFile(file)
	}
	// The CLI has read the file and kept the last of two equal keys; here both are still to be seen.
	if content, err := os.ReadFile(file); err == nil {
		if err := duplicateKeys(file, content); err != nil {
			return nil, err
		}
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
func fromFile(path string) (map[string]any, error) {
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: not found; run in the folder of the repository", file)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return ParseContext(content)
}

// ParseContext returns the context in the content of a cdk.json. The error is Problems if keys are there twice; the context
// then has the last of each.
func ParseContext(content []byte) (map[string]any, error) {
	var parsed struct {
		Context map[string]any `json:"context"`
	}
	if err := json.Unmarshal(content, &parsed); err != nil {
		return nil, fmt.Errorf("%s: %w%s; correct the JSON", file, err, position(content, err))
	}
	return parsed.Context, duplicateKeys(file, content)
}

// position tells the line of a JSON syntax error.
func position(content []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return ""
	}
	return fmt.Sprintf(" (line %d)", lineOf(content, syntax.Offset))
}

// LoadDir reads and validates the cdk.json of a checkout.
func LoadDir(root string) (Config, error) {
	context, err := fromFile(filepath.Join(root, file))
	if err != nil {
		return Config{}, err
	}
	return Load(context)
}

// LoadOld reads the cdk.json of any commit. An older one was deployed with the rules of its time, so that today's are not
// held against it: what they refuse is left as far as it can be read.
func LoadOld(root string) (Config, error) {
	return loadOld(fromFile(filepath.Join(root, file)))
}

// ParseOld reads the content of the cdk.json of any commit, as LoadOld does.
func ParseOld(content []byte) (Config, error) { return loadOld(ParseContext(content)) }

func loadOld(context map[string]any, err error) (Config, error) {
	var problems Problems
	if err != nil && !errors.As(err, &problems) {
		return Config{}, err
	}
	c, err := Load(context)
	if errors.As(err, &problems) {
		return c, nil
	}
	return c, err
}

// Parse reads and validates the content of a cdk.json.
func Parse(content []byte) (Config, error) {
	context, err := ParseContext(content)
	if err != nil {
		return Config{}, err
	}
	return Load(context)
}
