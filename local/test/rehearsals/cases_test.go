//go:build e2e

package rehearsals

// pull is a pull request.
type pull struct {
	name  string
	edits []edit
	// files are new ones.
	files map[string]string
	// commands of the clone make the rest of the change, such as `bin/gitops service remove npm`.
	commands [][]string
	// code is the exit code, and says a part of the line of the first cause.
	code int
	says string
	// stays tells that the change cannot be taken back by a revert, which is what the rehearsal must say.
	stays bool
}

// edit replaces a text of a file, which must be there once.
type edit struct{ file, old, new string }

const (
	deployment = "k8s/apps/ghost/deployment.yaml"
	ingress    = "k8s/apps/ghost/ingress.yaml"
	resources  = "k8s/apps/ghost/kustomization.yaml"
	info       = "k8s/services/info.yaml"
	orders     = "k8s/services/orders.yaml"
)

// base is what the repository has beside its own files: a service with a database, a queue, and rights on a bucket that is not its own.
var base = []pull{
	{name: "Add orders", commands: [][]string{{
		"bin/gitops", "service", "add", "orders", "--image", "ghcr.io/nodezoo/nodezoo-orders:1.0.0", "--health", "/healthz",
		"--host", "orders", "--database", "mysql", "--queue",
	}}},
	{name: "Let orders use a bucket", edits: []edit{{orders, "  queue: {}\n", `  queue: {}
  policy:
    - actions: [s3:GetObject, s3:PutObject]
      resources: ["arn:aws:s3:::${ENVIRONMENT}-ghost-content-${AWS_ACCOUNT_ID}-${AWS_REGION}/orders/*"]
environment:
  BUCKET_NAME: ${ENVIRONMENT}-ghost-content-${AWS_ACCOUNT_ID}-${AWS_REGION}
  COLUMN: what
`}}},
}

// migrate is a migration of the base's service by some SQL.
func migrate(phase, sql string) edit {
	return edit{orders, "  COLUMN: what\n", `  COLUMN: what
  MIGRATION: "` + sql + `"
migrate: {version: 1, phase: ` + phase + `, image: "ghcr.io/nodezoo/nodezoo-migrations:1.0.0", command: [migrate]}
`}
}

// good are everyday changes, of which nothing may be said.
var good = []pull{
	// What README asks a newcomer to push.
	{name: "good: make it highly available", edits: []edit{
		{"cdk.json", `"ghost": {"database": {"backupDays": 1}},
          "drift"`, `"ghost": {"database": {"backupDays": 1, "multiAz": true}},
          "drift"`},
		{deployment, "  replicas: 1\n", "  replicas: 2\n"},
	}},
	{name: "good: Ghost asks for more memory", edits: []edit{{deployment, "memory: 384Mi", "memory: 400Mi"}}},
	{name: "good: a service has a new setting", edits: []edit{{info, "NODE_ENV: production", "NODE_ENV: production\n  TITLE: rehearsed"}}},
	{name: "good: two replicas of a service", edits: []edit{{info, "replicas: 1\nenvironments", "replicas: 2\nenvironments"}}},
	{name: "good: a service may use more memory", edits: []edit{{"k8s/services/npm.yaml", "memory: 128Mi", "memory: 192Mi"}}},
	{name: "good: a new version of a service", edits: []edit{{"k8s/services/npm.yaml", "nodezoo-npm:1.4.2", "nodezoo-npm:1.4.3"}}},
	{name: "good: a new service", commands: [][]string{{
		"bin/gitops", "service", "add", "catalog", "--image", "ghcr.io/nodezoo/nodezoo-npm:1.4.2", "--health", "/healthz", "--host", "catalog",
	}}},
	{name: "good: a bucket for a service", edits: []edit{{"k8s/services/github.yaml", "internet: true\n", "internet: true\naws:\n  bucket: {}\n"}}},
	{name: "good: a page about the manifests", files: map[string]string{"k8s/README.md": "# What Flux applies\n"}},
	{name: "good: another path of a host", edits: []edit{{ingress, "            path: /\n            pathType: Prefix\n", `            path: /
            pathType: Prefix
          - backend:
              service:
                name: ghost
                port:
                  name: http
            path: /blog
            pathType: Prefix
`}}},
	{name: "good: a migration that adds an index", edits: []edit{migrate("expand", "ALTER TABLE orders ADD INDEX IF NOT EXISTS by_what (what)")}},
}

