package addons

import (
	"embed"
	"encoding/json"
	"fmt"

	"k8s-plus-aws-gitops/config"
)

// LoadBalancerControllerVersion is the version of the AWS Load Balancer Controller whose policy is embedded.
// A chart that is newer than its policy is a known outage (eksctl issues 8315, 8445), so a test compares both.
const LoadBalancerControllerVersion = "3.2.2"

// LoadBalancerControllerModule is the Go module, at the commit of tag v3.2.2, whose docs/install holds the policies.
const LoadBalancerControllerModule = "sigs.k8s.io/aws-load-balancer-controller@v0.0.0-20260423195125-93ff3b5fdaad"

//go:embed policies/aws-load-balancer-controller-v3.2.2/*.json
var policies embed.FS

// LoadBalancerController makes load balancers of Ingresses. Its policy is upstream's file, verbatim:
// https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/v3.2.2/docs/install/iam_policy.json
func LoadBalancerController(env config.Environment) Controller {
	return Controller{
		Name:           "aws-load-balancer-controller",
		Namespace:      "kube-system",
		ServiceAccount: "aws-load-balancer-controller",
		ChartVersion:   LoadBalancerControllerVersion,
		Policy:         upstreamPolicy(env.Partition()),
	}
}

// upstreamPolicy reads the embedded policy of a partition.
func upstreamPolicy(partition string) Document {
	name := "policies/aws-load-balancer-controller-v" + LoadBalancerControllerVersion + "/" + partition + ".json"
	content, err := policies.ReadFile(name)
	var policy Document
	if err == nil {
		err = json.Unmarshal(content, &policy)
	}
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err)) //nolint:forbidigo // embedded, and read by tests for every partition
	}
	return policy
}
