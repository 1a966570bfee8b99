package moto_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// account is one use of every service that the platform uses.
type account struct {
	ec2     *ec2.Client
	elb     *elb.Client
	dns     *route53.Client
	secrets *secretsmanager.Client
	rds     *rds.Client
	s3      *s3.Client
	iam     *iam.Client
	kms     *kms.Client
	acm     *acm.Client
	ecr     *ecr.Client
	ssm     *ssm.Client
	logs    *cloudwatchlogs.Client
	lambda  *lambda.Client
	sts     *sts.Client

	zone, role, targets, balancer string
	ciphertext                    []byte
}

func newAccount(c aws.Config) *account {
	return &account{
		ec2: ec2.NewFromConfig(c), elb: elb.NewFromConfig(c), dns: route53.NewFromConfig(c), secrets: secretsmanager.NewFromConfig(c),
		rds: rds.NewFromConfig(c), s3: s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true }), iam: iam.NewFromConfig(c),
		kms: kms.NewFromConfig(c), acm: acm.NewFromConfig(c), ecr: ecr.NewFromConfig(c), ssm: ssm.NewFromConfig(c),
		logs: cloudwatchlogs.NewFromConfig(c), lambda: lambda.NewFromConfig(c), sts: sts.NewFromConfig(c),
	}
}

// must returns a value of a call that may not fail.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var bucket = aws.String("local-content")

func populate(t *testing.T, c aws.Config) *account {
	t.Helper()
	a, ctx := newAccount(c), t.Context()
	subnets, group, vpc := a.network(t)
	a.loadBalancer(t, subnets, group, vpc)
	zone := must(a.dns.CreateHostedZone(ctx, &route53.CreateHostedZoneInput{Name: aws.String("localhost"), CallerReference: aws.String("1")}))(t)
	a.zone = *zone.HostedZone.Id
	a.record(t, "a.localhost", "127.0.0.1")
	a.secret(t, "/local/ghost/database", "one")
	must(a.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: aws.String("/local/ghost/database"), SecretString: aws.String("two")}))(t)
	must(a.rds.CreateDBSubnetGroup(ctx, &rds.CreateDBSubnetGroupInput{DBSubnetGroupName: aws.String("g"), DBSubnetGroupDescription: aws.String("g"), SubnetIds: subnets}))(t)
	must(a.rds.CreateDBInstance(ctx, &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: aws.String("ghost"), DBInstanceClass: aws.String("db.t4g.micro"), Engine: aws.String("mysql"), AllocatedStorage: aws.Int32(20),
		MasterUsername: aws.String("ghost"), MasterUserPassword: aws.String("password"), DBSubnetGroupName: aws.String("g"),
	}))(t)
	a.objects(t)
	a.identity(t)
	must(a.acm.RequestCertificate(ctx, &acm.RequestCertificateInput{DomainName: aws.String("*.localhost"), ValidationMethod: "DNS"}))(t)
	must(a.ecr.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("local/ghost")}))(t)
	must(a.ssm.PutParameter(ctx, &ssm.PutParameterInput{Name: aws.String("/p"), Value: aws.String("1"), Type: "String"}))(t)
	must(a.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/g")}))(t)
	must(a.lambda.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: aws.String("f"), Role: &a.role, Runtime: "python3.13", Handler: aws.String("index.handler"),
		Code: &lambdatypes.FunctionCode{ZipFile: archive(t)},
	}))(t)
	must(a.sts.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &a.role, RoleSessionName: aws.String("session")}))(t)
	return a
}

func (a *account) network(t *testing.T) (subnets []string, group, vpc string) {
	t.Helper()
	ctx := t.Context()
	vpc = *must(a.ec2.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.10.0.0/16")}))(t).Vpc.VpcId
	for i, zone := range []string{"eu-west-1a", "eu-west-1b"} {
		s := must(a.ec2.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: &vpc, CidrBlock: aws.String(fmt.Sprintf("10.10.%d.0/24", i)), AvailabilityZone: &zone}))(t)
		subnets = append(subnets, *s.Subnet.SubnetId)
	}
	g := must(a.ec2.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("g"), Description: aws.String("g"), VpcId: &vpc}))(t)
	return subnets, *g.GroupId, vpc
}

