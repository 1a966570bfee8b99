package addons

import (
	"embed"
	"encoding/json"
	"fmt"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/policy"
)

// LoadBalancerControllerVersion is the version of the AWS Load Balancer Controller whose policy is embedded.
// A chart that is newer than its policy is a known outage (eksctl issues 8315, 8445), so a test compares both.
//
// renovate: datasource=helm depName=aws-load-balancer-controller registryUrl=https://aws.github.io/eks-charts
const LoadBalancerControllerVersion = "3.5.0"

//go:embed policies/aws-load-balancer-controller-v3.5.0/*.json
var policies embed.FS

// LoadBalancerController makes load balancers of Ingresses. Its policy is upstream's file, verbatim:
// https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/v3.5.0/docs/install/iam_policy.json
func LoadBalancerController(env config.Environment) Rights {
	return Rights{
		Name:           "aws-load-balancer-controller",
		Namespace:      "kube-system",
		ServiceAccount: "aws-load-balancer-controller",
		ChartVersion:   LoadBalancerControllerVersion,
		Policy:         upstreamPolicy(env.Partition()),
	}
}

// upstreamPolicy reads the embedded policy of a partition.
func upstreamPolicy(partition string) policy.Document {
	name := "policies/aws-load-balancer-controller-v" + LoadBalancerControllerVersion + "/" + partition + ".json"
	content, err := policies.ReadFile(name)
	var document policy.Document
	if err == nil {
		err = json.Unmarshal(content, &document)
	}
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err)) //nolint:forbidigo // embedded, and read by tests for every partition
	}
	return document
}
