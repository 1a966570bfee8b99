package infrastructure

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
)

// AddonProps says which EKS add-on a cluster gets.
type AddonProps struct {
	Env     config.Environment
	Cluster awseksv2.ICluster
	// Name of the add-on. Its version is the environment's: config/kubernetes.json, or cluster.addons.
	Name string
	// Values are the add-on's own settings, which EKS documents with it; EKS's defaults without any.
	Values map[string]any
	// ServiceAccount of the add-on that gets Role; nil for none.
	ServiceAccount string
	Role           awsiam.IRole
	// After is what must be there before. An add-on that is a Deployment is not active before it has a node.
	After []constructs.IConstruct
}

// NewAddon makes an EKS add-on in the pinned version: without one, EKS would never update it. A cluster has each once.
func NewAddon(scope constructs.Construct, id string, props *AddonProps) awseksv2.CfnAddon {
	addon := &awseksv2.CfnAddonProps{
		AddonName:    jsii.String(props.Name),
		AddonVersion: jsii.String(props.Env.AddonVersion(props.Name)),
		ClusterName:  props.Cluster.ClusterName(),
		// After a failed creation parts may be left in the cluster; they are the add-on's.
		ResolveConflicts: jsii.String("OVERWRITE"),
	}
	if props.Values != nil {
		text, err := json.Marshal(props.Values)
		if err != nil {
			panic(err) //nolint:forbidigo // literals of the caller
		}
		addon.ConfigurationValues = jsii.String(string(text))
	}
	if props.Role != nil {
		addon.PodIdentityAssociations = &[]*awseksv2.CfnAddon_PodIdentityAssociationProperty{{
			RoleArn: props.Role.RoleArn(), ServiceAccount: jsii.String(props.ServiceAccount),
		}}
	}
	// The L2 knows no Pod Identity.
	made := awseksv2.NewCfnAddon(scope, jsii.String(id), addon)
	construct.After(made, props.After...)
	return made
}