func (a *account) loadBalancer(t *testing.T, subnets []string, group, vpc string) {
	t.Helper()
	ctx := t.Context()
	lb := must(a.elb.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String("lb"), Subnets: subnets, SecurityGroups: []string{group}}))(t)
	a.balancer = *lb.LoadBalancers[0].LoadBalancerArn
	tg := must(a.elb.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: aws.String("tg"), Protocol: "HTTP", Port: aws.Int32(80), VpcId: &vpc, TargetType: "ip",
	}))(t)
	a.targets = *tg.TargetGroups[0].TargetGroupArn
	must(a.elb.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: &a.targets, Targets: []elbtypes.TargetDescription{{Id: aws.String("10.10.0.5"), Port: aws.Int32(80)}}}))(t)
	forward := []elbtypes.Action{{Type: "forward", TargetGroupArn: &a.targets}}
	l := must(a.elb.CreateListener(ctx, &elb.CreateListenerInput{LoadBalancerArn: &a.balancer, Protocol: "HTTP", Port: aws.Int32(80), DefaultActions: forward}))(t)
	must(a.elb.CreateRule(ctx, &elb.CreateRuleInput{
		ListenerArn: l.Listeners[0].ListenerArn, Priority: aws.Int32(1), Actions: forward,
		Conditions: []elbtypes.RuleCondition{{Field: aws.String("host-header"), HostHeaderConfig: &elbtypes.HostHeaderConditionConfig{Values: []string{"a.localhost"}}}},
	}))(t)
}

func (a *account) record(t *testing.T, name, address string) {
	t.Helper()
	must(a.dns.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &a.zone, ChangeBatch: &r53types.ChangeBatch{
		Changes: []r53types.Change{{Action: "UPSERT", ResourceRecordSet: &r53types.ResourceRecordSet{
			Name: &name, Type: "A", TTL: aws.Int64(60), ResourceRecords: []r53types.ResourceRecord{{Value: &address}}}}},
	}}))(t)
}

func (a *account) secret(t *testing.T, name, value string) {
	t.Helper()
	must(a.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value}))(t)
}

func (a *account) secretValue(t *testing.T, name string) string {
	t.Helper()
	return *must(a.secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name}))(t).SecretString
}

func (a *account) put(t *testing.T, key string, body []byte) {
	t.Helper()
	must(a.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader(body)}))(t)
}

func (a *account) objects(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	must(a.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}))(t)
	must(a.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: "Enabled"}}))(t)
	a.put(t, "small", []byte("one"))
	a.put(t, "small", []byte("two"))
	a.put(t, "large", bytes.Repeat([]byte("0123456789abcdef"), 400_000))
	a.multipart(t)
	// Without versions an upload throws the content before it away.
	plain := aws.String("local-plain")
	must(a.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: plain, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}))(t)
	for _, body := range []string{"one", "two"} {
		must(a.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: plain, Key: aws.String("k"), Body: strings.NewReader(body)}))(t)
	}
	must(a.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: plain, Key: aws.String("k")}))(t)
}

// multipart uploads an object in two parts, as the CDK CLI uploads large assets.
func (a *account) multipart(t *testing.T) {
	t.Helper()
	ctx, key := t.Context(), aws.String("parts")
	upload := must(a.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key}))(t)
	var parts []s3types.CompletedPart
	for n := int32(1); n <= 2; n++ {
		body := bytes.NewReader(bytes.Repeat([]byte{byte(n)}, 5<<20))
		part := must(a.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: upload.UploadId, PartNumber: &n, Body: body}))(t)
		parts = append(parts, s3types.CompletedPart{PartNumber: aws.Int32(n), ETag: part.ETag})
	}
	must(a.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: key, UploadId: upload.UploadId, MultipartUpload: &s3types.CompletedMultipartUpload{Parts: parts},
	}))(t)
}

// content is an object's size and sum.
func (a *account) content(t *testing.T, key string) string {
	t.Helper()
	object := must(a.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key}))(t)
	body := must(io.ReadAll(object.Body))(t)
	return fmt.Sprintf("%d bytes %x", len(body), sha256.Sum256(body))
}

