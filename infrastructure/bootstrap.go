package infrastructure

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/infrastructure/addons"
)

// Versions of what CloudFormation installs in the cluster. Flux is pinned to a minor; the operator carries the manifests
// of the newest patch that it knew, so a patch arrives with a reviewed change of the operator's version and never alone.
const (
	FluxOperatorVersion = "0.58.1"
	FluxVersion         = "2.9.x"
	fluxNamespace       = "flux-system"
)

// bootstrap brings Flux into the cluster and ends there: a failed Helm release in CloudFormation blocks its stack, so
// everything that Flux can install is in k8s/ and not here. The steps are, and their removal reverses them:
//
//	namespace → facts, operator → FluxInstance → Flux is running → GitRepository → Kustomization
//
// Flux, one of whose controllers has a role, and the Kustomization also wait for every Pod Identity association, because a
// pod that starts before its association runs without credentials until somebody restarts it. On removal it goes first and waits until Flux has removed everything
// that it applied, while controllers and their rights still exist; the certificate, too, can only be deleted after the
// load balancers that use it.
func bootstrap(c *Cluster, identities []Identity, certificate constructs.IConstruct) {
	associations := c.identities(identities)
	ready := append(slices.Clone(associations), webhookToken(c), certificate)

	namespace := c.manifest("FluxNamespace", c.ready, object("v1", "Namespace", "", fluxNamespace, nil))
	facts := c.manifest("ClusterFacts", after(namespace), c.facts())
	operator := c.EKS.AddHelmChart(jsii.String("FluxOperator"), &awseksv2.HelmChartOptions{
		Chart:           jsii.String("flux-operator"),
		Release:         jsii.String("flux-operator"),
		Repository:      jsii.String("oci://" + c.registry("controlplaneio-fluxcd/charts/flux-operator")),
		Version:         jsii.String(FluxOperatorVersion),
		Namespace:       jsii.String(fluxNamespace),
		CreateNamespace: jsii.Bool(false), // made above, so that it is also removed
		Wait:            jsii.Bool(true),
		Timeout:         awscdk.Duration_Minutes(jsii.Number(10)),
		Values:          c.operatorValues(),
	})
	operator.Node().AddDependency(namespace)
	instance := c.manifest("FluxInstance", append(after(operator), associations...), c.fluxInstance())
	running := awseksv2.NewKubernetesObjectValue(c.Stack, jsii.String("FluxRunning"), &awseksv2.KubernetesObjectValueProps{
		Cluster:         c.EKS,
		ObjectType:      jsii.String("fluxinstances.fluxcd.controlplane.io"),
		ObjectName:      jsii.String("flux"),
		ObjectNamespace: jsii.String(fluxNamespace),
		JsonPath:        jsii.String(".status.lastAppliedRevision"),
		Timeout:         awscdk.Duration_Minutes(jsii.Number(10)),
	})
	running.Node().AddDependency(instance)
	source := c.manifest("FluxSource", after(running), c.gitRepository())
	c.manifest("FluxKustomization", append(after(source, facts), ready...), c.kustomization())
	awscdk.NewCfnOutput(c.Stack, jsii.String("FluxRevision"), &awscdk.CfnOutputProps{
		Description: jsii.String("Version and digest of the Flux that runs"),
		Value:       running.Value(),
	})
}

// after lists constructs.
func after(list ...constructs.IConstruct) []constructs.IConstruct { return list }

// identities makes the controllers' roles, and the associations of theirs and the applications' roles.
func (c *Cluster) identities(apps []Identity) []constructs.IConstruct {
	all := make([]Identity, 0, len(apps)+3)
	resources := addons.Resources{HostedZoneID: *c.network.Zone.HostedZoneId(), KeyARN: *c.network.Key.KeyArn(), Images: c.images}
	for _, a := range addons.All(c.env, resources) {
		role := awsiam.NewRole(c.Stack, jsii.String("Role-"+a.Name), &awsiam.RoleProps{
			Description: jsii.String(strings.TrimSpace(a.Name+" "+a.ChartVersion) + " in cluster " + c.env.ClusterName()),
			AssumedBy:   podIdentityPrincipal(c.env, a.Namespace, a.ServiceAccount),
			InlinePolicies: &map[string]awsiam.PolicyDocument{
				a.Name: awsiam.PolicyDocument_FromJson(map[string]any(a.Policy)),
			},
		})
		all = append(all, Identity{Namespace: a.Namespace, ServiceAccount: a.ServiceAccount, RoleARN: *role.RoleArn()})
	}
	all = append(all, apps...)
	made := make([]constructs.IConstruct, len(all))
	for i, identity := range all {
		made[i] = c.associate(identity)
	}
	return made
}

// webhookToken makes the secret that GitHub and Flux's Receiver share: /<environment>/flux/webhook-token, key token.
func webhookToken(c *Cluster) awssecretsmanager.Secret {
	return awssecretsmanager.NewSecret(c.Stack, jsii.String("WebhookToken"), &awssecretsmanager.SecretProps{
		SecretName:    jsii.String(c.env.SecretName("flux", "webhook-token")),
		Description:   jsii.String("Signs the webhook that announces pushes to Flux"),
		EncryptionKey: c.network.Key,
		RemovalPolicy: c.keep.Derived(),
		GenerateSecretString: &awssecretsmanager.SecretStringGenerator{
			SecretStringTemplate: jsii.String("{}"),
			GenerateStringKey:    jsii.String("token"),
			PasswordLength:       jsii.Number(48),
			ExcludePunctuation:   jsii.Bool(true),
		},
	})
}

// manifest applies one object through the kubectl provider, after the given constructs.
func (c *Cluster) manifest(id string, dependencies []constructs.IConstruct, manifest map[string]any) awseksv2.KubernetesManifest {
	m := awseksv2.NewKubernetesManifest(c.Stack, jsii.String(id), &awseksv2.KubernetesManifestProps{
		Cluster:  c.EKS,
		Manifest: &[]*map[string]any{&manifest},
		// Apply instead of create: a creation that was cut short leaves the object behind, and the next try must not fail on it.
		Overwrite: jsii.Bool(true),
	})
	m.Node().AddDependency(widen(dependencies)...)
	return m
}

// widen converts for variadic parameters.
func widen(list []constructs.IConstruct) []constructs.IDependable {
	wide := make([]constructs.IDependable, len(list))
	for i, c := range list {
		wide[i] = c
	}
	return wide
}
