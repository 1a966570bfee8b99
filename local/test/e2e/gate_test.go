//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/observe"
)

// twoMerges pushes a commit of both halves and its revert right behind it. The revert's plan must not be made while the
// first commit is half deployed: it would find nothing to take back.
func (s *system) twoMerges(ctx context.Context) (string, error) {
	if err := s.isBoth(ctx, true, 2); err != nil {
		return "", err
	}
	clone, err := s.fetch(ctx, "two")
	if err != nil {
		return "", err
	}
	quick := *s
	quick.repo = clone
	if err := quick.both(false, 2, 1); err != nil {
		return "", err
	}
	began := time.Now()
	var commits []string
	for _, args := range [][]string{{"commit", "--quiet", "--all", "-m", "One replica, no standby"}, {"revert", "--no-edit", "HEAD"}} {
		if _, err := s.git(ctx, clone, args...); err != nil {
			return "", err
		}
		if _, err := s.git(ctx, clone, "push", "--quiet", "origin", "HEAD:main"); err != nil {
			return "", err
		}
		commit, err := s.git(ctx, clone, "rev-parse", "HEAD")
		if err != nil {
			return "", err
		}
		commits = append(commits, commit)
	}
	var both []pipelines.Shown
	if err := until(ctx, 25*time.Minute, "both deployments", func() error {
		both = nil
		for _, commit := range commits {
			all, err := s.executions(ctx, commit)
			if err != nil {
				return err
			}
			if len(all) != 1 || all[0].Status != pipelines.Succeeded || slices.Contains(all[0].Skipped(), "Applications") {
				return fmt.Errorf("%.8s: %s, which skipped %q", commit, shown(all), all[0].Skipped())
			}
			both = append(both, all[0])
		}
		return nil
	}); err != nil {
		return "", err
	}
	if both[1].Stages[0].Status != pipelines.Succeeded || !both[1].Started.Before(both[0].Ended) {
		return "", errors.New("the second execution began after the first one had ended: nothing was proven")
	}
	return fmt.Sprintf("both halves are back %.0f s after the first push", time.Since(began).Seconds()), s.isBoth(ctx, true, 2)
}

// secondDatabase adds a database, and a pod that needs it, or removes both.
func (s *system) secondDatabase(there bool) error {
	for _, e := range [][3]string{
		{"app-resources/ghost.go", `Snapshot: env.Ghost.Snapshot})
	content`, `Snapshot: env.Ghost.Snapshot})
	NewDatabase(g, "Second", &DatabaseProps{Env: env, Network: props.Network, Engine: MySQL, App: "second", Size: env.Ghost.Database})
	content`},
		{"k8s/apps/ghost/externalsecret.yaml", "    name: ghost-database\n", `    name: ghost-database
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: second-database
spec:
  dataFrom:
    - extract:
        key: /${ENVIRONMENT}/second/database
  refreshInterval: 5m
  secretStoreRef:
    kind: ClusterSecretStore
    name: aws
  target:
    name: second-database
`},
		{"k8s/apps/ghost/deployment.yaml", "            - name: NODE_ENV\n", `            - name: second__host
              valueFrom:
                secretKeyRef:
                  key: host
                  name: second-database
            - name: NODE_ENV
`},
	} {
		from, to := e[1], e[2]
		if !there {
			from, to = to, from
		}
		if err := s.edit(e[0], from, to); err != nil {
			return err
		}
	}
	return nil
}

// databaseComes adds a database and the pod that needs it by one commit: AWS goes first.
func (s *system) databaseComes(ctx context.Context) (string, error) {
	if err := s.secondDatabase(true); err != nil {
		return "", err
	}
	if err := s.push(ctx, "A second database, and Ghost needs it"); err != nil {
		return "", err
	}
	all, err := s.ran(ctx, "deploy Succeeded")
	if err != nil {
		return "", err
	}
	if err := skipsStages(all[0], "KubernetesFirst", "Network", "Cluster", "Delivery"); err != nil {
		return "", err
	}
	if err := s.startedAfterSecret(ctx, "second-database"); err != nil {
		return "", err
	}
	_, err = s.serves(ctx)
	return took(all), err
}

// startedAfterSecret fails unless each of Ghost's containers that needs the Secret began after it was there, and at its first
// attempt.
func (s *system) startedAfterSecret(ctx context.Context, name string) error {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return err
	}
	secret, err := c.Kube.CoreV1().Secrets("ghost").Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	pods, err := c.Kube.CoreV1().Pods("ghost").List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=ghost,app.kubernetes.io/component=server"})
	if err != nil {
		return err
	}
	needing := slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { // those of the ReplicaSet before may still end
		return !slices.ContainsFunc(p.Spec.Containers[0].Env, func(e corev1.EnvVar) bool {
			return e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && e.ValueFrom.SecretKeyRef.Name == name
		})
	})
	for _, p := range needing {
		for _, state := range p.Status.ContainerStatuses {
			if state.State.Running == nil || state.RestartCount > 0 || state.State.Running.StartedAt.Before(&secret.CreationTimestamp) {
				return fmt.Errorf("%s: %+v; the Secret is of %s", p.Name, state, secret.CreationTimestamp)
			}
		}
	}
	if len(needing) == 0 || len(secret.Data["host"]) == 0 {
		return fmt.Errorf("%d pods need %s, which has the keys %v", len(needing), name, slices.Collect(maps.Keys(secret.Data)))
	}
	return nil
}

// allowance is an entry that a refusal offers.
var allowance = regexp.MustCompile(`\{"resource": "([^"]+)", "until": "([^"]+)", "reason": "…"\}`)

