package endpoint

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"k8s-plus-aws-gitops/local/endpoint/moto/mototest"
	"k8s-plus-aws-gitops/local/internal/freeport"
)

// endpointOf names the variable by which this program becomes the endpoint: address, moto's URL, directory.
const endpointOf = "TEST_ENDPOINT_OF"

func TestMain(m *testing.M) {
	if f := strings.Fields(os.Getenv(endpointOf)); len(f) == 3 {
		err := Run(context.Background(), Config{Listen: f[0], Moto: f[1], Dir: f[2], Mail: f[2], Account: "000000000000", Region: "eu-west-1"})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victim is an endpoint in a process of its own, with a gate between it and moto.
type victim struct {
	t       *testing.T
	address string
	env     string
	process *exec.Cmd
	gate    *gate
}

func newVictim(t *testing.T) *victim {
	g := newGate(t, mototest.New(t).URL)
	address := freeport.Address(t)
	v := &victim{t: t, address: address, env: endpointOf + "=" + address + " " + g.url + " " + t.TempDir(), gate: g}
	v.start()
	t.Cleanup(v.kill)
	return v
}

func (v *victim) start() {
	v.t.Helper()
	v.process = exec.Command(os.Args[0])
	v.process.Env, v.process.Stderr = append(os.Environ(), v.env), v.t.Output()
	if err := v.process.Start(); err != nil {
		v.t.Fatal(err)
	}
	if err := dialable(context.Background(), v.address); err != nil {
		v.t.Fatal(err)
	}
}

// kill is kill -9.
func (v *victim) kill() {
	_ = v.process.Process.Kill()
	_ = v.process.Wait()
}

// gate passes requests on and, when it is told to, keeps the answers: what was
// asked for is done, and the one who asked is killed before it hears of it.
type gate struct {
	url string

	mu   sync.Mutex
	left int           // answers that still pass, -1 for all
	held chan struct{} // closed at the first answer that is kept
	open chan struct{} // closed when all may pass again
}

func newGate(t *testing.T, behind string) *gate {
	target, err := url.Parse(behind)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{left: -1, open: make(chan struct{})}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error { g.pass(r.Request.Context()); return nil }
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	t.Cleanup(g.release)
	g.url = server.URL
	return g
}

func (g *gate) pass(gone context.Context) {
	g.mu.Lock()
	if g.left > 0 {
		g.left--
	}
	keep, open := g.left == 0, g.open
	if keep && g.held != nil {
		close(g.held)
		g.held = nil
	}
	g.mu.Unlock()
	if keep {
		select {
		case <-open:
		case <-gone.Done():
		}
	}
}

// holdAfter keeps the nth answer from now and all that follow; the channel is closed then.
func (g *gate) holdAfter(n int) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left, g.held = n, make(chan struct{})
	return g.held
}

func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left = -1
	close(g.open)
	g.open = make(chan struct{})
}

// fleet is a template with many quick resources, named and not, and few that have no name by which they could be found.
func fleet(days int) string {
	var b strings.Builder
	b.WriteString(`{"Resources": {
		"VPC": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.10.0.0/16", "Tags": [{"Key": "days", "Value": "DAYS"}]}},
		"Key": {"Type": "AWS::KMS::Key", "Properties": {"Description": "DAYS", "KeyPolicy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": "*"}]}}},
		"Zone": {"Type": "AWS::Route53::HostedZone", "Properties": {"Name": "killed.localhost."}}`)
	for i := range 12 {
		fmt.Fprintf(&b, `,
		"Subnet%[1]d": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "VPC"}, "CidrBlock": "10.10.%[1]d.0/24", "AvailabilityZone": "eu-west-1a", "Tags": [{"Key": "days", "Value": "DAYS"}]}},
		"Bucket%[1]d": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "killed-%[1]d", "Tags": [{"Key": "days", "Value": "DAYS"}]}},
		"Named%[1]d": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/killed/%[1]d", "RetentionInDays": DAYS}},
		"Logs%[1]d": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": DAYS}}`, i)
	}
	b.WriteString("}}")
	return strings.ReplaceAll(b.String(), "DAYS", fmt.Sprint(days))
}

