package main

import (
	"bytes"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/cli/clitest"
)

func TestExitCodes(t *testing.T) {
	t.Chdir(clitest.Checkout(t))
	clitest.Run(t, run, map[string]clitest.Case{
		"help":            {[]string{"--help"}, 0, "Exit codes"},
		"version":         {[]string{"version"}, 0, "gitops "},
		"unknown command": {[]string{"locale"}, 2, "unknown command"},
		"unknown verb":    {[]string{"service", "upp"}, 2, "unknown command"},
		"unknown flag":    {[]string{"generate", "--nope"}, 2, "unknown flag"},
		"no environments": {[]string{"environment", "add", "jane"}, 1, "context"},
		"nothing removed": {[]string{"environment", "remove", "jane"}, 1, "context"},
		"two names":       {[]string{"environment", "add", "jane", "joe"}, 2, "gitops environment add"},
		"no promotion":    {[]string{"promotion", "integration", "production"}, 1, "context.gitops: is missing"},
		"half promotion":  {[]string{"promotion", "integration"}, 2, "gitops promotion"},
		"plan of nothing": {[]string{"plan"}, 2, "gitops plan"},
		"a stage alone":   {[]string{"plan", "dev", "--stage", "=network"}, 2, "NAME=STACK,STACK"},
		"plan's help":     {[]string{"plan", "--help"}, 0, "3 it is refused"},
		"no release":      {[]string{"release", "dev"}, 1, "context.gitops: is missing"},
		"two releases":    {[]string{"release", "dev", "production"}, 2, "gitops release"},
		"release's help":  {[]string{"release", "--help"}, 0, "only goes forward"},
		"status as XML":   {[]string{"status", "dev", "-o", "xml"}, 2, `"xml"`},
		"half a status":   {[]string{"status", "dev", "--only", "aws"}, 2, `"aws"`},
		"status's help":   {[]string{"status", "--help"}, 0, "3 not there yet"},
		"drift as XML":    {[]string{"drift", "dev", "-o", "xml"}, 2, `"xml"`},
		"half a drift":    {[]string{"drift", "dev", "--only", "flux"}, 2, `"flux"`},
		"no drift":        {[]string{"drift", "dev"}, 2, "context.gitops: is missing"},
		"why as XML":      {[]string{"why", "deployment/ghost", "-o", "xml"}, 2, `"xml"`},
		"why of nothing":  {[]string{"why"}, 2, "gitops why: accepts 1 arg(s)"},
		"rollback as XML": {[]string{"rollback", "dev", "-o", "xml"}, 2, `"xml"`},
		"rollback's help": {[]string{"rollback", "--help"}, 0, "3 it is refused"},
		"drift's help":    {[]string{"drift", "--help"}, 0, "0 no difference, or all of them put back, 1 a difference"},
		"review as XML":   {[]string{"review", "-o", "xml"}, 2, `"xml"`},
		"review of PR -1": {[]string{"review", "--pull-request", "-1"}, 2, "--pull-request -1"},
		"review, no git":  {[]string{"review"}, 2, "not a git repository"},
	})
}

func TestOutsideACheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"manifests", "validate"}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "not inside a checkout") {
		t.Errorf("code %d: %s", code, errs.String())
	}
}

func TestEveryCommandIsDocumented(t *testing.T) { clitest.Documented(t, newRoot()) }
