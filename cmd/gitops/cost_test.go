package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/bill"
	"k8s-plus-aws-gitops/internal/cli/clitest"
	"k8s-plus-aws-gitops/internal/fixture"
)

// synthesizing is a checkout of the fixture whose CDK CLI writes the golden templates of dev and production.
func synthesizing(t *testing.T) string {
	t.Helper()
	dir, root := fixture.Tree(t), fixture.Root(t)
	top := map[string]any{}
	for _, environment := range []string{"dev", "production"} {
		stage := map[string]any{}
		files, err := filepath.Glob(filepath.Join(root, "testdata/templates", environment+"-*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(file)
			put(t, dir, ".assembly/"+environment+"/"+name, string(content))
			stack := strings.TrimSuffix(name, ".json")
			stage[stack] = map[string]any{"type": "aws:cloudformation:stack", "properties": map[string]any{"templateFile": name, "stackName": stack}}
		}
		manifest(t, dir, environment+"/", stage)
		top[environment] = map[string]any{"type": "cdk:cloud-assembly", "properties": map[string]any{"directoryName": environment, "displayName": environment}}
	}
	manifest(t, dir, "", top)
	put(t, dir, "node_modules/.bin/cdk", "#!/bin/sh\nset -e\necho \"$@\" > .asked\nwhile [ \"$1\" != --output ]; do shift; done\ncp -r .assembly/* \"$2\"\n")
	if err := os.Chmod(filepath.Join(dir, "node_modules/.bin/cdk"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	t.Chdir(dir)
	return dir
}

func manifest(t *testing.T, dir, folder string, artifacts map[string]any) {
	t.Helper()
	content, err := json.Marshal(map[string]any{"artifacts": artifacts})
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, ".assembly/"+folder+"manifest.json", string(content))
}

// The bill is of the stacks that the app makes and of the load balancers of the manifests, each with its kind.
func TestCost(t *testing.T) {
	dir := synthesizing(t)
	said := gitops(t, 0, "cost", "dev")
	for _, want := range []string{"USD a month at list prices", "\ndev-network ", "\ndev-ghost ", " application ", "\ndev-orders ", " service ", "\nIngress group public ", "\nLog ingestion, VPC flow logs "} {
		if !strings.Contains(said, want) {
			t.Errorf("lacks %q: %s", want, said)
		}
	}
	asked, err := os.ReadFile(filepath.Join(dir, ".asked"))
	if err != nil || !strings.Contains(string(asked), "--context env=dev ") || !strings.Contains(string(asked), "--no-lookups") {
		t.Errorf("synthesizes by: %s (%v)", asked, err)
	}
	var bills []bill.Bill
	text := gitops(t, 0, "cost", "production", "--output", "json")
	if err := json.Unmarshal([]byte(text[:strings.LastIndex(text, "]")+1]), &bills); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if len(bills) != 1 || bills[0].Environment != "production" || bills[0].Total < 100 || len(bills[0].NotIncluded) == 0 || bills[0].Prices.Entered == "" {
		t.Errorf("got %+v", bills)
	}
}

func TestCostRefuses(t *testing.T) {
	synthesizing(t)
	clitest.Run(t, run, map[string]clitest.Case{
		"no such environment": {Args: []string{"cost", "prodution"}, Code: 2, Says: "there is no environment"},
		"another output":      {Args: []string{"cost", "dev", "-o", "yaml"}, Code: 2, Says: "--output must be json"},
	})
	if err := os.RemoveAll("node_modules"); err != nil {
		t.Fatal(err)
	}
	if said := gitops(t, 1, "cost", "dev"); !strings.Contains(said, "node_modules: not found; run npm ci") {
		t.Errorf("without the CDK CLI: %s", said)
	}
}