// A kill in the middle of a deployment, again and again, and the deployment ends well, with nothing made twice.
func TestKilledDuringADeployment(t *testing.T) {
	v := newVictim(t)
	c := awsConfig("http://"+v.address, "eu-west-1")
	client, name := cloudformation.NewFromConfig(c), aws.String("killed")

	body := fleet(7)
	held := v.gate.holdAfter(15)
	if _, err := client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: name, TemplateBody: &body}); err != nil {
		t.Fatal(err)
	}
	v.killTwice(held, client, name, cfntypes.StackStatusCreateInProgress)
	v.ends(client, name, cfntypes.StackStatusCreateComplete)
	counted(t, c, 7)

	body = fleet(30)
	held = v.gate.holdAfter(15)
	if _, err := client.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: name, TemplateBody: &body}); err != nil {
		t.Fatal(err)
	}
	v.killTwice(held, client, name, cfntypes.StackStatusUpdateInProgress)
	v.ends(client, name, cfntypes.StackStatusUpdateComplete)
	counted(t, c, 30)
}

// killTwice kills the endpoint while the answers of moto are kept from it, and again some answers later.
func (v *victim) killTwice(held <-chan struct{}, client *cloudformation.Client, name *string, during cfntypes.StackStatus) {
	v.t.Helper()
	for range 2 {
		select {
		case <-held:
		case <-time.After(5 * time.Minute):
			v.t.Fatal("the endpoint asks moto for nothing more")
		}
		v.kill()
		v.gate.release()
		held = v.gate.holdAfter(15)
		v.start()
		out, err := client.DescribeStacks(v.t.Context(), &cloudformation.DescribeStacksInput{StackName: name})
		if err != nil {
			v.t.Fatal(err)
		}
		if got := out.Stacks[0].StackStatus; got != during {
			v.t.Fatalf("the kill came at the wrong time: the stack is %s, must be %s", got, during)
		}
	}
	v.gate.release()
}

func (v *victim) ends(client *cloudformation.Client, name *string, want cfntypes.StackStatus) {
	v.t.Helper()
	soon(v.t, "the stack is "+string(want), func() bool {
		out, err := client.DescribeStacks(v.t.Context(), &cloudformation.DescribeStacksInput{StackName: name})
		if err != nil {
			v.t.Fatal(err)
		}
		if got := out.Stacks[0].StackStatus; got != want && !strings.HasSuffix(string(got), "_IN_PROGRESS") {
			v.t.Fatalf("the stack is %s (%s), must be %s", got, aws.ToString(out.Stacks[0].StackStatusReason), want)
		}
		return out.Stacks[0].StackStatus == want
	})
}

// counted fails unless the services have each resource once, as the template says.
func counted(t *testing.T, c aws.Config, days int32) {
	t.Helper()
	groups, err := cloudwatchlogs.NewFromConfig(c).DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups.LogGroups {
		if aws.ToInt32(g.RetentionInDays) != days {
			t.Errorf("%s keeps %d days, must keep %d", aws.ToString(g.LogGroupName), aws.ToInt32(g.RetentionInDays), days)
		}
	}
	vpcs, err := ec2.NewFromConfig(c).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for _, vpc := range vpcs.Vpcs {
		if aws.ToString(vpc.CidrBlock) == "10.10.0.0/16" {
			ours++
		}
	}
	keys, err := kms.NewFromConfig(c).ListKeys(t.Context(), &kms.ListKeysInput{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{"log groups": len(groups.LogGroups), "VPCs": ours, "keys": len(keys.Keys)}
	for what, want := range map[string]int{"log groups": 24, "VPCs": 1, "keys": 1} {
		if got[what] != want {
			t.Errorf("%d %s, must be %d", got[what], what, want)
		}
	}
}
