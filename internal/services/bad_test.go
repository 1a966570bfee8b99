package services

import "strings"

// bad are service files that must be refused. Each is the good file with a line replaced or added, or a whole content.
var bad = []struct {
	name string
	// file is the name of the file; default npm.yaml.
	file string
	// replace maps a line of the good file to others; add is appended; content takes the place of all.
	replace      map[string]string
	add, content string
	// line and says are what the first problem must name.
	line int
	says string
	// schema is true if an editor with the JSON schema shows the mistake too.
	schema bool
}{
	// YAML
	{name: "empty", content: "# nothing\n", line: 1, says: "is empty", schema: true},
	{name: "no mapping", content: "- image\n", line: 1, says: "is a list", schema: true},
	{name: "tab", content: "image: a:1\n\tport: 8080\n", line: 2, says: "is not YAML"},
	{name: "open quote", content: "image: \"a:1\nport: 8080\n", line: 3, says: "is not YAML"},
	{name: "open bracket", add: "calls: [a, b\n", line: 9, says: "is not YAML"},
	{name: "two documents", add: "---\nimage: b:1\n", line: 10, says: "more than one document"},
	{name: "key twice", add: "port: 8081\n", line: 10, says: "port is there twice"},
	{name: "anchor", replace: map[string]string{"port: 8080": "port: &p 8080"}, line: 2, says: "anchor"},
	{name: "merge key", add: "environments:\n  dev:\n    <<: {replicas: 2}\n", line: 12, says: "no name"},
	{name: "too large", content: "image: a:1\n#" + strings.Repeat("x", largest) + "\n", line: 0, says: "larger than 64 KiB", schema: true},
	{name: "not text", content: "\xff\xfe\x00", line: 1, says: "is not YAML"},
	// keys and types
	{name: "unknown key", add: "replica: 2\n", line: 10, says: `replica is not a known key; did you mean "replicas"?`, schema: true},
	{name: "unknown key of a part", replace: map[string]string{"health: {path: /healthz}": "health: {url: /healthz}"}, line: 3, says: "health.url", schema: true},
	{name: "unknown key of an environment", add: "environments:\n  dev: {hosts: a}\n", line: 11, says: "environments.dev.hosts", schema: true},
	{name: "number as text", replace: map[string]string{"port: 8080": `port: "8080"`}, line: 2, says: "write a whole number without quotes", schema: true},
	{name: "text as number", replace: map[string]string{"  LEVEL: info": "  LEVEL: 3"}, line: 5, says: "write text in quotes", schema: true},
	{name: "text as boolean", replace: map[string]string{"  LEVEL: info": "  LEVEL: true"}, line: 5, says: "text in quotes", schema: true},
	{name: "boolean as text", add: "internet: maybe\n", line: 10, says: "true or false", schema: true},
	{name: "list as text", add: "calls: github\n", line: 10, says: "write a list", schema: true},
	{name: "nothing", replace: map[string]string{"port: 8080": "port:"}, line: 2, says: "port is empty", schema: true},
	// names
	{name: "name in upper case", file: "Npm.yaml", line: 1, says: `"Npm" is no name`},
	{name: "name with an underscore", file: "npm_service.yaml", line: 1, says: "is no name"},
	{name: "name that starts with a digit", file: "7zip.yaml", line: 1, says: "is no name"},
	{name: "name too long", file: strings.Repeat("a", 51) + ".yaml", line: 1, says: "has 51 characters"},
	{name: "name of the platform", file: "flux-system.yaml", line: 1, says: "a name of the platform"},
	{name: "name of Kubernetes", file: "kube-proxy.yaml", line: 1, says: "a name of the platform"},
	{name: "name that is a word of YAML", file: "true.yaml", line: 1, says: "reads as something else"},
	{name: "variable with a hyphen", replace: map[string]string{"  LEVEL: info": "  LOG-LEVEL: info"}, line: 5, says: "no name for a variable", schema: true},
	{name: "variable of the static files", replace: map[string]string{"  LEVEL: info": "  ASSETS_PREFIX: x"}, line: 5, says: "choose another name"},
	// image
	{name: "image missing", replace: map[string]string{"image: ghcr.io/nodezoo/nodezoo-npm:1.4.2": "replicas: 1"}, line: 1, says: "image is missing", schema: true},
	{name: "image without a version", replace: map[string]string{"image: ghcr.io/nodezoo/nodezoo-npm:1.4.2": "image: ghcr.io/nodezoo/nodezoo-npm"}, line: 1, says: "not pinned", schema: true},
	{name: "image latest", replace: map[string]string{"image: ghcr.io/nodezoo/nodezoo-npm:1.4.2": "image: npm:latest"}, line: 1, says: "not pinned", schema: true},
	{name: "image as an address", replace: map[string]string{"image: ghcr.io/nodezoo/nodezoo-npm:1.4.2": "image: https://ghcr.io/npm:1"}, line: 1, says: "no image reference"},
	// ports and numbers
	{name: "port missing", replace: map[string]string{"port: 8080": "replicas: 1"}, line: 1, says: "port is missing", schema: true},
	{name: "port zero", replace: map[string]string{"port: 8080": "port: 0"}, line: 2, says: "port 0", schema: true},
	{name: "port privileged", replace: map[string]string{"port: 8080": "port: 80"}, line: 2, says: "port 80 cannot", schema: true},
	{name: "port too large", replace: map[string]string{"port: 8080": "port: 70000"}, line: 2, says: "port 70000", schema: true},
	{name: "port of an environment", add: "environments:\n  dev: {port: 1}\n", line: 11, says: "port 1 cannot", schema: true},
	{name: "root", replace: map[string]string{"user: 1000": "user: 0"}, line: 9, says: "root", schema: true},
	{name: "replicas negative", add: "replicas: -1\n", line: 10, says: "out of range", schema: true},
	{name: "replicas and autoscale", add: "replicas: 1\nautoscale: {min: 1, max: 2}\n", line: 11, says: "exclude each other"},
	{name: "autoscale upside down", add: "autoscale: {min: 3, max: 2}\n", line: 10, says: "below min"},
	{name: "autoscale without min", add: "autoscale: {max: 2}\n", line: 10, says: "autoscale.min 0", schema: true},
	{name: "autoscale in fractions", add: "autoscale: {min: 1, max: 2, cpu: 0.7}\n", line: 10, says: "whole number", schema: true},
	{name: "health without a slash", replace: map[string]string{"health: {path: /healthz}": "health: {path: healthz}"}, line: 3, says: "is no path", schema: true},
	// quantities
	{name: "cpu no quantity", replace: map[string]string{"resources: {cpu: 50m}": "resources: {cpu: a lot}"}, line: 8, says: "cpu \"a lot\" is no quantity"},
	{name: "cpu unit of memory", replace: map[string]string{"resources: {cpu: 50m}": "resources: {cpu: 1Gi}"}, line: 8, says: "out of range"},
	{name: "memory in milli", replace: map[string]string{"resources: {cpu: 50m}": "resources: {memory: 128m}"}, line: 8, says: "memory \"128m\" is out of range"},
	{name: "memory as a number", replace: map[string]string{"resources: {cpu: 50m}": "resources: {memory: 128}"}, line: 8, says: "text in quotes", schema: true},
	{name: "memory with a wrong unit", replace: map[string]string{"resources: {cpu: 50m}": "resources: {memory: 128MB}"}, line: 8, says: "no quantity"},
	// hosts
	{name: "host with a scheme", add: "host: https://npm\n", line: 10, says: "no host name", schema: true},
	{name: "host with a variable", add: "host: npm.${DOMAIN}\n", line: 10, says: "names the domain", schema: true},
	{name: "host of the platform", add: "host: ghost\n", line: 10, says: "the platform's"},
	{name: "host of another service", add: "host: taken\n", line: 10, says: "host taken.dev.example.com is that of github in environment dev"},
	// secrets
	{name: "secret of another service", replace: map[string]string{"/${ENVIRONMENT}/npm/registry": "/${ENVIRONMENT}/ghost/database"}, line: 7, says: "outside /dev/npm/"},
	{name: "secret of another environment", replace: map[string]string{"/${ENVIRONMENT}/npm/registry": "/production/npm/registry"}, line: 7, says: "outside /dev/npm/"},
	{name: "secret that climbs", replace: map[string]string{"/${ENVIRONMENT}/npm/registry": "/${ENVIRONMENT}/npm/../ghost/database"}, line: 7, says: "no path of a secret"},
	{name: "secret of everything", replace: map[string]string{"/${ENVIRONMENT}/npm/registry": "/${ENVIRONMENT}/npm/*"}, line: 7, says: "no path of a secret"},
	{name: "secret of a prefix alike", replace: map[string]string{"/${ENVIRONMENT}/npm/registry": "/${ENVIRONMENT}/npm2/registry"}, line: 7, says: "outside /dev/npm/"},
	{name: "secret without a path", replace: map[string]string{"path: \"/${ENVIRONMENT}/npm/registry\", ": ""}, line: 7, says: "has no path", schema: true},
	{name: "secret relative", replace: map[string]string{"/${ENVIRONMENT}/npm/registry": "npm/registry"}, line: 7, says: "no path of a secret", schema: true},
	{name: "secret in the environment", replace: map[string]string{"  LEVEL: info": "  DB_PASSWORD: hunter2"}, line: 5, says: "looks like a secret"},
	{name: "secret and variable", replace: map[string]string{"  LEVEL: info": "  NPM_ACCESS: a"}, line: 7, says: "in environment and in secrets"},
	{name: "unknown variable", replace: map[string]string{"  LEVEL: info": "  LEVEL: ${LEVL}"}, line: 5, says: "nothing is called ${LEVL}"},
	// across files
	{name: "calls nobody", add: "calls: [gitub]\n", line: 10, says: `there is no service "gitub"`},
	{name: "calls itself", add: "calls: [npm]\n", line: 10, says: "the service itself"},
	{name: "calls twice", add: "calls: [github, github]\n", line: 10, says: "twice", schema: true},
	{name: "unknown environment", add: "environments:\n  devel: {replicas: 1}\n", line: 11, says: `environments.devel is not in cdk.json; did you mean "dev"?`},
	{name: "no YAML file", file: "README.md", line: 0, says: "is no service file"},
}

// good is a service file with ten lines but one.
const good = `image: ghcr.io/nodezoo/nodezoo-npm:1.4.2
port: 8080
health: {path: /healthz}
environment:
  LEVEL: info
secrets:
  NPM_ACCESS: {path: "/${ENVIRONMENT}/npm/registry", key: token}
resources: {cpu: 50m}
user: 1000
`
