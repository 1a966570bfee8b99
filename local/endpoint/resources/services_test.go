package resources

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	sestypes "github.com/aws/aws-sdk-go-v2/service/sesv2/types"
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
	s.empties(name)
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
	if password := first["password"].(string); first["username"] != "ghost" || len(password) != 40 || strings.ContainsFunc(password, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }) {
		t.Errorf("secret: %v", first)
	}
	described := old.without("Description")
	if err := s.update("AWS::SecretsManager::Secret", "Secret", old, described); err != nil {
		t.Fatal(err)
	}
	if read()["password"] != first["password"] {
		t.Error("a new password although the generator did not change")
	}
	short := Properties{"GenerateSecretString": map[string]any{"PasswordLength": "3"}}
	if _, err := secretValue(t.Context(), s.request("AWS::SecretsManager::Secret", "Short"), short); err == nil {
		t.Error("3 characters cannot hold four classes")
	}
	digits := Properties{"GenerateSecretString": map[string]any{"PasswordLength": "8", "ExcludePunctuation": "true", "ExcludeUppercase": true, "ExcludeLowercase": true}}
	got, err := secretValue(t.Context(), s.request("AWS::SecretsManager::Secret", "Digits"), digits)
	if err != nil || strings.Trim(got, "0123456789") != "" || len(got) != 8 {
		t.Errorf("got %q (%v), must be 8 digits", got, err)
	}
}

func TestCertificateIsValidatedInItsZone(t *testing.T) {
	s := newStack(t)
	zone := s.create("AWS::Route53::HostedZone", "Zone", Properties{"Name": "localhost.", "HostedZoneConfig": map[string]any{"Comment": "c"}, "HostedZoneTags": tags("a", "b")})
	t.Cleanup(func() { s.clear(zone) }) // of the validation record, which outlives the certificate
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
	// Again, and before a record that sorts behind it; not twice.
	behind := record.without("Name")
	behind["Name"] = "b.localhost."
	s.create("AWS::Route53::RecordSet", "Behind", behind)
	s.create("AWS::Route53::RecordSet", "Again", record)
	if _, err := typ.Create(t.Context(), s.request("AWS::Route53::RecordSet", "Twice"), record); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("a record that exists: %v", err)
	}
}

func TestEmailIdentity(t *testing.T) {
	s := newStack(t)
	old := Properties{"EmailIdentity": "ghost.localhost", "Tags": tags("a", "1")}
	name := s.create("AWS::SES::EmailIdentity", "Identity", old)
	if name != "ghost.localhost" || s.att("Identity", "DkimDNSTokenName1") == s.att("Identity", "DkimDNSTokenName2") {
		t.Errorf("%s: %v", name, s.results["Identity"])
	}
	if err := s.update("AWS::SES::EmailIdentity", "Identity", old, Properties{"EmailIdentity": "ghost.localhost", "Tags": tags("b", "2")}); err != nil {
		t.Fatal(err)
	}
	send := func() error {
		_, err := s.services.ses().SendEmail(t.Context(), &sesv2.SendEmailInput{
			FromEmailAddress: aws.String("Blog <noreply@ghost.localhost>"), Destination: &sestypes.Destination{ToAddresses: []string{"a@example.com"}},
			Content: &sestypes.EmailContent{Raw: &sestypes.RawMessage{Data: []byte("Subject: x\r\n\r\nx")}},
		})
		return err
	}
	if err := send(); err != nil {
		t.Error(err)
	}
	if err := s.find("AWS::SES::EmailIdentity", old).Delete(t.Context(), s.request("AWS::SES::EmailIdentity", "Identity"), name, old); err != nil {
		t.Fatal(err)
	}
	if err := send(); err == nil {
		t.Error("mail leaves without an identity")
	}
}
