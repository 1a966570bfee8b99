//go:build e2e

package rehearsals

// pull is a pull request.
type pull struct {
	name  string
	edits []edit
	// commands of the clone make the rest of the change, such as `bin/gitops service remove npm`.
	commands [][]string
	// code is the exit code, and says a part of the line of the first cause.
	code int
	says string
}

// edit replaces a text of a file, which must be there once.
type edit struct{ file, old, new string }

const (
	deployment = "k8s/apps/ghost/deployment.yaml"
	info       = "k8s/services/info.yaml"
)

// pulls are good ones, of which nothing may be said, and bad ones. Those that say why they are not caught are in the guide's list.
var pulls = []pull{
	{name: "good: Ghost asks for more memory", edits: []edit{{deployment, "memory: 384Mi", "memory: 400Mi"}}},
	{name: "good: a service has a new setting", edits: []edit{{info, "NODE_ENV: production", "NODE_ENV: production\n  TITLE: rehearsed"}}},
	{
		name: "a program that ends", code: 1, says: "ghost",
		edits: []edit{{deployment, "name: database__client\n              value: mysql", "name: database__client\n              value: nosuch"}},
	},
	{
		name: "a key that its secret lacks", code: 1, says: "hostname",
		edits: []edit{{deployment, "key: host\n", "key: hostname\n"}},
	},
	{
		name: "a readiness path that answers 404", code: 1, says: "ghost",
		edits: []edit{{deployment, "path: /ghost/api/admin/site/", "path: /ghost/api/admin/nowhere/"}},
	},
	{
		name: "a wrong target port", code: 1, says: "requests lost: ghost.localhost",
		edits: []edit{{"k8s/apps/ghost/service.yaml", "targetPort: http", "targetPort: 2369"}},
	},
	{
		name: "a health check that the load balancer fails", code: 1, says: "ghost",
		edits: []edit{{"k8s/apps/ghost/ingress.yaml", "healthcheck-path: /ghost/api/admin/site/", "healthcheck-path: /ghost/api/admin/nowhere/"}},
	},
	{
		name: "a service's health path that answers 404", code: 1, says: "info",
		edits: []edit{{info, "health: {path: /healthz", "health: {path: /nowhere"}},
	},
	{
		name: "a key that a service's secret lacks", code: 1, says: "github",
		edits: []edit{{"k8s/services/github.yaml", "key: token}", "key: tokens}"}},
	},
	{
		name: "a removed service that another calls", code: 1, says: "requests lost: info.localhost",
		edits:    []edit{{info, "calls: [github, npm]", "calls: [github]"}},
		commands: [][]string{{"bin/gitops", "service", "remove", "npm"}},
	},
}
