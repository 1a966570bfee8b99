package system

import (
	"os/exec"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
)

// The variables lead git to the local server by the name that Flux knows, beside what the caller tells git.
func TestEndpoints(t *testing.T) {
	d, ports := &layout.Dir{Root: "/s", Repo: "/repo"}, layout.Ports{layout.AWS: 4566, layout.Git: 3000}
	mine := map[string]string{"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "me"}
	vars := Endpoints(d, ports, func(name string) string { return mine[name] })
	if vars["AWS_ENDPOINT_URL"] != "http://127.0.0.1:4566" || vars["KUBECONFIG"] != "/s/kubeconfig" || vars["CDK_HOME"] != "" {
		t.Errorf("got %q", vars)
	}
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN"} {
		if value, set := vars[name]; !set || value != "" {
			t.Errorf("%s is %q, set: %t", name, value, set)
		}
	}
	for args, want := range map[string]string{
		"ls-remote --get-url http://git.localhost/manifests.git": "http://127.0.0.1:3000/manifests.git",
		"config user.name": "me",
		"config --get-urlmatch credential.helper http://127.0.0.1:3000/x": "store --file='/s/git/login'",
	} {
		cmd := exec.Command("git", strings.Fields(args)...)
		cmd.Dir = t.TempDir()
		cmd.Env = append(append(cmd.Environ(), deploy.List(mine)...), deploy.List(vars)...)
		if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("git %s: %s%v, want %s", args, out, err, want)
		}
	}
}
