package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/cli/clitest"
	"k8s-plus-aws-gitops/internal/doctor"
)

// anAccount is one of which AWS says no more than its number, and a machine with the tools.
func anAccount(t *testing.T, id string) {
	t.Helper()
	dir, _ := gatedCheckout(t)
	bucketOf(t, "any")
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "GetCallerIdentity" || id == "" {
			w.WriteHeader(http.StatusNotImplemented)
			return
		}
		fmt.Fprint(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>"+id+"</Account><Arn>arn:aws:iam::"+id+":user/jane</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>")
	}))
	t.Cleanup(aws.Close)
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	t.Setenv("GITHUB_TOKEN", "")
	t.Setenv("PATH", filepath.Join(dir, "node_modules/.bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	put(t, dir, "go.mod", "module x\n\ngo 1.26.0\n")
	put(t, dir, "package.json", `{"devDependencies": {"aws-cdk": "2.1148.1", "node": "24.21.0"}}`)
	for name, version := range map[string]string{"cdk": "2.1148.1 (build 1a2b3c4)", "node": "v24.21.0", "npm": "11.0.1", "aws": "aws-cli/2.31.1"} {
		program := "node_modules/.bin/" + name
		put(t, dir, program, "#!/bin/sh\necho '"+version+"'\n")
		if err := os.Chmod(filepath.Join(dir, program), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
}

// The exit code tells whether something is missing, and whether it could look.
func TestDoctor(t *testing.T) {
	anAccount(t, "111111111111")
	gitops(t, 0, "release", "dev")
	cluster := clusterWith(t, map[string][]any{
		"gitrepositories": {fluxObject("GitRepository", "flux-system", "1", "True", "")},
		"kustomizations":  {fluxObject("Kustomization", "flux-system", "1", "True", ""), fluxObject("Kustomization", "apps", "1", "True", "")},
	})
	said := gitops(t, 0, "doctor", "dev", "--kubeconfig", cluster)
	for _, want := range []string{
		"ok       credentials         arn:aws:iam::111111111111:user/jane\n", "ok       CDK CLI             2.1148.1, as package.json pins it\n",
		"ok       Flux                2 Kustomizations and 0 HelmReleases are ready\n", "\ndev: nothing is missing, 13 could not be looked at.\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("lacks %q: %s", want, said)
		}
	}
	t.Setenv("AWS_REGION", "us-east-1")
	if said = gitops(t, 1, "doctor", "dev", "--kubeconfig", cluster); !strings.Contains(said, " 1. export AWS_REGION=eu-west-1\n") {
		t.Errorf("in another region: %s", said)
	}
}

// Without a name it looks at the environments of the caller's account.
func TestDoctorOfAnAccount(t *testing.T) {
	anAccount(t, "111111111111")
	cluster := clusterWith(t, nil)
	var reports []doctor.Report
	said, _, _ := strings.Cut(gitops(t, 1, "doctor", "-o", "json", "--kubeconfig", cluster), "\n]\n")
	if err := json.Unmarshal([]byte(said+"\n]"), &reports); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if len(reports) != 1 || reports[0].Environment != "dev" || reports[0].Count(doctor.Missing) == 0 {
		t.Errorf("got %+v", reports)
	}
}

func TestDoctorCannotLook(t *testing.T) {
	anAccount(t, "")
	clitest.Run(t, run, map[string]clitest.Case{
		"AWS does not answer": {Args: []string{"doctor"}, Code: 2, Says: "name an environment"},
		"no such environment": {Args: []string{"doctor", "prodution"}, Code: 2, Says: "there is no environment"},
		"two names":           {Args: []string{"doctor", "dev", "own"}, Code: 2, Says: "at most 1 arg"},
		"another output":      {Args: []string{"doctor", "dev", "-o", "yaml"}, Code: 2, Says: "--output must be json"},
	})
	gitops(t, 0, "release", "dev")
	cluster := clusterWith(t, map[string][]any{"kustomizations": {}})
	if said := gitops(t, 2, "doctor", "dev", "--kubeconfig", cluster); !strings.Contains(said, "could not be looked at") {
		t.Errorf("without an answer about the account: %s", said)
	}
	t.Chdir(t.TempDir())
	gitops(t, 2, "doctor", "dev")
}

func TestDoctorElsewhere(t *testing.T) {
	anAccount(t, "999999999999")
	if said := gitops(t, 2, "doctor"); !strings.Contains(said, "no environment is in account 999999999999 of the credentials; name one: dev") {
		t.Errorf("says %s", said)
	}
}
