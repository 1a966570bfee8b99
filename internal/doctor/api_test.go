package doctor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/bootstrap"
)

// api answers for AWS: a body for each action, written as IAM writes it. What has no answer is not implemented, as at an
// endpoint that knows few services.
type api struct {
	answers map[string]string
	// errors are codes by action, with the message after a blank.
	errors map[string]string
	// throttled is how often each action is refused first.
	throttled int
	// ahead is how far AWS's clock is from this machine's.
	date string

	mu    sync.Mutex
	asked map[string]int
}

// rest are actions by method and path.
var rest = []struct {
	path   *regexp.Regexp
	action string
}{
	{regexp.MustCompile(`^/2013-04-01/hostedzonesbyname$`), "route53:ListHostedZonesByName"},
	{regexp.MustCompile(`^/2013-04-01/hostedzone/[^/]+$`), "route53:GetHostedZone"},
}

// service is in the scope of a signature.
var service = regexp.MustCompile(`Credential=[^/]+/\d+/[^/]+/([^/]+)/`)

// actionOf names what a request asks.
func actionOf(r *http.Request) string {
	for _, a := range rest {
		if a.path.MatchString(r.URL.Path) {
			return a.action
		}
	}
	name := r.FormValue("Action")
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		name = target[strings.LastIndex(target, ".")+1:]
	}
	of := "sts" // the one that is asked without credentials
	if scope := service.FindStringSubmatch(r.Header.Get("Authorization")); scope != nil {
		of = scope[1]
	}
	return of + ":" + name
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	action := actionOf(r)
	a.mu.Lock()
	if a.asked == nil {
		a.asked = map[string]int{}
	}
	a.asked[action]++
	asked := a.asked[action]
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if a.date != "" {
		w.Header().Set("Date", a.date)
	}
	body, known := a.answers[action]
	failure := a.errors[action]
	switch {
	case asked <= a.throttled:
		failure = "ThrottlingException Rate exceeded"
	case failure == "" && !known:
		w.WriteHeader(http.StatusNotImplemented)
		_, _ = w.Write([]byte("<html>not here</html>"))
		return
	}
	if failure != "" {
		fail(w, r, action, failure)
		return
	}
	// A second page follows where the answer has one.
	pages := strings.Split(body, "\f")
	page := 0
	if r.FormValue("NextToken") != "" || strings.Contains(readAll(r), `"NextToken":"2"`) {
		page = 1
	}
	_, _ = w.Write([]byte(pages[page]))
}

func readAll(r *http.Request) string {
	if r.Header.Get("X-Amz-Target") == "" {
		return ""
	}
	content := make([]byte, 4096)
	n, _ := r.Body.Read(content)
	return string(content[:n])
}

// fail answers with an error in the protocol of the request.
func fail(w http.ResponseWriter, r *http.Request, action, failure string) {
	code, message, _ := strings.Cut(failure, " ")
	w.WriteHeader(http.StatusBadRequest)
	switch {
	case r.Header.Get("X-Amz-Target") != "":
		fmt.Fprintf(w, `{"__type": %q, "message": %q}`, code, message)
	case strings.HasPrefix(action, "ec2:"):
		fmt.Fprintf(w, "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors></Response>", code, message)
	default:
		fmt.Fprintf(w, "<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, message)
	}
}

// serve starts the stand-in.
func (a *api) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return server.URL
}

// stack is a described stack.
func stack(status, version, qualifier string, policies []string) string {
	return "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>CDKToolkit</StackName><StackStatus>" + status + "</StackStatus><CreationTime>2026-11-29T12:00:00Z</CreationTime>" +
		"<Outputs><member><OutputKey>BootstrapVersion</OutputKey><OutputValue>" + version + "</OutputValue></member></Outputs>" +
		"<Parameters><member><ParameterKey>Qualifier</ParameterKey><ParameterValue>" + qualifier + "</ParameterValue></member>" +
		"<member><ParameterKey>CloudFormationExecutionPolicies</ParameterKey><ParameterValue>" + strings.Join(policies, ",") + "</ParameterValue></member></Parameters>" +
		"</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
}

func zoneAnswer(name, servers string, private bool) string {
	set := ""
	if servers != "" {
		set = "<DelegationSet><NameServers>"
		for _, s := range strings.Fields(servers) {
			set += "<NameServer>" + s + "</NameServer>"
		}
		set += "</NameServers></DelegationSet>"
	}
	return fmt.Sprintf("<GetHostedZoneResponse><HostedZone><Id>/hostedzone/Z1</Id><Name>%s</Name><CallerReference>x</CallerReference><Config><PrivateZone>%t</PrivateZone></Config></HostedZone>%s</GetHostedZoneResponse>", name, private, set)
}

