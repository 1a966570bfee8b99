package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"
)

const twoThings = `{"Resources": {
  "A": {"Type": "Test::A::Thing", "Properties": {"Value": {"Fn::GetAtt": ["B", "Arn"]}}},
  "B": {"Type": "Test::A::Thing", "Properties": {"Value": "VALUE", "Name": "NAME"}}},
 "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["A", "Arn"]}, "Export": {"Name": "s:Arn"}}}}`

func template(value, name string) string {
	return strings.NewReplacer("VALUE", value, "NAME", name).Replace(twoThings)
}

func TestCreateUpdateDelete(t *testing.T) {
	w := newWorld(t)
	st := w.deploy("s", template("1", "b"))
	if st.StackStatus != types.StackStatusCreateComplete || len(st.Outputs) != 1 || aws.ToString(st.Outputs[0].ExportName) != "s:Arn" {
		t.Fatalf("%+v", st)
	}
	want := []string{"s REVIEW_IN_PROGRESS", "s CREATE_IN_PROGRESS", "B CREATE_IN_PROGRESS", "B CREATE_COMPLETE", "A CREATE_IN_PROGRESS", "A CREATE_COMPLETE", "s CREATE_COMPLETE"}
	if diff := cmp.Diff(want, w.events("s")); diff != "" {
		t.Error(diff)
	}
	w.calls()

	if st = w.deploy("s", template("2", "b")); st.StackStatus != types.StackStatusUpdateComplete {
		t.Fatal(st.StackStatus)
	}
	if got := w.calls(); got != "update B" {
		t.Errorf("in-place update: %s", got)
	}
	if _, err := w.client.DeleteStack(context.Background(), &cloudformation.DeleteStackInput{StackName: aws.String("s")}); err != nil {
		t.Fatal(err)
	}
	w.engine.Wait()
	if got := w.calls(); got != "delete A, delete B" {
		t.Errorf("delete: %s", got)
	}
	if got := w.stack(aws.ToString(st.StackId)).StackStatus; got != types.StackStatusDeleteComplete {
		t.Error(got)
	}
	_, err := w.client.DescribeStacks(context.Background(), &cloudformation.DescribeStacksInput{StackName: aws.String("s")})
	if err == nil || !strings.Contains(err.Error(), "Stack with id s does not exist") {
		t.Error(err)
	}
}

