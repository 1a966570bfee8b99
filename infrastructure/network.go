// Package infrastructure is the platform's own AWS half: the network, the cluster, and the bootstrap that hands the
// cluster over to Flux.
package infrastructure

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/retention"
)

// NetworkProps says whose network it is.
type NetworkProps struct {
	Env config.Environment
	// Name is that of the VPC, and begins the names of the key's alias, <name>/data, and of the flow logs; the
	// environment's by default. A second network of an environment needs another one.
	Name string
}

// Network is what outlives clusters. Its VPC, key and zone cross to other stacks as CloudFormation exports, which is fine
// because none of them is ever replaced.
type Network struct {
	constructs.Construct
	construct.Part
	VPC awsec2.Vpc
	// Workloads is the security group of every node and therefore of every pod. It is made here and not taken from EKS,
	// so that a database can admit the pods without depending on a cluster, which may be replaced.
	Workloads awsec2.SecurityGroup
	// Key encrypts the environment's databases, secrets and logs.
	Key awskms.Key
	// Zone holds the environment's domain.
	Zone awsroute53.IHostedZone
	// NameServers are those of a zone that was made, with spaces between them; nil for one of the configuration.
	NameServers *string
}

// NewNetwork makes the VPC, the key, the security group of all pods, and the DNS zone unless the configuration has one.
func NewNetwork(scope constructs.Construct, id string, props *NetworkProps) *Network {
	n, env, name := &Network{}, props.Env, props.Name
	construct.Init(n, scope, id)
	if name == "" {
		name = env.Name
	}
	n.Key = retention.Of(env).Key(n, "DataKey", name+"/data", "Databases, secrets and logs of "+name)
	retention.AllowLogs(n.Key)
	n.VPC = NewVPC(n, "VPC", &VPCProps{Env: env, Name: name, Key: n.Key})
	n.Workloads = awsec2.NewSecurityGroup(n, jsii.String("Workloads"), &awsec2.SecurityGroupProps{
		Vpc:         n.VPC,
		Description: jsii.String("Nodes and pods of " + name),
	})
	n.zone(env)
	return n
}

// zone sets the DNS zone of the environment's domain: the configured one, or a new public one.
func (n *Network) zone(env config.Environment) {
	if z := env.HostedZone; z != nil {
		// By attributes, never by look-up: synthesis needs no account.
		n.Zone = awsroute53.HostedZone_FromHostedZoneAttributes(n, jsii.String("Zone"), &awsroute53.HostedZoneAttributes{
			HostedZoneId: jsii.String(z.ID), ZoneName: jsii.String(z.Name),
		})
		return
	}
	created := awsroute53.NewPublicHostedZone(n, jsii.String("Zone"), &awsroute53.PublicHostedZoneProps{
		ZoneName: jsii.String(env.Domain),
		Comment:  jsii.String("Domain of " + env.Name),
	})
	n.Zone, n.NameServers = created, awscdk.Fn_Join(jsii.String(" "), created.HostedZoneNameServers())
}
