package system

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/user"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/git"
	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
	"k8s-plus-aws-gitops/local/system/source"
)

// runPipelines runs what the stacks <environment>-delivery define, as
// CodePipeline and CodeBuild would: that of the local environment, and of each
// other one that was deployed here.
func runPipelines(ctx context.Context, s *System, p layout.Ports, log *slog.Logger) error {
	found, err := s.loadSettings()
	if err != nil {
		return err
	}
	config := deploy.Config(p.URL(layout.AWS))
	// A build's gitops finds the plug-in on its PATH: it builds none.
	tools := map[string][]string{"docker": {s.Executable, "docker"}, "gitops-local": {s.Executable}}
	if found.AWS != "" {
		tools["aws"] = []string{found.AWS}
	}
	return pipelines.Run(ctx, pipelines.Config{
		Root:       pipelines.Folder(s.Dir),
		Repository: s.Dir.Repository(),
		GitURL:     p.URL(layout.Git) + "/platform.git",
		Suffix:     "-delivery",
		AWS:        config,
		Account:    deploy.Account,
		Environ:    append(deploy.Environ(s.Dir, p.URL(layout.AWS)), deploy.List(deploy.GitVariables(s.Dir, p))...),
		Tools:      tools,
		Modules:    s.Dir.Repo,
		Explain: func(ctx context.Context, since time.Time, said string) string {
			return deploy.Cause(ctx, func(ctx context.Context) ([]observe.Stack, error) { return observe.Stacks(ctx, config) }, since, said)
		},
		Log: log,
	})
}

// record leaves a push for the pipelines.
func (s *System) record(push git.Push, log *slog.Logger) {
	if push.Repository != platformRepository {
		return
	}
	err := pipelines.Record(pipelines.Folder(s.Dir), pipelines.Event{Ref: push.Ref, Before: push.Before, After: push.After})
	if err != nil {
		log.Error("no pipeline hears of the push", "ref", push.Ref, "commit", push.After, "error", err)
	}
}

// waitExecutions waits until the executions that a commit started ended, or
// wait for an approval or a window. An execution that was cancelled because its pipeline
// changed is followed by another one, which counts in its place.
func (s *System) waitExecutions(ctx context.Context, commit string, out *progress.Output) ([]*pipelines.Execution, error) {
	root := pipelines.Folder(s.Dir)
	var told string
	for {
		mine, err := s.started(ctx, root, commit)
		if err != nil {
			return nil, err
		}
		if mine != nil && !slices.ContainsFunc(mine, func(e *pipelines.Execution) bool {
			return !e.Rests()
		}) {
			return mine, verdict(mine, out)
		}
		if note := progressOf(mine); note != told {
			told = note
			out.Note("%s", note)
			fmt.Fprintf(out, "%s %s\n", time.Now().Format("15:04:05"), note)
		}
		select {
		case <-ctx.Done():
			return mine, fmt.Errorf("not ended: %s: %w", progressOf(mine), context.Cause(ctx))
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// started lists the executions of a commit: its own, those of a later commit
// that superseded it, and those that a change of a pipeline started after it.
// Nil: the runner has not looked at the push yet.
func (s *System) started(ctx context.Context, root, commit string) ([]*pipelines.Execution, error) {
	seen, err := pipelines.Seen(root, "refs/heads/"+source.Branch)
	if err != nil || seen == "" {
		return nil, err
	}
	if ok, err := source.Contains(ctx, s.Dir.Repository(), seen, commit); err != nil || !ok {
		return nil, nil //nolint:nilerr // the end of the branch may be about to be fetched
	}
	all, err := pipelines.List(root)
	mine := []*pipelines.Execution{}
	for _, e := range all {
		if e.Commit == commit || e.Trigger == "PipelineUpdated" && e.Branch == source.Branch && contains(ctx, s, e.Commit, commit) {
			mine = append(mine, e)
		}
	}
	return mine, err
}

func contains(ctx context.Context, s *System, head, commit string) bool {
	ok, err := source.Contains(ctx, s.Dir.Repository(), head, commit)
	return err == nil && ok
}

// progressOf is one line about what runs.
func progressOf(all []*pipelines.Execution) string {
	if all == nil {
		return "waiting for the pipelines to look at the push"
	}
	var parts []string
	for _, e := range all {
		if !e.Status.Ended() {
			parts = append(parts, strings.TrimSpace(e.Pipeline+" "+e.Stage))
		}
	}
	return strings.Join(parts, ", ")
}

// verdict fails with the causes of what failed, and else says what ran.
func verdict(all []*pipelines.Execution, out *progress.Output) error {
	var said []string
	var problems []error
	for _, e := range slices.Backward(all) {
		switch e.Shown() {
		case pipelines.Failed:
			log := ""
			if a := e.FailedAction(); a != nil && a.Log != "" {
				log = " (" + a.Log + ")"
			}
			problems = append(problems, fmt.Errorf("%s: %s%s", e.Pipeline, e.Reason, log))
		case pipelines.Waiting:
			said = append(said, e.Pipeline+" waits for `gitops local approve`")
		case pipelines.Held:
			said = append(said, e.Pipeline+" waits for its window, which "+e.Opens())
		case pipelines.Succeeded:
			skipped := ""
			if names := e.Skipped(); len(names) > 0 {
				skipped = fmt.Sprintf(" (%s skipped)", strings.Join(names, ", "))
			}
			said = append(said, e.Pipeline+" "+progress.Seconds(e.Duration(e.Ended))+skipped)
		default:
			said = append(said, fmt.Sprintf("%s %s", e.Pipeline, strings.ToLower(string(e.Status))))
		}
	}
	if len(said) == 0 {
		said = []string{"none starts"}
	}
	out.Result("%s", strings.Join(said, ", "))
	return errors.Join(problems...)
}

// Approve answers the approval that an execution waits for.
func (s *System) Approve(pipeline string, approved bool, summary string) (*pipelines.Execution, *pipelines.ActionState, error) {
	if _, err := s.running(); err != nil {
		return nil, nil, err
	}
	return pipelines.Decide(pipelines.Folder(s.Dir), pipeline, decision(approved, summary))
}

// Override lets an execution enter the stage whose window it waits for.
func (s *System) Override(pipeline, summary string) (*pipelines.Execution, *pipelines.StageState, error) {
	if _, err := s.running(); err != nil {
		return nil, nil, err
	}
	return pipelines.Override(pipelines.Folder(s.Dir), pipeline, decision(true, summary))
}

// decision is one of whoever runs this.
func decision(approved bool, summary string) pipelines.Decision {
	by := "somebody"
	if u, err := user.Current(); err == nil {
		by = u.Username
	}
	return pipelines.Decision{Approved: approved, By: by, Summary: summary, Time: time.Now()}
}

// Release starts a pipeline for the end of its branch.
func (s *System) Release(pipeline string) error {
	if _, err := s.running(); err != nil {
		return err
	}
	root := pipelines.Folder(s.Dir)
	known, err := pipelines.Names(root)
	if err != nil {
		return err
	}
	if !slices.Contains(known, pipeline) {
		return fmt.Errorf("no pipeline %q: it is one of %s", pipeline, strings.Join(known, ", "))
	}
	return pipelines.Record(root, pipelines.Event{Start: pipeline})
}
