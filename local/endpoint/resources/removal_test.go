package resources

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// refused deletes a resource as CloudFormation would, and fails unless AWS's error comes back.
func (s *stack) refused(kind, id, code string) {
	s.t.Helper()
	typ, _ := Lookup(kind)
	if err := typ.Delete(s.t.Context(), s.request(kind, id), s.results[id].ID, Properties{}); err == nil || !strings.Contains(err.Error(), code) {
		s.t.Errorf("deletion of a %s that is not empty: got %v, must be refused with %s, as by AWS", kind, err, code)
	}
}

// empties takes everything out of a bucket before the test's end deletes it.
func (s *stack) empties(bucket string) {
	s.t.Cleanup(func() {
		client, ctx := s.services.s3(), context.WithoutCancel(s.t.Context())
		list, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &bucket})
		if err != nil {
			s.t.Error(err)
			return
		}
		var all []s3types.ObjectIdentifier
		for _, v := range list.Versions {
			all = append(all, s3types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range list.DeleteMarkers {
			all = append(all, s3types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		if _, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &s3types.Delete{Objects: all}}); err != nil {
			s.t.Error(err)
		}
	})
}

// A bucket goes only without objects, versions and delete markers.
func TestBucketWithContentStays(t *testing.T) {
	s := newStack(t)
	name := s.create("AWS::S3::Bucket", "Bucket", Properties{"BucketName": "local-removal-test", "VersioningConfiguration": map[string]any{"Status": "Enabled"}})
	client := s.services.s3()
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &name, Key: aws.String("k"), Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	s.refused("AWS::S3::Bucket", "Bucket", "BucketNotEmpty")
	if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &name, Key: aws.String("k")}); err != nil {
		t.Fatal(err)
	}
	s.refused("AWS::S3::Bucket", "Bucket", "BucketNotEmpty") // a version and its delete marker
	list, err := client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &name})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list.Versions {
		if _, err := client.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: &name, Delete: &s3types.Delete{Objects: []s3types.ObjectIdentifier{{Key: v.Key, VersionId: v.VersionId}}}}); err != nil {
			t.Fatal(err)
		}
	}
	s.refused("AWS::S3::Bucket", "Bucket", "BucketNotEmpty") // the marker alone
	s.empties(name)
}

// A zone goes only without records, and the record by which ACM validates a certificate outlives the certificate.
func TestZoneWithRecordsStays(t *testing.T) {
	s := newStack(t)
	zone := s.create("AWS::Route53::HostedZone", "Zone", Properties{"Name": "removal.localhost."})
	options := []any{map[string]any{"DomainName": "*.removal.localhost", "HostedZoneId": zone}}
	certificate := Properties{"DomainName": "*.removal.localhost", "ValidationMethod": "DNS", "DomainValidationOptions": options}
	arn := s.create("AWS::CertificateManager::Certificate", "Certificate", certificate)
	typ, _ := Lookup("AWS::CertificateManager::Certificate")
	if err := typ.Delete(t.Context(), s.request("AWS::CertificateManager::Certificate", "Certificate"), arn, certificate); err != nil {
		t.Fatal(err)
	}
	s.refused("AWS::Route53::HostedZone", "Zone", "HostedZoneNotEmpty")
	s.clear(zone)
}

// clear removes a zone's records, as who removes the zone must.
func (s *stack) clear(zone string) {
	s.t.Helper()
	ctx := context.Background()
	list, err := s.services.route53().ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{HostedZoneId: &zone})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range list.ResourceRecordSets {
		if r.Type == r53types.RRTypeSoa || r.Type == r53types.RRTypeNs {
			continue
		}
		if _, err := s.services.route53().ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: &r53types.ChangeBatch{
			Changes: []r53types.Change{{Action: r53types.ChangeActionDelete, ResourceRecordSet: &r}},
		}}); err != nil {
			s.t.Error(err)
		}
	}
}

// A subnet goes only without network interfaces, and a load balancer has one in each of its subnets.
func TestSubnetOfALoadBalancerStays(t *testing.T) {
	s := newStack(t)
	vpc := s.vpc()
	subnet := s.subnet("Public", vpc, "10.10.0.0/20", "eu-west-1a")
	client := elb.NewFromConfig(s.services.AWS)
	made, err := client.CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{Name: aws.String("left"), Subnets: []string{subnet}})
	if err != nil {
		t.Fatal(err)
	}
	s.refused("AWS::EC2::Subnet", "Public", "DependencyViolation")
	if _, err := client.DeleteLoadBalancer(t.Context(), &elb.DeleteLoadBalancerInput{LoadBalancerArn: made.LoadBalancers[0].LoadBalancerArn}); err != nil {
		t.Fatal(err)
	}
}

// What comes again under the name of something that was deleted is made anew: delivery.gate, off and on again.
func TestNetworkComesAgain(t *testing.T) {
	for _, c := range []struct {
		kind       string
		properties func(vpc string) Properties
	}{
		{"AWS::EC2::SecurityGroup", func(vpc string) Properties {
			return Properties{"VpcId": vpc, "GroupDescription": "again", "SecurityGroupEgress": []any{
				map[string]any{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.10.0.0/16"},
			}}
		}},
		{"AWS::EC2::Subnet", func(vpc string) Properties {
			return Properties{"VpcId": vpc, "CidrBlock": "10.10.64.0/20", "AvailabilityZone": "eu-west-1a"}
		}},
		{"AWS::EC2::RouteTable", func(vpc string) Properties { return Properties{"VpcId": vpc} }},
		{"AWS::EC2::InternetGateway", func(string) Properties { return Properties{"Tags": tags("Name", "gw")} }},
		{"AWS::EC2::EIP", func(string) Properties { return Properties{"Domain": "vpc"} }},
	} {
		t.Run(c.kind, func(t *testing.T) {
			s := newStack(t)
			p := c.properties(s.vpc())
			first := s.create(c.kind, "Again", p)
			typ, _ := Lookup(c.kind)
			if err := typ.Delete(t.Context(), s.request(c.kind, "Again"), first, p); err != nil {
				t.Fatal(err)
			}
			if second := s.create(c.kind, "Again", p); second == first {
				t.Errorf("%s was deleted, and is taken for new", first)
			}
		})
	}
}
