package services

import "strings"

// badFile is a service file that must be refused: the good file with a line replaced or added, or a whole content.
type badFile struct {
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
	// others are more services beside it, by name.
	others map[string]string
}

var bad = []badFile{
	// YAML
	{name: "empty", content: "# nothing\n", line: 1, says: "is empty", schema: true},
	{name: "no mapping", content: "- image\n", line: 1, says: "must be keys and values, got a list", schema: true},
	{name: "tab", content: "image: a:1\n\tport: 8080\n", line: 2, says: "is not YAML"},
	{name: "open quote", content: "image: \"a:1\nport: 8080\n", line: 3, says: "is not YAML"},
	{name: "open bracket", add: "calls: [a, b\n", line: 9, says: "is not YAML"},
	{name: "two documents", add: "---\nimage: b:1\n", line: 10, says: "more than one document"},
	{name: "key twice", add: "port: 8081\n", line: 10, says: "port: is there twice"},
	{name: "anchor", replace: map[string]string{"port: 8080": "port: &p 8080"}, line: 2, says: "anchor"},
	{name: "merge key", add: "environments:\n  dev:\n    <<: {replicas: 2}\n", line: 12, says: "must have names as keys"},
	{name: "too large", content: "image: a:1\n#" + strings.Repeat("x", largest) + "\n", line: 0, says: "larger than 64 KiB", schema: true},
	{name: "not text", content: "\xff\xfe\x00", line: 1, says: "is not YAML"},
	// keys and types
	{name: "unknown key", add: "replica: 2\n", line: 10, says: `replica: is not a known key; did you mean "replicas"?`, schema: true},
	{name: "unknown key of a part", replace: map[string]string{"health: {path: /healthz}": "health: {url: /healthz}"}, line: 3, says: "health.url", schema: true},
	{name: "unknown key of an environment", add: "environments:\n  dev: {hosts: a}\n", line: 11, says: "environments.dev.hosts", schema: true},
	{name: "number as text", replace: map[string]string{"port: 8080": `port: "8080"`}, line: 2, says: `port: must be a whole number, got "8080"`, schema: true},
	{name: "text as number", replace: map[string]string{"  LEVEL: info": "  LEVEL: 3"}, line: 5, says: "environment.LEVEL: must be text, got 3; write it in quotes", schema: true},
	{name: "text as boolean", replace: map[string]string{"  LEVEL: info": "  LEVEL: true"}, line: 5, says: "must be text, got true", schema: true},
	{name: "boolean as text", add: "internet: maybe\n", line: 10, says: `must be true or false, got "maybe"`, schema: true},
	{name: "list as text", add: "calls: github\n", line: 10, says: `calls: must be a list, got "github"`, schema: true},
	{name: "nothing", replace: map[string]string{"port: 8080": "port:"}, line: 2, says: "port: must be a whole number, got nothing", schema: true},
	// names
	{name: "name in upper case", file: "Npm.yaml", line: 1, says: `must be named by lower case letters, digits and hyphens, starting with a letter, got "Npm"`},
	{name: "name with an underscore", file: "npm_service.yaml", line: 1, says: "must be named by lower case letters"},
	{name: "name that starts with a digit", file: "7zip.yaml", line: 1, says: "must be named by lower case letters"},
	{name: "name too long", file: strings.Repeat("a", 51) + ".yaml", line: 1, says: "at most 50 characters, got 51"},
	{name: "name of the platform", file: "flux-system.yaml", line: 1, says: "a name of the platform"},
	{name: "name of Kubernetes", file: "kube-proxy.yaml", line: 1, says: "a name of the platform"},
	{name: "name that is a word of YAML", file: "true.yaml", line: 1, says: "reads as something else"},
	{name: "variable with a hyphen", replace: map[string]string{"  LEVEL: info": "  LOG-LEVEL: info"}, line: 5, says: `must be named by letters, digits and underscores, got "LOG-LEVEL"`, schema: true},
	{name: "variable of the static files", replace: map[string]string{"  LEVEL: info": "  ASSETS_PREFIX: x"}, line: 5, says: "services with static files get it"},
	// image
	{name: "image missing", replace: map[string]string{"image: ghcr.io/nodezoo/nodezoo-npm:1.4.2": "replicas: 1"}, line: 1, says: "image: is missing", schema: true},
	{name: "image without a version", replace: map[string]string{"image: ghcr.io/nodezoo/nodezoo-npm:1.4.2": "image: ghcr.io/nodezoo/nodezoo-npm"}, line: 1, says: "image: must be pinned", schema: true},
	{name: "image latest", replace: map[string]string{"image: ghcr.io/nodezoo/nodezoo-npm:1.4.2": "image: npm:latest"}, line: 1, says: "image: must be pinned", schema: true},
	{name: "image as an address", replace: map[string]string{"image: ghcr.io/nodezoo/nodezoo-npm:1.4.2": "image: https://ghcr.io/npm:1"}, line: 1, says: "image: must be an image reference"},
	// migrations
	{name: "migration without a version", add: "migrate: {phase: expand, command: [a]}\n", line: 10, says: "migrate.version: must be at least 1, got 0", schema: true},
	{name: "migration of no phase", add: "migrate: {version: 1, phase: alter, command: [a]}\n", line: 10, says: `migrate.phase: must be expand or contract, got "alter"`, schema: true},
	{name: "migration without a command", add: "migrate: {version: 1, phase: expand}\n", line: 10, says: "migrate.command: must be a command", schema: true},
	{name: "migration by an image without a version", add: "migrate: {version: 1, phase: expand, command: [a], image: flyway}\n", line: 10, says: "migrate.image: must be pinned", schema: true},
	{name: "migration of an environment", add: "environments:\n  dev: {migrate: {version: 1, phase: expand, command: [a]}}\n", line: 11, says: "environments.dev.migrate: must not differ between environments"},
	// ports and numbers
	{name: "port missing", replace: map[string]string{"port: 8080": "replicas: 1"}, line: 1, says: "port: is missing", schema: true},
	{name: "port zero", replace: map[string]string{"port: 8080": "port: 0"}, line: 2, says: "port: must be from 1024 to 65535, got 0", schema: true},
	{name: "port privileged", replace: map[string]string{"port: 8080": "port: 80"}, line: 2, says: "port: must be from 1024 to 65535, got 80", schema: true},
	{name: "port too large", replace: map[string]string{"port: 8080": "port: 70000"}, line: 2, says: "got 70000", schema: true},
	{name: "port of an environment", add: "environments:\n  dev: {port: 1}\n", line: 11, says: "environments.dev.port: must be from 1024 to 65535, got 1", schema: true},
	{name: "root", replace: map[string]string{"user: 1000": "user: 0"}, line: 9, says: "root", schema: true},
	{name: "replicas negative", add: "replicas: -1\n", line: 10, says: "replicas: must be from 0 to 100, got -1", schema: true},
	{name: "replicas and autoscale", add: "replicas: 1\nautoscale: {min: 1, max: 2}\n", line: 11, says: "must not be there together with replicas"},
	{name: "autoscale upside down", add: "autoscale: {min: 3, max: 2}\n", line: 10, says: "autoscale.max: must be at least min, 3, got 2"},
	{name: "autoscale by a queue", add: "autoscale: {min: 1, max: 9, queueLength: 100}\n", line: 10, says: "autoscale.queueLength: is not a known key; pods are scaled by their CPU alone; use cpu", schema: true},
	{name: "autoscale without min", add: "autoscale: {max: 2}\n", line: 10, says: "autoscale.min: must be at least 1, got 0", schema: true},
	{name: "autoscale in fractions", add: "autoscale: {min: 1, max: 2, cpu: 0.7}\n", line: 10, says: "must be a whole number, got 0.7", schema: true},
	{name: "health without a slash", replace: map[string]string{"health: {path: /healthz}": "health: {path: healthz}"}, line: 3, says: "health.path: must be the path of a URL", schema: true},
	// quantities
	{name: "cpu no quantity", replace: map[string]string{"resources: {cpu: 50m}": "resources: {cpu: a lot}"}, line: 8, says: `resources.cpu: must be a quantity, got "a lot"`},
	{name: "cpu unit of memory", replace: map[string]string{"resources: {cpu: 50m}": "resources: {cpu: 1Gi}"}, line: 8, says: "resources.cpu: must be from 5m to 64"},
	{name: "memory in milli", replace: map[string]string{"resources: {cpu: 50m}": "resources: {memory: 128m}"}, line: 8, says: `resources.memory: must be from 8Mi to 256Gi, got "128m"`},
	{name: "memory as a number", replace: map[string]string{"resources: {cpu: 50m}": "resources: {memory: 128}"}, line: 8, says: "must be text, got 128", schema: true},
	{name: "memory with a wrong unit", replace: map[string]string{"resources: {cpu: 50m}": "resources: {memory: 128MB}"}, line: 8, says: "must be a quantity"},
	// hosts
	{name: "host with a scheme", add: "host: https://npm\n", line: 10, says: "host: must be a host name", schema: true},
	{name: "host with a variable", add: "host: npm.${DOMAIN}\n", line: 10, says: "host: must not name the domain", schema: true},
	{name: "host of the platform", add: "host: ghost\n", line: 10, says: "host: must not be a host of the platform"},
	{name: "host of another service", add: "host: taken\n", line: 10, says: "host: must not be the host of another service, got taken.dev.example.com, that of github in environment dev"},
	// secrets
	{name: "secret of another service", replace: map[string]string{"/${ENVIRONMENT}/npm/registry": "/${ENVIRONMENT}/ghost/database"}, line: 7, says: "secrets.NPM_ACCESS.path: must be below /dev/npm/ in environment dev"},
	{name: "secret of another environment", replace: map[string]string{"/${ENVIRONMENT}/npm/registry": "/production/npm/registry"}, line: 7, says: "secrets.NPM_ACCESS.path: must be below /dev/npm/ in environment dev"},
	{name: "secret that climbs", replace: map[string]string{"/${ENVIRONMENT}/npm/registry": "/${ENVIRONMENT}/npm/../ghost/database"}, line: 7, says: "must be the path of a secret"},
	{name: "secret of everything", replace: map[string]string{"/${ENVIRONMENT}/npm/registry": "/${ENVIRONMENT}/npm/*"}, line: 7, says: "must be the path of a secret"},
	{name: "secret of a prefix alike", replace: map[string]string{"/${ENVIRONMENT}/npm/registry": "/${ENVIRONMENT}/npm2/registry"}, line: 7, says: "secrets.NPM_ACCESS.path: must be below /dev/npm/ in environment dev"},
	{name: "secret without a path", replace: map[string]string{"path: \"/${ENVIRONMENT}/npm/registry\", ": ""}, line: 7, says: "secrets.NPM_ACCESS: must have a path", schema: true},
	{name: "secret relative", replace: map[string]string{"/${ENVIRONMENT}/npm/registry": "npm/registry"}, line: 7, says: "must be the path of a secret", schema: true},
	{name: "secret in the environment", replace: map[string]string{"  LEVEL: info": "  DB_PASSWORD: hunter2"}, line: 5, says: "if it is a secret, as DB_PASSWORD seems to be"},
	{name: "secret and variable", replace: map[string]string{"  LEVEL: info": "  NPM_ACCESS: a"}, line: 7, says: "must not be in environment and in secrets"},
	{name: "unknown variable", replace: map[string]string{"  LEVEL: info": "  LEVEL: ${LEVL}"}, line: 5, says: "environment.LEVEL: must use known variables, got ${LEVL}"},
	// across files
	{name: "calls nobody", add: "calls: [gitub]\n", line: 10, says: `calls[0]: must be the name of a service, got "gitub"`},
	{name: "calls itself", add: "calls: [npm]\n", line: 10, says: "must not be the service itself"},
	{name: "calls twice", add: "calls: [github, github]\n", line: 10, says: "twice", schema: true},
	{name: "unknown environment", add: "environments:\n  devel: {replicas: 1}\n", line: 11, says: `environments.devel: must be an environment of cdk.json, got "devel"; did you mean "dev"?`},
	{name: "no YAML file", file: "README.md", line: 0, says: "must be named <service>.yaml"},
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
