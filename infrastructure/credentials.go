package infrastructure

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/fluxcd/pkg/envsubst"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
)

const (
	// gitSecret is the Secret in flux-system with which Flux reads a private repository.
	gitSecret = "flux-git"
	// gitReadSecret is the last part of the name of the secret that it is copied from: /<environment>/flux/git-read.
	gitReadSecret = "git-read"
	// secretsNamespace is where external-secrets runs, by its manifests.
	secretsNamespace = "external-secrets"
)

// controllersLayer is the Kustomization of an environment's entry point that installs external-secrets.
const controllersLayer = "platform-controllers"

// ReadSecretsController returns, by environment with a private repository, the manifests with which Flux installs
// external-secrets: it follows the environment's entry point, k8s/clusters/<environment>, below the repository's root as Flux
// does. The error names the folder when it is not readable with the facts of its environment.
func ReadSecretsController(root string, environments []config.Environment) (map[string]string, error) {
	all := map[string]string{}
	for _, env := range environments {
		if env.GitCredentials == config.CredentialsNone {
			continue
		}
		from, content, err := secretsManifests(root, env.Name)
		if err != nil {
			return nil, err
		}
		if _, err := substituted(content, env.ClusterFacts(config.Placeholders)); err != nil {
			return nil, fmt.Errorf("%s: with the facts of %s: %w", from, env.Name, err)
		}
		all[env.Name] = content
	}
	return all, nil
}

// secretsManifests returns the folder that an environment installs its controllers from, and the text of those objects of it
// that are of external-secrets.
func secretsManifests(root, environment string) (from, content string, err error) {
	entry := filepath.Join("k8s", "clusters", environment)
	objects, err := build(root, entry)
	if err != nil {
		return entry, "", fmt.Errorf("%w; run make generate, which writes the entry points of Flux", err)
	}
	for _, o := range objects {
		if o.GetKind() != "Kustomization" || o.GetName() != controllersLayer {
			continue
		}
		path, err := o.GetString("spec.path")
		if err != nil {
			return entry, "", fmt.Errorf("%s: Kustomization %s: %w", entry, controllersLayer, err)
		}
		from = filepath.Clean(filepath.FromSlash(path))
	}
	if from == "" {
		return entry, "", fmt.Errorf("%s: has no Kustomization %s, which installs external-secrets for a private repository", entry, controllersLayer)
	}
	if objects, err = build(root, from); err != nil {
		return from, "", err
	}
	var documents []string
	for _, o := range objects {
		if o.GetNamespace() != secretsNamespace && o.GetName() != secretsNamespace {
			continue
		}
		text, err := o.AsYAML()
		if err != nil {
			return from, "", fmt.Errorf("%s: %w", from, err)
		}
		documents = append(documents, string(text))
	}
	return from, strings.Join(documents, "\n---\n"), nil
}

// build returns the objects of a folder with a kustomization.yaml.
func build(root, path string) ([]*resource.Resource, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return built.Resources(), nil
}

// GitCredentialsProps says where a private repository's credentials come from and go to.
type GitCredentialsProps struct {
	Env     config.Environment
	Cluster awseksv2.ICluster
	// Controller is what ReadSecretsController returns for the environment.
	Controller string
	// Facts stand for the controller's variables.
	Facts map[string]string
	// After is what must be there before: Flux, whose HelmRelease the controller is.
	After []constructs.IConstruct
}

// GitCredentials is the Secret with which Flux reads a private repository.
type GitCredentials struct {
	constructs.Construct
	construct.Part
	// Tried is there once the Secret was made, or could not be.
	Tried constructs.IConstruct
}

// NewGitCredentials makes the Secret before Flux has read anything: external-secrets from the very manifests that Flux later
// finds in that repository and goes on with, then a store and an ExternalSecret of its own, which copies
// /<environment>/flux/git-read. The secret itself never is in a template, an event or a log. A cluster has one.
// docs/design/20261129.private-repositories.md
func NewGitCredentials(scope constructs.Construct, id string, props *GitCredentialsProps) *GitCredentials {
	g, env := &GitCredentials{}, props.Env
	construct.Init(g, scope, id)
	k := kubectl{g, props.Cluster}
	objects, err := substituted(props.Controller, props.Facts)
	if err != nil {
		panic(err) //nolint:forbidigo // ReadSecretsController has read them with the same names
	}
	controller := k.apply("SecretsController", props.After, objects...)
	// It is Flux's from now on. Without this, a repository that becomes public would take external-secrets out of the
	// cluster, with its definitions all ExternalSecrets, and with them every Secret that they made.
	controller.Node().DefaultChild().(awscdk.CfnResource).ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	ready := k.wait("SecretsRunning", after(controller), awaited{"deployments.apps", secretsNamespace, "external-secrets", ".status.readyReplicas"}, 10)
	// An ExternalSecret that meets a store which is not ready fails, and is tried again later: too late for the gate.
	store := k.apply("Store", after(ready), gitStore(env))
	usable := k.wait("UsableStore", after(store), awaited{
		"secretstores.external-secrets.io", fluxNamespace, gitSecret, `.status.conditions[?(@.type=="Ready")].reason`,
	}, 5)
	secret := k.apply("ExternalSecret", after(usable), gitExternalSecret(env))
	// With or without success: what Flux then says of the missing Secret, the gate tells.
	g.Tried = k.wait("SecretTried", after(secret), awaited{
		"externalsecrets.external-secrets.io", fluxNamespace, gitSecret, `.status.conditions[?(@.type=="Ready")].reason`,
	}, 5)
	return g
}

// gitStore returns the store of the account's Secrets Manager, for flux-system alone. The platform's ClusterSecretStore comes from Git.
func gitStore(env config.Environment) map[string]any {
	return object("external-secrets.io/v1", "SecretStore", fluxNamespace, gitSecret, map[string]any{
		"provider": map[string]any{"aws": map[string]any{"region": env.Region, "service": "SecretsManager"}},
	})
}

// gitExternalSecret returns what copies all keys of /<environment>/flux/git-read, and again each hour: a new password in Secrets Manager
// is Flux's without a deployment.
func gitExternalSecret(env config.Environment) map[string]any {
	return object("external-secrets.io/v1", "ExternalSecret", fluxNamespace, gitSecret, map[string]any{
		"refreshInterval": "1h0m0s", // as external-secrets writes it back
		"secretStoreRef":  map[string]any{"kind": "SecretStore", "name": gitSecret},
		"target":          map[string]any{"name": gitSecret},
		"dataFrom":        []any{map[string]any{"extract": map[string]any{"key": env.SecretName("flux", gitReadSecret)}}},
	})
}

// substituted returns the objects of a YAML file with facts in the place of variables, as Flux substitutes them.
func substituted(source string, facts map[string]string) ([]map[string]any, error) {
	text, err := envsubst.Eval(source, func(name string) (string, bool) {
		value, known := facts[name]
		return value, known
	})
	if err != nil {
		return nil, err
	}
	var objects []map[string]any
	for document := range bytes.SplitSeq([]byte(text), []byte("\n---\n")) {
		var o map[string]any
		if err := yaml.Unmarshal(document, &o); err != nil {
			return nil, err
		}
		if len(o) > 0 {
			objects = append(objects, o)
		}
	}
	return objects, nil
}
