// Package podidentity makes the trust policies of roles that pods assume.
package podidentity

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
)

// Principal trusts EKS Pod Identity, for one ServiceAccount of the environment's cluster and nothing else: the service
// states cluster, namespace and ServiceAccount as session tags, and the conditions hold it to them.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
func Principal(env config.Environment, namespace, serviceAccount string) awsiam.IPrincipal {
	cluster := "arn:" + env.Partition() + ":eks:" + env.Region + ":" + env.Account + ":cluster/" + env.ClusterName()
	principal := awsiam.NewServicePrincipal(jsii.String("pods.eks.amazonaws.com"), nil)
	return awsiam.NewSessionTagsPrincipal(principal.WithConditions(&map[string]any{
		"StringEquals": map[string]any{
			"aws:RequestTag/eks-cluster-arn":            cluster,
			"aws:RequestTag/kubernetes-namespace":       namespace,
			"aws:RequestTag/kubernetes-service-account": serviceAccount,
		},
	}))
}
