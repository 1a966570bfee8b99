package main

import (
	"os"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	appresources "k8s-plus-aws-gitops/app-resources"
	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/services"
)

func TestMain(m *testing.M) { os.Exit(cdktest.Run(m, "../..")) }

// What is measured beside each other is the same: as many resources of each type.
func TestBothAppsMakeTheSameResources(t *testing.T) {
	env, app := cdktest.Environment(t), cdktest.App(t)
	shared := cdktest.NewStack(app, "network", env)
	vpc, pods := network(shared)
	hand := cdktest.NewStack(app, "hand", env)
	service(hand, vpc, pods)

	file, err := os.ReadFile("../asking.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, problems := services.ParseAll(map[string][]byte{services.FilesDir + "/asking.yaml": file}, []services.Cluster{services.ClusterOf(env)})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	made := appresources.Services(env, all)
	if len(made) != 1 {
		t.Fatalf("%d applications", len(made))
	}
	ours := cdktest.NewStack(app, "ours", env)
	made[0].Make(ours, env, appresources.Network{
		VPC: vpc, DatabaseSubnets: "isolated", PrivateSubnets: "private", Workloads: pods, Key: awskms.NewKey(shared, jsii.String("Key"), nil),
		Zone: awsroute53.HostedZone_FromHostedZoneAttributes(shared, jsii.String("Zone"), &awsroute53.HostedZoneAttributes{
			HostedZoneId: jsii.String("Z0"), ZoneName: jsii.String(env.Domain),
		}),
		DatabaseFunction: appresources.FunctionCode{Folder: cdktest.FunctionFolder(t), Hash: cdktest.FunctionHash},
	})
	if diff := cmp.Diff(types(t, ours), types(t, hand)); diff != "" {
		t.Errorf("the hand-written service has other resources than the file's (-file +hand-written):\n%s", diff)
	}
}

// types counts a stack's resources by type.
func types(t *testing.T, stack awscdk.Stack) map[string]int {
	t.Helper()
	count := map[string]int{}
	resources, ok := (*assertions.Template_FromStack(stack, nil).ToJSON())["Resources"].(map[string]any)
	if !ok {
		t.Fatal("no resources")
	}
	for _, r := range resources {
		r, _ := r.(map[string]any)
		kind, _ := r["Type"].(string)
		count[kind]++
	}
	return count
}