// bad pass check, test and review.
var bad = []pull{
	{
		name: "01 a program that ends after ten seconds", code: 1, says: "ghost",
		edits: []edit{{deployment, "- name: NODE_ENV\n", "- name: NODE_OPTIONS\n              value: --import=data:text/javascript,setTimeout(()=>process.exit(3),10000)\n            - name: NODE_ENV\n"}},
	},
	{
		name: "01 a program that ends at once", code: 1, says: "ghost",
		edits: []edit{{deployment, "name: database__client\n              value: mysql", "name: database__client\n              value: nosuch"}},
	},
	{
		name: "02 a readiness path that answers 404", code: 1, says: "ghost",
		edits: []edit{{deployment, "path: /ghost/api/admin/site/", "path: /ghost/api/admin/nowhere/"}},
	},
	{
		name: "02 a health path of a service that answers 404", code: 1, says: "info",
		edits: []edit{{info, "health: {path: /healthz", "health: {path: /nowhere"}},
	},
	{
		name: "03 a key that its secret lacks", code: 1, says: "hostname",
		edits: []edit{{deployment, "key: host\n", "key: hostname\n"}},
	},
	{
		name: "03 a key that the secret of a service lacks", code: 1, says: "github",
		edits: []edit{{"k8s/services/github.yaml", "key: token}", "key: tokens}"}},
	},
	{
		name: "04 a migration that locks the table for a minute", code: 1, says: "orders",
		edits: []edit{migrate("expand", "LOCK TABLES orders WRITE; SELECT SLEEP(60)")},
	},
	{
		name: "06 a wrong target port", code: 1, says: "requests lost: ghost.localhost",
		edits: []edit{{"k8s/apps/ghost/service.yaml", "targetPort: http", "targetPort: 2369"}},
	},
	{
		name: "07 a health check that the load balancer fails", code: 1, says: "unhealthy: ghost/Service/ghost",
		// The check speaks plain HTTP, which Ghost answers with 301.
		edits: []edit{{ingress, "success-codes: 200,301", "success-codes: \"200\""}},
	},
	{
		name: "09 less memory than the program needs", code: 1, says: "ghost",
		edits: []edit{{deployment, "memory: 1Gi", "memory: 96Mi"}, {deployment, "memory: 384Mi", "memory: 64Mi"}},
	},
	{
		name: "10 a removed service that another calls", code: 1, says: "requests lost: info.localhost",
		edits:    []edit{{info, "calls: [github, npm]", "calls: [github]"}},
		commands: [][]string{{"bin/gitops", "service", "remove", "npm"}},
	},
	{
		name: "12 a role without a right that it needs", code: 1, says: "orders",
		edits: []edit{{orders, "[s3:GetObject, s3:PutObject]", "[s3:GetObject]"}},
	},
	{
		name: "14 a rollout without preStop", code: 1, says: "ghost.localhost",
		edits: []edit{{deployment, `          lifecycle:
            preStop:
              sleep:
                # Until the load balancer has stopped sending requests here.
                seconds: 15
`, ""}},
	},
	{
		name: "15 a schema that the version before cannot read", code: 1, says: "orders.localhost",
		edits: []edit{migrate("expand", "ALTER TABLE orders RENAME COLUMN IF EXISTS what TO label"), {orders, "COLUMN: what\n", "COLUMN: label\n"}},
	},
	{
		name: "16 a migration that no release goes back over", code: 1, says: "revert", stays: true,
		edits: []edit{migrate("contract", "ALTER TABLE orders MODIFY what VARCHAR(40) NOT NULL")},
	},
	{
		name: "20 a job that runs twice", code: 1, says: "ghost/Job/import",
		files: map[string]string{"k8s/apps/ghost/import.yaml": job},
		edits: []edit{{resources, "  - poddisruptionbudget.yaml\n", "  - poddisruptionbudget.yaml\n  - import.yaml\n"}},
	},
}

// job does its work and fails the first time: its last statement finds what the first run left.
const job = `# yaml-language-server: $schema=https://raw.githubusercontent.com/yannh/kubernetes-json-schema/master/v1.36.3-standalone-strict/job-batch-v1.json
apiVersion: batch/v1
kind: Job
metadata:
  name: import
spec:
  backoffLimit: 2
  template:
    metadata:
      labels:
        # The policy that lets it out to the database.
        app.kubernetes.io/name: gitops-connect
    spec:
      automountServiceAccountToken: false
      containers:
        - command: [import]
          env:
            - name: DATABASE_HOST
              valueFrom: {secretKeyRef: {key: host, name: ghost-database}}
            - name: DATABASE_PORT
              valueFrom: {secretKeyRef: {key: port, name: ghost-database}}
            - name: DATABASE_USER
              valueFrom: {secretKeyRef: {key: username, name: ghost-database}}
            - name: DATABASE_PASSWORD
              valueFrom: {secretKeyRef: {key: password, name: ghost-database}}
            - name: DATABASE_NAME
              valueFrom: {secretKeyRef: {key: dbname, name: ghost-database}}
            - name: DATABASE_CA
              value: /etc/database-ca/ca.pem
            - name: MIGRATION
              value: >-
                CREATE TABLE IF NOT EXISTS imported (n INT); INSERT INTO imported VALUES (1);
                SELECT IF((SELECT COUNT(*) FROM imported) % 2 = 1, (SELECT 1 UNION SELECT 2), 1)
          image: ghcr.io/nodezoo/nodezoo-migrations:1.0.0
          name: import
          resources:
            limits: {memory: 64Mi}
            requests: {cpu: 10m, memory: 32Mi}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
            readOnlyRootFilesystem: true
          volumeMounts:
            - {mountPath: /etc/database-ca, name: ca, readOnly: true}
      restartPolicy: Never
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      serviceAccountName: ghost
      volumes:
        - {configMap: {name: import}, name: ca}
---
apiVersion: v1
binaryData: {ca.pem: "${DATABASE_CA}"}
kind: ConfigMap
metadata:
  name: import
`
