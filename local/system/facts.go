package system

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/local/endpoint/front"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
)

// Static host names: the gate of the process node resolves them, so that
// cdk.json and the manifests hold no port.
const (
	gitHost    = "git.localhost"
	chartsHost = "charts.localhost"
	webHost    = "flux.localhost"
)

// writeFacts writes what only this machine has, which k8s/clusters/local substitutes beside the cluster's facts.
func (s *System) writeFacts(ctx context.Context, p layout.Ports) error {
	pem, err := os.ReadFile(s.Dir.Path("ca", "ca.crt"))
	if err != nil {
		return err
	}
	facts := config.LocalFacts(config.Machine{Port: p[layout.HTTPS], Registry: front.RegistryHost, CA: string(pem)})
	c, err := observe.Open(s.Dir.Kubeconfig())
	if err != nil {
		return err
	}
	return c.ApplyConfigMap(ctx, "flux-system", config.LocalFactsName, facts)
}

// envFile is the text of S/env: what a shell needs to use the AWS CLI, the
// CDK CLI and kubectl with this system.
func envFile(d *layout.Dir, p layout.Ports) string {
	vars := deploy.Variables(d, p.URL(layout.AWS))
	vars["KUBECONFIG"] = d.Kubeconfig()
	maps.Copy(vars, deploy.GitVariables(d, p))
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by gitops local up. Use it with:  . %s\n", d.Path("env"))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintf(&b, "export %s=%s\n", name, quote(vars[name]))
	}
	fmt.Fprintf(&b, "export PATH=%s:\"$PATH\"\n", quote(d.NodeBin()))
	b.WriteString("unset AWS_PROFILE AWS_SESSION_TOKEN\n")
	return b.String()
}

// Endpoints are the variables that lead the AWS SDKs, kubectl and git to the system; an empty one is for what must not
// lead elsewhere. Git reaches the repositories by the names that Flux knows them by. What git is told by the caller's own
// variables stays.
func Endpoints(d *layout.Dir, p layout.Ports, getenv func(string) string) map[string]string {
	vars := deploy.Variables(d, p.URL(layout.AWS))
	maps.DeleteFunc(vars, func(name, _ string) bool { return strings.HasPrefix(name, "CDK_") })
	vars["KUBECONFIG"], vars["AWS_PROFILE"], vars["AWS_SESSION_TOKEN"] = d.Kubeconfig(), "", ""
	have, _ := strconv.Atoi(getenv("GIT_CONFIG_COUNT")) // none, when it is not set
	settings := append(deploy.GitSettings(d, p), [2]string{"url." + p.URL(layout.Git) + "/.insteadOf", "http://" + gitHost + "/"})
	maps.Copy(vars, deploy.GitConfig(have, settings))
	return vars
}

// quote makes one word of a shell out of any text.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
