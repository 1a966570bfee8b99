package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/local/cloud/front"
	"k8s-plus-aws-gitops/local/stack/deploy"
	"k8s-plus-aws-gitops/local/stack/layout"
	"k8s-plus-aws-gitops/local/stack/observe"
)

// Static host names: the gate of the process node resolves them, so that
// cdk.json and the manifests hold no port.
const (
	gitHost    = "git.localhost"
	chartsHost = "charts.localhost"
	webHost    = "flux.localhost"
)

// localFacts are what only this machine has: flux-system/local-facts, which
// k8s/clusters/local substitutes beside the cluster's facts.
func localFacts(p layout.Ports, caPEM []byte) (map[string]string, error) {
	// One line without quotes inside: the value stands in an environment
	// variable of a manifest.
	ssl, err := json.Marshal(map[string]string{"ca": string(caPEM)})
	if err != nil {
		return nil, err
	}
	charts := "http://" + chartsHost + "/"
	return map[string]string{
		"PUBLIC_PORT":                 fmt.Sprintf(":%d", p[layout.HTTPS]),
		"CHARTS_URL_LBC":              charts,
		"CHARTS_URL_EXTERNAL_DNS":     charts,
		"CHARTS_URL_EXTERNAL_SECRETS": charts,
		"DATABASE_SSL":                string(ssl),
		// ECR's name and login are AWS's own; the same images are here.
		"IMAGE_REGISTRY":          front.RegistryHost,
		"IMAGE_REGISTRY_PROVIDER": "generic",
		"IMAGE_REGISTRY_INSECURE": "true",
	}, nil
}

func (s *Stack) writeFacts(ctx context.Context, p layout.Ports) error {
	pem, err := os.ReadFile(s.Dir.Path("ca", "ca.crt"))
	if err != nil {
		return err
	}
	facts, err := localFacts(p, pem)
	if err != nil {
		return err
	}
	c, err := observe.Open(s.Dir.Kubeconfig())
	if err != nil {
		return err
	}
	return c.ApplyConfigMap(ctx, "flux-system", "local-facts", facts)
}

// envFile is the text of S/env: what a shell needs to use the AWS CLI, the
// CDK CLI and kubectl with this system.
func envFile(d *layout.Dir, p layout.Ports) string {
	vars := deploy.Variables(d, p.URL(layout.AWS))
	vars["KUBECONFIG"] = d.Kubeconfig()
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by gitops local up. Use it with:  . %s\n", d.Path("env"))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintf(&b, "export %s=%s\n", name, quote(vars[name]))
	}
	fmt.Fprintf(&b, "export PATH=%s:\"$PATH\"\n", quote(d.NodeBin()))
	b.WriteString("unset AWS_PROFILE AWS_SESSION_TOKEN\n")
	return b.String()
}

// quote makes one word of a shell out of any text.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
