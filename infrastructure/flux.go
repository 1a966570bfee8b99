package infrastructure

import (
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
		"cluster":      map[string]any{"type": "aws", "networkPolicy": true},
		"kustomize":    map[string]any{"patches": []any{concurrency(), cancellation()}},
	})
}

// concurrency gives kustomize-controller more workers than its 4. A Kustomization that waits for the end of what it made
// holds a worker, and on removal they wait in a chain: the root, the layers, the 16 parts of the fleet, the services. With
// fewer workers than waiting Kustomizations nothing is left for those that are waited for, until the timeouts.
func concurrency() map[string]any {
	return map[string]any{
		"target": map[string]any{"kind": "Deployment", "name": "kustomize-controller"},
		"patch":  "- op: add\n  path: /spec/template/spec/containers/0/args/-\n  value: --concurrent=32\n",
	}
}

// cancellation ends a wait for the health of what a commit made as soon as the next commit is there: the fix of a bad one
// would wait for the timeout, up to ten minutes. docs/design/20261120.flux-feature-gates.md
func cancellation() map[string]any {
	return map[string]any{
		"target": map[string]any{"kind": "Deployment", "name": "(kustomize|helm)-controller"},
		"patch":  "- op: add\n  path: /spec/template/spec/containers/0/args/-\n  value: --feature-gates=CancelHealthCheckOnNewRevision=true\n",
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
		// Flux needs the manifests alone: a smaller artifact, and no new revision for a change elsewhere.
		"ignore": strings.Join([]string{"/*", "!/k8s", ""}, "\n"),
	}
	if c.env.GitCredentials != config.CredentialsNone {
		spec["secretRef"] = map[string]any{"name": gitSecret}
	}
	if c.env.GitCredentials == config.CredentialsGitHubApp {
		spec["provider"] = c.gitProvider()
	}
	return object("source.toolkit.fluxcd.io/v1", "GitRepository", fluxNamespace, fluxNamespace, spec)
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
