//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/deploy"
)

const (
	// The change that is promoted: a description, which is updated in place.
	integrated, promoted = "Databases, secrets and logs of ", "Databases, secrets and logs in "
	promotedPipeline     = "production-deploy"
)

// promotion proves that a promotion to production waits for its approval, with
// production's own configuration: its branch, its approval, its stages; and that
// production then runs the image that local has built, by its digest, from its own
// registry, in a scope of Flux that follows its own release and cannot touch the
// first environment.
//
// The branch production differs from main by one commit, which fits production
// into this machine: its account is the one that the local API answers for, its
// images are local's, and its pipeline leaves out the cluster, Ghost's stack, the
// copy of layers, which are not made here, and Verify, because there is one control
// plane here, and its Flux is the local environment's.
func (s *system) promotion(ctx context.Context) (said string, err error) {
	production, err := s.production(ctx)
	if err != nil {
		return "", err
	}
	if err := s.openScope(ctx, production); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.closeScope(context.WithoutCancel(ctx))) }()
	if err := s.edit("infrastructure/network.go", `"`+integrated+`"`, `"`+promoted+`"`); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Say what is in the key"); err != nil {
		return "", err
	}
	if _, err := s.ran(ctx, "deploy Succeeded"); err != nil {
		return "", err
	}
	if _, err := s.git(ctx, production.repo, "fetch", "--quiet", "origin"); err != nil {
		return "", err
	}
	list, err := production.command(ctx, nil, filepath.Join(s.repo, "bin", "gitops"), "promotion", "integration", "production")
	if err != nil {
		return "", err
	}
	for _, want := range []string{"Say what is in the key", promotedPipeline, "compare/production...main"} {
		if !strings.Contains(list, want) {
			return "", fmt.Errorf("promotion does not say %q: %s", want, lastText(list))
		}
	}
	// What the pull request's merge does.
	if _, err := s.git(ctx, production.repo, "merge", "--quiet", "--no-edit", "origin/main"); err != nil {
		return "", err
	}
	image, err := production.takeImage(ctx)
	if err != nil {
		return "", err
	}
	if _, err := s.git(ctx, production.repo, "commit", "--quiet", "--all", "-m", "Run what was tested"); err != nil {
		return "", err
	}
	if said, err = s.approved(ctx, production.repo); err != nil {
		return "", err
	}
	arrived, err := s.promotedArrives(ctx, image)
	if err != nil {
		return "", err
	}
	return said + "; " + arrived, s.secondConfined(ctx)
}

// production makes the branch, and the stacks of its one bootstrap deployment.
func (s *system) production(ctx context.Context) (*system, error) {
	clone, err := s.fetch(ctx, "production")
	if err != nil {
		return nil, err
	}
	p := *s
	p.repo = clone
	if err := os.Symlink(filepath.Join(s.repo, "node_modules"), filepath.Join(clone, "node_modules")); err != nil {
		return nil, err
	}
	if err := p.configure("production", func(e map[string]any) {
		delivery, _ := e["delivery"].(map[string]any)
		arn, _ := delivery["connectionArn"].(string)
		account, _ := e["account"].(string)
		delivery["connectionArn"] = strings.Replace(arn, account, deploy.Account, 1)
		delivery["test"] = "check-fast" // as the local environment's
		delivery["imagesFrom"] = "local"
		e["account"], e["repositoryUrl"], e["credentials"] = deploy.Account, "http://git.localhost/platform.git", "basic"
		delete(e, "hostedZone") // the network's stack makes one, as local's does
	}); err != nil {
		return nil, err
	}
	for _, e := range [][3]string{
		{"infrastructure/delivery/deployment.go", `{"Applications", config.RestStacks}, {"Cluster", "cluster"}, `, ""},
		{"infrastructure/delivery/deployment.go", "if images != nil { //", "if false { //"},
		{"infrastructure/delivery/release.go", "if !env.Gated() {\n\t\treturn b", "if b != nil {\n\t\treturn b"},
		{"app-resources/ghost.go", "Engine: MySQL, App: ghost, ", "Engine: MySQL, App: ghost, Name: \"second\", "}, // one server of databases serves both
		{"config/config.go", "Registry() string {\n", "Registry() string {\n\tif e.Account == \"" + deploy.Account + "\" {\n\t\treturn \"registry.localhost\"\n\t}\n"},
	} {
		if err := p.edit(e[0], e[1], e[2]); err != nil {
			return nil, err
		}
	}
	for _, args := range [][]string{
		{"checkout", "--quiet", "-b", "production"},
		{"commit", "--quiet", "--all", "-m", "Fit production into one machine"},
		// By its path, unseen by the pipelines: it stands for a branch that was there before them. Seen, it would be reviewed as
		// a proposal for main, which the guard refuses, because another account replaces everything.
		{"push", "--quiet", s.dir.Repository(), "production"},
		{"fetch", "--quiet", "origin"},
	} {
		if _, err := s.git(ctx, clone, args...); err != nil {
			return nil, err
		}
	}
	if _, err := p.cdk(ctx, "deploy", "production/network", "production/ghost", "production/delivery", "--exclusively", "--require-approval", "never", "--context", "env=production"); err != nil {
		return nil, err
	}
	return &p, s.createdInProduction(ctx)
}

