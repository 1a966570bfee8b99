package cloud

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"k8s-plus-aws-gitops/local/cloud/moto/mototest"
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

// victim is an endpoint in a process of its own.
type victim struct {
	t       *testing.T
	address string
	env     string
	process *exec.Cmd
}

func newVictim(t *testing.T) *victim {
	address := freeport.Address(t)
	v := &victim{t: t, address: address, env: endpointOf + "=" + address + " " + mototest.New(t).URL + " " + t.TempDir()}
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
	if _, err := client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: name, TemplateBody: &body}); err != nil {
		t.Fatal(err)
	}
	v.killTwice(client, name, cfntypes.ResourceStatusCreateComplete, cfntypes.StackStatusCreateInProgress)
	v.ends(client, name, cfntypes.StackStatusCreateComplete)
	counted(t, c, 7)

	body = fleet(30)
	if _, err := client.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: name, TemplateBody: &body}); err != nil {
		t.Fatal(err)
	}
	v.killTwice(client, name, cfntypes.ResourceStatusUpdateComplete, cfntypes.StackStatusUpdateInProgress)
	v.ends(client, name, cfntypes.StackStatusUpdateComplete)
	counted(t, c, 30)
}

// killTwice kills the endpoint when some more resources have the status; the stack's operation must be under way then.
func (v *victim) killTwice(client *cloudformation.Client, name *string, done cfntypes.ResourceStatus, during cfntypes.StackStatus) {
	v.t.Helper()
	for _, n := range []int{5, 20} {
		soon(v.t, fmt.Sprintf("%d resources are %s", n, done), func() bool {
			out, err := client.DescribeStackResources(v.t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: name})
			if err != nil {
				v.t.Fatal(err)
			}
			found := 0
			for _, r := range out.StackResources {
				if r.ResourceStatus == done {
					found++
				}
			}
			return found >= n
		})
		v.kill()
		v.start()
		out, err := client.DescribeStacks(v.t.Context(), &cloudformation.DescribeStacksInput{StackName: name})
		if err != nil {
			v.t.Fatal(err)
		}
		if got := out.Stacks[0].StackStatus; got != during {
			v.t.Fatalf("the kill came too late: the stack is %s, must be %s", got, during)
		}
	}
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
