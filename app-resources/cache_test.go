package appresources

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/services"
)

// Only pods reach a cache, only over TLS and with a password that is not in the template. It leaves a snapshot where the
// environment is protected, and fails over where it has replicas for that.
func TestCache(t *testing.T) {
	for _, protected := range []bool{false, true} {
		env := cdktest.Environment(t)
		env.DeletionProtection = protected
		stack := cdktest.Stack(t, env)
		props := &CacheProps{Env: env, Network: network(stack), App: "shop", NodeType: "cache.t4g.micro"}
		if protected {
			props.Replicas, props.MultiAZ = 2, true
		}
		NewCache(stack, "Cache", props)
		template := cdktest.Synthesize(t, stack)
		template.Has("AWS::ElastiCache::ReplicationGroup", map[string]any{
			"ReplicationGroupId": "dev-shop", "Engine": "valkey", "CacheNodeType": "cache.t4g.micro",
			"NumCacheClusters": props.Replicas + 1, "MultiAZEnabled": protected, "AutomaticFailoverEnabled": protected,
			"TransitEncryptionEnabled": true, "TransitEncryptionMode": "required", "AtRestEncryptionEnabled": true,
			"KmsKeyId": "arn:aws:kms:eu-west-1:111111111111:key/1",
			"AuthToken": map[string]any{"Fn::Join": assertions.Match_ArrayWith(&[]any{
				assertions.Match_ArrayWith(&[]any{"{{resolve:secretsmanager:", ":SecretString:password::}}"}),
			})},
		})
		policy := map[bool]string{true: "Snapshot", false: "Delete"}[protected]
		template.HasResource(jsii.String("AWS::ElastiCache::ReplicationGroup"), map[string]any{"DeletionPolicy": policy, "UpdateReplacePolicy": policy})
		template.Has("AWS::ElastiCache::SubnetGroup", map[string]any{"SubnetIds": []any{"subnet-1", "subnet-2"}})
		template.Has("AWS::SecretsManager::Secret", map[string]any{"Name": "/dev/shop/cache"})
		template.Has("AWS::SecretsManager::Secret", map[string]any{"Name": "/dev/shop/cache-endpoint"})
		template.Count("AWS::EC2::SecurityGroupIngress", 1)
		template.Has("AWS::EC2::SecurityGroupIngress", map[string]any{"SourceSecurityGroupId": "sg-1", "FromPort": 6379, "ToPort": 6379})
	}
}

// The secrets that a cache makes hold the keys that its variables are made of.
func TestCacheSecretsHaveTheKeysOfItsVariables(t *testing.T) {
	env := cdktest.Environment(t)
	all := parse(t, map[string]string{"shop": "image: a:1\nport: 8080\naws: {cache: {}}\n"})
	stack := cdktest.Stack(t, env)
	Services(env, all)[0].Make(stack, env, network(stack))
	found := ""
	for _, secret := range *cdktest.Synthesize(t, stack).FindResources(jsii.String("AWS::SecretsManager::Secret"), nil) {
		content, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		found += string(content)
	}
	spec := all[0].Resolve(services.ClusterOf(env))
	for _, connection := range spec.Connections() {
		for variable, key := range connection.Variables {
			if !strings.Contains(found, `\"`+key+`\"`) && !strings.Contains(found, `"GenerateStringKey":"`+key+`"`) {
				t.Errorf("%s: no secret has the key %s: %s", variable, key, found)
			}
		}
		for _, path := range spec.SecretPaths(services.ClusterOf(env), connection) {
			if !strings.Contains(found, `"`+path+`"`) {
				t.Errorf("no secret is at %s: %s", path, found)
			}
		}
	}
}
