package resources

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

func document(action string) map[string]any {
	return map[string]any{"Version": "2012-10-17", "Statement": []any{
		map[string]any{"Effect": "Allow", "Action": action, "Resource": "*"},
	}}
}

func TestRolePoliciesChangeInPlace(t *testing.T) {
	s := newStack(t)
	trust := map[string]any{"Version": "2012-10-17", "Statement": []any{
		map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "pods.eks.amazonaws.com"}},
	}}
	old := Properties{
		"AssumeRolePolicyDocument": trust, "Description": "old",
		"ManagedPolicyArns": []any{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
		"Policies":          []any{map[string]any{"PolicyName": "inline", "PolicyDocument": document("s3:GetObject")}},
		"Tags":              tags("a", "1"),
	}
	name := s.create("AWS::IAM::Role", "Role", old)
	updated := Properties{
		"AssumeRolePolicyDocument": trust, "Description": "new",
		"ManagedPolicyArns": []any{"arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"},
		"Policies":          []any{map[string]any{"PolicyName": "other", "PolicyDocument": document("s3:PutObject")}},
	}
	if err := s.update("AWS::IAM::Role", "Role", old, updated); err != nil {
		t.Fatal(err)
	}
	attached, err := s.services.iam().ListAttachedRolePolicies(t.Context(), &iam.ListAttachedRolePoliciesInput{RoleName: &name})
	if err != nil || len(attached.AttachedPolicies) != 1 || *attached.AttachedPolicies[0].PolicyName != "AmazonEKS_CNI_Policy" {
		t.Errorf("managed policies: %+v (%v)", attached, err)
	}
	inline, err := s.services.iam().ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: &name})
	if err != nil || strings.Join(inline.PolicyNames, ",") != "other" {
		t.Errorf("inline policies: %+v (%v)", inline, err)
	}
	role, err := s.services.iam().GetRole(t.Context(), &iam.GetRoleInput{RoleName: &name})
	if err != nil || aws.ToString(role.Role.Description) != "new" || len(role.Role.Tags) != 1 {
		t.Errorf("role: %+v (%v)", role.Role, err)
	}
}

func TestPolicies(t *testing.T) {
	s := newStack(t)
	role := s.role("Role")
	inline := Properties{"PolicyName": "p", "PolicyDocument": document("s3:GetObject"), "Roles": []any{role}}
	s.create("AWS::IAM::Policy", "Inline", inline)
	changedDocument := Properties{"PolicyName": "p", "PolicyDocument": document("s3:PutObject"), "Roles": []any{role}}
	if err := s.update("AWS::IAM::Policy", "Inline", inline, changedDocument); err != nil {
		t.Fatal(err)
	}
	got, err := s.services.iam().GetRolePolicy(t.Context(), &iam.GetRolePolicyInput{RoleName: &role, PolicyName: aws.String("p")})
	if err != nil || !strings.Contains(aws.ToString(got.PolicyDocument), "PutObject") {
		t.Errorf("inline policy: %+v (%v)", got, err)
	}
	managed := Properties{"ManagedPolicyName": "managed", "PolicyDocument": document("s3:GetObject"), "Roles": []any{role}}
	arn := s.create("AWS::IAM::ManagedPolicy", "Managed", managed)
	for _, action := range []string{"s3:A", "s3:B", "s3:C", "s3:D", "s3:E", "s3:F"} { // IAM keeps five versions
		updated := Properties{"ManagedPolicyName": "managed", "PolicyDocument": document(action), "Roles": []any{role}}
		if err := s.update("AWS::IAM::ManagedPolicy", "Managed", managed, updated); err != nil {
			t.Fatal(err)
		}
		managed = updated
	}
	versions, err := s.services.iam().ListPolicyVersions(t.Context(), &iam.ListPolicyVersionsInput{PolicyArn: &arn})
	if err != nil || len(versions.Versions) > 2 {
		t.Errorf("%d versions kept (%v)", len(versions.Versions), err)
	}
	s.create("AWS::IAM::InstanceProfile", "Profile", Properties{"Roles": []any{role}})
}

