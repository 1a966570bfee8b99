package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/forge"
)

const (
	// withoutRehearsal is the label that leaves a pull request's rehearsal out.
	withoutRehearsal = "no-rehearsal"
	// resultLimit is more than any result has. The code of a pull request wrote it.
	resultLimit = 8 << 20
)

// rehearsalReport tells a pull request of its rehearsal in a build of the review's pipeline.
type rehearsalReport struct {
	env     config.Environment
	builds  *codebuild.Client
	objects *s3.Client
	// bucket and folder of the results.
	bucket, folder string
	// forge writes; nil without a token.
	forge *forge.Client
	out   io.Writer
}

// reportRehearsal tells of a build, until what it told is how the build stands: it may end while this one writes that it runs.
func (f *reportFlags) reportRehearsal(ctx context.Context, cmd *cobra.Command, env config.Environment, c aws.Config, token forge.Token) error {
	at, err := url.Parse(f.results)
	if err != nil || at.Scheme != "s3" || at.Host == "" {
		return fmt.Errorf("--results must be the folder of the results, s3://BUCKET/FOLDER/, got %q", f.results)
	}
	r := rehearsalReport{env: env, builds: codebuild.NewFromConfig(c), objects: s3.NewFromConfig(c), bucket: at.Host, folder: strings.TrimPrefix(at.Path, "/"), out: cmd.OutOrStdout()}
	if token != "" {
		r.forge = &forge.Client{API: f.api, Token: token}
	}
	b, err := r.build(ctx, f.rehearsal)
	for {
		if err != nil {
			return err
		}
		if err := r.tell(ctx, b); err != nil {
			return err
		}
		told := b.BuildStatus
		if b, err = r.build(ctx, f.rehearsal); err == nil && b.BuildStatus == told {
			return nil
		}
	}
}

// build is how one stands now.
func (r rehearsalReport) build(ctx context.Context, id string) (types.Build, error) {
	found, err := r.builds.BatchGetBuilds(ctx, &codebuild.BatchGetBuildsInput{Ids: []string{id}})
	if err != nil {
		return types.Build{}, err
	}
	if len(found.Builds) != 1 {
		return types.Build{}, fmt.Errorf("--rehearsal: must be a build of %s, got %q", r.env.StackName("rehearsal"), id)
	}
	return found.Builds[0], nil
}

// given is a variable that the pipeline gave a build. Nothing that runs in the build changes it.
func given(b types.Build, name string) string {
	if b.Environment == nil {
		return ""
	}
	for _, v := range b.Environment.EnvironmentVariables {
		if aws.ToString(v.Name) == name {
			return aws.ToString(v.Value)
		}
	}
	return ""
}

// tell writes the status, and the comment where there is a result.
func (r rehearsalReport) tell(ctx context.Context, b types.Build) error {
	commit, branch := given(b, "REVIEW_COMMIT"), given(b, "REVIEW_BRANCH")
	if !fullCommit.MatchString(commit) || branch == "" || branch == r.env.Branch {
		fmt.Fprintln(r.out, "No pull request is rehearsed in this build, so there is none to tell.")
		return nil
	}
	pull, err := r.pull(ctx, commit)
	if err != nil {
		return err
	}
	left := slices.ContainsFunc(pull.Labels, func(l forge.Label) bool { return l.Name == withoutRehearsal })
	if b.BuildStatus == types.StatusTypeInProgress {
		if err := r.stopOlder(ctx, b, branch); err != nil {
			return err
		}
		if left {
			return r.stop(ctx, b, "the pull request has the label "+withoutRehearsal)
		}
	}
	if left && b.BuildStatus == types.StatusTypeStopped {
		fmt.Fprintf(r.out, "No status is written: the pull request has the label %s.\n", withoutRehearsal)
		return nil
	}
	status, markdown, err := r.status(ctx, b, commit)
	if err != nil {
		return err
	}
	return r.write(ctx, pull.Number, commit, status, markdown)
}

// write gives the commit the status, and the pull request the comment. Without a token both are printed.
func (r rehearsalReport) write(ctx context.Context, number int, commit string, status forge.Status, markdown string) error {
	fmt.Fprintf(r.out, "%s is %s at %.12s: %s\n", status.Context, status.State, commit, status.Description)
	if r.forge == nil {
		fmt.Fprint(r.out, markdown)
		return nil
	}
	repository := forge.Repository{Owner: r.env.Repository.Owner, Name: r.env.Repository.Name}
	var comment error // which is no reason to leave the commit without a verdict
	if number > 0 && markdown != "" {
		_, comment = putRehearsal(ctx, *r.forge, repository, number, markdown)
	}
	_, err := r.forge.SetStatus(ctx, repository, commit, status)
	return errors.Join(err, comment)
}

