package release_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/internal/release"
)

// The branch goes back to the commit that the rollback is to, from the one that failed, and nowhere else; the remedy goes
// forward from there.
func TestRollback(t *testing.T) {
	w := newWorld(t)
	w.git(w.clone, "checkout", "--quiet", "-B", "main", w.two)
	fixed := w.commit("fixed")
	for _, step := range []struct {
		name, commit, tip string
		back              *release.Rollback
		want              release.Outcome
		wrong             string
	}{
		{name: "one is released", commit: w.one, want: release.Made, tip: w.one},
		{name: "two is released", commit: w.two, want: release.Moved, tip: w.two},
		{name: "an execution of one that is run again rolls nothing back", commit: w.one, want: release.Passed, tip: w.two},
		{name: "of another commit than the rollback's", commit: w.one, back: &release.Rollback{To: w.three}, tip: w.two, wrong: "the rollback is to " + w.three[:12]},
		{name: "a failure that another release has passed", commit: w.one, back: &release.Rollback{To: w.one, From: w.three}, tip: w.two, wrong: "is at " + w.two[:12] + " since"},
		{name: "what was never released", commit: w.three, back: &release.Rollback{To: w.three, From: w.two}, tip: w.two, wrong: "git revert"},
		{name: "back", commit: w.one, back: &release.Rollback{To: w.one, From: w.two}, want: release.Back, tip: w.one},
		{name: "back again, by a runner that was cut off", commit: w.one, back: &release.Rollback{To: w.one, From: w.two}, want: release.Same, tip: w.one},
		{name: "the commit that failed, once more", commit: w.two, want: release.Moved, tip: w.two},
		{name: "back by a person, who names no failure", commit: w.one, back: &release.Rollback{To: w.one}, want: release.Back, tip: w.one},
		{name: "the fix", commit: fixed, want: release.Moved, tip: fixed},
	} {
		o := w.options(step.commit)
		o.Rollback = step.back
		got, err := release.Run(t.Context(), o)
		switch {
		case step.wrong != "" && (err == nil || !strings.Contains(err.Error(), step.wrong)):
			t.Errorf("%s: got %v, want %q", step.name, err, step.wrong)
		case step.wrong == "" && (err != nil || got.Outcome != step.want):
			t.Errorf("%s: got %+v, %v; want %s", step.name, got, err, step.want)
		}
		if tip := w.tip(); tip != step.tip {
			t.Errorf("%s: the branch is at %s, want %s", step.name, tip, step.tip)
		}
	}
}

// executions are a pipeline's by their ids, as CodePipeline answers.
type executions map[string]types.PipelineExecution

func (e executions) GetPipelineExecution(_ context.Context, in *codepipeline.GetPipelineExecutionInput, _ ...func(*codepipeline.Options)) (*codepipeline.GetPipelineExecutionOutput, error) {
	found, ok := e[aws.ToString(in.PipelineExecutionId)]
	if !ok || aws.ToString(in.PipelineName) != "dev-deploy" {
		return nil, &types.PipelineExecutionNotFoundException{}
	}
	return &codepipeline.GetPipelineExecutionOutput{PipelineExecution: &found}, nil
}

func TestFindRollback(t *testing.T) {
	of := func(commits ...string) (e types.PipelineExecution) {
		e.ExecutionType = types.ExecutionTypeStandard
		for _, c := range commits {
			e.ArtifactRevisions = append(e.ArtifactRevisions, types.ArtifactRevision{Name: aws.String("Source"), RevisionId: &c})
		}
		return e
	}
	back := func(to string, by types.TriggerType, detail string) types.PipelineExecution {
		e := of("good")
		e.ExecutionType, e.RollbackMetadata = types.ExecutionTypeRollback, &types.PipelineRollbackMetadata{RollbackTargetPipelineExecutionId: &to}
		e.Trigger = &types.ExecutionTrigger{TriggerType: by, TriggerDetail: &detail}
		return e
	}
	all := executions{
		"standard": of("bad"), "target": of("good"), "none": of(),
		"automatic":  back("target", types.TriggerTypeAutomatedRollback, `{"FailedPipelineExecutionId":"standard"}`),
		"manual":     back("target", types.TriggerTypeManualRollback, "arn:aws:sts::111111111111:assumed-role/Admin/me"),
		"lost":       back("gone", types.TriggerTypeManualRollback, ""),
		"sourceless": back("none", types.TriggerTypeManualRollback, ""),
		"silent":     back("target", types.TriggerTypeAutomatedRollback, "{}"),
		"bare":       {ExecutionType: types.ExecutionTypeRollback},
	}
	for id, c := range map[string]struct {
		want  *release.Rollback
		wrong string
	}{
		"standard":   {},
		"automatic":  {want: &release.Rollback{To: "good", From: "bad"}},
		"manual":     {want: &release.Rollback{To: "good"}},
		"lost":       {wrong: "execution gone of dev-deploy"},
		"sourceless": {wrong: "must have 1 source revision, got 0"},
		"silent":     {wrong: "names no failed execution"},
		"bare":       {wrong: "does not say to what"},
		"unknown":    {wrong: "execution unknown of dev-deploy"},
	} {
		got, err := release.FindRollback(t.Context(), all, "dev-deploy", id)
		if diff := cmp.Diff(c.want, got); c.wrong == "" && (err != nil || diff != "") {
			t.Errorf("%s: %v (-want +got)\n%s", id, err, diff)
		}
		if c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: got %v, want %q", id, err, c.wrong)
		}
	}
	var missing *types.PipelineExecutionNotFoundException
	if _, err := release.FindRollback(t.Context(), all, "dev-deploy", "unknown"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}