func (a *account) identity(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	a.role = *must(a.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String("{}")}))(t).Role.Arn
	must(a.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("r"), PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}))(t)
	key := must(a.kms.CreateKey(ctx, &kms.CreateKeyInput{}))(t).KeyMetadata.KeyId
	must(a.kms.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/k"), TargetKeyId: key}))(t)
	a.ciphertext = must(a.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: key, Plaintext: []byte("plain")}))(t).CiphertextBlob
	must(a.kms.CreateKey(ctx, &kms.CreateKeyInput{KeySpec: "RSA_2048", KeyUsage: "SIGN_VERIFY"}))(t)
}

func archive(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f := must(w.Create("index.py"))(t)
	must(f.Write([]byte("def handler(e, c): pass")))(t)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// describe reads everything back, one text per service.
func (a *account) describe(t *testing.T) map[string]string {
	t.Helper()
	ctx := t.Context()
	listeners := must(a.elb.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: &a.balancer}))(t).Listeners
	instances := must(a.rds.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{}))(t).DBInstances
	instances[0].LatestRestorableTime = nil // the time of the call
	certificates := must(a.acm.ListCertificates(ctx, &acm.ListCertificatesInput{}))(t).CertificateSummaryList
	return map[string]string{
		"subnets":        text(t, must(a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{}))(t).Subnets),
		"groups":         text(t, must(a.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{}))(t).SecurityGroups),
		"load balancers": text(t, must(a.elb.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{}))(t).LoadBalancers),
		"rules":          text(t, must(a.elb.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: listeners[0].ListenerArn}))(t).Rules),
		"targets":        text(t, must(a.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &a.targets}))(t).TargetHealthDescriptions),
		"records":        text(t, must(a.dns.ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{HostedZoneId: &a.zone}))(t).ResourceRecordSets),
		"secret":         a.secretValue(t, "/local/ghost/database"),
		"database":       text(t, instances),
		"objects":        text(t, must(a.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket}))(t).Versions),
		"content":        a.content(t, "large") + ", " + a.content(t, "parts"),
		"role":           text(t, must(a.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("r")}))(t).Role),
		"policies":       text(t, must(a.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: aws.String("r")}))(t).AttachedPolicies),
		"plaintext":      string(must(a.kms.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: a.ciphertext}))(t).Plaintext),
		"keys":           text(t, must(a.kms.ListKeys(ctx, &kms.ListKeysInput{}))(t).Keys),
		"certificate":    text(t, must(a.acm.GetCertificate(ctx, &acm.GetCertificateInput{CertificateArn: certificates[0].CertificateArn}))(t).Certificate),
		"repositories":   text(t, must(a.ecr.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{}))(t).Repositories),
		"parameter":      text(t, must(a.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/p")}))(t).Parameter),
		"log groups":     text(t, must(a.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{}))(t).LogGroups),
		"function":       text(t, must(a.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("f")}))(t).Configuration),
		"caller":         text(t, must(a.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t).Account),
	}
}

// change goes on with restored state, across services.
func (a *account) change(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	a.put(t, "small", []byte("three"))
	if n := len(must(a.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket, Prefix: aws.String("small")}))(t).Versions); n != 3 {
		t.Errorf("%d versions of an object after a third upload", n)
	}
	a.record(t, "b.localhost", "127.0.0.2")
	must(a.elb.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: &a.targets, Targets: []elbtypes.TargetDescription{{Id: aws.String("10.10.0.5"), Port: aws.Int32(80)}}}))(t)
	must(a.ssm.PutParameter(ctx, &ssm.PutParameterInput{Name: aws.String("/new"), Value: aws.String("1"), Type: "String"}))(t)
	must(a.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("r"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy")}))(t)
	must(a.rds.ModifyDBInstance(ctx, &rds.ModifyDBInstanceInput{DBInstanceIdentifier: aws.String("ghost"), MultiAZ: aws.Bool(true)}))(t)
	must(a.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("f")}))(t)
}
