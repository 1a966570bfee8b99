//go:build e2e

package rehearsals

import (
	"os/exec"
	"strings"
	"testing"
)

// refusal is a pull request that no rehearsal needs to tell of: a command says it in seconds.
type refusal struct {
	pull
	command []string
}

var (
	validate = []string{"bin/gitops", "manifests", "validate", "local"}
	render   = []string{"bin/gitops", "service", "render", "--env", "local"}
)

// refused are those that a check refuses; says is a part of its line.
var refused = []refusal{
	{pull{
		name: "05 a NetworkPolicy that cuts the database", says: "no NetworkPolicy lets the pods out to the VPC at port 3306 or 5432",
		edits: []edit{{"k8s/apps/ghost/networkpolicy.yaml", `    - ports:
        - port: 3306
          protocol: TCP
      to:
        - ipBlock:
            cidr: ${VPC_CIDR}
    - ports:
        - port: 80
`, "    - ports:\n        - port: 80\n"}},
	}, validate},
	{pull{
		name: "08 a PodDisruptionBudget that lets no pod go", says: "lets none of 1 pods go",
		edits: []edit{{"k8s/apps/ghost/poddisruptionbudget.yaml", "  maxUnavailable: 1\n", "  minAvailable: 1\n"}},
	}, validate},
	{pull{
		name: "10 a call of a service that is removed", says: `must be the name of a service, got "npm"`,
		commands: [][]string{{"rm", "k8s/services/npm.yaml"}},
	}, render},
	{pull{
		name: "11 a queue renamed under its consumer", says: "QUEUE_URL",
		edits: []edit{{orders, "  COLUMN: what\n", "  COLUMN: what\n  QUEUE_URL: https://sqs.${AWS_REGION}.amazonaws.com/${AWS_ACCOUNT_ID}/${ENVIRONMENT}-orders-new\n"}},
	}, render},
	{pull{
		name: "13 two Ingresses for one host", says: "info.localhost/ is service info's, too",
		edits: []edit{{ingress, "host: ghost.${DOMAIN}", "host: info.${DOMAIN}"}},
	}, validate},
	{pull{
		name: "17 a value that the chart ignores", says: "ignores the value serviceAccount.names",
		edits: []edit{{"k8s/platform/controllers/aws-load-balancer-controller.yaml", "      name: aws-load-balancer-controller\n", "      names: aws-load-balancer-controller\n"}},
	}, validate},
	{pull{
		name: "19 a host that is not in the zone", says: "host blog.example.com has no certificate",
		edits: []edit{{ingress, "host: ghost.${DOMAIN}", "host: blog.example.com"}},
	}, validate},
	{pull{
		name: "20 a job that removes itself", says: "the Job removes itself, and Flux makes it again",
		files: map[string]string{"k8s/apps/ghost/import.yaml": strings.Replace(job, "  backoffLimit: 2\n", "  backoffLimit: 2\n  ttlSecondsAfterFinished: 60\n", 1)},
		edits: []edit{{resources, "  - poddisruptionbudget.yaml\n", "  - poddisruptionbudget.yaml\n  - import.yaml\n"}},
	}, validate},
}

// TestRefused needs no system.
func TestRefused(t *testing.T) {
	repo, base := clone(t, root(t))
	for _, r := range refused {
		t.Run(r.name, func(t *testing.T) {
			reset(t, repo, base)
			r.change(t, repo)
			cmd := exec.CommandContext(t.Context(), r.command[0], r.command[1:]...)
			cmd.Dir = repo
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), r.says) {
				t.Errorf("%s: %v, want %q in\n%s", strings.Join(r.command, " "), err, r.says, out)
			}
		})
	}
}

// Whoever opens one of the other pull requests sees nothing of it before the rehearsal.
func TestNotRefused(t *testing.T) {
	repo, base := clone(t, root(t))
	for _, p := range append(good, bad...) {
		t.Run(p.name, func(t *testing.T) {
			reset(t, repo, base)
			p.change(t, repo)
			for _, command := range [][]string{validate, render, {"bin/gitops", "generate", "--check"}} {
				run(t, repo, command[0], command[1:]...)
			}
		})
	}
}
