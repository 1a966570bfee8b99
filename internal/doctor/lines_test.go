package doctor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/forge/setup"
)

// Each thing that can be missing is found, with what mends it; what cannot be known has no remedy.
func TestLines(t *testing.T) {
	denied := apierrors.NewForbidden(schema.GroupResource{Group: "kustomize.toolkit.fluxcd.io", Resource: "kustomizations"}, "", errors.New("no"))
	for name, c := range map[string]struct {
		change      func(w world)
		check       string
		state       State
		detail, fix string
	}{
		"no AWS CLI":      {func(w world) { w.Run = running(map[string]string{"git": "git version 2.1"}) }, "AWS CLI", Missing, "aws is not there", "install the AWS CLI, version 2"},
		"an old AWS CLI":  {func(w world) { w.Run = running(map[string]string{"aws": "aws-cli/1.45.11 Python/3.11"}) }, "AWS CLI", Missing, "1.45.11", "version 2"},
		"an old Go":       {func(w world) { w.Run = running(map[string]string{"go": "go1.25.3"}) }, "go", Missing, "1.25.3, go.mod needs 1.26.0", "install Go 1.26.0 or later"},
		"another CDK CLI": {func(w world) { w.Run = running(map[string]string{"cdk": "2.1000.2 (build x)"}) }, "CDK CLI", Missing, "2.1000.2, package.json pins 2.1148.1", "npm ci"},
		"no node_modules": {func(w world) { w.Run = running(nil) }, "node", Missing, "node_modules/.bin/node is not there", "npm ci"},
		"a broken program": {func(w world) {
			w.Run = func(context.Context, string, string, ...string) (string, error) {
				return "", errors.New("exit status 1")
			}
		}, "git", Unknown, "git: exit status 1", ""},

		"no credentials": {func(w world) { w.AWS.Credentials = nil }, "credentials", Missing, "there are none", "aws sso login"},
		"expired credentials": {func(w world) {
			w.api.errors["sts:GetCallerIdentity"] = "ExpiredToken The security token included in the request is expired"
		}, "credentials", Missing, "ExpiredToken", "export AWS_PROFILE=<a profile of account 111111111111>"},
		"another account": {func(w world) { w.Env.Account = "222222222222" }, "credentials", Missing, "of account 111111111111, and dev is in 222222222222", "AWS_PROFILE"},
		"what follows":    {func(w world) { w.Env.Account = "222222222222" }, "certificate", Unknown, "not looked at: credentials: missing", ""},
		"another region":  {func(w world) { w.Region = "us-east-1" }, "region", Missing, "names us-east-1, and dev is in eu-west-1", "export AWS_REGION=eu-west-1"},
		"no region":       {func(w world) { w.Region = "" }, "region", OK, "commands take that of cdk.json", ""},
		"a clock behind":  {func(w world) { w.api.date = time.Now().Add(time.Hour).UTC().Format(http.TimeFormat) }, "clock", Missing, "behind AWS", "ntp"},
		"a clock ahead":   {func(w world) { w.api.date = time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat) }, "clock", Missing, "ahead of AWS", "ntp"},
		"a clock, by a refusal": {func(w world) {
			w.api.date = time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
			w.api.errors["sts:GetCallerIdentity"] = "MissingAuthenticationToken Request is missing Authentication Token"
		}, "clock", Missing, "ahead of AWS", "ntp"},

		"no bootstrap": {func(w world) {
			w.api.errors["cloudformation:DescribeStacks"] = "ValidationError Stack with id CDKToolkit does not exist"
		}, "CDK bootstrap", Missing, "no stack CDKToolkit in eu-west-1", "make bootstrap ENV=dev"},
		"a bad request": {func(w world) {
			w.api.errors["cloudformation:DescribeStacks"] = "ValidationError 1 validation error detected"
		}, "CDK bootstrap", Unknown, "cloudformation:DescribeStacks: ValidationError: 1 validation", ""},
		"an old bootstrap": {func(w world) {
			w.api.answers["cloudformation:DescribeStacks"] = stack("CREATE_COMPLETE", "5", "hnb659fds", nil)
		}, "CDK bootstrap", Missing, "version 5, the templates need 6", "make bootstrap ENV=dev"},
		"a failed bootstrap": {func(w world) {
			w.api.answers["cloudformation:DescribeStacks"] = stack("ROLLBACK_COMPLETE", "30", "hnb659fds", nil)
		}, "CDK bootstrap", Missing, "is ROLLBACK_COMPLETE", "make bootstrap ENV=dev"},
		"another qualifier": {func(w world) {
			w.api.answers["cloudformation:DescribeStacks"] = stack("CREATE_COMPLETE", "30", "team", nil)
		}, "CDK bootstrap", Missing, "has the qualifier team, and cdk.json hnb659fds", "make bootstrap ENV=dev"},
		"administrator": {func(w world) {
			w.api.answers["cloudformation:DescribeStacks"] = stack("CREATE_COMPLETE", "30", "", []string{"arn:aws:iam::aws:policy/AdministratorAccess"})
		}, "execution policies", Missing, "AdministratorAccess is more than the repository asks for; platform-identity-eu-west-1 is not among them", "make bootstrap ENV=dev"},
		"administrator, and no right to read policies": {func(w world) {
			w.api.answers["cloudformation:DescribeStacks"] = stack("CREATE_COMPLETE", "30", "", []string{"arn:aws:iam::aws:policy/AdministratorAccess"})
			w.api.errors["iam:GetPolicy"] = "AccessDenied no"
		}, "execution policies", Missing, "AdministratorAccess is more than the repository asks for", "make bootstrap ENV=dev"},
		"an old policy": {func(w world) {
			w.api.answers["iam:GetPolicyVersion"] = "<GetPolicyVersionResponse><GetPolicyVersionResult><PolicyVersion><Document>%7B%22Statement%22%3A%20%5B%5D%7D</Document></PolicyVersion></GetPolicyVersionResult></GetPolicyVersionResponse>"
		}, "execution policies", Missing, "platform-network-eu-west-1 is not as in infrastructure/delivery/execution", "make bootstrap ENV=dev"},
		"a policy that went": {func(w world) { w.api.errors["iam:GetPolicy"] = "NoSuchEntity Policy does not exist" }, "execution policies", Missing, "is not as in", "make bootstrap ENV=dev"},

		"no pipelines": {func(w world) { w.Env.Delivery.ConnectionARN = "" }, "connection", OK, "dev has no pipelines", ""},
		"no connection": {func(w world) {
			w.api.errors["codeconnections:GetConnection"] = "ResourceNotFoundException [CodeConnections] Connection not found"
		}, "connection", Missing, "there is no connection 00000000", "create-connection --region eu-west-1"},
		"a connection to complete": {func(w world) {
			w.api.answers["codeconnections:GetConnection"] = `{"Connection": {"ConnectionName": "platform", "ConnectionStatus": "PENDING"}}`
		}, "connection", Missing, "waits for a person", "https://eu-west-1.console.aws.amazon.com/codesuite/settings/connections"},
		"a connection of another region": {func(w world) {
			w.Env.Delivery.ConnectionARN = "arn:aws:codeconnections:us-east-1:111111111111:connection/1"
			w.api.answers["codeconnections:GetConnection"] = `{"Connection": {"ConnectionName": "platform", "ConnectionStatus": "PENDING"}}`
		}, "connection", Missing, "waits for a person", "https://us-east-1.console.aws.amazon.com"},
		"a broken connection": {func(w world) {
			w.api.answers["codeconnections:GetConnection"] = `{"Connection": {"ConnectionName": "platform", "ConnectionStatus": "ERROR"}}`
		}, "connection", Missing, "platform is ERROR", "create-connection"},

		"no VPC left": {func(w world) { w.api.answers["servicequotas:GetServiceQuota"] = quotaAnswer("2") }, "quota: VPCs", Missing, "2, 2 in use, 1 more for dev", "--region eu-west-1 --service-code vpc --quota-code L-F678F1CE --desired-value 3"},
		"its own VPC": {func(w world) {
			w.api.answers["servicequotas:GetServiceQuota"], w.api.answers["ec2:DescribeVpcs"] = quotaAnswer("2"), vpcsAnswer(2, true, "")
		}, "quota: VPCs", OK, "2, 2 in use, 0 more for dev", ""},
		"more VPCs": {func(w world) {
			w.api.answers["servicequotas:GetServiceQuota"], w.api.answers["ec2:DescribeVpcs"] = quotaAnswer("3"), vpcsAnswer(2, false, "2")+"\f"+vpcsAnswer(1, false, "")
		}, "quota: VPCs", Missing, "3, 3 in use", "--desired-value 4"},
		"NAT per zone": {func(w world) {
			w.Env.Network.NAT, w.api.answers["servicequotas:GetServiceQuota"] = config.NATPerZone, quotaAnswer("3")
		}, "quota: elastic IPs", Missing, "3, 1 in use, 3 more for dev", "--service-code ec2 --quota-code L-0263D0A3 --desired-value 4"},
		"few vCPUs": {func(w world) { w.api.answers["servicequotas:GetServiceQuota"] = quotaAnswer("5") }, "quota: vCPUs", Missing, "5, 0 in use, 16 more for dev", "L-34B43A08 --desired-value 16"},
		"no executions to reserve": {func(w world) {
			w.Env.Alerts.SNS, w.api.answers["servicequotas:GetServiceQuota"] = true, quotaAnswer("10")
		}, "quota: Lambda", Missing, "10, of which none can be reserved for the function of alerts.sns", "--service-code lambda --quota-code L-B99A9384 --desired-value 1000"},
		"executions to reserve": {func(w world) {
			w.Env.Alerts.SNS, w.api.answers["servicequotas:GetServiceQuota"] = true, quotaAnswer("1000")
		}, "quota: Lambda", OK, "1000", ""},
		"one build at a time": {func(w world) { w.api.answers["servicequotas:GetServiceQuota"] = quotaAnswer("1") }, "quota: CodeBuild", Missing, "1 at once on Linux/Medium", "--service-code codebuild --quota-code L-2DC20C30 --desired-value 2"},
		"two builds":          {func(w world) { w.api.answers["servicequotas:GetServiceQuota"] = quotaAnswer("2") }, "quota: CodeBuild", OK, "2", ""},
		"no builds": {func(w world) {
			w.Env.Delivery.ConnectionARN, w.api.answers["servicequotas:GetServiceQuota"] = "", quotaAnswer("1")
		}, "quota: CodeBuild", OK, "dev has no pipelines", ""},
		"vCPUs on demand": {func(w world) {
			w.Env.Nodes.Spot, w.api.answers["servicequotas:GetServiceQuota"] = false, quotaAnswer("5")
		}, "quota: vCPUs", Missing, "5, 0 in use", "L-1216C47A"},
		"vCPUs in use": {func(w world) {
			w.api.answers["servicequotas:GetServiceQuota"] = quotaAnswer("20")
			w.api.answers["ec2:DescribeInstances"] = instances(instance("m7g.large", "spot", "dev"), instance("c7g.large", "spot", "other"), instance("g5.large", "spot", ""), instance("m7g.large", "", ""))
		}, "quota: vCPUs", OK, "20, 4 in use, 14 more for dev", ""},
		"another family": {func(w world) { w.Env.Nodes.InstanceTypes = []string{"g5.xlarge"} }, "quota: vCPUs", Unknown, "g5.xlarge has a quota of its own", ""},
		"no quota of its own": {func(w world) {
			w.api.errors["servicequotas:GetServiceQuota"] = "NoSuchResourceException The specified resource does not exist."
			w.api.answers["servicequotas:GetAWSDefaultServiceQuota"] = quotaAnswer("2")
		}, "quota: VPCs", Missing, "2, 2 in use", "L-F678F1CE"},

		"a public repository": {func(w world) { w.Env.GitCredentials = config.CredentialsNone }, "Git credentials", OK, "public", ""},
		"no Git secret": {func(w world) {
			w.api.errors["secretsmanager:DescribeSecret"] = "ResourceNotFoundException Secrets Manager can't find the specified secret."
		}, "Git credentials", Missing, "no secret /dev/flux/git-read", "create-secret --region eu-west-1 --name /dev/flux/git-read"},
		"an empty Git secret": {func(w world) { w.api.answers["secretsmanager:DescribeSecret"] = `{"Name": "x"}` }, "Git credentials", Missing, "has no value", "put-secret-value"},
		"a Git secret that goes": {func(w world) {
			w.api.answers["secretsmanager:DescribeSecret"] = `{"Name": "x", "DeletedDate": 1764500000, "VersionIdsToStages": {"2": ["AWSCURRENT"]}}`
		}, "Git credentials", Missing, "about to be deleted", "restore-secret"},
		"no release token": {func(w world) {
			w.api.errors["secretsmanager:DescribeSecret"] = "ResourceNotFoundException Secrets Manager can't find the specified secret."
		}, "release token", Missing, "no secret /dev/gitops/release-token", "create-secret --region eu-west-1 --name /dev/gitops/release-token --secret-string file://token.json"},
		"an empty release token": {func(w world) { w.api.answers["secretsmanager:DescribeSecret"] = `{"Name": "x"}` }, "release token", Missing, "has no value", "put-secret-value"},
		"no gate": {func(w world) {
			w.Env.Delivery.Gate = false
			delete(w.api.answers, "secretsmanager:DescribeSecret")
		}, "release token", OK, "Flux follows branch dev itself", ""},
		"no token for image tags": {func(w world) {
			w.api.errors["secretsmanager:DescribeSecret"] = "ResourceNotFoundException Secrets Manager can't find the specified secret."
		}, "image tags' token", Missing, "no secret /dev/flux/git-write", "create-secret --region eu-west-1 --name /dev/flux/git-write"},
		"no image tags": {func(w world) {
			w.Env.Delivery.ImageUpdates = config.ImageUpdatesNone
			delete(w.api.answers, "secretsmanager:DescribeSecret")
		}, "image tags' token", OK, "writes no image tags", ""},
		"no branch": {func(w world) { w.Tip = func(context.Context) (string, error) { return "", nil } }, "Flux's branch", Missing, "released/dev does not exist", "bin/gitops release dev --first"},
		"no branch of its own": {func(w world) {
			w.Env.Delivery.Gate, w.Tip = false, func(context.Context) (string, error) { return "", nil }
		}, "Flux's branch", Missing, "dev does not exist", "git push origin HEAD:refs/heads/dev"},

		"no zone": {func(w world) {
			w.api.errors["route53:GetHostedZone"] = "NoSuchHostedZone No hosted zone found with ID: Z0123456789DEV"
		}, "hosted zone", Missing, "no zone Z0123456789DEV", "aws route53 create-hosted-zone --name dev.example.com"},
		"another zone": {func(w world) {
			w.api.answers["route53:GetHostedZone"] = zoneAnswer("example.org.", "ns-1.example.org", false)
		}, "hosted zone", Missing, "is of example.org, and cdk.json says dev.example.com", "environments.dev.hostedZone"},
		"a private zone": {func(w world) { w.api.answers["route53:GetHostedZone"] = zoneAnswer("dev.example.com.", "", true) }, "hosted zone", Missing, "is private", "public zone"},
		"a zone of its own": {func(w world) {
			w.Env.HostedZone = nil
			w.api.answers["route53:ListHostedZonesByName"] = "<ListHostedZonesByNameResponse><HostedZones><HostedZone><Id>/hostedzone/Z1</Id><Name>dev.example.com.</Name></HostedZone></HostedZones></ListHostedZonesByNameResponse>"
		}, "hosted zone", OK, "dev.example.com, 2 name servers", ""},
		"a zone to come": {func(w world) {
			w.Env.HostedZone = nil
			w.api.answers["route53:ListHostedZonesByName"] = "<ListHostedZonesByNameResponse><HostedZones><HostedZone><Id>/hostedzone/Z1</Id><Name>other.example.com.</Name></HostedZone></HostedZones></ListHostedZonesByNameResponse>"
		}, "hosted zone", Missing, "the network stack makes it", "make deploy ENV=dev"},
		"not delegated":       {func(w world) { w.Resolver = servers{err: &net.DNSError{Err: "no such host", IsNotFound: true}} }, "delegation", Missing, "knows no name servers of dev.example.com", "enter NS: ns-1.example.org ns-2.example.net"},
		"delegated elsewhere": {func(w world) { w.Resolver = servers{names: []string{"ns-9.example.org."}} }, "delegation", Missing, "names others: ns-9.example.org", "enter NS: ns-1.example.org ns-2.example.net"},
		"no DNS":              {func(w world) { w.Resolver = servers{err: &net.DNSError{Err: "i/o timeout", IsTimeout: true}} }, "delegation", Unknown, "i/o timeout", ""},

		"no certificate": {func(w world) {
			w.api.answers["acm:ListCertificates"] = `{"CertificateSummaryList": [{"DomainName": "*.example.com", "Status": "ISSUED"}]}`
		}, "certificate", Missing, "none for *.dev.example.com", "make deploy ENV=dev"},
		"a certificate waits": {func(w world) {
			w.api.answers["acm:ListCertificates"] = `{"CertificateSummaryList": [{"DomainName": "*.dev.example.com", "Status": "PENDING_VALIDATION"}]}`
		}, "certificate", Missing, "waits for its record", "delegate dev.example.com"},
		"a certificate of the second page": {func(w world) {
			w.api.answers["acm:ListCertificates"] = `{"CertificateSummaryList": [{"DomainName": "*.dev.example.com", "Status": "EXPIRED"}], "NextToken": "2"}` + "\f" + `{"CertificateSummaryList": [{"DomainName": "*.dev.example.com", "Status": "ISSUED"}]}`
		}, "certificate", OK, "is issued", ""},
		"an expired certificate": {func(w world) {
			w.api.answers["acm:ListCertificates"] = `{"CertificateSummaryList": [{"DomainName": "*.dev.example.com", "Status": "EXPIRED"}]}`
		}, "certificate", Missing, "is EXPIRED", "make deploy ENV=dev"},

		"a closed cluster": {func(w world) { w.Cluster = func(context.Context) (*flux.Cluster, error) { return nil, denied } }, "cluster", Unknown, "environments.dev.cluster.admins or viewers", ""},
		"no way to it": {func(w world) {
			w.Cluster = func(context.Context) (*flux.Cluster, error) {
				return nil, &url.Error{Op: "Get", URL: "https://x", Err: errors.New("i/o timeout")}
			}
		}, "cluster", Missing, "its API does not answer: i/o timeout", "environments.dev.cluster.publicAccessCidrs"},
		"a private cluster": {func(w world) {
			w.Env.Cluster.PublicAccessCIDRs = nil
			w.Cluster = func(context.Context) (*flux.Cluster, error) {
				return nil, &url.Error{Op: "Get", URL: "https://x", Err: errors.New("i/o timeout")}
			}
		}, "cluster", Unknown, "its API is private", ""},
		"no Flux": {func(w world) { w.Cluster = func(context.Context) (*flux.Cluster, error) { return cluster(), nil } }, "Flux", Missing, "not there yet", "bin/gitops status dev"},
		"Flux waits": {func(w world) {
			w.Cluster = func(context.Context) (*flux.Cluster, error) {
				return cluster(fluxObject("Kustomization", "kustomize", "flux-system", "True"), fluxObject("Kustomization", "kustomize", "apps", "False")), nil
			}
		}, "Flux", Missing, "Kustomization apps: BuildFailed: because", "bin/gitops status dev"},
		"no source": {func(w world) {
			w.Cluster = func(context.Context) (*flux.Cluster, error) {
				return cluster(fluxObject("GitRepository", "source", "flux-system", "False")), nil
			}
		}, "Flux", Missing, "GitRepository flux-system: BuildFailed", "bin/gitops status dev"},

		"another Git host":  {func(w world) { w.Env.RepositoryURL = "http://git.localhost/platform.git" }, "webhook", Unknown, "follows http://git.localhost/platform.git, not me/platform on GitHub", ""},
		"same, elsewhere":   {func(w world) { w.Env.RepositoryURL = "https://git.example.com/me/platform.git" }, "webhook", Unknown, "not me/platform on GitHub", ""},
		"no receiver":       {func(w world) { w.Hook = func(context.Context) (setup.Hook, error) { return setup.Hook{}, nil } }, "webhook", OK, "no Receiver", ""},
		"no token":          {func(w world) { w.Forge.Token = "" }, "webhook", Unknown, "'Webhooks: read' in GITHUB_TOKEN", ""},
		"a token without":   {func(w world) { w.forge.Lacks = []string{"Webhooks: read"} }, "webhook", Unknown, "the token must have 'Webhooks: read' on me/platform", ""},
		"no webhook":        {func(w world) { w.forge.Hooks = nil }, "webhook", Missing, "no webhook to flux.dev.example.com", "bin/gitops repository setup"},
		"a webhook off":     {func(w world) { w.forge.Hooks[0]["active"] = false }, "webhook", Missing, "is off", "bin/gitops repository setup"},
		"no delivery":       {func(w world) { w.forge.Deliveries = nil }, "webhook", Unknown, "no delivery to flux.dev.example.com", ""},
		"a failed delivery": {func(w world) { w.forge.Deliveries = w.forge.Deliveries[1:] }, "webhook", Missing, "the delivery of 2026-11-28 12:00 UTC failed: 0 timed out", "https://github.com/me/platform/settings/hooks/7"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.change(w)
			l := of(w.look(t), c.check)
			if l.State != c.state || !strings.Contains(l.Detail, c.detail) || !strings.Contains(l.Fix, c.fix) || (l.Fix == "") != (l.State != Missing) {
				t.Errorf("got %+v, want %s: %s; %s", l, c.state, c.detail, c.fix)
			}
		})
	}
}
