package infrastructure

import (
	"strconv"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/infrastructure/addons"
)

// gitSecret is the Secret in flux-system that holds the Git credentials, if the repository needs any.
const gitSecret = "flux-git"

// object makes a Kubernetes object; spec goes under its key, if any.
func object(apiVersion, kind, namespace, name string, spec map[string]any) map[string]any {
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	o := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
	if spec != nil {
		o["spec"] = spec
	}
	return o
}

// registry is where a repository of ghcr.io is pulled from: there, or in the environment's mirror.
func (c *Cluster) registry(repository string) string {
	host := c.env.Network.Mirror
	if host == "" {
		host = "ghcr.io"
	}
	return host + "/" + repository
}

// operatorValues are the chart's values: its defaults, and the mirror's image if there is a mirror.
func (c *Cluster) operatorValues() *map[string]any {
	if c.env.Network.Mirror == "" {
		return nil
	}
	return &map[string]any{"image": map[string]any{"repository": c.registry("controlplaneio-fluxcd/flux-operator")}}
}

// facts is the ConfigMap through which everything that CDK knows and manifests need reaches Flux, which substitutes
// ${DOMAIN} and the like. Its label makes Flux apply a change at once.
func (c *Cluster) facts() map[string]any {
	o := object("v1", "ConfigMap", fluxNamespace, "cluster-facts", nil)
	o["metadata"].(map[string]any)["labels"] = map[string]any{"reconcile.fluxcd.io/watch": "Enabled"}
	o["data"] = map[string]any{
		"ENVIRONMENT":    c.env.Name,
		"DOMAIN":         c.env.Domain,
		"CLUSTER_NAME":   c.env.ClusterName(),
		"AWS_REGION":     c.env.Region,
		"AWS_ACCOUNT_ID": c.env.Account,
		"AWS_PARTITION":  c.env.Partition(),
		"VPC_ID":         *c.network.VPC.VpcId(),
		"VPC_CIDR":       c.env.Network.CIDR,
		"HOSTED_ZONE_ID": *c.network.Zone.HostedZoneId(),
		"GIT_URL":        c.env.RepositoryURL,
		"GIT_BRANCH":     c.env.Branch,
		"IMAGE_REGISTRY": c.env.Registry(),
		// Where and how Flux writes image tags.
		"IMAGE_UPDATE_BRANCH": c.env.ImageUpdateBranch(),
		"GIT_PROVIDER":        c.gitProvider(),
	}
	return o
}

// fluxInstance asks the operator for Flux: https://fluxoperator.dev/docs/crd/fluxinstance/.
// It has no sync section: the source and the root Kustomization are resources of their own, which on removal go before
// Flux does and wait for what Flux has applied.
func (c *Cluster) fluxInstance() map[string]any {
	components := []any{"source-controller", "kustomize-controller", "helm-controller", "notification-controller"}
	if c.env.UpdatesImages() {
		components = append(components, addons.ImageReflectorName, "image-automation-controller")
	}
	return object("fluxcd.controlplane.io/v1", "FluxInstance", fluxNamespace, "flux", map[string]any{
		"distribution": map[string]any{"version": FluxVersion, "registry": c.registry("fluxcd")},
		"components":   components,
		// The operator's medium size gives the controllers that a fleet keeps busy two processors instead of one (it is a
		// limit, not a request), and looks again at a dependency that is not ready after 5 s instead of 30: a push goes
		// through five layers. Its numbers of workers are replaced below.
		"cluster": map[string]any{"type": "aws", "networkPolicy": true, "size": "medium"},
		"kustomize": map[string]any{"patches": []any{
			argument("kustomize-controller", "--concurrent="+strconv.Itoa(kustomizeWorkers)),
			argument("source-controller", "--concurrent="+strconv.Itoa(sourceWorkers)),
			// A wait for the health of what a commit made ends as soon as the next commit is there: the fix of a bad one would
			// wait for the timeout, up to ten minutes. docs/design/20261120.flux-feature-gates.md
			argument("(kustomize|helm)-controller", "--feature-gates=CancelHealthCheckOnNewRevision=true"),
		}},
	})
}

const (
	// kustomizeWorkers are more than kustomize-controller's own 4, because a Kustomization that waits for the end or the
	// health of what it made holds a worker. On removal they wait in a chain: the root, the layers, the 16 parts of the
	// fleet, the services; with fewer workers than waiting Kustomizations nothing is left for those that are waited for,
	// until the timeouts. Many more can harm: with 128, a thousand services at once on two very busy processors came to a
	// standstill of status patches that failed and reconciliations that began again; started anew with 32, it finished.
	kustomizeWorkers = 32
	// sourceWorkers are more than source-controller's own 2, since fetching a branch is waiting for the Git host: at half
	// a second each, two workers need 250 s for the branches of a thousand services. More would not make it faster: 16
	// stay well below the 100 requests at once that GitHub allows.
	sourceWorkers = 16
)

// argument adds an argument to one of Flux's controllers. How many requests they send to the API server needs none: it
// has priority and fairness, and they leave the limit to it.
func argument(controller, value string) map[string]any {
	return map[string]any{
		"target": map[string]any{"kind": "Deployment", "name": controller},
		"patch":  "- op: add\n  path: /spec/template/spec/containers/0/args/-\n  value: " + value + "\n",
	}
}

// gitRepository is the source of everything that Flux applies. The webhook announces pushes; the interval is the net
// under it.
func (c *Cluster) gitRepository() map[string]any {
	spec := map[string]any{
		"interval": "5m",
		"timeout":  "1m",
		"url":      c.env.RepositoryURL,
		"ref":      map[string]any{"branch": c.env.Branch},
		"ignore":   c.ignored(),
	}
	if c.env.GitCredentials != config.CredentialsNone {
		spec["secretRef"] = map[string]any{"name": gitSecret}
	}
	if c.env.GitCredentials == config.CredentialsGitHubApp {
		spec["provider"] = c.gitProvider()
	}
	return object("source.toolkit.fluxcd.io/v1", "GitRepository", fluxNamespace, fluxNamespace, spec)
}

// ignored leaves the manifests of this environment: each Kustomization unpacks all of the artifact, and in a large fleet
// the services of the other environments would be most of it.
func (c *Cluster) ignored() string {
	const services, fleet = "/k8s/services", "/k8s/services/fleet"
	return strings.Join([]string{"/*", "!/k8s", services + "/*", "!" + fleet, fleet + "/*", "!" + fleet + "/base", "!" + fleet + "/" + c.env.Name, ""}, "\n")
}

// gitProvider is how Flux treats the credentials: those of a GitHub App are exchanged for a token.
func (c *Cluster) gitProvider() string {
	if c.env.GitCredentials == config.CredentialsGitHubApp {
		return "github"
	}
	return "generic"
}

// kustomization is the root of everything in the cluster: k8s/clusters/<environment>.
func (c *Cluster) kustomization() map[string]any {
	return object("kustomize.toolkit.fluxcd.io/v1", "Kustomization", fluxNamespace, fluxNamespace, map[string]any{
		"interval":       "10m",
		"retryInterval":  "30s",
		"timeout":        "10m",
		"path":           "./k8s/clusters/" + c.env.Name,
		"prune":          true,
		"wait":           true,
		"deletionPolicy": "WaitForTermination",
		"sourceRef":      map[string]any{"kind": "GitRepository", "name": fluxNamespace},
	})
}
