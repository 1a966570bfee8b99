package infrastructure

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/infrastructure/addons"
)

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

// facts are the variables of the manifests, of which CDK knows the deployed ones as tokens.
func facts(props *BootstrapProps) map[string]string {
	all := props.Env.ClusterFacts(config.Deployed{VPCID: *props.VPC.VpcId(), HostedZoneID: *props.Zone.HostedZoneId(), AlertsAddress: props.AlertsAddress})
	all["CLUSTER_NAME"] = props.ClusterName
	return all
}

// clusterFacts is the ConfigMap through which everything that CDK knows and manifests need reaches Flux, which substitutes
// ${DOMAIN} and the like. Its label makes Flux apply a change at once.
func clusterFacts(props *BootstrapProps) map[string]any {
	o := object("v1", "ConfigMap", fluxNamespace, config.ClusterFactsName, nil)
	o["metadata"].(map[string]any)["labels"] = map[string]any{"reconcile.fluxcd.io/watch": "Enabled"}
	o["data"] = facts(props)
	return o
}

// fluxInstance asks the operator for Flux: https://fluxoperator.dev/docs/crd/fluxinstance/.
// It has no sync section: the source and the root Kustomization are resources of their own, which on removal go before
// Flux does and wait for what Flux has applied.
func fluxInstance(env config.Environment) map[string]any {
	components := []any{"source-controller", "kustomize-controller", "helm-controller", "notification-controller"}
	if env.UpdatesImages() {
		components = append(components, addons.ImageReflectorName, "image-automation-controller")
	}
	return object("fluxcd.controlplane.io/v1", "FluxInstance", fluxNamespace, "flux", map[string]any{
		"distribution": map[string]any{"version": FluxVersion, "registry": "ghcr.io/fluxcd"},
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
// under it. With keys Flux applies the head of its branch only if it is signed by one of them; until the branch gets
// there, it stays with what it has applied.
func gitRepository(env config.Environment, keys map[string]string) map[string]any {
	spec := map[string]any{
		"interval": "5m",
		"timeout":  "1m",
		"url":      env.RepositoryURL,
		"ref":      map[string]any{"branch": env.FluxBranch()},
		"ignore":   ignored(env),
		// Writing files that are ignored is most of the work of a fetch, and a merge waits for it.
		"sparseCheckout": []any{"k8s"},
	}
	if env.GitCredentials != config.CredentialsNone {
		spec["secretRef"] = map[string]any{"name": gitSecret}
	}
	if env.GitCredentials == config.CredentialsGitHubApp {
		spec["provider"] = env.GitProvider()
	}
	o := object("source.toolkit.fluxcd.io/v1", "GitRepository", fluxNamespace, fluxNamespace, spec)
	if len(keys) > 0 {
		spec["verify"] = map[string]any{"mode": "HEAD", "secretRef": map[string]any{"name": keysSecret}}
		// Flux does not watch the Secret: other keys make it look again at a commit that it has refused.
		o["metadata"].(map[string]any)["annotations"] = map[string]any{"reconcile.fluxcd.io/requestedAt": "keys " + keysDigest(keys)}
	}
	return o
}

// keysSecret is the Secret in flux-system with the public keys of repository.verify.
const keysSecret = "flux-keys"

// publicKeys is the Secret by which Flux verifies; what is in it may be read by everybody. Its values are encoded here: an
// entry of stringData that goes would stay in the Secret, and with it a key that nobody trusts any more.
func publicKeys(keys map[string]string) map[string]any {
	data := map[string]any{}
	for name, key := range keys {
		data[name] = base64.StdEncoding.EncodeToString([]byte(key))
	}
	o := object("v1", "Secret", fluxNamespace, keysSecret, nil)
	o["data"] = data
	return o
}

// keysDigest is another one for other keys.
func keysDigest(keys map[string]string) string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		fmt.Fprintf(hash, "%s\n%s\n", name, keys[name])
	}
	return fmt.Sprintf("%x", hash.Sum(nil)[:8])
}

// ignored leaves what is applied in this environment: each Kustomization unpacks all of the artifact, and in a large fleet
// the services' own files and the fleets of the other environments would be most of it.
func ignored(env config.Environment) string {
	const fleet = "/k8s/fleet"
	return strings.Join([]string{"/*", "!/k8s", "/k8s/services", fleet + "/*", "!" + fleet + "/base", "!" + fleet + "/" + env.Name, ""}, "\n")
}

// layers are the Kustomizations of k8s/clusters/base. The root is healthy when they are. What an environment adds, image
// automation for one, may wait for credentials or for a first image for as long as it likes.
var layers = []string{"platform-controllers", "platform-configs", "apps", "services"}

// kustomization is the root of everything in the cluster: k8s/clusters/<environment>. Its annotation makes a change of the
// source one of the Kustomization's, too, which the gate then holds against the source's state.
func kustomization(env config.Environment) map[string]any {
	checks := make([]any, len(layers))
	for i, name := range layers {
		checks[i] = map[string]any{
			"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "namespace": fluxNamespace, "name": name,
		}
	}
	o := object("kustomize.toolkit.fluxcd.io/v1", "Kustomization", fluxNamespace, fluxNamespace, map[string]any{
		"interval":       "10m",
		"retryInterval":  "30s",
		"timeout":        "10m",
		"path":           "./k8s/clusters/" + env.Name,
		"prune":          true,
		"healthChecks":   checks,
		"deletionPolicy": "WaitForTermination",
		"sourceRef":      map[string]any{"kind": "GitRepository", "name": fluxNamespace},
		// The facts also choose what an environment runs, not only its values: k8s/clusters/base/apps.yaml.
		"postBuild": map[string]any{"substituteFrom": []any{map[string]any{"kind": "ConfigMap", "name": config.ClusterFactsName}}},
	})
	o["metadata"].(map[string]any)["annotations"] = map[string]any{sourceAnnotation: sourceName(env)}
	if components := env.RootComponents(); len(components) > 0 {
		spec := o["spec"].(map[string]any)
		// The branch may be at a commit that has no such folder yet.
		spec["components"], spec["ignoreMissingComponents"] = components, true
	}
	return o
}
