package forks

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
)

// account is a new user's, one for each environment.
func account(name string) string {
	return map[string]string{"dev": "444455556666", "integration": "555566667777", "production": "666677778888"}[name]
}

func connection(region, account string) string {
	return "arn:aws:codeconnections:" + region + ":" + account + ":connection/12345678-1234-1234-1234-123456789012"
}

const region = "eu-north-1"

// values are what a new user sets, by the key that the README names.
var values = map[string]func(name string, env object){
	"account": func(name string, env object) { env["account"] = account(name) },
	"region": func(_ string, env object) {
		env["region"] = region
		if cost, ok := env["cost"].(object); ok {
			delete(cost, "budget") // CloudFormation makes none there, and cdk.json is refused with one
		}
	},
	"domain": func(name string, env object) { env["domain"] = name + ".acme.example" },
	"hostedZone": func(name string, env object) {
		env["hostedZone"] = object{"id": "Z9876543210" + strings.ToUpper(name), "name": "acme.example"}
	},
	"admins": func(name string, env object) {
		env["cluster"].(object)["admins"] = []string{"arn:aws:iam::" + account(name) + ":role/Platform"}
	},
	"viewers": func(_ string, env object) { delete(env["cluster"].(object), "viewers") },
	"publicAccessCidrs": func(_ string, env object) {
		if cluster := env["cluster"].(object); cluster["publicAccessCidrs"] != nil {
			cluster["publicAccessCidrs"] = []string{"198.51.100.7/32"}
		}
	},
	"notify": func(_ string, env object) {
		env["delivery"].(object)["notify"] = []string{"operations@acme.example"}
	},
	"connectionArn": func(name string, env object) {
		env["delivery"].(object)["connectionArn"] = connection(region, account(name))
	},
}

var (
	steps  = regexp.MustCompile(`(?s)## Three steps to AWS\n(.*?)\n## `)
	item   = regexp.MustCompile(`(?m)^\d\. `)
	quoted = regexp.MustCompile("`([^`]+)`")
)

// readme is the text of the README's three steps.
func readme(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(fixture.Root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	section := steps.FindStringSubmatch(string(content))
	if section == nil {
		t.Fatal(`README.md: has no section "Three steps to AWS"; name it here as well`)
	}
	parts := item.Split(section[1], -1)[1:]
	if len(parts) != 3 {
		t.Fatalf("README.md: %d steps", len(parts))
	}
	return parts
}

// context are words of the README's first step that are no keys to set: files, what keys are below, and what may stay.
var context = []string{"cdk.json", "delivery", "cluster", "branch", "k8s/fleet/fleet.yaml", ".github/CODEOWNERS"}

// followReadme does the README's first step: it sets every key that it names, and runs every command.
func (f fork) followReadme() {
	f.t.Helper()
	set := 0
	for _, word := range quoted.FindAllStringSubmatch(readme(f.t)[0], -1) {
		switch key := word[1]; {
		case slices.Contains(context, key):
		case key == "url":
			f.replace("k8s/fleet/fleet.yaml", "github.com/my-company/", "github.com/acme/")
		case key == "repository":
			f.configure(func(gitops object) { gitops["repository"] = object{"owner": "acme", "name": "infra"} })
		case strings.HasPrefix(key, "make "):
			f.must("make", strings.Fields(key)[1:]...)
		case values[key] != nil:
			f.environments(values[key])
			set++
		default:
			f.t.Errorf("README.md: step 1 names `%s`, which this test does not know: add what a user writes there", key)
		}
	}
	if set < 5 {
		f.t.Errorf("README.md: step 1 names %d keys of environments", set)
	}
}

// Nothing of the sample is left over after step 1: what a user would not know to change must not matter.
func TestReadmeNamesEveryAccount(t *testing.T) {
	f := newFork(t)
	f.followReadme()
	f.environments(func(name string, env object) {
		for _, sample := range []string{"111111111111", "222222222222", "333333333333"} {
			if text := fmt.Sprint(env); strings.Contains(text, sample) {
				t.Errorf("after README's step 1 environment %s still names account %s: %s", name, sample, text)
			}
		}
	})
}

// Steps 2 and 3 need an account. Their commands are of this repository, and each names the guide that says more.
func TestReadmeCommands(t *testing.T) {
	root := fixture.Root(t)
	for i, step := range readme(t)[1:] {
		if !strings.Contains(step, "](docs/guides/") {
			t.Errorf("README.md: step %d names no guide", i+2)
		}
		found := 0
		for _, word := range quoted.FindAllStringSubmatch(step, -1) {
			args := strings.Fields(word[1])
			if args[0] != "make" {
				if len(args) > 1 {
					t.Errorf("README.md: step %d runs `%s`; name a target of the Makefile, which brings its tools along", i+2, word[1])
				}
				continue
			}
			found++
			f := fork{t: t, dir: root}
			f.must("make", append([]string{"--dry-run"}, args[1:]...)...)
		}
		if found == 0 {
			t.Errorf("README.md: step %d has no command", i+2)
		}
	}
}
