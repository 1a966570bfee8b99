package appresources

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticache"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/retention"
	"k8s-plus-aws-gitops/internal/services"
)

// valkeyVersion is what a new cache runs. Its minor versions come by themselves.
const valkeyVersion = "9.0"

// cachePasswordLength lies in the 16 to 128 characters that ElastiCache takes.
const cachePasswordLength = 64

// CacheProps says whose cache it is and how large.
type CacheProps struct {
	Env     config.Environment
	Network Network
	// App names the replication group, <environment>-<app>, at most 40 characters, and the secrets /<environment>/<app>/cache,
	// with the password, and /<environment>/<app>/cache-endpoint, with host and port.
	App string
	// NodeType of ElastiCache, such as cache.t4g.micro.
	NodeType string
	// Replicas of the node that takes the writes, 0 to 5.
	Replicas int
	// MultiAZ puts the replicas into other zones and lets one of them take over by itself. It needs a replica.
	MultiAZ bool
}

// Cache is a replication group of ElastiCache for Valkey with one shard, which every client of Redis can use.
type Cache struct {
	constructs.Construct
	construct.Part
	Group awselasticache.CfnReplicationGroup
	// Password and Endpoint are the secrets with the keys password, and host and port.
	Password, Endpoint awssecretsmanager.Secret
}

// NewCache makes a cache that is encrypted, and reachable only from pods, only over TLS and only with the password. Its name
// is agreed and stays, so CloudFormation cannot replace it behind anybody's back. In a protected environment it leaves a last
// snapshot.
//
// The address is in a secret of its own: ElastiCache asks for the password before it gives the cache an address.
// (The CDK's module for ElastiCache has no L2 construct for caches made of nodes.)
func NewCache(scope constructs.Construct, id string, props *CacheProps) *Cache {
	c, env, of := &Cache{}, props.Env, "Cache of "+props.App+" in "+props.Env.Name
	construct.Init(c, scope, id)
	c.Password = cachePassword(c, props)
	c.Group = awselasticache.NewCfnReplicationGroup(c, jsii.String("Group"), &awselasticache.CfnReplicationGroupProps{
		ReplicationGroupId:          jsii.String(env.CacheName(props.App)),
		ReplicationGroupDescription: jsii.String(of),
		Engine:                      jsii.String("valkey"),
		EngineVersion:               jsii.String(valkeyVersion),
		AutoMinorVersionUpgrade:     jsii.Bool(true),
		CacheNodeType:               jsii.String(props.NodeType),
		NumCacheClusters:            jsii.Number(props.Replicas + 1),
		AutomaticFailoverEnabled:    jsii.Bool(props.MultiAZ),
		MultiAzEnabled:              jsii.Bool(props.MultiAZ),
		Port:                        jsii.Number(services.CachePort),
		CacheSubnetGroupName:        cacheSubnets(c, props.Network, of).Ref(),
		SecurityGroupIds:            &[]*string{access(c, props.Network, of, "Valkey", services.CachePort).SecurityGroupId()},
		TransitEncryptionEnabled:    jsii.Bool(true),
		TransitEncryptionMode:       jsii.String("required"),
		AtRestEncryptionEnabled:     jsii.Bool(true),
		KmsKeyId:                    props.Network.Key.KeyArn(),
		// A reference, which CloudFormation resolves: the password is not in the template.
		AuthToken: c.Password.SecretValueFromJson(jsii.String("password")).UnsafeUnwrap(),
	})
	c.Group.ApplyRemovalPolicy(retention.Of(env).Database(), nil)
	c.Endpoint = cacheEndpoint(c, props)
	return c
}

// cachePassword makes the secret with the password.
func cachePassword(c *Cache, props *CacheProps) awssecretsmanager.Secret {
	return awssecretsmanager.NewSecret(c, jsii.String("Password"), &awssecretsmanager.SecretProps{
		SecretName:    jsii.String(props.Env.SecretName(props.App, services.CacheThing)),
		Description:   jsii.String("Password of the cache of " + props.App + " in " + props.Env.Name),
		EncryptionKey: props.Network.Key,
		GenerateSecretString: &awssecretsmanager.SecretStringGenerator{
			SecretStringTemplate: jsii.String("{}"), GenerateStringKey: jsii.String("password"),
			PasswordLength: jsii.Number(cachePasswordLength), ExcludePunctuation: jsii.Bool(true),
		},
	})
}

// cacheEndpoint makes the secret with the address.
func cacheEndpoint(c *Cache, props *CacheProps) awssecretsmanager.Secret {
	endpoint := map[string]awscdk.SecretValue{}
	for key, value := range services.CacheEndpoint(*c.Group.AttrPrimaryEndPointAddress(), *c.Group.AttrPrimaryEndPointPort()) {
		endpoint[key] = awscdk.SecretValue_UnsafePlainText(jsii.String(value)) // an address is no secret
	}
	return awssecretsmanager.NewSecret(c, jsii.String("Endpoint"), &awssecretsmanager.SecretProps{
		SecretName:        jsii.String(props.Env.SecretName(props.App, services.CacheEndpointThing)),
		Description:       jsii.String("Address of the cache of " + props.App + " in " + props.Env.Name),
		EncryptionKey:     props.Network.Key,
		SecretObjectValue: &endpoint,
	})
}

// cacheSubnets are those without a route out.
func cacheSubnets(scope constructs.Construct, network Network, of string) awselasticache.CfnSubnetGroup {
	var ids []any
	for _, id := range *network.VPC.SelectSubnets(&awsec2.SubnetSelection{SubnetGroupName: jsii.String(network.DatabaseSubnets)}).SubnetIds {
		ids = append(ids, id)
	}
	return awselasticache.NewCfnSubnetGroup(scope, jsii.String("Subnets"), &awselasticache.CfnSubnetGroupProps{Description: jsii.String(of), SubnetIds: &ids})
}
