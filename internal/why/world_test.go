package why_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	metadatafake "k8s.io/client-go/metadata/fake"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/why"
)

var began = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// minute is so many minutes after the first execution.
func minute(n int) time.Time { return began.Add(time.Duration(n) * time.Minute) }

// repository is one with a history: what it returns commits files by their names and contents.
func repository(t *testing.T) (dir string, commit func(subject string, files ...string) string) {
	t.Helper()
	dir = t.TempDir()
	git := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=Jane Doe", "-c", "user.email=jane@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "--quiet", "--initial-branch", "main")
	return dir, func(subject string, files ...string) string {
		for i := 0; i+1 < len(files); i += 2 {
			name := filepath.Join(dir, files[i])
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(files[i+1]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		git("add", "--all")
		git("commit", "--quiet", "--allow-empty", "-m", subject)
		return git("rev-parse", "HEAD")
	}
}

// recorded are pipelines' executions, of which a page has two, the newest first, and their actions.
type recorded struct {
	executions map[string][]types.PipelineExecutionSummary
	actions    []types.ActionExecutionDetail
}

func (r *recorded) ListPipelineExecutions(_ context.Context, in *codepipeline.ListPipelineExecutionsInput, _ ...func(*codepipeline.Options)) (*codepipeline.ListPipelineExecutionsOutput, error) {
	all, there := r.executions[*in.PipelineName]
	if !there {
		return nil, &types.PipelineNotFoundException{Message: aws.String("no such pipeline")}
	}
	if in.NextToken != nil {
		return &codepipeline.ListPipelineExecutionsOutput{PipelineExecutionSummaries: all[2:]}, nil
	}
	out := &codepipeline.ListPipelineExecutionsOutput{PipelineExecutionSummaries: all[:min(2, len(all))]}
	if len(all) > 2 {
		out.NextToken = aws.String("more")
	}
	return out, nil
}

func (r *recorded) ListActionExecutions(_ context.Context, in *codepipeline.ListActionExecutionsInput, _ ...func(*codepipeline.Options)) (*codepipeline.ListActionExecutionsOutput, error) {
	out := &codepipeline.ListActionExecutionsOutput{}
	for _, a := range r.actions {
		if *a.PipelineExecutionId == *in.Filter.PipelineExecutionId {
			out.ActionExecutionDetails = append(out.ActionExecutionDetails, a)
		}
	}
	return out, nil
}

// execution is one that took two minutes.
func execution(id, commit string, status types.PipelineExecutionStatus, n int) types.PipelineExecutionSummary {
	return types.PipelineExecutionSummary{
		PipelineExecutionId: &id, Status: status, StartTime: aws.Time(minute(n)), LastUpdateTime: aws.Time(minute(n + 2)),
		SourceRevisions: []types.SourceRevision{{ActionName: aws.String("Source"), RevisionId: &commit}},
	}
}

// action is one of an execution, in the minute after its start.
func action(id, stage, name string, n int) types.ActionExecutionDetail {
	a := types.ActionExecutionDetail{
		PipelineExecutionId: &id, StageName: &stage, ActionName: &name, Status: types.ActionExecutionStatusSucceeded,
		StartTime: aws.Time(minute(n)), LastUpdateTime: aws.Time(minute(n + 1)),
		Input:  &types.ActionExecutionInput{ActionTypeId: &types.ActionTypeId{Category: types.ActionCategoryBuild}},
		Output: &types.ActionExecutionOutput{ExecutionResult: &types.ActionExecutionResult{}},
	}
	if stage == "Approve" {
		a.Input.ActionTypeId.Category = types.ActionCategoryApproval
		a.UpdatedBy = aws.String("arn:aws:sts::111111111111:assumed-role/Release/john")
		a.Output.ExecutionResult.ExternalExecutionSummary = aws.String("agreed in the call")
	}
	return a
}

// account is CloudFormation with one stack.
type account struct{ updated time.Time }

func (a account) DescribeStackResource(_ context.Context, in *cloudformation.DescribeStackResourceInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error) {
	if *in.LogicalResourceId != "Content" {
		return nil, &smithy.GenericAPIError{Code: "ValidationError", Message: "Resource " + *in.LogicalResourceId + " does not exist for stack " + *in.StackName}
	}
	return &cloudformation.DescribeStackResourceOutput{StackResourceDetail: &cfn.StackResourceDetail{
		StackName: in.StackName, LogicalResourceId: in.LogicalResourceId, PhysicalResourceId: aws.String("dev-ghost-content"),
		ResourceType: aws.String("AWS::S3::Bucket"), ResourceStatus: cfn.ResourceStatusUpdateComplete, LastUpdatedTimestamp: &a.updated,
	}}, nil
}

func (a account) DescribeStackResources(_ context.Context, in *cloudformation.DescribeStackResourcesInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourcesOutput, error) {
	if *in.PhysicalResourceId != "dev-ghost-content" {
		return nil, &smithy.GenericAPIError{Code: "ValidationError", Message: "Stack for " + *in.PhysicalResourceId + " does not exist"}
	}
	of := func(id, physical string) cfn.StackResource {
		return cfn.StackResource{StackName: aws.String("dev-ghost"), LogicalResourceId: &id, PhysicalResourceId: &physical, ResourceType: aws.String("AWS::S3::Bucket"), ResourceStatus: cfn.ResourceStatusUpdateComplete, Timestamp: &a.updated}
	}
	return &cloudformation.DescribeStackResourcesOutput{StackResources: []cfn.StackResource{of("Other", "dev-ghost-other"), of("Content", "dev-ghost-content")}}, nil
}

func (account) GetTemplate(context.Context, *cloudformation.GetTemplateInput, ...func(*cloudformation.Options)) (*cloudformation.GetTemplateOutput, error) {
	return &cloudformation.GetTemplateOutput{TemplateBody: aws.String(`{"Resources": {"Content": {"Type": "AWS::S3::Bucket", "Metadata": {"aws:cdk:path": "dev/ghost/content/Resource"}}}}`)}, nil
}

// registry has every image.
type registry struct{}

func (registry) DescribeImages(_ context.Context, in *ecr.DescribeImagesInput, _ ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error) {
	return &ecr.DescribeImagesOutput{ImageDetails: []ecrtypes.ImageDetail{{ImageDigest: in.ImageIds[0].ImageDigest, ImagePushedAt: aws.Time(minute(-5))}}}, nil
}

// object reads JSON as a client does: whole numbers are int64.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return o
}

