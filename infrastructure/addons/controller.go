package addons

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/podidentity"
	"k8s-plus-aws-gitops/internal/policy"
)

// ControllerProps says which controller gets its rights, and in which cluster.
type ControllerProps struct {
	Env     config.Environment
	Cluster awseksv2.ICluster
	// ClusterName is the cluster's name, which the role trusts.
	ClusterName string
	Rights      Rights
}

// Controller is a controller's identity in AWS: a role, and its association with the ServiceAccount. A pod that starts
// before the association runs without credentials until it is started again.
type Controller struct {
	constructs.Construct
	construct.Part
	Role        awsiam.Role
	Association awseksv2.CfnPodIdentityAssociation
}

// NewController makes the role and the association. A cluster has one association for each ServiceAccount.
func NewController(scope constructs.Construct, id string, props *ControllerProps) *Controller {
	c, r := &Controller{}, props.Rights
	construct.Init(c, scope, id)
	c.Role = podidentity.NewRole(c, "Role", &podidentity.RoleProps{
		Env: props.Env, Cluster: props.ClusterName, Namespace: r.Namespace, ServiceAccount: r.ServiceAccount,
		Description: strings.TrimSpace(r.Name+" "+r.ChartVersion) + " in cluster " + props.ClusterName,
		Policies:    map[string]policy.Document{r.Name: r.Policy},
	})
	c.Association = podidentity.NewAssociation(c, "Association", &podidentity.AssociationProps{
		Cluster: props.Cluster, Identity: podidentity.Identity{Namespace: r.Namespace, ServiceAccount: r.ServiceAccount, RoleARN: *c.Role.RoleArn()},
	})
	return c
}
