// Package teardown_test removes environments from a local AWS, whose CloudFormation refuses what AWS refuses. Unit tests are
// beside internal/teardown.
package teardown_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/httpbody"
	"k8s-plus-aws-gitops/internal/teardown"
	"k8s-plus-aws-gitops/local/endpoint"
	"k8s-plus-aws-gitops/local/endpoint/moto/mototest"
	"k8s-plus-aws-gitops/local/internal/freeport"
)

const account = "000000000000"

// world is a local AWS API: moto, with a CloudFormation that deletes and refuses as AWS does.
type world struct {
	t   *testing.T
	aws aws.Config
	// said is what the teardown reported.
	said []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	moto := mototest.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended, address := make(chan struct{}), freeport.Address(t)
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	go func() {
		defer close(ended)
		if err := endpoint.Run(ctx, endpoint.Config{Listen: address, Moto: moto.URL, Account: account, Region: "eu-west-1", Dir: t.TempDir(), Mail: t.TempDir(), Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Error(err)
		}
	}()
	w := &world{t: t, aws: aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://" + address), Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient: httpbody.Client(),
	}}
	w.aws.RetryMaxAttempts = 8 // until it listens
	return w
}

func (w *world) teardown(env config.Environment) *teardown.Teardown {
	return &teardown.Teardown{Env: env, AWS: w.aws, Poll: 20 * time.Millisecond, Say: func(format string, args ...any) {
		w.said = append(w.said, fmt.Sprintf(format, args...))
	}}
}

func local() config.Environment {
	return config.Environment{Name: "local", Account: account, Region: "eu-west-1", Domain: "localhost"}
}

// deploy makes a stack with the tag that CDK gives it, and returns the physical ids by type.
func (w *world) deploy(name, body, environment string) map[string]string {
	w.t.Helper()
	ctx, client := w.t.Context(), cloudformation.NewFromConfig(w.aws)
	if _, err := client.CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: &name, TemplateBody: &body, Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityNamedIam},
		Tags: []cfntypes.Tag{{Key: aws.String("environment"), Value: &environment}},
	}); err != nil {
		w.t.Fatal(err)
	}
	err := cloudformation.NewStackCreateCompleteWaiter(client, func(o *cloudformation.StackCreateCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, 200*time.Millisecond
	}).Wait(ctx, &cloudformation.DescribeStacksInput{StackName: &name}, 5*time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := client.ListStackResources(ctx, &cloudformation.ListStackResourcesInput{StackName: &name})
	if err != nil {
		w.t.Fatal(err)
	}
	ids := map[string]string{}
	for _, r := range out.StackResourceSummaries {
		ids[aws.ToString(r.ResourceType)+"/"+aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
		ids[aws.ToString(r.ResourceType)] = aws.ToString(r.PhysicalResourceId)
	}
	return ids
}

// Of the stacks as much as matters for their removal.
const (
	networkTemplate = `{"Resources": {
		"VPC": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.10.0.0/16"}},
		"Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "VPC"}, "CidrBlock": "10.10.0.0/24", "AvailabilityZone": "eu-west-1a"}},
		"Pods": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "pods", "VpcId": {"Ref": "VPC"}}},
		"Zone": {"Type": "AWS::Route53::HostedZone", "Properties": {"Name": "localhost."}}},
		"Outputs": {"Zone": {"Value": {"Ref": "Zone"}, "Export": {"Name": "local-network:Zone"}}}}`
	clusterTemplate = `{"Resources": {"Certificate": {"Type": "AWS::CertificateManager::Certificate", "Properties": {
		"DomainName": "*.localhost", "ValidationMethod": "DNS", "DomainValidationOptions": [{"DomainName": "*.localhost",
		"HostedZoneId": {"Fn::ImportValue": "ZONE"}}]}}}}`
	applicationTemplate = `{"Resources": {
		"Content": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Delete", "Properties": {"BucketName": "local-app-content", "VersioningConfiguration": {"Status": "Enabled"}}},
		"Archive": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "local-app-archive"}}}}`
	deliveryTemplate = `{"Resources": {"Artifacts": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Delete", "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}}}}`
)

// zoneExport is the name under which a network exports its zone.
var zoneExport = regexp.MustCompile(`local-network:\w*Zone\w*`)

// synthesized is the network as the CDK makes it. The parameter is the version of the CDK's bootstrap, which is not here.
func synthesized(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../../../../testdata/templates/local-network.json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(content), "AWS::SSM::Parameter::Value<String>", "String", 1)
}

