package infrastructure

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/podidentity"
)

// The bootstrap needs no more than a cluster: it brings Flux and the controllers' roles into one that it knows nothing of,
// after what pods need, and the root Kustomization after what applications need.
func TestBootstrap(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	pods, applications := awssns.NewTopic(stack, jsii.String("Pods"), nil), awssns.NewTopic(stack, jsii.String("Applications"), nil)
	made := NewBootstrap(stack, "Bootstrap", &BootstrapProps{
		Env: env, Cluster: bare(t, stack, "Bare", "green"), ClusterName: "green", VPC: vpc(stack), Zone: zone(stack), Key: key(stack),
		Images:           []string{"dev/shop"},
		Identities:       []podidentity.Identity{{Namespace: "shop", ServiceAccount: "shop", RoleARN: "arn:aws:iam::111111111111:role/dev-shop"}},
		PodsNeed:         []constructs.IConstruct{pods},
		ApplicationsNeed: []constructs.IConstruct{applications},
	})
	if made.Revision == nil || *made.Revision == "" {
		t.Error("no revision of Flux")
	}
	template := cdktest.Synthesize(t, stack)
	template.Has("Custom::AWSCDK-EKS-HelmChart", map[string]any{"Release": "flux-operator", "Version": FluxOperatorVersion})
	controllers := []string{"aws-load-balancer-controller", "external-dns", "external-secrets", "image-reflector-controller"}
	template.Count("AWS::EKS::PodIdentityAssociation", len(controllers)+1)
	for _, account := range append(controllers, "shop") {
		template.Has("AWS::EKS::PodIdentityAssociation", map[string]any{"ServiceAccount": account, "ClusterName": with(map[string]any{"Ref": like("^Bare")})})
	}
	for _, controller := range controllers {
		template.Has("AWS::IAM::Role", map[string]any{
			"Description": like("^" + controller + ".* in cluster green$"),
			"AssumeRolePolicyDocument": with(map[string]any{"Statement": list(with(map[string]any{
				"Condition": map[string]any{"StringEquals": with(map[string]any{"aws:RequestTag/eks-cluster-arn": env.ARN("eks", "cluster/green")})},
			}))}),
		})
	}
	for manifest, before := range map[string]string{`"kind":"Namespace"`: "^Pods", `"kind":"Kustomization"`: "^Applications"} {
		template.HasResource(jsii.String("Custom::AWSCDK-EKS-KubernetesResource"), map[string]any{
			"Properties": with(map[string]any{"Manifest": like(manifest)}), "DependsOn": list(like(before)),
		})
	}
}

// With the gate, the pipeline's group may list what tells whether a release has arrived, and nothing else.
func TestFluxReaders(t *testing.T) {
	for _, gate := range []bool{true, false} {
		env := cdktest.Environment(t)
		env.Delivery.Gate = gate
		stack := cdktest.Stack(t, env)
		NewBootstrap(stack, "Bootstrap", &BootstrapProps{Env: env, Cluster: bare(t, stack, "Bare", "green"), VPC: vpc(stack), Zone: zone(stack), Key: key(stack)})
		resources, err := json.Marshal(cdktest.Synthesize(t, stack).FindResources(jsii.String("Custom::AWSCDK-EKS-KubernetesResource"), nil))
		if err != nil {
			t.Fatal(err)
		}
		manifests := strings.ReplaceAll(string(resources), `\`, "")
		for _, part := range []string{
			`"kind":"ClusterRole","metadata":{"name":"flux-readers"`,
			`"rules":[{"apiGroups":["kustomize.toolkit.fluxcd.io"],"resources":["kustomizations"],"verbs":["list"]},` +
				`{"apiGroups":["helm.toolkit.fluxcd.io"],"resources":["helmreleases"],"verbs":["list"]},` +
				`{"apiGroups":["source.toolkit.fluxcd.io"],"resources":["gitrepositories"],"verbs":["list"]},{"apiGroups":[""],"resources":["events"],"verbs":["list"]}]`,
			`"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"` + config.VerifyGroup + `"}]`,
		} {
			if strings.Contains(manifests, part) != gate {
				t.Errorf("gate %t: the manifests have %s: %t", gate, part, !gate)
			}
		}
	}
}
