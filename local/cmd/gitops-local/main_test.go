package main

import (
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/cli/clitest"
	"k8s-plus-aws-gitops/local/system/supervise"
)

func TestExitCodes(t *testing.T) {
	t.Chdir(clitest.Checkout(t))
	t.Setenv(supervise.StateVariable, "")
	t.Setenv(stateVariable, "")
	clitest.Run(t, run, map[string]clitest.Case{
		"help":             {[]string{"--help"}, 0, "gitops local status"},
		"unknown verb":     {[]string{"upp"}, 2, "unknown command"},
		"unknown flag":     {[]string{"up", "--nope"}, 2, "unknown flag"},
		"extra argument":   {[]string{"up", "now"}, 2, "gitops local up"},
		"bad output":       {[]string{"status", "-o", "xml"}, 2, `"xml"`},
		"no system":        {[]string{"status"}, 1, "gitops local up"},
		"no logs":          {[]string{"logs"}, 1, "gitops local up"},
		"no such mail":     {[]string{"mail", "1"}, 2, "there is no message 1"},
		"mail as XML":      {[]string{"mail", "-o", "xml"}, 2, `"xml"`},
		"push, no system":  {[]string{"push"}, 1, "gitops local up"},
		"down, no system":  {[]string{"down"}, 0, "Nothing runs"},
		"reset foreign":    {[]string{"reset", "--yes", "--state", "k8s"}, 1, "not a gitops state directory"},
		"state too long":   {[]string{"status", "--state", strings.Repeat("x", 120)}, 1, "--state"},
		"unknown daemon":   {[]string{"run", "nothing"}, 1, "procnode"},
		"state is a file":  {[]string{"status", "--state", "cdk.json"}, 1, "--state"},
		"bad programs":     {[]string{"up", "--programs", "image"}, 2, "must be auto, images or compile"},
		"programs as XML":  {[]string{"programs", "-o", "xml"}, 2, `"xml"`},
		"rehearse as XML":  {[]string{"rehearse", "-o", "xml"}, 2, `"xml"`},
		"rehearse another": {[]string{"rehearse", "--env", "production", "-o", "json"}, 2, `"verdict": "could-not-run"`},
		"remove nothing":   {[]string{"rehearse", "remove"}, 2, "rehearse remove"},
		"remove foreign":   {[]string{"rehearse", "remove", "k8s"}, 1, "left alone"},
		"no endpoints":     {[]string{"endpoints"}, 1, "gitops local up"},
	})
}

func TestEveryCommandIsDocumented(t *testing.T) { clitest.Documented(t, newRoot()) }