// whole makes an environment on a network, and returns its VPC, a subnet, its zone and the group of its pods.
func (w *world) whole(network string) (vpc, subnet, zone, pods string) {
	w.t.Helper()
	ids := w.deploy("local-network", network, "local")
	w.deploy("local-app", applicationTemplate, "local")
	w.deploy("local-cluster", strings.Replace(clusterTemplate, "ZONE", zoneExport.FindString(network), 1), "local")
	artifacts := w.deploy("local-delivery", deliveryTemplate, "local")["AWS::S3::Bucket"]
	for _, bucket := range []string{artifacts, "local-app-content", "local-app-archive"} {
		w.put(bucket, "a", "b")
	}
	return ids["AWS::EC2::VPC"], ids["AWS::EC2::Subnet"], ids["AWS::Route53::HostedZone"], ids["AWS::EC2::SecurityGroup"]
}

// put writes objects, each twice, and hides the last one behind a delete marker.
func (w *world) put(bucket string, keys ...string) {
	w.t.Helper()
	client := s3.NewFromConfig(w.aws)
	for _, key := range keys {
		for _, body := range []string{"1", "2"} {
			if _, err := client.PutObject(w.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if bucket == "local-app-archive" {
		return
	}
	if _, err := client.DeleteObject(w.t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &keys[len(keys)-1]}); err != nil {
		w.t.Fatal(err)
	}
}

// leak makes what a cluster leaves whose root Kustomization was not removed: load balancer, target group, and a security
// group that a rule of the pods' group names.
func (w *world) leak(cluster, subnet, vpc, pods string) string {
	w.t.Helper()
	ctx, balancers, network := w.t.Context(), elb.NewFromConfig(w.aws), ec2.NewFromConfig(w.aws)
	tag := []elbtypes.Tag{{Key: aws.String("elbv2.k8s.aws/cluster"), Value: &cluster}}
	made, err := balancers.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String("k8s-" + cluster), Subnets: []string{subnet}, Tags: tag})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := balancers.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{Name: aws.String("k8s-" + cluster), VpcId: &vpc, Port: aws.Int32(80), Protocol: "HTTP", Tags: tag}); err != nil {
		w.t.Fatal(err)
	}
	group, err := network.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("k8s-traffic-" + cluster), Description: aws.String("d"), VpcId: &vpc, TagSpecifications: []ec2types.TagSpecification{
		{ResourceType: "security-group", Tags: []ec2types.Tag{{Key: aws.String("elbv2.k8s.aws/cluster"), Value: &cluster}}},
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := network.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &pods, IpPermissions: []ec2types.IpPermission{
		{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80), UserIdGroupPairs: []ec2types.UserIdGroupPair{{GroupId: group.GroupId}}},
	}}); err != nil {
		w.t.Fatal(err)
	}
	return aws.ToString(made.LoadBalancers[0].LoadBalancerArn)
}

// record writes a record of a zone.
func (w *world) record(zone, name, value string, kind r53types.RRType) {
	w.t.Helper()
	_, err := route53.NewFromConfig(w.aws).ChangeResourceRecordSets(w.t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: &r53types.ChangeBatch{Changes: []r53types.Change{{
		Action: r53types.ChangeActionCreate, ResourceRecordSet: &r53types.ResourceRecordSet{Name: &name, Type: kind, TTL: aws.Int64(60), ResourceRecords: []r53types.ResourceRecord{{Value: &value}}},
	}}}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// names of the stacks and buckets, and the number of load balancers and zones that are there.
func (w *world) there() string {
	w.t.Helper()
	ctx := w.t.Context()
	stacks, err := cloudformation.NewFromConfig(w.aws).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, s := range stacks.Stacks {
		names = append(names, aws.ToString(s.StackName))
	}
	buckets, err := s3.NewFromConfig(w.aws).ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, b := range buckets.Buckets {
		names = append(names, aws.ToString(b.Name))
	}
	balancers, err := elb.NewFromConfig(w.aws).DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	zones, err := route53.NewFromConfig(w.aws).ListHostedZones(ctx, &route53.ListHostedZonesInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(names)
	return fmt.Sprintf("%v, %d load balancers, %d zones", names, len(balancers.LoadBalancers), len(zones.HostedZones))
}