// offered are the entries for allowReplacement that a refusal names, each resource once.
func offered(text string) []any {
	var entries []any
	for _, m := range allowance.FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(entries, func(e any) bool { return e.(map[string]any)["resource"] == m[1] }) {
			entries = append(entries, map[string]any{"resource": m[1], "until": m[2], "reason": "the scenario agrees"})
		}
	}
	return entries
}

// databaseGoes removes both by one commit. The guard refuses it, although somebody merged it; with the entries that it
// asks for Kubernetes goes first.
func (s *system) databaseGoes(ctx context.Context) (string, error) {
	if err := s.secondDatabase(false); err != nil {
		return "", err
	}
	before, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
	if err != nil {
		return "", err
	}
	pushed := s.push(ctx, "No second database")
	if pushed == nil {
		return "", errors.New("a database was removed without an entry in allowReplacement")
	}
	all, err := s.ran(ctx, "deploy Failed")
	if err != nil {
		return "", err
	}
	if now, err := s.git(ctx, s.dir.Repository(), "rev-parse", released); err != nil || now != before || all[0].Stage != "Plan" {
		return "", fmt.Errorf("the refused commit was released or went on to %s: %s, %w", all[0].Stage, now, err)
	}
	if err := s.startedAfterSecret(ctx, "second-database"); err != nil {
		return "", fmt.Errorf("the refused commit reached the cluster: %w", err)
	}
	entries := offered(strings.Join(all[0].LogTail, "\n") + pushed.Error())
	if len(entries) != 3 {
		return "", fmt.Errorf("the refusal offers %v, want entries for the database, the administrator's secret and the users': %w", entries, pushed)
	}
	if err := s.configure("local", func(e map[string]any) { e["allowReplacement"] = entries }); err != nil {
		return "", err
	}
	if err := s.push(ctx, "No second database, as agreed"); err != nil {
		return "", err
	}
	if all, err = s.ran(ctx, "deploy Succeeded"); err != nil {
		return "", err
	}
	if err := skipsStages(all[0], "Network", "Cluster", "Delivery", "Release"); err != nil {
		return "", err
	}
	if _, err := s.multiAZ(ctx); err != nil {
		return "", fmt.Errorf("the second database is still there: %w", err)
	}
	return took(all), s.configure("local", func(e map[string]any) { delete(e, "allowReplacement") })
}

// moreOfBoth keeps one ReplicaSet of Ghost more, and gives an upload one day more, and returns both numbers.
func (s *system) moreOfBoth() (sets, days int, err error) {
	if sets, err = s.add(history, 1); err == nil {
		days, err = s.add(uploadDays, 1)
	}
	return sets, days, err
}

// hasBoth fails unless both halves are so.
func (s *system) hasBoth(ctx context.Context, sets, days int) error {
	d, err := s.ghostDeployment(ctx)
	if err != nil {
		return err
	}
	c, err := s.aws()
	if err != nil {
		return err
	}
	out, err := cloudformation.NewFromConfig(c).GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: aws.String("local-ghost")})
	if err != nil {
		return err
	}
	if got := *d.Spec.RevisionHistoryLimit; int(got) != sets || !strings.Contains(aws.ToString(out.TemplateBody), fmt.Sprintf(`"DaysAfterInitiation": %d`, days)) {
		return fmt.Errorf("the Deployment keeps %d ReplicaSets, want %d; the bucket's rule must say %d days", got, sets, days)
	}
	return nil
}

// rejected rejects a commit of both halves: it leaves both as they are.
func (s *system) rejected(ctx context.Context) (string, error) {
	sets, days, err := s.moreOfBoth()
	if err != nil {
		return "", err
	}
	if err := s.push(ctx, "To be rejected"); err != nil {
		return "", err
	}
	if _, err := s.ran(ctx, "deploy WaitingForApproval"); err != nil {
		return "", err
	}
	if err := s.hasBoth(ctx, sets-1, days-1); err != nil {
		return "", fmt.Errorf("before the answer: %w", err)
	}
	if _, err := s.gitops(ctx, "local", "approve", "local-deploy", "--reject", "--message", "scenario"); err != nil {
		return "", err
	}
	var all []pipelines.Shown
	if err := until(ctx, 5*time.Minute, "the rejected execution to end", func() (err error) {
		all, err = s.ran(ctx, "deploy Failed")
		return err
	}); err != nil {
		return "", err
	}
	if err := s.hasBoth(ctx, sets-1, days-1); err != nil {
		return "", fmt.Errorf("after the rejection: %w", err)
	}
	return all[0].Reason, nil
}

// overtaken leaves a commit without an answer. The next one contains it, and takes its place.
func (s *system) overtaken(ctx context.Context) (string, error) {
	if _, _, err := s.moreOfBoth(); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Nobody answers"); err != nil {
		return "", err
	}
	first, err := s.head(ctx)
	if err != nil {
		return "", err
	}
	sets, days, err := s.moreOfBoth()
	if err != nil {
		return "", err
	}
	if err := s.push(ctx, "The next one"); err != nil {
		return "", err
	}
	old, err := s.executions(ctx, first)
	if err != nil {
		return "", err
	}
	if len(old) != 1 || old[0].Status != pipelines.Stopped {
		return "", fmt.Errorf("the commit that waited runs %s, want one that is stopped", shown(old))
	}
	if _, err := s.gitops(ctx, "local", "approve", "local-deploy", "--message", "scenario"); err != nil {
		return "", err
	}
	var all []pipelines.Shown
	if err := until(ctx, 15*time.Minute, "the approved deployment", func() (err error) {
		all, err = s.ran(ctx, "deploy Succeeded")
		return err
	}); err != nil {
		return "", err
	}
	if _, err := s.settled(ctx); err != nil {
		return "", err
	}
	return took(all), s.hasBoth(ctx, sets, days)
}