func vpcsAnswer(count int, own bool, token string) string {
	text := "<DescribeVpcsResponse><vpcSet>"
	for i := range count {
		text += fmt.Sprintf("<item><vpcId>vpc-%d</vpcId>", i)
		if own && i == 0 {
			text += "<tagSet><item><key>environment</key><value>dev</value></item></tagSet>"
		}
		text += "</item>"
	}
	return text + "</vpcSet><nextToken>" + token + "</nextToken></DescribeVpcsResponse>"
}

// instance is a running one of two cores with one thread each.
func instance(kind, lifecycle, cluster string) string {
	if lifecycle != "" {
		lifecycle = "<instanceLifecycle>" + lifecycle + "</instanceLifecycle>"
	}
	return "<item><instancesSet><item><instanceId>i-1</instanceId><instanceType>" + kind + "</instanceType>" + lifecycle +
		"<cpuOptions><coreCount>2</coreCount><threadsPerCore>1</threadsPerCore></cpuOptions><tagSet><item><key>eks:cluster-name</key><value>" + cluster + "</value></item></tagSet></item></instancesSet></item>"
}

func instances(all ...string) string {
	return "<DescribeInstancesResponse><reservationSet>" + strings.Join(all, "") + "</reservationSet></DescribeInstancesResponse>"
}

func quotaAnswer(value string) string {
	return `{"Quota": {"QuotaCode": "L-1", "Value": ` + value + `}}`
}

// answers are those of an account in which the environment lacks nothing.
func answers(t *testing.T, d *Doctor) map[string]string {
	t.Helper()
	policies, err := bootstrap.Policies(d.Root, d.Env)
	if err != nil {
		t.Fatal(err)
	}
	var arns []string
	for _, p := range policies {
		arns = append(arns, p.ARN)
	}
	return map[string]string{
		"sts:GetCallerIdentity":         "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111111111111</Account><Arn>arn:aws:sts::111111111111:assumed-role/Admin/jane</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>",
		"cloudformation:DescribeStacks": stack("UPDATE_COMPLETE", "30", "hnb659fds", arns),
		"iam:GetPolicy":                 "<GetPolicyResponse><GetPolicyResult><Policy><DefaultVersionId>v2</DefaultVersionId></Policy></GetPolicyResult></GetPolicyResponse>",
		"iam:GetPolicyVersion":          "<GetPolicyVersionResponse><GetPolicyVersionResult><PolicyVersion><Document>" + url.PathEscape(`{"Statement": [{"Resource": "arn:aws:ec2:eu-west-1:111111111111:*"}]}`) + "</Document></PolicyVersion></GetPolicyVersionResult></GetPolicyVersionResponse>",

		"codeconnections:GetConnection": `{"Connection": {"ConnectionName": "platform", "ConnectionStatus": "AVAILABLE"}}`,
		"servicequotas:GetServiceQuota": quotaAnswer("20"),
		"ec2:DescribeVpcs":              vpcsAnswer(2, false, ""),
		"ec2:DescribeAddresses":         "<DescribeAddressesResponse><addressesSet><item><publicIp>192.0.2.1</publicIp></item></addressesSet></DescribeAddressesResponse>",
		"ec2:DescribeInstances":         instances(),
		"ec2:DescribeInstanceTypes":     "<DescribeInstanceTypesResponse><instanceTypeSet><item><instanceType>m7g.large</instanceType><vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo></item></instanceTypeSet></DescribeInstanceTypesResponse>",

		"secretsmanager:DescribeSecret": `{"Name": "/dev/flux/git-read", "VersionIdsToStages": {"1": ["AWSPREVIOUS"], "2": ["AWSCURRENT"]}}`,
		"route53:GetHostedZone":         zoneAnswer("dev.example.com.", "ns-2.example.net. NS-1.example.org", false),
		"acm:ListCertificates":          `{"CertificateSummaryList": [{"DomainName": "*.dev.example.com", "Status": "ISSUED"}]}`,
	}
}

// repository has the files that a doctor reads: the fixture's cdk.json, the versions, and one policy, whose text the stand-in
// can answer for each.
func repository(t *testing.T, cdk []byte) (string, config.Environment) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"cdk.json": string(cdk), "go.mod": "module x\n\ngo 1.26.0\n",
		"package.json":                           `{"devDependencies": {"aws-cdk": "2.1148.1", "node": "24.21.0"}}`,
		bootstrap.Dir + "/network.json":          `{"Statement": [{"Resource": "arn:aws:ec2:REGION:ACCOUNT:*"}]}`,
		bootstrap.Dir + "/identity.json":         `{"Statement": [{"Resource": "arn:aws:ec2:REGION:ACCOUNT:*"}]}`,
		bootstrap.Dir + "/boundary.json":         `{"Statement": [{"Resource": "arn:aws:ec2:REGION:ACCOUNT:*"}]}`,
		bootstrap.Dir + "/identity-bounded.json": `{"Statement": [{"Resource": "arn:aws:ec2:REGION:ACCOUNT:*"}]}`,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, c.Environments["dev"]
}