func TestReplacement(t *testing.T) {
	w := newWorld(t)
	w.deploy("s", template("1", "b"))
	w.calls()
	cs, err := w.changeSet("s", template("1", "c"), types.ChangeSetTypeUpdate)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range cs.Changes {
		rc := c.ResourceChange
		line := aws.ToString(rc.LogicalResourceId) + " " + string(rc.Action) + " " + string(rc.Replacement)
		for _, d := range rc.Details {
			line += " " + aws.ToString(d.Target.Name) + " " + string(d.Target.RequiresRecreation) + " " + aws.ToString(d.Target.BeforeValue) + ">" + aws.ToString(d.Target.AfterValue)
		}
		got = append(got, line)
	}
	want := []string{"B Modify True Name Always b>c", "A Modify False Value Never arn:b>{{changeSet:KNOWN_AFTER_APPLY}}"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := w.client.DeleteChangeSet(context.Background(), &cloudformation.DeleteChangeSetInput{StackName: aws.String("s"), ChangeSetName: aws.String("cs")}); err != nil {
		t.Fatal(err)
	}
	w.deploy("s", template("1", "c"))
	if got := w.calls(); got != "create B, update A, delete B" {
		t.Error(got)
	}
	if w.things["b"] != nil || w.things["c"] == nil {
		t.Error(w.ids())
	}
}

func TestNoChanges(t *testing.T) {
	w := newWorld(t)
	w.deploy("s", template("1", "b"))
	cs, err := w.changeSet("s", template("1", "b"), types.ChangeSetTypeUpdate)
	if err != nil {
		t.Fatal(err)
	}
	if cs.Status != types.ChangeSetStatusFailed || !strings.Contains(aws.ToString(cs.StatusReason), "didn't contain changes") {
		t.Errorf("%s %s", cs.Status, aws.ToString(cs.StatusReason))
	}
}

func TestFailedCreateRollsBack(t *testing.T) {
	for _, fail := range []string{"create", "half"} {
		t.Run(fail, func(t *testing.T) {
			w := newWorld(t)
			st := w.deploy("s", `{"Resources": {"A": {"Type": "Test::A::Thing"}, "B": {"Type": "Test::A::Thing", "DependsOn": "A", "Properties": {"Fail": "`+fail+`"}}}}`)
			if st.StackStatus != types.StackStatusRollbackComplete || len(w.ids()) != 0 {
				t.Errorf("%s, left: %v", st.StackStatus, w.ids())
			}
			if reason := aws.ToString(st.StackStatusReason); !strings.HasPrefix(reason, "B: ") {
				t.Errorf("the reason does not name the cause: %q", reason)
			}
			if _, err := w.changeSet("s", template("1", "b"), types.ChangeSetTypeUpdate); err == nil {
				t.Error("a stack in ROLLBACK_COMPLETE was updated")
			}
			_, _ = w.client.DeleteStack(context.Background(), &cloudformation.DeleteStackInput{StackName: aws.String("s")})
			w.engine.Wait()
			if st := w.deploy("s", template("1", "b")); st.StackStatus != types.StackStatusCreateComplete {
				t.Error(st.StackStatus)
			}
		})
	}
}

func TestFailedUpdateRollsBack(t *testing.T) {
	w := newWorld(t)
	base := `{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Value": "1", "Name": "a"}}, "B": {"Type": "Test::A::Thing", "DependsOn": "A", "Properties": {"Value": "1"}}, "C": {"Type": "Test::A::Thing", "DependsOn": "B", "Properties": {"Value": "1"}}}}`
	w.deploy("s", base)
	before := w.ids()
	w.calls()
	st := w.deploy("s", `{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Value": "1", "Name": "a2"}}, "B": {"Type": "Test::A::Thing", "DependsOn": "A", "Properties": {"Value": "2"}}, "N": {"Type": "Test::A::Thing", "DependsOn": "B"},
	  "C": {"Type": "Test::A::Thing", "DependsOn": ["B", "N"], "Properties": {"Value": "2", "Fail": "update"}}}}`)
	if st.StackStatus != types.StackStatusUpdateRollbackComplete || !strings.Contains(aws.ToString(st.StackStatusReason), "C: cannot change") {
		t.Errorf("%s %s", st.StackStatus, aws.ToString(st.StackStatusReason))
	}
	if got := w.calls(); got != "create A, update B, create N, update C, update B, update C, delete N, delete A" {
		t.Error(got)
	}
	if diff := cmp.Diff(before, w.ids()); diff != "" {
		t.Error(diff)
	}
	for id, p := range w.things {
		if text(p["Value"]) != "1" {
			t.Errorf("%s kept %v", id, p)
		}
	}
	if cs, err := w.changeSet("s", base, types.ChangeSetTypeUpdate); err != nil || cs.Status != types.ChangeSetStatusFailed {
		t.Errorf("the old template is not back: %v %v", cs, err)
	}
}

func TestRollbackFailsAndContinues(t *testing.T) {
	w := newWorld(t)
	w.deploy("s", `{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Value": "1"}}}}`)
	for id := range w.things {
		delete(w.things, id) // someone deleted it by hand: no update can succeed
	}
	if st := w.deploy("s", `{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Value": "2"}}}}`); st.StackStatus != types.StackStatusUpdateRollbackFailed {
		t.Fatal(st.StackStatus)
	}
	if _, err := w.client.ContinueUpdateRollback(context.Background(), &cloudformation.ContinueUpdateRollbackInput{StackName: aws.String("s"), ResourcesToSkip: []string{"A"}}); err != nil {
		t.Fatal(err)
	}
	w.engine.Wait()
	if got := w.stack("s").StackStatus; got != types.StackStatusUpdateRollbackComplete {
		t.Error(got)
	}
}

func TestNoRollback(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.deploy("s", template("1", "b"))
	bad := strings.Replace(template("2", "b"), `"Value": "2"`, `"Value": "2", "Fail": "update"`, 1)
	cs, err := w.changeSet("s", bad, types.ChangeSetTypeUpdate)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: cs.ChangeSetId, DisableRollback: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	w.engine.Wait()
	if got := w.stack("s").StackStatus; got != types.StackStatusUpdateFailed {
		t.Fatal(got)
	}
	if st := w.deploy("s", template("3", "b")); st.StackStatus != types.StackStatusUpdateComplete || text(w.things["b"]["Value"]) != "3" {
		t.Errorf("%s %v", st.StackStatus, w.things)
	}
}

func TestPoliciesAndProtection(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.deploy("s", `{"Resources": {"Kept": {"Type": "Test::A::Thing", "DeletionPolicy": "Retain"}, "Snap": {"Type": "Test::A::Thing", "DeletionPolicy": "Snapshot"}}}`)
	_, _ = w.client.UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{StackName: aws.String("s"), EnableTerminationProtection: aws.Bool(true)})
	if _, err := w.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("s")}); err == nil || !strings.Contains(err.Error(), "TerminationProtection") {
		t.Error(err)
	}
	id := aws.ToString(w.stack("s").StackId)
	_, _ = w.client.UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{StackName: aws.String("s"), EnableTerminationProtection: aws.Bool(false)})
	_, _ = w.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("s")})
	w.engine.Wait()
	if got := w.ids(); len(got) != 1 || !strings.HasPrefix(got[0], "s-Kept-") {
		t.Error(got)
	}
	if got := strings.Join(w.events(id), "\n"); !strings.Contains(got, "Kept DELETE_SKIPPED") || !strings.Contains(got, "Snap DELETE_COMPLETE") {
		t.Error(got)
	}
}

