package infrastructure

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/infrastructure/addons"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/podidentity"
)

// Versions of what CloudFormation installs in the cluster. Flux is pinned to a minor; the operator carries the manifests
// of the newest patch that it knew, so a patch arrives with a reviewed change of the operator's version and never alone.
const (
	// renovate: datasource=docker depName=ghcr.io/controlplaneio-fluxcd/charts/flux-operator
	FluxOperatorVersion = "0.61.0"
	// renovate: datasource=github-releases depName=fluxcd/flux2 versioning=npm extractVersion=^v(?<version>.+)$
	FluxVersion   = "2.9.x"
	fluxNamespace = "flux-system"
)

// BootstrapProps is the cluster that gets Flux, and what Flux and the controllers need to know.
type BootstrapProps struct {
	Env config.Environment
	// Cluster has a kubectl provider. It needs no nodes of this package: see PodsNeed.
	Cluster awseksv2.ICluster
	// ClusterName is the cluster's name as plain text, for the trust of roles; the agreed one of the environment by default.
	ClusterName string
	// VPC and Zone, the environment's domain, are among the facts; external-dns writes the zone.
	VPC  awsec2.IVpc
	Zone awsroute53.IHostedZone
	// Key is that of the environment's secrets, which external-secrets reads.
	Key awskms.IKey
	// Images are the applications' image repositories, by name, whose tags Flux follows.
	Images []string
	// Identities are the applications' roles; the controllers' own are added to them.
	Identities []podidentity.Identity
	// SecretsController is what ReadSecretsController returns for the environment; it is used where the Git repository is private.
	SecretsController string
	// PublicKeys are the keys of repository.verify by the names of their files; none: Flux asks for no signature.
	PublicKeys map[string]string
	// AlertsAddress is where Flux tells of errors; empty: nowhere.
	AlertsAddress string
	// PodsNeed is what must exist before the first pod can run: nodes, DNS.
	PodsNeed []constructs.IConstruct
	// ApplicationsNeed is what must exist before the applications, and as long as they do: the certificate of their load
	// balancers, the webhook's token, what takes Flux's errors.
	ApplicationsNeed []constructs.IConstruct
}

// Bootstrap is Flux in a cluster, which follows the environment's branch.
type Bootstrap struct {
	constructs.Construct
	construct.Part
	// Revision is version and digest of the Flux that runs; a CDK token.
	Revision *string
}

// NewBootstrap brings Flux into a cluster, with the roles of the controllers that Flux installs, and ends there: a failed
// Helm release in CloudFormation blocks its stack, so everything that Flux can install is in k8s/ and not here. A cluster has
// one. The steps are, and their removal reverses them:
//
//	namespace → facts, operator → FluxInstance → Flux is running → credentials → GitRepository → it was read → Kustomization
//
// The credentials are those of a private repository (credentials.go), and "it was read" fails the stack when it was not
// (gate.go).
//
// Flux, one of whose controllers has a role, and the Kustomization also wait for every Pod Identity association, because a
// pod that starts before its association runs without credentials until somebody restarts it. On removal the Kustomization
// goes first and waits until Flux has removed everything that it applied, while controllers and their rights still exist;
// the certificate, too, can only be deleted after the load balancers that use it.
func NewBootstrap(scope constructs.Construct, id string, props *BootstrapProps) *Bootstrap {
	b, env, cluster := &Bootstrap{}, props.Env, *props
	construct.Init(b, scope, id)
	if cluster.ClusterName == "" {
		cluster.ClusterName = env.ClusterName()
	}
	k := kubectl{b, props.Cluster}
	associations := b.identities(&cluster)
	namespace := k.apply("FluxNamespace", props.PodsNeed, object("v1", "Namespace", "", fluxNamespace, nil))
	if env.Gated() {
		k.apply("Readers", after(namespace), fluxReaders()...)
	}
	if len(env.Cluster.Viewers) > 0 {
		k.apply("Viewers", after(namespace), fluxViewers()...)
	}
	if env.WatchesDrift() {
		k.apply("DriftReaders", after(namespace), driftReaders(env)...)
	}
	applied := k.apply("ClusterFacts", after(namespace), clusterFacts(&cluster))
	operator := b.operator(props.Cluster, namespace)
	instance := k.apply("FluxInstance", append(after(operator), associations...), fluxInstance(env))
	running := k.wait("FluxRunning", after(instance), awaited{"fluxinstances.fluxcd.controlplane.io", fluxNamespace, "flux", ".status.lastAppliedRevision"}, 10)
	gate := k.apply("FluxGate", after(running), gateObjects(env)...)
	before := after(gate)
	if env.GitCredentials != config.CredentialsNone {
		credentials := NewGitCredentials(b, "GitCredentials", &GitCredentialsProps{
			Env: env, Cluster: props.Cluster, Controller: props.SecretsController, Facts: facts(&cluster), After: after(running),
		})
		before = append(before, credentials.Tried)
	}
	if len(props.PublicKeys) > 0 {
		before = append(before, k.apply("FluxKeys", after(namespace), publicKeys(props.PublicKeys)))
	}
	source := k.apply("FluxSource", before, gitRepository(env, props.PublicKeys))
	read := k.reported(env, source)
	k.apply("FluxKustomization", slices.Concat(after(read, applied), associations, props.ApplicationsNeed), kustomization(env))
	b.Revision = running.Value()
	return b
}

// operator installs flux-operator.
func (b *Bootstrap) operator(cluster awseksv2.ICluster, namespace constructs.IConstruct) constructs.IConstruct {
	operator := awseksv2.NewHelmChart(b, jsii.String("FluxOperator"), &awseksv2.HelmChartProps{
		Cluster:         cluster,
		Chart:           jsii.String("flux-operator"),
		Release:         jsii.String("flux-operator"),
		Repository:      jsii.String("oci://ghcr.io/controlplaneio-fluxcd/charts/flux-operator"),
		Version:         jsii.String(FluxOperatorVersion),
		Namespace:       jsii.String(fluxNamespace),
		CreateNamespace: jsii.Bool(false), // made above, so that it is also removed
		Wait:            jsii.Bool(true),
		Timeout:         awscdk.Duration_Minutes(jsii.Number(10)),
	})
	construct.After(operator, namespace)
	return operator
}

// identities makes the controllers' roles, and the associations of theirs and the applications' roles.
func (b *Bootstrap) identities(props *BootstrapProps) []constructs.IConstruct {
	var made []constructs.IConstruct
	resources := addons.Resources{HostedZoneID: *props.Zone.HostedZoneId(), KeyARN: *props.Key.KeyArn(), Images: props.Images}
	for _, rights := range addons.All(props.Env, resources) {
		controller := addons.NewController(b, rights.Name, &addons.ControllerProps{
			Env: props.Env, Cluster: props.Cluster, ClusterName: props.ClusterName, Rights: rights,
		})
		made = append(made, controller.Association)
	}
	for _, i := range props.Identities {
		made = append(made, podidentity.NewAssociation(b, "Identity-"+i.Namespace+"-"+i.ServiceAccount, &podidentity.AssociationProps{
			Cluster: props.Cluster, Identity: i,
		}))
	}
	return made
}