func TestKeyAndAlias(t *testing.T) {
	s := newStack(t)
	old := Properties{"KeyPolicy": document("kms:*"), "EnableKeyRotation": true, "Description": "d", "PendingWindowInDays": 7}
	id := s.create("AWS::KMS::Key", "Key", old)
	s.create("AWS::KMS::Alias", "Alias", Properties{"AliasName": "alias/test", "TargetKeyId": s.att("Key", "Arn")})
	status, err := s.services.kms().GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: &id})
	if err != nil || !status.KeyRotationEnabled {
		t.Errorf("rotation: %+v (%v)", status, err)
	}
	updated := Properties{"KeyPolicy": document("kms:Decrypt"), "EnableKeyRotation": false, "Description": "e"}
	if err := s.update("AWS::KMS::Key", "Key", old, updated); err != nil {
		t.Fatal(err)
	}
	policy, err := s.services.kms().GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: &id, PolicyName: aws.String("default")})
	if err != nil || !strings.Contains(aws.ToString(policy.Policy), "kms:Decrypt") {
		t.Errorf("policy: %v (%v)", aws.ToString(policy.Policy), err)
	}
}

func TestLogGroupRetention(t *testing.T) {
	s := newStack(t)
	old := Properties{"LogGroupName": "/test/retention", "RetentionInDays": 7}
	name := s.create("AWS::Logs::LogGroup", "Logs", old)
	if err := s.update("AWS::Logs::LogGroup", "Logs", old, Properties{"LogGroupName": "/test/retention", "RetentionInDays": "30"}); err != nil {
		t.Fatal(err)
	}
	out, err := s.services.logs().DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	if err != nil || len(out.LogGroups) != 1 || aws.ToInt32(out.LogGroups[0].RetentionInDays) != 30 {
		t.Errorf("log groups: %+v (%v)", out, err)
	}
}

func TestParameterAndRepository(t *testing.T) {
	s := newStack(t)
	old := Properties{"Name": "/cdk-bootstrap/test/version", "Type": "String", "Value": "33"}
	name := s.create("AWS::SSM::Parameter", "Version", old)
	if err := s.update("AWS::SSM::Parameter", "Version", old, Properties{"Name": name, "Type": "String", "Value": "34"}); err != nil {
		t.Fatal(err)
	}
	got, err := s.services.ssm().GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name})
	if err != nil || aws.ToString(got.Parameter.Value) != "34" {
		t.Errorf("parameter: %+v (%v)", got, err)
	}
	repository := Properties{
		"RepositoryName": "local/test", "ImageTagMutability": "IMMUTABLE", "EmptyOnDelete": true,
		"ImageScanningConfiguration": map[string]any{"ScanOnPush": "true"},
		"LifecyclePolicy":            map[string]any{"LifecyclePolicyText": `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":5},"action":{"type":"expire"}}]}`},
		"RepositoryPolicyText":       document("ecr:BatchGetImage"),
	}
	s.create("AWS::ECR::Repository", "Repository", repository)
	if !strings.HasSuffix(s.att("Repository", "RepositoryUri"), "/local/test") {
		t.Errorf("URI: %s", s.att("Repository", "RepositoryUri"))
	}
	mutable := repository.without("RepositoryPolicyText", "LifecyclePolicy")
	mutable["ImageTagMutability"] = "MUTABLE"
	if err := s.update("AWS::ECR::Repository", "Repository", repository, mutable); err != nil {
		t.Fatal(err)
	}
	out, err := s.services.ecr().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"local/test"}})
	if err != nil || out.Repositories[0].ImageTagMutability != "MUTABLE" || !out.Repositories[0].ImageScanningConfiguration.ScanOnPush {
		t.Errorf("repository: %+v (%v)", out, err)
	}
}

