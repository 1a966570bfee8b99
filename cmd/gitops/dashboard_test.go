package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/dashboard"
	"k8s-plus-aws-gitops/internal/status"
)

// accountOf answers as the APIs of an account with two stacks do.
func accountOf(t *testing.T, account string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		switch {
		case strings.Contains(string(body), "Action=GetCallerIdentity"):
			fmt.Fprintf(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>%s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, account)
		case strings.Contains(string(body), "Action=DescribeStacks"):
			fmt.Fprint(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>dev-network</StackName><StackStatus>UPDATE_COMPLETE</StackStatus><CreationTime>2026-11-29T12:00:00Z</CreationTime><Tags><member><Key>environment</Key><Value>dev</Value></member></Tags></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`)
		case strings.Contains(string(body), "Action=GetTemplate"):
			fmt.Fprint(w, `<GetTemplateResponse><GetTemplateResult><TemplateBody>{"Resources": {"Gateway": {"Type": "AWS::EC2::NatGateway"}}}</TemplateBody></GetTemplateResult></GetTemplateResponse>`)
		case operation == "ListPipelineExecutions":
			fmt.Fprint(w, `{"pipelineExecutionSummaries": []}`)
		default:
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
}

// readDashboard prints what the page would show of dev.
func readDashboard(t *testing.T, args ...string) *dashboard.Environment {
	t.Helper()
	var all []*dashboard.Environment
	if err := json.Unmarshal([]byte(gitops(t, 0, append([]string{"dashboard", "dev", "--output", "json"}, args...)...)), &all); err != nil || len(all) != 1 {
		t.Fatalf("%d environments, %v", len(all), err)
	}
	return all[0]
}

// The dashboard reads what status reads, and goes on without what it cannot.
func TestDashboardJSON(t *testing.T) {
	dir, _ := gatedCheckout(t)
	bucketOf(t, "any")
	accountOf(t, "111111111111")
	t.Setenv("KUBECONFIG", "")
	one := gitIn(t, dir, "rev-parse", "HEAD")
	gitops(t, 0, "release", "dev")
	kubeconfig := "dev=" + clusterWith(t, map[string][]any{
		"gitrepositories": {fluxObject("GitRepository", "flux-system", one, "True", "")},
		"kustomizations":  {fluxObject("Kustomization", "flux-system", one, "True", ""), fluxObject("Kustomization", "apps", one, "True", "")},
		"deployments":     {map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "a", "namespace": "a"}}},
	})
	e := readDashboard(t, "--kubeconfig", kubeconfig)
	if e.Status.State != status.Verified || e.Commit == nil || e.Commit.ID != one || e.Commit.Subject != "x" || len(e.Status.Stacks) != 1 || len(e.Workloads) != 1 || e.Price == nil || e.Price.Monthly == 0 {
		t.Errorf("got %+v, status %+v", e, e.Status)
	}
	// There is no fleet in this checkout, and no EKS in this account.
	if e.Unread["fleet"] == "" || len(e.Unread) != 1 {
		t.Errorf("unread: %v", e.Unread)
	}
	if e = readDashboard(t, "--price=false"); e.Unread["cluster"] == "" || e.Price != nil || len(e.Status.Stacks) != 1 || e.Status.State != status.Unknown {
		t.Errorf("without a cluster: %+v, unread %v", e.Status, e.Unread)
	}
	accountOf(t, "222222222222")
	if e = readDashboard(t); !strings.Contains(e.Unread["account"], "the credentials are of account 222222222222, and dev is in 111111111111; name a profile: --profile dev=NAME") || len(e.Status.Stacks) != 0 {
		t.Errorf("of another account: %v", e.Unread)
	}
	if e = readDashboard(t, "--kubeconfig", kubeconfig); len(e.Status.Objects) != 3 || e.Unread["cluster"] != "" {
		t.Errorf("of another account, with a kubeconfig: %v", e.Unread)
	}
}

func TestDashboardCommandLine(t *testing.T) {
	gatedCheckout(t)
	for args, c := range map[string]struct {
		code int
		says string
	}{
		"--listen 0.0.0.0:80": {1, `--listen: must be a port, or an address of this machine's loopback such as 127.0.0.1:8765, got "0.0.0.0:80"`},
		"none":                {2, "none"},
		"dev --output yaml":   {2, `--output must be json, or left out for a page, got "yaml"`},
		"dev --every 1ms":     {2, "--every must be at least 1s, got 1ms"},
		"dev --profile own=x": {2, `--profile must be of an environment that is shown, got "own"; name one of dev`},
		"dev --output json --kubeconfig nobody=/x": {2, `--kubeconfig must be of an environment that is shown, got "nobody"`},
	} {
		if said := gitops(t, c.code, append([]string{"dashboard"}, strings.Fields(args)...)...); !strings.Contains(said, c.says) {
			t.Errorf("%s: %s", args, said)
		}
	}
}

// reader puts a script in the place of the program that reads an environment.
func reader(t *testing.T, script string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gitops")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	before := executable
	executable = func() (string, error) { return path, nil }
	t.Cleanup(func() { executable = before })
}

// A process reads each environment. What it says when it fails is the reason.
func TestDashboardLook(t *testing.T) {
	q := dashboard.Question{Applications: []string{"orders", "a,b"}}
	gatedCheckout(t)
	f := &dashboardFlags{kubeconfig: map[string]string{"dev": "/k"}}
	reader(t, `printf '[{"name": "%s"}]' "$*"`)
	e, err := f.look("dev", false)(t.Context(), q)
	if want := "dashboard dev --output json --price=false --application orders --application a,b --kubeconfig dev=/k"; err != nil || e.Name != want {
		t.Errorf("got %+v, %v, want %q", e, err, want)
	}
	for script, says := range map[string]string{
		"echo 'gitops: the local system does not run' >&2; exit 1": "the local system does not run",
		"exit 3":    "exit status 3",
		"echo '[]'": "must print one environment, got 0",
		"echo no":   "must print JSON: invalid character",
	} {
		reader(t, script)
		if _, err := f.look("dev", false)(t.Context(), q); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", script, err)
		}
	}
	reader(t, `printf '[{"name": "%s"}]' "$2"`)
	if said := gitops(t, 0, "dashboard", "dev", "own", "-o", "json"); strings.Index(said, `"dev"`) > strings.Index(said, `"own"`) || !strings.Contains(said, `"own"`) {
		t.Errorf("both: %s", said)
	}
}

