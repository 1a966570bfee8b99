//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
)

// delivery are the steps that prove the pipelines, on the scenario's system.
func (s *system) delivery() {
	s.step("5 a change of what Ghost needs: only the deployment runs", s.onlyDeploys)
	s.step("5 a stack uses what the same commit adds in another", s.newNeighbour)
	s.step("5 a failing test stops before the deployment, and before Flux", s.failingTest)
	s.step("5 both commits have the status of their deployment", s.statuses)
	s.step("5 git revert of both halves, by a plain git push", s.gitRevert)
	s.step("5 a revert right behind its commit waits for it", s.twoMerges)
	s.step("5 a database and its pod come by one commit", s.databaseComes)
	s.step("5 both go by one commit, once the guard lets it pass", s.databaseGoes)
	s.images()
	s.step("5 a branch gets its review", s.reviewOfBranch)
	s.step("5 a promotion to production waits for its approval", s.promotion)
	s.step("5 a pipeline updates itself, an approval waits", s.approval)
	s.step("5 a rejected approval leaves both halves", s.rejected)
	s.step("5 a newer commit takes the place of one that waits", s.overtaken)
}

func (s *system) onlyDeploys(ctx context.Context) (string, error) {
	days, err := s.add(uploadDays, -1)
	if err != nil {
		return "", err
	}
	if err := s.push(ctx, "Give up on uploads a day earlier"); err != nil {
		return "", err
	}
	all, err := s.ran(ctx, "deploy Succeeded")
	if err != nil {
		return "", err
	}
	c, err := s.aws()
	if err != nil {
		return "", err
	}
	out, err := cloudformation.NewFromConfig(c).GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: aws.String("local-ghost")})
	if err == nil && !strings.Contains(aws.ToString(out.TemplateBody), fmt.Sprintf(`"DaysAfterInitiation": %d`, days)) {
		err = errors.New("local-ghost was not deployed")
	}
	return took(all), err
}

// newNeighbour adds a role with Ghost's stack, and with the cluster's an association that imports it, by one commit: the
// cluster's stack cannot be deployed before Ghost's.
func (s *system) newNeighbour(ctx context.Context) (string, error) {
	for _, edit := range [][3]string{
		{"app-resources/ghost.go", "import (\n", `import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
`},
		{"app-resources/ghost.go", "\treturn g\n", `	neighbour := podidentity.NewRole(g, "Neighbour", &podidentity.RoleProps{Env: env, Namespace: "neighbour", ServiceAccount: "neighbour"})
	awscdk.NewCfnOutput(g, jsii.String("NeighbourRole"), &awscdk.CfnOutputProps{Value: neighbour.RoleArn(), ExportName: jsii.String(env.StackName("neighbour"))})
	return g
`},
		{"app-resources/ghost.go", "RoleARN: g.RoleARN}},\n", `RoleARN: g.RoleARN}, {
				Namespace: "neighbour", ServiceAccount: "neighbour", RoleARN: *awscdk.Fn_ImportValue(jsii.String(env.StackName("neighbour"))),
			}},
`},
	} {
		if err := s.edit(edit[0], edit[1], edit[2]); err != nil {
			return "", err
		}
	}
	if err := s.push(ctx, "A role and its association"); err != nil {
		return "", err
	}
	all, err := s.ran(ctx, "deploy Succeeded")
	if err != nil {
		return "", err
	}
	c, err := s.aws()
	if err != nil {
		return "", err
	}
	out, err := cloudformation.NewFromConfig(c).ListImports(ctx, &cloudformation.ListImportsInput{ExportName: aws.String("local-neighbour")})
	if err == nil && !slices.Equal(out.Imports, []string{"local-cluster"}) {
		err = fmt.Errorf("the export of the new role is imported by %v, want local-cluster", out.Imports)
	}
	return took(all), err
}

// released is Flux's branch.
const released = "refs/heads/released/local"

