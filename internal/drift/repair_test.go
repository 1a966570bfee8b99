package drift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"k8s-plus-aws-gitops/internal/flux"
)

// sets is CloudFormation with change sets of one stack.
type sets struct {
	changes []types.ResourceChange
	status  types.ChangeSetStatus
	reason  string
	after   types.StackStatus

	in       *cloudformation.CreateChangeSetInput
	did      []string
	executed int
}

func (s *sets) DescribeStacks(_ context.Context, in *cloudformation.DescribeStacksInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	began := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	stack := types.Stack{StackName: in.StackName, StackStatus: types.StackStatusUpdateComplete, LastUpdatedTime: &began, Parameters: []types.Parameter{{ParameterKey: aws.String("BootstrapVersion"), ParameterValue: aws.String("6")}}}
	if s.executed > 0 {
		// The first answer after the execution may be one from before.
		if s.executed++; s.executed > 2 {
			later := began.Add(time.Hour)
			stack.LastUpdatedTime, stack.StackStatus = &later, map[bool]types.StackStatus{true: types.StackStatusUpdateInProgress, false: s.after}[s.executed == 3]
		}
	}
	return &cloudformation.DescribeStacksOutput{Stacks: []types.Stack{stack}}, nil
}

func (s *sets) CreateChangeSet(_ context.Context, in *cloudformation.CreateChangeSetInput, _ ...func(*cloudformation.Options)) (*cloudformation.CreateChangeSetOutput, error) {
	s.in, s.did = in, append(s.did, "create")
	return &cloudformation.CreateChangeSetOutput{Id: aws.String("arn:set")}, nil
}

// DescribeChangeSet has a page for each change.
func (s *sets) DescribeChangeSet(_ context.Context, in *cloudformation.DescribeChangeSetInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeChangeSetOutput, error) {
	out := &cloudformation.DescribeChangeSetOutput{Status: s.status, StatusReason: &s.reason}
	at := 0
	if in.NextToken != nil {
		fmt.Sscan(*in.NextToken, &at)
	}
	if at < len(s.changes) {
		out.Changes = []types.Change{{Type: types.ChangeTypeResource, ResourceChange: &s.changes[at]}}
	}
	if at+1 < len(s.changes) {
		out.NextToken = aws.String(fmt.Sprint(at + 1))
	}
	return out, nil
}

func (s *sets) ExecuteChangeSet(context.Context, *cloudformation.ExecuteChangeSetInput, ...func(*cloudformation.Options)) (*cloudformation.ExecuteChangeSetOutput, error) {
	s.did, s.executed = append(s.did, "execute"), 1
	return &cloudformation.ExecuteChangeSetOutput{}, nil
}

func (s *sets) DeleteChangeSet(context.Context, *cloudformation.DeleteChangeSetInput, ...func(*cloudformation.Options)) (*cloudformation.DeleteChangeSetOutput, error) {
	s.did = append(s.did, "delete")
	return &cloudformation.DeleteChangeSetOutput{}, nil
}

// holds knows what databases hold.
func holds(kind string) string {
	return map[string]string{"AWS::RDS::DBInstance": "the database's data"}[kind]
}

