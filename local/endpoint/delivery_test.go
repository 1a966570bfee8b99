package endpoint

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"k8s-plus-aws-gitops/local/endpoint/moto/mototest"
	"k8s-plus-aws-gitops/local/internal/freeport"
)

// endpoint runs moto and the front before it, and returns the address. The test is skipped where moto cannot be had.
func endpoint(t *testing.T) string {
	t.Helper()
	behind := mototest.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	address := freeport.Address(t)
	go func() {
		defer close(ended)
		if err := Run(ctx, Config{Listen: address, Moto: behind.URL, Account: "000000000000", Region: "eu-west-1", Dir: t.TempDir(), Mail: t.TempDir(), Pipelines: t.TempDir(), Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}); err != nil {
			t.Error(err)
		}
	}()
	if err := dialable(ctx, address); err != nil {
		t.Fatal(err)
	}
	return "http://" + address
}

// soon asks until it has an answer. The limit is for a machine on which much else runs.
func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("not in 5 minutes: %s", what)
}

// change deploys a template by a change set, as the CDK CLI does, and waits.
func change(t *testing.T, client *cloudformation.Client, stack string, kind cfntypes.ChangeSetType, template string) {
	t.Helper()
	name, set := &stack, aws.String("set-"+strings.ToLower(string(kind)))
	if _, err := client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
		StackName: name, ChangeSetName: set, ChangeSetType: kind, TemplateBody: &template,
		Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityNamedIam},
	}); err != nil {
		t.Fatal(err)
	}
	made := &cloudformation.DescribeChangeSetInput{StackName: name, ChangeSetName: set}
	if err := cloudformation.NewChangeSetCreateCompleteWaiter(client, quick).Wait(t.Context(), made, 5*time.Minute); err != nil {
		out, _ := client.DescribeChangeSet(t.Context(), made)
		t.Fatalf("change set: %v: %s", err, aws.ToString(out.StatusReason))
	}
	if _, err := client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: name, ChangeSetName: set}); err != nil {
		t.Fatal(err)
	}
	want := map[cfntypes.ChangeSetType]cfntypes.StackStatus{cfntypes.ChangeSetTypeCreate: "CREATE_COMPLETE", cfntypes.ChangeSetTypeUpdate: "UPDATE_COMPLETE"}[kind]
	soon(t, "the stack is "+string(want), func() bool {
		out, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: name})
		if err != nil {
			t.Fatal(err)
		}
		switch status := out.Stacks[0].StackStatus; {
		case status == want:
			return true
		case strings.HasSuffix(string(status), "ROLLBACK_COMPLETE") || strings.HasSuffix(string(status), "FAILED"):
			events, _ := client.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: name})
			for _, e := range events.StackEvents {
				if strings.HasSuffix(string(e.ResourceStatus), "FAILED") {
					t.Errorf("%s: %s", aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceStatusReason))
				}
			}
			t.Fatalf("the stack is %s", status)
		}
		return false
	})
}

// quick makes the waiter ask often: nothing here takes seconds.
func quick(o *cloudformation.ChangeSetCreateCompleteWaiterOptions) {
	o.MinDelay, o.MaxDelay = 50*time.Millisecond, 200*time.Millisecond
}

// The synthesized pipelines are deployed, changed and removed through the local CloudFormation, and the API returns them.
func TestDeliveryStack(t *testing.T) {
	address := endpoint(t)
	c := awsConfig(address, "eu-west-1")
	template := func(stack string) string {
		content, err := os.ReadFile("../../testdata/templates/" + stack + ".json")
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	content := template("local-delivery")
	if _, err := ssm.NewFromConfig(c).PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/cdk-bootstrap/hnb659fds/version"), Value: aws.String("30"), Type: ssmtypes.ParameterTypeString}); err != nil {
		t.Fatal(err)
	}
	client := cloudformation.NewFromConfig(c)
	change(t, client, "local-network", cfntypes.ChangeSetTypeCreate, template("local-network")) // a build runs in its VPC
	change(t, client, "local-delivery", cfntypes.ChangeSetTypeCreate, content)
	branch := func() string {
		out, err := codepipeline.NewFromConfig(c).GetPipeline(t.Context(), &codepipeline.GetPipelineInput{Name: aws.String("local-deploy")})
		if err != nil {
			t.Fatal(err)
		}
		return out.Pipeline.Triggers[0].GitConfiguration.Push[0].Branches.Includes[0] + " " + aws.ToString(out.Pipeline.Stages[4].Name)
	}
	if got := branch(); got != "main Network" {
		t.Errorf("pipeline: %s", got)
	}
	// Executions are not moto's: nothing has recorded one yet, and the stages are those of the stack.
	state, err := codepipeline.NewFromConfig(c).GetPipelineState(t.Context(), &codepipeline.GetPipelineStateInput{Name: aws.String("local-deploy")})
	if err != nil || len(state.StageStates) != 9 || aws.ToString(state.StageStates[4].StageName) != "Network" || state.StageStates[4].LatestExecution != nil {
		t.Errorf("state: %+v, %v", state, err)
	}
	change(t, client, "local-delivery", cfntypes.ChangeSetTypeUpdate, strings.NewReplacer(`"main"`, `"trunk"`, `"Description": "cdk deploy"`, `"Description": "cdk deploy, changed"`).Replace(content))
	if got := branch(); got != "trunk Network" {
		t.Errorf("changed pipeline: %s", got)
	}
	if _, err := client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("local-delivery")}); err != nil {
		t.Fatal(err)
	}
	soon(t, "the stack is removed", func() bool {
		out, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("local-delivery")})
		if err != nil {
			if !strings.Contains(err.Error(), "does not exist") {
				t.Fatal(err)
			}
			return true
		}
		if status := out.Stacks[0].StackStatus; strings.HasSuffix(string(status), "FAILED") {
			t.Fatalf("removal: %s: %s", status, aws.ToString(out.Stacks[0].StackStatusReason))
		}
		return false
	})
}