// pull is the open pull request that brings the commit to the environment's branch; none where it was closed meanwhile.
func (r rehearsalReport) pull(ctx context.Context, commit string) (forge.Pull, error) {
	if r.forge == nil {
		return forge.Pull{}, nil
	}
	pulls, err := r.forge.PullsOf(ctx, forge.Repository{Owner: r.env.Repository.Owner, Name: r.env.Repository.Name}, commit)
	for _, p := range pulls {
		if p.State == "open" && p.Base.Ref == r.env.Branch {
			return p, nil
		}
	}
	return forge.Pull{}, err
}

// status is what there is to tell. An end without a result is an error, and lets nothing in.
func (r rehearsalReport) status(ctx context.Context, b types.Build, commit string) (forge.Status, string, error) {
	s := forge.Status{Context: forge.RehearsalContext, State: forge.Errored, URL: r.page(b)}
	switch b.BuildStatus {
	case types.StatusTypeInProgress:
		s.State, s.Description = forge.Pending, "Merges the change in a system of its own, holds it and reverts it"
		return s, "", nil
	case types.StatusTypeStopped:
		s.Description = "Stopped, by a newer push or by hand"
		return s, "", nil
	}
	unreadable := func(err error) (forge.Status, string, error) {
		fmt.Fprintln(r.out, err)
		s.Description = "The result cannot be read; the log of the build " + r.env.StackName("rehearsed") + " says why"
		return s, "", nil
	}
	file, err := r.result(ctx, b)
	// The pull request's buildspec names the version, which may be anything. What S3 refuses does not pass, and nobody asks again.
	if refused := (*smithyhttp.ResponseError)(nil); errors.As(err, &refused) && refused.HTTPStatusCode() < http.StatusInternalServerError {
		return unreadable(err)
	}
	if err != nil {
		return s, "", err
	}
	if file == "" {
		s.Description = fmt.Sprintf("No result: the build ended as %s, and its log says why", b.BuildStatus)
		return s, "", nil
	}
	defer os.RemoveAll(filepath.Dir(file))
	f := commitStatusFlags{status: s, rehearsal: file}
	markdown, err := f.rehearsed(commit)
	if err != nil {
		return unreadable(err)
	}
	return f.status, markdown, nil
}

// result is a file with the result of a build: the version that the build itself has named of the object named after it, so
// that no other rehearsal can have written it. Empty where there is none.
func (r rehearsalReport) result(ctx context.Context, b types.Build) (string, error) {
	version := ""
	for _, v := range b.ExportedEnvironmentVariables {
		if aws.ToString(v.Name) == "RESULT" {
			version = aws.ToString(v.Value)
		}
	}
	if version == "" {
		return "", nil
	}
	_, id, _ := strings.Cut(aws.ToString(b.Id), ":")
	out, err := r.objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &r.bucket, Key: aws.String(r.folder + id + ".json"), VersionId: &version})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	content, err := io.ReadAll(io.LimitReader(out.Body, resultLimit))
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "rehearsal")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "rehearsal.json")
	return file, os.WriteFile(file, content, 0o600)
}

// stopOlder ends the rehearsals of the branch's earlier pushes. CodeBuild lists the newest first, and 100 are more than run at once.
func (r rehearsalReport) stopOlder(ctx context.Context, b types.Build, branch string) error {
	list, err := r.builds.ListBuildsForProject(ctx, &codebuild.ListBuildsForProjectInput{ProjectName: b.ProjectName})
	if err != nil {
		return err
	}
	if len(list.Ids) == 0 {
		return nil
	}
	all, err := r.builds.BatchGetBuilds(ctx, &codebuild.BatchGetBuildsInput{Ids: list.Ids})
	if err != nil {
		return err
	}
	var problems []error
	for _, other := range all.Builds {
		if other.BuildStatus == types.StatusTypeInProgress && aws.ToInt64(other.BuildNumber) < aws.ToInt64(b.BuildNumber) && given(other, "REVIEW_BRANCH") == branch {
			problems = append(problems, r.stop(ctx, other, "a newer push of "+branch+" is rehearsed"))
		}
	}
	return errors.Join(problems...)
}

func (r rehearsalReport) stop(ctx context.Context, b types.Build, why string) error {
	fmt.Fprintf(r.out, "Build %s is stopped: %s.\n", aws.ToString(b.Id), why)
	_, err := r.builds.StopBuild(ctx, &codebuild.StopBuildInput{Id: b.Id})
	return err
}

// page is the build in the console.
func (r rehearsalReport) page(b types.Build) string {
	return fmt.Sprintf("https://%s.console.aws.amazon.com/codesuite/codebuild/%s/projects/%s/build/%s/?region=%[1]s", r.env.Region, r.env.Account, aws.ToString(b.ProjectName), url.PathEscape(aws.ToString(b.Id)))
}
