package why

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/actions"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/release"
)

// Pull is a pull request. What only GitHub knows is empty where it is not asked.
type Pull struct {
	Number int    `json:"number"`
	Title  string `json:"title,omitempty"`
	URL    string `json:"url,omitempty"`
	Author string `json:"author,omitempty"`
	// MergedBy is who merged it, at Merged.
	MergedBy string     `json:"mergedBy,omitempty"`
	Merged   *time.Time `json:"merged,omitempty"`
	// Reviews are the last of each reviewer; those that only comment are left out where the reviewer has decided.
	Reviews []Review `json:"reviews,omitempty"`
}

// Review is the last of a reviewer.
type Review struct {
	By    string    `json:"by"`
	State string    `json:"state"`
	Time  time.Time `json:"time"`
}

// subject is how GitHub writes the number of a pull request into a commit that it makes of one.
var subject = regexp.MustCompile(`^Merge pull request #(\d+) |\(#(\d+)\)$`)

// pull finds the pull request that brought the commit. Without GitHub, the commit's subject may have its number.
func (s *Source) pull(ctx context.Context, a *Answer) {
	if match := subject.FindStringSubmatch(a.Commit.Subject); match != nil {
		number, _ := strconv.Atoi(match[1] + match[2])
		a.Pull = &Pull{Number: number}
	}
	if s.Forge == nil {
		a.unknown("reviewers", "%s", s.NoForge)
		if a.Pull == nil {
			a.unknown("pull request", "the commit's subject has no number, and %s", s.NoForge)
		}
		return
	}
	of := forge.Repository{Owner: s.Env.Repository.Owner, Name: s.Env.Repository.Name}
	pulls, err := s.Forge.PullsOf(ctx, of, a.Commit.ID)
	if err != nil {
		a.unknown("pull request", "%s", reason(err))
		return
	}
	// A commit may be in several; the merged one has brought it, and of those the first.
	slices.SortStableFunc(pulls, func(a, b forge.Pull) int { return mergedAt(a).Compare(mergedAt(b)) })
	at := slices.IndexFunc(pulls, func(p forge.Pull) bool { return p.Merged != nil })
	if at < 0 {
		a.unknown("pull request", "GitHub knows no merged one with the commit: it was pushed")
		return
	}
	p := pulls[at]
	a.Pull = &Pull{Number: p.Number, Title: p.Title, URL: p.URL, Author: p.User.Login, Merged: p.Merged}
	by, err := s.Forge.MergedBy(ctx, of, p.Number)
	if err != nil {
		a.unknown("merged by", "%s", reason(err))
	}
	a.Pull.MergedBy = by.Login
	said, err := s.Forge.Reviews(ctx, of, p.Number)
	if err != nil {
		a.unknown("reviewers", "%s", reason(err))
	}
	a.Pull.Reviews = last(said)
}

// mergedAt sorts what is not merged behind the rest.
func mergedAt(p forge.Pull) time.Time {
	if p.Merged == nil {
		return time.Unix(1<<60, 0)
	}
	return *p.Merged
}

// last keeps the last review of each reviewer that says something: a comment takes back no approval.
func last(said []forge.Review) []Review {
	var all []Review
	for _, r := range said {
		at := slices.IndexFunc(all, func(x Review) bool { return x.By == r.User.Login })
		now := Review{By: r.User.Login, State: r.State, Time: r.Submitted}
		switch {
		case r.State == "PENDING":
		case at < 0:
			all = append(all, now)
		case r.State != "COMMENTED" || all[at].State == "COMMENTED":
			all[at] = now
		}
	}
	return all
}

// Pipelines is what is used of CodePipeline.
type Pipelines interface {
	codepipeline.ListPipelineExecutionsAPIClient
	codepipeline.ListActionExecutionsAPIClient
}

// Execution is one of a pipeline.
type Execution struct {
	Pipeline string    `json:"pipeline"`
	ID       string    `json:"id"`
	Commit   string    `json:"commit"`
	Status   string    `json:"status"`
	Started  time.Time `json:"started"`
	// Approvals that it waited for; empty where the pipeline has none.
	Approvals []Approval `json:"approvals,omitempty"`

	ended time.Time
}

// Approval is a person's decision.
type Approval struct {
	Stage string `json:"stage"`
	// By is the ARN of who decided.
	By    string    `json:"by"`
	State string    `json:"state"`
	Time  time.Time `json:"time"`
	// Comment that was given with it.
	Comment string `json:"comment,omitempty"`
}

// bringing finds the first execution that deployed the commit.
func (s *Source) bringing(ctx context.Context, a *Answer) {
	name := s.Env.StackName(config.DeployPipeline)
	if !s.Env.Delivers() {
		a.unknown("execution", "%s has no pipelines: it has no connection in cdk.json", s.Env.Name)
		return
	}
	found, err := s.first(ctx, name, a.Commit.ID)
	switch {
	case err != nil:
		a.unknown("execution", "%s: %s", name, reason(err))
	case found == nil:
		a.unknown("execution", "none of %s that succeeded has the commit; CodePipeline forgets them after a year", name)
	default:
		a.Execution = found
		s.approvals(ctx, a)
	}
}

// first is the earliest execution that succeeded with a commit. Executions are newest first, and what has succeeded without the
// commit is from before it.
func (s *Source) first(ctx context.Context, name, commit string) (*Execution, error) {
	var found *Execution
	holds := map[string]bool{}
	for pages := codepipeline.NewListPipelineExecutionsPaginator(s.AWS.Pipelines, &codepipeline.ListPipelineExecutionsInput{PipelineName: &name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, x := range page.PipelineExecutionSummaries {
			e := execution(name, x)
			if e.Commit == "" || x.Status != types.PipelineExecutionStatusSucceeded {
				continue
			}
			has, asked := holds[e.Commit]
			if !asked {
				has, err = release.Contains(ctx, s.Root, e.Commit, commit)
				// A head that is in no clone any more is of another history.
				has = has && err == nil
				holds[e.Commit] = has
			}
			if !has && found != nil {
				return found, nil
			}
			if has {
				found = &e
			}
		}
	}
	return found, nil
}

func execution(pipeline string, x types.PipelineExecutionSummary) Execution {
	e := Execution{
		Pipeline: pipeline, ID: aws.ToString(x.PipelineExecutionId), Status: string(x.Status),
		Started: aws.ToTime(x.StartTime).UTC(), ended: aws.ToTime(x.LastUpdateTime).UTC(),
	}
	if len(x.SourceRevisions) > 0 {
		e.Commit = aws.ToString(x.SourceRevisions[0].RevisionId)
	}
	return e
}

// approvals finds who approved the execution. An action that was tried again is there for each time, the newest first.
func (s *Source) approvals(ctx context.Context, a *Answer) {
	began, err := actions.Of(ctx, s.AWS.Pipelines, a.Execution.Pipeline, a.Execution.ID)
	if err != nil {
		a.unknown("approval", "%s", reason(err))
		return
	}
	for _, x := range slices.Backward(began) {
		if !actions.Approves(x) || x.Status == types.ActionExecutionStatusInProgress {
			continue
		}
		a.Execution.Approvals = append(a.Execution.Approvals, Approval{
			Stage: aws.ToString(x.StageName), By: aws.ToString(x.UpdatedBy), State: string(x.Status), Time: aws.ToTime(x.LastUpdateTime).UTC(),
			Comment: actions.Cause(x),
		})
	}
}