func (s *system) failingTest(ctx context.Context) (string, error) {
	const cause = "the scenario breaks this test"
	file := filepath.Join(s.repo, "config", "scenario_test.go")
	text := "package config\n\nimport \"testing\"\n\nfunc TestScenario(t *testing.T) { t.Error(\"" + cause + "\") }\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return "", err
	}
	before, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
	if err != nil {
		return "", err
	}
	sets, err := s.add(history, 1)
	if err != nil {
		return "", err
	}
	pushed := s.push(ctx, "A failing test")
	if now, err := s.git(ctx, s.dir.Repository(), "rev-parse", released); err != nil || now != before {
		return "", fmt.Errorf("the commit with the failing test was released: %s, %w", now, err)
	}
	if err := s.hasHistory(ctx, sets-1); err != nil {
		return "", fmt.Errorf("Flux applied a manifest of the commit with the failing test: %w", err)
	}
	if pushed == nil || !strings.Contains(pushed.Error(), cause) {
		return "", fmt.Errorf("push does not name the cause: %w", pushed)
	}
	all, err := s.ran(ctx, "deploy Failed")
	if err != nil {
		return "", err
	}
	for _, e := range all {
		last := e.Actions[len(e.Actions)-1]
		if e.Stage != "Test" || last.Stage != "Test" || !strings.Contains(strings.Join(e.LogTail, "\n"), cause) {
			return "", fmt.Errorf("%s went on to %s: %s", e.Pipeline, e.Stage, e.Reason)
		}
	}
	if err := os.Remove(file); err != nil {
		return "", err
	}
	if _, err := s.add(history, -1); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Remove the failing test"); err != nil {
		return "", err
	}
	_, err = s.ran(ctx, "deploy Succeeded")
	return took(all), err
}

// both sets the two halves: the database's standby and Ghost's replicas.
func (s *system) both(standby bool, from, to int) error {
	if err := s.setDatabase("multiAz", standby); err != nil {
		return err
	}
	return s.edit("k8s/apps/ghost/deployment.yaml", fmt.Sprintf("replicas: %d", from), fmt.Sprintf("replicas: %d", to))
}

func (s *system) isBoth(ctx context.Context, standby bool, replicas int) error {
	multi, err := s.multiAZ(ctx)
	if err != nil {
		return err
	}
	ready, err := s.replicas(ctx)
	if err == nil && (multi != standby || ready != replicas) {
		err = fmt.Errorf("MultiAZ is %t, want %t; %d replicas, want %d", multi, standby, ready, replicas)
	}
	return err
}

func (s *system) gitRevert(ctx context.Context) (string, error) {
	if err := s.isBoth(ctx, true, 2); err != nil {
		return "", err
	}
	if err := s.both(false, 2, 1); err != nil {
		return "", err
	}
	if err := s.push(ctx, "One replica, no standby"); err != nil {
		return "", err
	}
	if err := s.isBoth(ctx, false, 1); err != nil {
		return "", err
	}
	clone, err := s.fetch(ctx, "revert")
	if err != nil {
		return "", err
	}
	if _, err := s.git(ctx, clone, "revert", "--no-edit", "HEAD"); err != nil {
		return "", err
	}
	began := time.Now()
	if _, err := s.git(ctx, clone, "push", "--quiet", "origin", "HEAD:main"); err != nil {
		return "", err
	}
	// The checkout follows, for the steps after this one.
	if err := s.both(true, 1, 2); err != nil {
		return "", err
	}
	err = until(ctx, 25*time.Minute, "both halves of the reverted commit", func() error {
		if _, err := s.ran(ctx, "deploy Succeeded"); err != nil {
			return err
		}
		return s.isBoth(ctx, true, 2)
	})
	return fmt.Sprintf("both halves are back %.0f s after the push", time.Since(began).Seconds()), err
}