// kubernetes is a cluster with objects.
func kubernetes(t *testing.T, objects ...string) *why.Kubernetes {
	t.Helper()
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	var all, listed []runtime.Object
	for _, text := range objects {
		o := object(t, text)
		all = append(all, o)
		m := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: o.GetAPIVersion(), Kind: o.GetKind()}}
		content, err := json.Marshal(o.Object["metadata"])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, &m.ObjectMeta); err != nil {
			t.Fatal(err)
		}
		listed = append(listed, m)
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	lists := map[schema.GroupVersionResource]string{}
	for _, kind := range []schema.GroupVersionKind{
		{Group: "apps", Version: "v1", Kind: "Deployment"}, {Group: "apps", Version: "v1", Kind: "ReplicaSet"}, {Version: "v1", Kind: "Pod"},
		{Version: "v1", Kind: "Secret"}, {Version: "v1", Kind: "ConfigMap"},
		{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"}, {Group: "helm.toolkit.fluxcd.io", Version: "v2", Kind: "HelmRelease"},
	} {
		mapper.Add(kind, meta.RESTScopeNamespace)
		resource, _ := meta.UnsafeGuessKindToResource(kind)
		lists[resource] = kind.Kind + "List"
	}
	return &why.Kubernetes{
		Cluster:  &flux.Cluster{Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, all...)},
		Metadata: metadatafake.NewSimpleMetadataClient(scheme, listed...), Kinds: mapper,
	}
}

// environment is dev, in which pipelines deliver.
func environment() config.Environment {
	e := config.Environment{Name: "dev", Region: "eu-west-1"}
	e.Account = "111111111111"
	e.Delivery.ConnectionARN, e.Delivery.Gate = "arn:aws:codeconnections:eu-west-1:111111111111:connection/x", true
	e.Repository.Owner, e.Repository.Name = "me", "platform"
	return e
}
