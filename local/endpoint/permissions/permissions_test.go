package permissions

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const role = "arn:aws:iam::000000000000:role/r"

// signed makes a request as an SDK signs it.
func signed(key, service, method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20261120/eu-west-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	return r
}

func TestNeeds(t *testing.T) {
	for _, c := range []struct {
		service, method, target, header, body string
		want                                  []need
	}{
		{"ec2", "POST", "/", "", "Action=DescribeSubnets&Version=2016-11-15", []need{{"ec2:DescribeSubnets", ""}}},
		{"ec2", "POST", "/", "", "Action=CreateSecurityGroup&TagSpecification.1.Tag.1.Key=a", []need{{"ec2:CreateSecurityGroup", ""}, {"ec2:CreateTags", ""}}},
		{"elasticloadbalancing", "POST", "/", "", "Action=CreateLoadBalancer&Tags.member.1.Key=a", []need{{"elasticloadbalancing:CreateLoadBalancer", ""}, {"elasticloadbalancing:AddTags", ""}}},
		{"elasticloadbalancing", "POST", "/", "", "Action=AddTags&Tags.member.1.Key=a", []need{{"elasticloadbalancing:AddTags", ""}}},
		{"sts", "POST", "/", "", "Action=GetCallerIdentity", nil},
		{"tagging", "POST", "/", "ResourceGroupsTaggingAPI_20170126.GetResources", "{}", []need{{"tag:GetResources", ""}}},
		{"secretsmanager", "POST", "/", "secretsmanager.GetSecretValue", `{"SecretId":"/local/ghost/database"}`, []need{{"secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:000000000000:secret:/local/ghost/database-000000"}}},
		{"secretsmanager", "POST", "/", "secretsmanager.GetSecretValue", `{"SecretId":"arn:aws:secretsmanager:eu-west-1:000000000000:secret:/a-AbCdEf"}`, []need{{"secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:000000000000:secret:/a-AbCdEf"}}},
		{"ecr", "POST", "/", "AmazonEC2ContainerRegistry_V20150921.ListImages", `{"repositoryName":"local/ghost"}`, []need{{"ecr:ListImages", "arn:aws:ecr:eu-west-1:000000000000:repository/local/ghost"}}},
		{"sqs", "POST", "/", "AmazonSQS.SendMessage", `{"QueueUrl":"http://127.0.0.1:1/000000000000/local-orders"}`, []need{{"sqs:SendMessage", "arn:aws:sqs:eu-west-1:000000000000:local-orders"}}},
		{"dynamodb", "POST", "/", "DynamoDB_20120810.GetItem", `{"TableName":"local-orders"}`, []need{{"dynamodb:GetItem", "arn:aws:dynamodb:eu-west-1:000000000000:table/local-orders"}}},
		{"sns", "POST", "/", "", "Action=Publish&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A000000000000%3Aa", []need{{"sns:Publish", "arn:aws:sns:eu-west-1:000000000000:a"}}},
		{"route53", "POST", "/2013-04-01/hostedzone/Z1/rrset/", "", "<x/>", []need{{"route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1"}}},
		{"route53", "GET", "/2013-04-01/hostedzone/Z1/rrset?maxitems=300", "", "", []need{{"route53:ListResourceRecordSets", "arn:aws:route53:::hostedzone/Z1"}}},
		{"route53", "GET", "/2013-04-01/hostedzone", "", "", []need{{"route53:ListHostedZones", ""}}},
		{"route53", "DELETE", "/2013-04-01/hostedzone/Z1", "", "", []need{{"route53:DELETE /2013-04-01/hostedzone/Z1", ""}}},
		{"s3", "GET", "/bucket/content/images/2026/a.png?x-id=GetObject", "", "", []need{{"s3:GetObject", "arn:aws:s3:::bucket/content/images/2026/a.png"}}},
		{"s3", "HEAD", "/bucket/a.png", "", "", []need{{"s3:GetObject", "arn:aws:s3:::bucket/a.png"}}},
		{"s3", "PUT", "/bucket/a.png?partNumber=1&uploadId=u", "", "", []need{{"s3:PutObject", "arn:aws:s3:::bucket/a.png"}}},
		{"s3", "DELETE", "/bucket/a.png?uploadId=u", "", "", []need{{"s3:AbortMultipartUpload", "arn:aws:s3:::bucket/a.png"}}},
		{"s3", "GET", "/bucket?list-type=2&prefix=a", "", "", []need{{"s3:ListBucket", "arn:aws:s3:::bucket"}}},
		{"s3", "POST", "/bucket/?delete", "", "", []need{{"s3:DeleteObject", "arn:aws:s3:::bucket/*"}}},
		{"s3", "GET", "/bucket/a.png?tagging", "", "", []need{{"s3:GET /bucket/a.png?tagging", ""}}},
		{"s3", "GET", "/bucket/a.png?versionId=1", "", "", []need{{"s3:GET /bucket/a.png?versionId=1", ""}}},
		{"s3", "PUT", "/bucket", "", "", []need{{"s3:PUT /bucket", ""}}},
		{"ses", "POST", "/v2/email/outbound-emails", "", `{"FromEmailAddress":"Blog <noreply@ghost.localhost>","Content":{"Raw":{"Data":"eA=="}}}`, []need{{"ses:SendRawEmail", "arn:aws:ses:eu-west-1:000000000000:identity/ghost.localhost"}}},
		{"ses", "POST", "/v2/email/outbound-emails", "", `{"FromEmailAddress":"a@b.c","Content":{"Simple":{}}}`, []need{{"ses:SendEmail", "arn:aws:ses:eu-west-1:000000000000:identity/b.c"}}},
		{"ses", "GET", "/v2/email/identities", "", "", []need{{"ses:GET /v2/email/identities", ""}}},
		{"eks", "GET", "/clusters/local", "", "", []need{{"eks:GET /clusters/local", ""}}},
	} {
		r := signed("AKIA", c.service, c.method, c.target, c.body)
		if c.header != "" {
			r.Header.Set("X-Amz-Target", c.header)
		}
		got := account{"000000000000", "eu-west-1"}.needs(c.service, r, []byte(c.body))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %s %s%s (-want +got):\n%s", c.service, c.method, c.target, c.header, diff)
		}
	}
}

