package appresources

import (
	"os"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/internal/cdktest"
)

func TestMain(m *testing.M) { os.Exit(cdktest.Run(m, "..")) }

// network is one that the stack does not make.
func network(stack awscdk.Stack) Network {
	vpc := awsec2.Vpc_FromVpcAttributes(stack, jsii.String("VPC"), &awsec2.VpcAttributes{
		VpcId: jsii.String("vpc-1"), AvailabilityZones: jsii.Strings("eu-west-1a", "eu-west-1b"),
		IsolatedSubnetIds: jsii.Strings("subnet-1", "subnet-2"), IsolatedSubnetNames: jsii.Strings("isolated"),
		PrivateSubnetIds: jsii.Strings("subnet-3", "subnet-4"), PrivateSubnetNames: jsii.Strings("private"),
	})
	return Network{
		VPC:              vpc,
		DatabaseSubnets:  "isolated",
		PrivateSubnets:   "private",
		DatabaseFunction: FunctionCode{Folder: "testdata/function", Hash: cdktest.FunctionHash},
		Workloads:        awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("Workloads"), jsii.String("sg-1"), nil),
		Key:              awskms.Key_FromKeyArn(stack, jsii.String("Key"), jsii.String("arn:aws:kms:eu-west-1:111111111111:key/1")),
		Zone: awsroute53.HostedZone_FromHostedZoneAttributes(stack, jsii.String("Zone"), &awsroute53.HostedZoneAttributes{
			HostedZoneId: jsii.String("Z1"), ZoneName: jsii.String("example.com"),
		}),
	}
}