func (s *system) reviewOfBranch(ctx context.Context) (string, error) {
	clone, err := s.fetch(ctx, "review")
	if err != nil {
		return "", err
	}
	file := filepath.Join(clone, "k8s/apps/ghost/deployment.yaml")
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(raw), "replicas: 2", "replicas: 3", 1)), 0o644); err != nil {
		return "", err
	}
	if _, err := s.git(ctx, clone, "commit", "--quiet", "--all", "-m", "Three replicas"); err != nil {
		return "", err
	}
	commit, err := s.git(ctx, clone, "rev-parse", "HEAD")
	if err != nil {
		return "", err
	}
	if _, err := s.git(ctx, clone, "push", "--quiet", "origin", "HEAD:feature/three"); err != nil {
		return "", err
	}
	var all []pipelines.Shown
	if err := until(ctx, 25*time.Minute, "the review of the branch", func() error {
		if all, err = s.executions(ctx, commit); err == nil && (len(all) != 1 || !all[0].Status.Ended()) {
			err = errors.New("the review has not ended")
		}
		return err
	}); err != nil {
		return "", err
	}
	e := all[0]
	if e.Pipeline != "local-review" || e.Status != pipelines.Succeeded || e.Trigger != "PullRequest OPEN" {
		return "", fmt.Errorf("%s, started by %s, is %s: %s", e.Pipeline, e.Trigger, e.Status, e.Reason)
	}
	log, err := os.ReadFile(e.Actions[len(e.Actions)-1].Log)
	if err != nil {
		return "", err
	}
	want, err := os.ReadFile(filepath.Join("testdata", "review.md"))
	if err != nil {
		return "", err
	}
	// The comment differs from run to run by the commits that it compares, and by a number beside the change that the steps
	// before leave in their own order.
	want = history.pattern.ReplaceAll(want, history.pattern.Find(raw))
	if got := compared.ReplaceAllString(string(log), "`$1`"); !strings.Contains(got, string(want)) {
		return "", fmt.Errorf("the review is not what testdata/review.md says: %s", lastText(got))
	}
	return took(all), nil
}

// compared is a side of a review with its commit.
var compared = regexp.MustCompile("`(working tree|origin/main)(?: \\([0-9a-f]{8}\\))?`")

// approval switches approvals on: the pipeline changes itself, and its next
// execution waits, also across a kill of the runner.
func (s *system) approval(ctx context.Context) (string, error) {
	if err := s.configure("local", func(e map[string]any) { e["delivery"].(map[string]any)["approval"] = true }); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Approve deployments"); err != nil {
		return "", err
	}
	waiting := []string{"deploy WaitingForApproval", "deploy Cancelled"}
	var all []pipelines.Shown
	if err := until(ctx, 15*time.Minute, "the changed pipeline to ask for approval", func() (err error) {
		all, err = s.ranAtLeast(ctx, waiting)
		return err
	}); err != nil {
		return "", err
	}
	if _, err := s.killProcess(ctx, "pipelines"); err != nil {
		return "", err
	}
	if err := until(ctx, 10*time.Minute, "the pipeline to wait for approval after a kill", func() error {
		if pid, err := s.pid(ctx, "pipelines"); err != nil || pid == 0 {
			return fmt.Errorf("pipelines does not run, %w", err)
		}
		_, err := s.ranAtLeast(ctx, waiting)
		return err
	}); err != nil {
		return "", err
	}
	if _, err := s.gitops(ctx, "local", "approve", "local-deploy", "--message", "scenario"); err != nil {
		return "", err
	}
	err := until(ctx, 15*time.Minute, "the approved deployment", func() (err error) {
		all, err = s.ranAtLeast(ctx, []string{"deploy Succeeded"})
		return err
	})
	if err != nil {
		return "", err
	}
	_, err = s.settled(ctx)
	return took(all), err
}

// fetch makes a clone of the local repository, as a colleague has one.
func (s *system) fetch(ctx context.Context, name string) (string, error) {
	ports, err := s.dir.LoadPorts()
	if err != nil {
		return "", err
	}
	clone := name
	if !filepath.IsAbs(name) {
		clone = filepath.Join(filepath.Dir(s.repo), name)
	}
	if _, err := s.git(ctx, s.repo, "clone", "--quiet", ports.URL(layout.Git)+"/platform.git", clone); err != nil {
		return "", err
	}
	for _, kv := range [][2]string{{"user.name", "e2e"}, {"user.email", "e2e@localhost"}} {
		if _, err := s.git(ctx, clone, "config", kv[0], kv[1]); err != nil {
			return "", err
		}
	}
	return clone, nil
}

func (s *system) git(ctx context.Context, dir string, args ...string) (string, error) {
	ports, err := s.dir.LoadPorts()
	if err != nil {
		return "", err
	}
	env := append(deploy.List(deploy.GitVariables(s.dir, ports)), "NO_PROXY=127.0.0.1")
	out, err := s.command(ctx, env, "git", append([]string{"-C", dir}, args...)...)
	return strings.TrimSpace(out), err
}