// A recorder notes what roles' keys sign, leaves requests as they were, and
// knows the keys again after a restart.
func TestRecorder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cloud", "permissions.json")
	open := func() *Recorder {
		r, err := NewRecorder(file, "000000000000", "eu-west-1")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	if err := r.Issued("ASIA1", role); err != nil {
		t.Fatal(err)
	}
	r = open()
	const form = "Action=DescribeSubnets"
	for _, key := range []string{"ASIA1", "ASIA1", "test"} {
		req := signed(key, "ec2", "POST", "/", form)
		if err := r.See(req); err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(req.Body); err != nil || string(body) != form {
			t.Errorf("the body became %q, %v", body, err)
		}
	}
	presigned := httptest.NewRequest(http.MethodGet, "/b/k?X-Amz-Credential=ASIA1%2F20261120%2Feu-west-1%2Fs3%2Faws4_request", nil)
	if err := r.See(presigned); err != nil {
		t.Fatal(err)
	}
	want := []Call{{role, "ec2:DescribeSubnets", "", 2, 0}, {role, "s3:GetObject", "arn:aws:s3:::b/k", 1, 0}}
	if diff := cmp.Diff(want, r.Calls()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[1:], open().Calls()[1:]); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

const document = `{"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Action": ["ec2:Describe*", "ec2:CreateTags"], "Resource": "*"},
	{"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::bucket/*"]},
	{"Effect": "Allow", "Action": "route53:ChangeResourceRecordSets", "Resource": "*", "Condition": {"Bool": {"a": "b"}}},
	{"Effect": "Deny", "Action": "ec2:DescribeInstances", "Resource": "*"}]}`

func TestJudge(t *testing.T) {
	policy, err := ParsePolicy([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	calls := []Call{
		{role, "ec2:DescribeInstances", "", 1, 0},
		{role, "ec2:DescribeSubnets", "", 3, 0},
		{role, "ec2:DescribeSubnets", "arn:x", 1, 0},
		{role, "ec2:RunInstances", "", 1, 0},
		{role, "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1", 1, 0},
		{role, "s3:GetObject", "arn:aws:s3:::bucket/content/*", 1, 0},
		{role, "s3:GetObject", "arn:aws:s3:::other/k", 1, 0},
		{"arn:aws:iam::000000000000:role/gone", "iam:CreateUser", "", 1, 0},
	}
	got := Judge([]Grant{{"ns/sa", role, []Policy{policy}}, {"ns/idle", "arn:idle", []Policy{policy}}}, calls)
	want := []Verdict{
		{ServiceAccount: "ns/idle", Role: "arn:idle", Calls: []Call{}, Refused: []Call{}, Granted: 4, Unused: []string{"ec2:CreateTags", "ec2:Describe*", "route53:ChangeResourceRecordSets", "s3:GetObject"}},
		{ServiceAccount: "ns/sa", Role: role, Calls: calls[:7], Refused: []Call{calls[0], calls[3], calls[6]}, Granted: 4, Unused: []string{"ec2:CreateTags"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	problems := Refused(got)
	if problems == nil || strings.Count(problems.Error(), "\n") != 2 || !strings.Contains(problems.Error(), "ns/sa calls ec2:RunInstances on *, which the policy of r does not allow") {
		t.Errorf("%v", problems)
	}
	if err := Refused(got[:1]); err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	Write(&out, got)
	for _, line := range []string{"ns/sa", "      4  allows   ec2:DescribeSubnets", "      1  REFUSES  ec2:RunInstances", "  granted and never used: 1 of 4", "                  ec2:CreateTags"} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("%q is not in:\n%s", line, out.String())
		}
	}
}

func TestBadPolicy(t *testing.T) {
	for text, want := range map[string]string{
		`{"Statement": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}}`: "NotAction",
		`[`: "no JSON",
	} {
		if _, err := ParsePolicy([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What no policy allows is refused, and what a policy that changed allows is not refused for long.
func TestDenial(t *testing.T) {
	r, err := NewRecorder(filepath.Join(t.TempDir(), "calls.json"), "000000000000", "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Issued("AKIA", role); err != nil {
		t.Fatal(err)
	}
	asked := 0
	r.Policies = func(_ context.Context, of string) ([]Policy, error) {
		asked++
		return []Policy{{Statements: []Statement{{Effect: "Allow", Actions: []string{"s3:GetObject"}, Resources: []string{"arn:aws:s3:::own/*"}}}}}, nil
	}
	for target, denied := range map[string]bool{"/own/a/b": false, "/other/a/b": true, "/own?list-type=2": true} {
		err := r.See(signed("AKIA", "s3", "GET", target, ""))
		var denial *Denial
		if errors.As(err, &denial) != denied || !denied && err != nil || denied && denial.Role != role {
			t.Errorf("%s: %v", target, err)
		}
		if err := r.See(signed("OTHER", "s3", "GET", target, "")); err != nil {
			t.Errorf("%s by somebody else: %v", target, err)
		}
	}
	for _, c := range r.Calls() {
		if want := c.Count * map[bool]int{c.Resource == "arn:aws:s3:::other/a/*" || c.Action == "s3:ListBucket": 1}[true]; c.Denied != want {
			t.Errorf("%s on %s: %d of %d denied, want %d", c.Action, c.Resource, c.Denied, c.Count, want)
		}
	}
	if asked != 1 {
		t.Errorf("the policies were read %d times within %s", asked, stale)
	}
}
