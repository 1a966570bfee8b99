// Package addons says what each controller of k8s/platform/controllers may do in AWS: one file per controller, with its
// namespace, ServiceAccount and policy. The charts are installed by Flux; a test ties the versions of the two halves
// together.
//
// Rights are plain values, so that they can be read and tested without CDK; NewController makes them in a cluster.
package addons

import (
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/policy"
)

// Rights are who a controller is in a cluster, and what it may do in AWS.
type Rights struct {
	// Name of the controller, its chart and its role.
	Name string
	// Namespace and ServiceAccount in which its chart runs.
	Namespace, ServiceAccount string
	// ChartVersion is the chart that the policy was made for; a part of Flux has none.
	ChartVersion string
	// Policy is its IAM policy document.
	Policy policy.Document
}

// Resources are the identifiers of what the controllers work on; they may be CDK tokens.
type Resources struct {
	HostedZoneID string // Route 53 zone of the environment's domain
	KeyARN       string // KMS key of the environment's secrets
	// Images are the ECR repositories whose tags Flux follows, by name.
	Images []string
}

// All lists the platform's controllers.
func All(env config.Environment, r Resources) []Rights {
	all := []Rights{
		LoadBalancerController(env),
		ExternalDNS(env, r.HostedZoneID),
		ExternalSecrets(env, r.KeyARN),
	}
	if env.UpdatesImages() {
		all = append(all, ImageReflector(env, r.Images))
	}
	return all
}
