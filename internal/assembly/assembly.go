// Package assembly reads the stacks of a cloud assembly, the folder that `cdk synth` writes.
package assembly

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Stack is a stack of an assembly.
type Stack struct {
	// Environment is the stage that the stack is in.
	Environment string
	// Part is the stack's name within the environment: "ghost" of the stack "dev-ghost".
	Part string
	// Name in CloudFormation.
	Name     string
	Template Template
}

// Template is a parsed CloudFormation template.
type Template map[string]any

// Resources returns the template's resources by logical id.
func (t Template) Resources() map[string]map[string]any {
	found := map[string]map[string]any{}
	all, _ := t["Resources"].(map[string]any)
	for id, r := range all {
		if resource, ok := r.(map[string]any); ok {
			found[id] = resource
		}
	}
	return found
}

// manifest is what is read of manifest.json, see
// https://github.com/aws/aws-cdk-cli/tree/main/packages/%40aws-cdk/cloud-assembly-schema.
type manifest struct {
	Artifacts map[string]struct {
		Type        string `json:"type"`
		DisplayName string `json:"displayName"`
		Properties  struct {
			DirectoryName string `json:"directoryName"`
			DisplayName   string `json:"displayName"`
			StackName     string `json:"stackName"`
			TemplateFile  string `json:"templateFile"`
		} `json:"properties"`
	} `json:"artifacts"`
}

// Read returns the stacks of every environment, by environment and part.
func Read(dir string) (map[string]map[string]Stack, error) {
	root, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	environments := map[string]map[string]Stack{}
	for _, artifact := range root.Artifacts {
		if artifact.Type != "cdk:cloud-assembly" {
			continue
		}
		environment := artifact.Properties.DisplayName
		stacks, err := readStage(filepath.Join(dir, artifact.Properties.DirectoryName), environment)
		if err != nil {
			return nil, err
		}
		environments[environment] = stacks
	}
	return environments, nil
}

// readStage reads the stacks of one environment.
func readStage(dir, environment string) (map[string]Stack, error) {
	stage, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	stacks := map[string]Stack{}
	for id, artifact := range stage.Artifacts {
		if artifact.Type != "aws:cloudformation:stack" {
			continue
		}
		s := Stack{Environment: environment, Name: artifact.Properties.StackName}
		if s.Name == "" {
			s.Name = id
		}
		s.Part = strings.TrimPrefix(s.Name, environment+"-")
		content, err := os.ReadFile(filepath.Join(dir, artifact.Properties.TemplateFile))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(content, &s.Template); err != nil {
			return nil, fmt.Errorf("%s: %w", artifact.Properties.TemplateFile, err)
		}
		stacks[s.Part] = s
	}
	return stacks, nil
}

// readManifest reads the manifest of an assembly.
func readManifest(dir string) (manifest, error) {
	var m manifest
	path := filepath.Join(dir, "manifest.json")
	content, err := os.ReadFile(path)
	if err != nil {
		return m, fmt.Errorf("%w; run cdk synth", err)
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
