package infrastructure

import (
	"encoding/json"
	"slices"
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

// bootstrapped are the manifests of the bootstrap of an environment.
func bootstrapped(t *testing.T, env config.Environment) string {
	t.Helper()
	stack := cdktest.Stack(t, env)
	NewBootstrap(stack, "Bootstrap", &BootstrapProps{Env: env, Cluster: bare(t, stack, "Bare", "green"), VPC: vpc(stack), Zone: zone(stack), Key: key(stack)})
	resources, err := json.Marshal(cdktest.Synthesize(t, stack).FindResources(jsii.String("Custom::AWSCDK-EKS-KubernetesResource"), nil))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(resources), `\`, "")
}

// Who views the cluster may look at Flux's objects, which the access policy leaves out, and at nothing else by this group.
func TestFluxViewers(t *testing.T) {
	for _, viewers := range [][]string{nil, {"arn:aws:iam::111111111111:role/Developer"}} {
		env := cdktest.Environment(t)
		env.Cluster.Viewers = viewers
		manifests := bootstrapped(t, env)
		for _, part := range []string{
			`"kind":"ClusterRole","metadata":{"name":"flux-viewers"`, `"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"` + config.ViewGroup + `"}]`,
		} {
			if strings.Contains(manifests, part) != (len(viewers) > 0) {
				t.Errorf("viewers %v: the manifests have %s: %t", viewers, part, len(viewers) == 0)
			}
		}
	}
	var groups []string
	for _, rule := range fluxViewers()[0]["rules"].([]any) {
		r := rule.(map[string]any)
		for _, group := range r["apiGroups"].([]any) {
			groups = append(groups, group.(string))
		}
		if !slices.Equal(r["verbs"].([]any), []any{"get", "list", "watch"}) || slices.Contains(r["resources"].([]any), any("*")) {
			t.Errorf("more than to look at what is named: %v", r)
		}
	}
	if want := []string{"helm", "image", "kustomize", "notification", "source"}; strings.Join(groups, " ") != strings.Join(want, ".toolkit.fluxcd.io ")+".toolkit.fluxcd.io" {
		t.Errorf("groups %v, want those of %v", groups, want)
	}
}

// With the gate, the pipeline's group may list what tells whether a release has arrived, and nothing else.
func TestFluxReaders(t *testing.T) {
	for _, gate := range []bool{true, false} {
		env := cdktest.Environment(t)
		env.Delivery.Gate = gate
		manifests := bootstrapped(t, env)
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