func TestBucket(t *testing.T) {
	s := newStack(t)
	old := Properties{
		"BucketName": "local-test-content", "VersioningConfiguration": map[string]any{"Status": "Enabled"},
		"BucketEncryption": map[string]any{"ServerSideEncryptionConfiguration": []any{map[string]any{
			"BucketKeyEnabled": true, "ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}}}},
		"PublicAccessBlockConfiguration": map[string]any{"BlockPublicAcls": "true", "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true},
		"OwnershipControls":              map[string]any{"Rules": []any{map[string]any{"ObjectOwnership": "BucketOwnerEnforced"}}},
		"LifecycleConfiguration": map[string]any{"Rules": []any{map[string]any{"Id": "old", "Status": "Enabled",
			"NoncurrentVersionExpiration": map[string]any{"NoncurrentDays": 30}, "AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 7}}}},
		"Tags": tags("a", "b"),
	}
	name := s.create("AWS::S3::Bucket", "Bucket", old)
	s.create("Custom::S3AutoDeleteObjects", "Empty", Properties{"BucketName": name})
	policy := map[string]any{"Version": "2012-10-17", "Statement": []any{
		map[string]any{"Effect": "Deny", "Action": "s3:*", "Principal": "*", "Resource": "*", "Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}}},
	}}
	s.create("AWS::S3::BucketPolicy", "Policy", Properties{"Bucket": name, "PolicyDocument": policy})

	body := strings.Repeat("x", 1000)
	client := s.services.s3()
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &name, Key: aws.String("k"), Body: strings.NewReader(body)}); err != nil {
		t.Fatalf("upload under a policy that demands TLS: %v", err)
	}
	object, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &name, Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(object.Body); err != nil || string(data) != body {
		t.Errorf("object of %d bytes (%v)", len(data), err)
	}
	updated := old.without("LifecycleConfiguration", "VersioningConfiguration")
	if err := s.update("AWS::S3::Bucket", "Bucket", old, updated); err != nil {
		t.Fatal(err)
	}
	versioning, err := client.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: &name})
	if err != nil || versioning.Status != "Suspended" {
		t.Errorf("versioning: %+v (%v)", versioning, err)
	}
}

func TestSecretGeneration(t *testing.T) {
	s := newStack(t)
	old := Properties{"Name": "/local/test/database", "Description": "d", "GenerateSecretString": map[string]any{
		"SecretStringTemplate": `{"username":"ghost"}`, "GenerateStringKey": "password", "ExcludeCharacters": "\"@/\\ '", "PasswordLength": 40, "ExcludePunctuation": true}}
	id := s.create("AWS::SecretsManager::Secret", "Secret", old)
	read := func() map[string]any {
		out, err := s.services.secrets().GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(*out.SecretString), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := read()
	if password := first["password"].(string); first["username"] != "ghost" || len(password) != 40 || strings.ContainsAny(password, punctuation) {
		t.Errorf("secret: %v", first)
	}
	described := old.without("Description")
	if err := s.update("AWS::SecretsManager::Secret", "Secret", old, described); err != nil {
		t.Fatal(err)
	}
	if read()["password"] != first["password"] {
		t.Error("a new password although the generator did not change")
	}
}

func TestCertificateIsValidatedInItsZone(t *testing.T) {
	s := newStack(t)
	zone := s.create("AWS::Route53::HostedZone", "Zone", Properties{"Name": "localhost.", "HostedZoneConfig": map[string]any{"Comment": "c"}, "HostedZoneTags": tags("a", "b")})
	if s.att("Zone", "NameServers") == "" {
		t.Error("no name servers")
	}
	arn := s.create("AWS::CertificateManager::Certificate", "Certificate", Properties{
		"DomainName": "*.localhost", "ValidationMethod": "DNS", "Tags": tags("Name", "c"),
		"DomainValidationOptions": []any{map[string]any{"DomainName": "*.localhost", "HostedZoneId": zone}},
	})
	out, err := s.services.acm().DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: &arn})
	if err != nil || out.Certificate.Status != "ISSUED" {
		t.Errorf("certificate: %+v (%v)", out, err)
	}
	records, err := s.services.route53().ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &zone})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range records.ResourceRecordSets {
		found = found || r.Type == "CNAME"
	}
	if !found {
		t.Errorf("no validation record in the zone: %+v", records.ResourceRecordSets)
	}
	record := Properties{"HostedZoneId": zone, "Name": "a.localhost.", "Type": "A", "TTL": "60", "ResourceRecords": []any{"127.0.0.1"}}
	s.create("AWS::Route53::RecordSet", "Record", record)
	updated := record.without("ResourceRecords")
	updated["ResourceRecords"] = []any{"127.0.0.2"}
	if err := s.update("AWS::Route53::RecordSet", "Record", record, updated); err != nil {
		t.Fatal(err)
	}
	// The second value is what the deletion must name.
	typ, _ := Lookup("AWS::Route53::RecordSet")
	if err := typ.Delete(t.Context(), s.request("AWS::Route53::RecordSet", "Record"), "a.localhost.", updated); err != nil {
		t.Error(err)
	}
}

func TestFunctionAndLayer(t *testing.T) {
	s := newStack(t)
	s.role("Role")
	function := Properties{
		"Code": map[string]any{"ZipFile": "def handler(e, c): pass"}, "Runtime": "python3.13", "Handler": "index.handler", "Role": s.att("Role", "Arn"),
		"MemorySize": "256", "Timeout": 60, "Environment": map[string]any{"Variables": map[string]any{"A": "b"}}, "Architectures": []any{"arm64"},
		"LoggingConfig": map[string]any{"LogGroup": "/aws/lambda/x"},
	}
	s.create("AWS::Lambda::Function", "Function", function)
	updated := function.without("Timeout")
	updated["Timeout"] = 90
	if err := s.update("AWS::Lambda::Function", "Function", function, updated); err != nil {
		t.Fatal(err)
	}
	s.create("AWS::Lambda::Permission", "Permission", Properties{"Action": "lambda:InvokeFunction", "FunctionName": s.att("Function", "Arn"), "Principal": "events.amazonaws.com"})
	bucket := s.create("AWS::S3::Bucket", "Assets", Properties{"BucketName": "local-test-assets"})
	s.create("Custom::S3AutoDeleteObjects", "Empty", Properties{"BucketName": bucket})
	code, err := functionCode(function)
	if err != nil {
		t.Fatal(err)
	}
	put := &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("layer.zip"), Body: strings.NewReader(string(code.ZipFile))}
	if _, err := s.services.s3().PutObject(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	s.create("AWS::Lambda::LayerVersion", "Layer", Properties{"Content": map[string]any{"S3Bucket": bucket, "S3Key": "layer.zip"}, "Description": "d"})
}

func TestMessaging(t *testing.T) {
	s := newStack(t)
	topic := s.create("AWS::SNS::Topic", "Topic", Properties{"DisplayName": "d"})
	s.create("AWS::SNS::TopicPolicy", "Policy", Properties{"Topics": []any{topic}, "PolicyDocument": document("sns:Publish")})
	s.create("AWS::SNS::Subscription", "Subscription", Properties{"TopicArn": topic, "Protocol": "email", "Endpoint": "a@example.com"})
	rule := Properties{"EventPattern": map[string]any{"source": []any{"aws.codepipeline"}}, "Targets": []any{map[string]any{"Id": "t", "Arn": topic}}}
	s.create("AWS::Events::Rule", "Rule", rule)
	if err := s.update("AWS::Events::Rule", "Rule", rule, rule.without("Targets")); err != nil {
		t.Fatal(err)
	}
}