// createdInProduction approves the deployment with which the new pipeline begins, and waits until all first executions
// succeeded.
func (s *system) createdInProduction(ctx context.Context) error {
	first := func(pipeline string, want pipelines.Status) func() error {
		return func() error {
			all, err := s.allExecutions(ctx)
			if err == nil && !slices.ContainsFunc(all, func(e pipelines.Shown) bool {
				return e.Pipeline == pipeline && e.Trigger == "CreatePipeline" && e.Shown() == want
			}) {
				err = fmt.Errorf("no first execution of %s is %s: %s", pipeline, want, shown(all))
			}
			return err
		}
	}
	if err := until(ctx, 15*time.Minute, "the new pipeline to wait for approval", first(promotedPipeline, pipelines.Waiting)); err != nil {
		return err
	}
	if _, err := s.gitops(ctx, "local", "approve", promotedPipeline, "--message", "scenario"); err != nil {
		return err
	}
	for _, pipeline := range []string{promotedPipeline, "production-review", "production-services"} {
		if err := until(ctx, 15*time.Minute, "the first executions in production", first(pipeline, pipelines.Succeeded)); err != nil {
			return err
		}
	}
	return nil
}

// approved pushes the merge and expects that its pipeline deploys after the
// approval and not before.
func (s *system) approved(ctx context.Context, clone string) (string, error) {
	commit, err := s.git(ctx, clone, "rev-parse", "HEAD")
	if err != nil {
		return "", err
	}
	if _, err := s.git(ctx, clone, "push", "--quiet", "origin", "production"); err != nil {
		return "", err
	}
	is := func(want pipelines.Status) func() error {
		return func() error {
			all, err := s.executions(ctx, commit)
			if err != nil {
				return err
			}
			if len(all) != 1 || all[0].Pipeline != promotedPipeline || all[0].Shown() != want {
				return fmt.Errorf("the promotion runs %s, want %s of %s alone", shown(all), want, promotedPipeline)
			}
			return nil
		}
	}
	if err := until(ctx, 10*time.Minute, "the promotion to wait for approval", is(pipelines.Waiting)); err != nil {
		return "", err
	}
	if now, err := s.describesKey(ctx); err != nil || now != integrated+"production" {
		return "", fmt.Errorf("before the approval the key is described as %q, %w", now, err)
	}
	if err := s.showsDifference(ctx, commit); err != nil {
		return "", err
	}
	if _, err := s.gitops(ctx, "local", "approve", promotedPipeline, "--message", "scenario"); err != nil {
		return "", err
	}
	if err := until(ctx, 10*time.Minute, "the approved promotion to be deployed", is(pipelines.Succeeded)); err != nil {
		return "", err
	}
	if now, err := s.describesKey(ctx); err != nil || now != promoted+"production" {
		return "", fmt.Errorf("after the approval the key is described as %q, %w", now, err)
	}
	all, err := s.executions(ctx, commit)
	return took(all), err
}

// showsDifference fails unless the approval links the difference that it asks about.
func (s *system) showsDifference(ctx context.Context, commit string) error {
	all, err := s.executions(ctx, commit)
	if err != nil {
		return err
	}
	approval := all[0].Actions[len(all[0].Actions)-1]
	log, err := os.ReadFile(strings.TrimPrefix(approval.Link, "file://"))
	if err != nil {
		return err
	}
	if !strings.Contains(string(log), "network") || !strings.Contains(string(log), promoted+"production") {
		return fmt.Errorf("the difference that the approval links does not show the change: %s", lastText(string(log)))
	}
	return nil
}

// describesKey is the description of production's data key, as deployed.
func (s *system) describesKey(ctx context.Context) (string, error) {
	c, err := s.aws()
	if err != nil {
		return "", err
	}
	out, err := cloudformation.NewFromConfig(c).GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: aws.String("production-network")})
	if err != nil {
		return "", err
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct{ Description string }
		}
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.TemplateBody)), &template); err != nil {
		return "", err
	}
	for _, r := range template.Resources {
		if r.Type == "AWS::KMS::Key" {
			return r.Properties.Description, nil
		}
	}
	return "", errors.New("production-network has no key")
}

// shown lists executions with their status.
func shown(all []pipelines.Shown) string {
	var parts []string
	for _, e := range all {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Pipeline, e.Shown(), e.Reason)))
	}
	return strings.Join(parts, ", ")
}
