package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/constructs-go/constructs/v10"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

// reviewToken is the last part of the name of the secret with the token that comments.
const reviewToken = "review-token"

// ReviewProps is what the review of an environment needs from outside.
type ReviewProps struct {
	Env   config.Environment
	Store *Store
	// Rehearsal runs beside the review; nil for none.
	Rehearsal *Rehearsal
}

// Review is the pipeline <environment>-review with its project.
type Review struct {
	constructs.Construct
	construct.Part
	Pipeline *Pipeline
}

// NewReview makes the pipeline that comments on pull requests towards the environment's branch, several at a time. It has no
// alarm: its failure is seen in the pull request.
//
// The build clones the whole repository to compare two commits, and reads the token with which it comments,
// /<environment>/gitops/review-token. It runs the code of pull requests, so it reads nothing else of the account: both
// commits are synthesized there and compared with each other, not with what is deployed.
func NewReview(scope constructs.Construct, id string, props *ReviewProps) *Review {
	r, env := &Review{}, props.Env
	construct.Init(r, scope, id)
	project := NewProject(r, "Build", &ProjectProps{
		Env: env, Store: props.Store, Name: reviewPipeline, Description: "gitops review of a pull request", Buildspec: reviewBuildspec,
		Size: awscodebuild.ComputeType_MEDIUM, Minutes: 30,
		Variables: map[string]string{
			"REVIEW_BASE":         "origin/" + env.Branch,
			"REVIEW_REPOSITORY":   env.Repository.Owner + "/" + env.Repository.Name,
			"REVIEW_TOKEN_SECRET": env.SecretName("gitops", reviewToken),
		},
		Rights: []policy.Statement{cloneRight(env), tokenRight(env, "ReadTheTokenForComments", reviewToken)},
	})
	variables := map[string]string{
		"REVIEW_COMMIT": "#{" + SourceNamespace + ".CommitId}", "REVIEW_BRANCH": "#{" + SourceNamespace + ".BranchName}",
	}
	actions := []Action{{Name: "Review", Project: project, Variables: variables}}
	if props.Rehearsal != nil {
		actions = append(actions, Action{Name: "Rehearse", Project: props.Rehearsal.Project, Variables: variables})
	}
	r.Pipeline = NewPipeline(r, "Pipeline", &PipelineProps{
		Env: env, Store: props.Store, Name: reviewPipeline, Clone: true, Trigger: Trigger{PullRequests: true},
		Stages: []Stage{{Name: "Review", Actions: actions}},
	})
	return r
}