// The page is served where it says, and ends when it is interrupted.
func TestDashboardServes(t *testing.T) {
	gatedCheckout(t)
	reader(t, "echo 'gitops: it is down' >&2; exit 1")
	ctx, interrupt := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	var errs bytes.Buffer
	go func() { ended <- run(ctx, []string{"dashboard", "dev", "own", "--listen", "0"}, in, &errs) }()
	line := make([]byte, 200)
	n, err := out.Read(line)
	url := strings.TrimSpace(string(line[:n]))
	if err != nil || !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("%q, %v", url, err)
	}
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || !strings.Contains(string(text), `id="env-own"`) || !strings.Contains(string(text), "Not read: it is down") {
		t.Errorf("%v: %s", err, text)
	}
	interrupt()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("exit code %d: %s", code, errs.String())
		}
	case <-time.After(30 * time.Second):
		t.Error("it does not end")
	}
}

// Each process has the variables of its environment alone.
func TestDashboardVariables(t *testing.T) {
	t.Setenv("KUBECONFIG", "/dev")
	t.Setenv("AWS_ACCESS_KEY_ID", "of-dev")
	t.Setenv("AWS_PROFILE", "dev")
	f := &dashboardFlags{profiles: map[string]string{"production": "viewer"}}
	has := func(name string, many bool, variable string) bool {
		return slices.Contains(f.variables(name, many), variable)
	}
	if !has("dev", false, "KUBECONFIG=/dev") || !has("dev", false, "AWS_PROFILE=dev") || has("dev", true, "KUBECONFIG=/dev") {
		t.Errorf("dev: %v", f.variables("dev", true))
	}
	if has("production", true, "AWS_ACCESS_KEY_ID=of-dev") || !has("production", true, "AWS_PROFILE=viewer") || has("production", true, "AWS_PROFILE=dev") {
		t.Errorf("production: %v", f.variables("production", true))
	}
}