func TestExportsInUse(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.deploy("s", template("1", "b"))
	w.deploy("user", `{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Value": {"Fn::ImportValue": "s:Arn"}}}}}`)
	if st := w.deploy("s", `{"Resources": {"B": {"Type": "Test::A::Thing", "Properties": {"Value": "1", "Name": "b"}}}}`); st.StackStatus != types.StackStatusUpdateRollbackComplete || !strings.Contains(aws.ToString(st.StackStatusReason), "Cannot delete export s:Arn as it is in use by user") {
		t.Errorf("%s %s", st.StackStatus, aws.ToString(st.StackStatusReason))
	}
	_, _ = w.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("s")})
	w.engine.Wait()
	if st := w.stack("s"); st.StackStatus == types.StackStatusDeleteComplete || !strings.Contains(aws.ToString(st.StackStatusReason), "in use by user") {
		t.Errorf("%s %s", st.StackStatus, aws.ToString(st.StackStatusReason))
	}
	imports, err := w.client.ListImports(ctx, &cloudformation.ListImportsInput{ExportName: aws.String("s:Arn")})
	if err != nil || len(imports.Imports) != 1 {
		t.Error(imports, err)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct{ template, want string }{
		"type":      {`{"Resources": {"A": {"Type": "AWS::X::Y"}}}`, "Unrecognized resource types: [AWS::X::Y]"},
		"property":  {`{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Colour": 1}}}}`, "extraneous key [Colour]"},
		"reference": {`{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Value": {"Ref": "Nope"}}}}}`, "Unresolved resource dependencies [Nope]"},
		"sub":       {`{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Value": {"Fn::Sub": "${Nope.Arn}"}}}}}`, "[Nope]"},
		"cycle":     {`{"Resources": {"A": {"Type": "Test::A::Thing", "DependsOn": "B"}, "B": {"Type": "Test::A::Thing", "DependsOn": "A"}}}`, "Circular dependency between resources: [A, B]"},
		"transform": {`{"Transform": "AWS::Serverless-2016-10-31", "Resources": {"A": {"Type": "Test::A::Thing"}}}`, "Transform is not supported"},
		"function":  {`{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Value": {"Fn::Length": []}}}}}`, "Fn::Length is not supported"},
		"attribute": {`{"Resources": {"A": {"Type": "Test::A::Thing", "CreationPolicy": {}}}}`, "CreationPolicy is not supported"},
		"null":      {`{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Value": {"x": null}}}}}`, "Properties/Value/x] 'null' values"},
		"parameter": {`{"Parameters": {"P": {"Type": "String"}}, "Resources": {"A": {"Type": "Test::A::Thing"}}}`, "Parameters: [P] must have values"},
		"import":    {`{"Resources": {"A": {"Type": "Test::A::Thing", "Properties": {"Value": {"Fn::ImportValue": "x"}}}}}`, "No export named x found"},
		"empty":     {`{"Resources": {}}`, "At least one Resources member"},
		"json":      {`{"Resources": `, "JSON not well-formed"},
		"tag":       {"Resources:\n  A:\n    Type: !Nope x", "unknown tag !Nope"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.changeSet("s", c.template, types.ChangeSetTypeCreate)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "ValidationError") {
				t.Errorf("got %v", err)
			}
			if len(w.engine.stacks) != 0 {
				t.Error("a stack was made")
			}
		})
	}
}

// A name that is taken is refused, also by the resource itself before its replacement.
func TestIdentifierIsTaken(t *testing.T) {
	w := newWorld(t)
	of := func(size, tag string) string {
		return fmt.Sprintf(`{"Resources": {"N": {"Type": "Test::A::Named", "Properties": {"Name": "n", "Value": {"Size": %s}, "Values": [{"Key": "k", "Tag": %q}]}}}}`, size, tag)
	}
	w.deploy("s", of("1", "a"))
	if st := w.deploy("other", of("1", "a")); st.StackStatus != types.StackStatusRollbackComplete || !strings.Contains(aws.ToString(st.StackStatusReason), "already exists in stack s") {
		t.Errorf("a second one: %s %s", st.StackStatus, aws.ToString(st.StackStatusReason))
	}
	if st := w.deploy("s", of("2", "a")); st.StackStatus != types.StackStatusUpdateRollbackComplete || len(w.ids()) != 1 {
		t.Errorf("replacement under the same name: %s %v", st.StackStatus, w.ids())
	}
	cs, err := w.changeSet("s", of("1", "b"), types.ChangeSetTypeUpdate)
	if err != nil || len(cs.Changes) != 1 || cs.Changes[0].ResourceChange.Replacement != types.ReplacementFalse {
		t.Errorf("a change beside the create-only parts: %+v %v", cs, err)
	}
}