// A stack is taken back where everything in the change set was found to differ, holds no data and is changed in place or made anew.
func TestRepairStack(t *testing.T) {
	differs := func(kind string) Finding {
		return Finding{State: Changed, Half: AWS, Object: "dev-network/Log", Type: kind, PutBack: "stack dev-network", Do: "take it back"}
	}
	change := func(id, kind string, action types.ChangeAction, replacement types.Replacement) types.ResourceChange {
		return types.ResourceChange{LogicalResourceId: &id, ResourceType: &kind, Action: action, Replacement: replacement}
	}
	const group = "AWS::Logs::LogGroup"
	inPlace := change("Log", group, types.ChangeActionModify, types.ReplacementFalse)
	for name, c := range map[string]struct {
		kind    string
		changes []types.ResourceChange
		failed  string
		after   types.StackStatus
		did     string
		done    bool
		says    string
	}{
		"in place":                {kind: group, changes: []types.ResourceChange{inPlace}, did: "create execute", done: true},
		"made anew":               {kind: group, changes: []types.ResourceChange{change("Log", group, types.ChangeActionAdd, "")}, did: "create execute", done: true},
		"known anew beside":       {kind: group, changes: []types.ResourceChange{inPlace, change("Other", "AWS::RDS::DBInstance", types.ChangeActionSyncWithActual, "")}, did: "create execute", done: true},
		"data":                    {kind: "AWS::RDS::DBInstance", says: "holds data, the database's data"},
		"data beside":             {kind: group, changes: []types.ResourceChange{inPlace, change("Db", "AWS::RDS::DBInstance", types.ChangeActionModify, types.ReplacementFalse)}, did: "create delete", says: "Db (AWS::RDS::DBInstance), which holds data"},
		"another resource beside": {kind: group, changes: []types.ResourceChange{inPlace, change("Role", "AWS::IAM::Role", types.ChangeActionModify, types.ReplacementFalse)}, did: "create delete", says: "was not found to differ"},
		"a replacement":           {kind: group, changes: []types.ResourceChange{change("Log", group, types.ChangeActionModify, types.ReplacementConditional)}, did: "create delete", says: "may be replaced"},
		"a removal":               {kind: group, changes: []types.ResourceChange{change("Log", group, types.ChangeActionRemove, "")}, did: "create delete", says: "would get the action Remove"},
		"nothing":                 {kind: group, failed: "The submitted information didn't contain changes.", did: "create delete", says: "sees nothing that it can take back"},
		"refused":                 {kind: group, failed: "Requires capabilities", did: "create delete", says: "the change set failed: Requires capabilities"},
		"rolled back":             {kind: group, changes: []types.ResourceChange{inPlace}, after: types.StackStatusUpdateRollbackComplete, did: "create execute", says: "the stack is UPDATE_ROLLBACK_COMPLETE"},
	} {
		t.Run(name, func(t *testing.T) {
			api := &sets{changes: c.changes, status: types.ChangeSetStatusCreateComplete, after: types.StackStatusUpdateComplete, reason: c.failed}
			if c.failed != "" {
				api.status = types.ChangeSetStatusFailed
			}
			if c.after != "" {
				api.after = c.after
			}
			r := saw(nil, differs(c.kind))
			Repairer{Stacks: api, Holds: holds, Pause: now, Now: today}.Repair(t.Context(), r)
			if len(r.Repairs) != 1 || (r.Repairs[0].Done != "") != c.done || !strings.Contains(r.Repairs[0].Left, c.says) || strings.Join(api.did, " ") != c.did {
				t.Fatalf("%+v, did %q; want %q, %q", r.Repairs, api.did, c.says, c.did)
			}
			if api.in != nil && (api.in.DeploymentMode != types.DeploymentModeRevertDrift || !aws.ToBool(api.in.UsePreviousTemplate) || len(api.in.Parameters) != 1 || !aws.ToBool(api.in.Parameters[0].UsePreviousValue)) {
				t.Errorf("the change set is %+v", api.in)
			}
			if want := map[bool]int{false: 1}[c.done]; r.Left() != want || r.Code() != want {
				t.Errorf("%d left, code %d, want %d", r.Left(), r.Code(), want)
			}
		})
	}
}

// handles is a Pause in which Flux does what it was asked to, with a result.
func handles(c *flux.Cluster, resource schema.GroupVersionResource, name, ready string) Pause {
	return func(ctx context.Context, _ time.Duration) error {
		client := c.Dynamic.Resource(resource).Namespace(flux.Root)
		o, err := client.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		_ = unstructured.SetNestedField(o.Object, o.GetAnnotations()["reconcile.fluxcd.io/requestedAt"], "status", "lastHandledReconcileAt")
		_ = unstructured.SetNestedSlice(o.Object, []any{map[string]any{"type": "Ready", "status": ready, "message": "because"}}, "status", "conditions")
		_, err = client.Update(ctx, o, metav1.UpdateOptions{})
		return err
	}
}

// Flux is asked once for all that one Kustomization puts back; suspensions, and what nothing puts back, are left with the reason.
func TestRepairObjects(t *testing.T) {
	by := func(object string) Finding {
		return Finding{State: Changed, Half: Kubernetes, Object: object, PutBack: "Kustomization flux-system/apps", Do: "none"}
	}
	for ready, done := range map[string]bool{"True": true, "False": false} {
		c := cluster(t, object("Kustomization", "apps", commit, "True", "", ""))
		r := saw(nil, by("Deployment ghost/ghost"), by("Service ghost/ghost"),
			Finding{State: Changed, Object: "Role ghost/x", Do: "the repository does not set this"}, Finding{State: Suspended, Object: "Kustomization services"}, late)
		Repairer{Cluster: c, Pause: handles(c, kustomizations, "apps", ready), Now: today}.Repair(t.Context(), r)
		var got []string
		for _, p := range r.Repairs {
			got = append(got, p.Object+": "+p.Done+p.Left)
		}
		what := "Kustomization flux-system/apps has applied it again"
		if !done {
			what = "Kustomization flux-system/apps: it is not ready: because"
		}
		want := []string{"Deployment ghost/ghost: " + what, "Service ghost/ghost: " + what, "Role ghost/x: the repository does not set this", "Kustomization services: somebody has suspended it, which is theirs to end"}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if want := map[bool]int{true: 3, false: 5}[done]; r.Left() != want {
			t.Errorf("%d left, want %d", r.Left(), want)
		}
	}
	r := saw(nil, by("Deployment ghost/ghost"), vpc)
	Repairer{Pause: now, Now: today}.Repair(t.Context(), r)
	if r.Left() != 2 || r.Repairs[0].Left != "the cluster was not reached" {
		t.Errorf("%+v", r.Repairs)
	}
	gone := saw(nil, by("Deployment ghost/ghost"))
	Repairer{Cluster: cluster(t), Pause: func(context.Context, time.Duration) error { return errors.New("no") }, Now: today}.Repair(t.Context(), gone)
	if gone.Left() != 1 || !strings.Contains(gone.Repairs[0].Left, "not found") {
		t.Errorf("%+v", gone.Repairs)
	}
}
