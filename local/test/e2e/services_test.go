//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
)

// services are the steps that prove the fleet, on the scenario's system.
func (s *system) services() {
	s.step("5 the example services are ready, one is public", s.exampleServices)
	s.step("5 a service is onboarded by commits alone", s.onboard)
	s.step("5 a service's change is published", s.publishChange)
	s.step("5 git revert on a service's branch", s.revertService)
	s.step("5 a service reaches for another's namespace", s.trespass)
	s.step("5 a service is removed: objects, then branch", s.removeService)
}

// patient is how long a service may take: a rollout with its probes, and Flux's retries, on a machine that is busy.
const patient = 15 * time.Minute

// serviceLine is a line of `gitops service status`.
type serviceLine struct{ Service, Branch, Commit, Applied, Ready, Message string }

// service returns the status of one service.
func (s *system) service(ctx context.Context, name string) (serviceLine, error) {
	out, err := s.gitops(ctx, "service", "status", name, "--env", "local", "--output", "json")
	if err != nil {
		return serviceLine{}, err
	}
	var lines []serviceLine
	if err := json.Unmarshal([]byte(out), &lines); err != nil || len(lines) != 1 {
		return serviceLine{}, fmt.Errorf("status of %s: %s: %w", name, out, err)
	}
	return lines[0], nil
}

// runs waits until what is published of a service is what runs; of a commit if one is named.
func (s *system) runs(ctx context.Context, name, commit string) error {
	return until(ctx, patient, "service "+name+" to run what is published", func() error {
		l, err := s.service(ctx, name)
		if err == nil && (l.Ready != "True" || l.Applied != l.Commit || commit != "" && l.Commit != commit) {
			err = fmt.Errorf("%+v", l)
		}
		return err
	})
}

// shows waits until info's front page, which it makes of what npm and github say, holds a text.
func (s *system) shows(ctx context.Context, text string) error {
	return until(ctx, patient, "info to show "+text, func() error {
		code, body, err := s.get(ctx, "info", "/")
		if err == nil && (code != 200 || !strings.Contains(body, text)) {
			err = fmt.Errorf("info answers %d %.300s, want %q", code, body, text)
		}
		return err
	})
}

func (s *system) exampleServices(ctx context.Context) (string, error) {
	for _, name := range []string{"github", "info", "npm"} {
		if err := s.runs(ctx, name, ""); err != nil {
			return "", err
		}
	}
	return "", s.shows(ctx, "facebook/react")
}

// commit commits the checkout's changes, as a merged pull request does.
func (s *system) commit(ctx context.Context, message string) error {
	if _, err := s.git(ctx, s.repo, "add", "--all"); err != nil {
		return err
	}
	_, err := s.git(ctx, s.repo, "commit", "--quiet", "--no-verify", "-m", message)
	return err
}

// publish publishes a service and returns the commit of its branch, and when it was pushed.
func (s *system) publish(ctx context.Context, name string) (string, time.Time, error) {
	if _, err := s.gitops(ctx, "service", "publish", name, "--env", "local"); err != nil {
		return "", time.Time{}, err
	}
	pushed := time.Now()
	ports, err := s.dir.LoadPorts()
	if err != nil {
		return "", pushed, err
	}
	out, err := s.git(ctx, s.repo, "ls-remote", ports.URL(layout.Git)+"/manifests.git", "refs/heads/local/"+name)
	commit, _, _ := strings.Cut(out, "\t")
	if err == nil && commit == "" {
		err = fmt.Errorf("%s has no branch", name)
	}
	return commit, pushed, err
}

func (s *system) onboard(ctx context.Context) (string, error) {
	if _, err := s.gitops(ctx, "service", "add", "hello", "--image", "ghcr.io/nodezoo/nodezoo-npm:1.0.0", "--health", "/healthz"); err != nil {
		return "", err
	}
	if err := s.commit(ctx, "Add hello"); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Add hello"); err != nil {
		return "", err
	}
	if l, err := s.service(ctx, "hello"); err != nil || l.Message != "not published yet" {
		return "", fmt.Errorf("before the publication: %+v, %w", l, err)
	}
	commit, began, err := s.publish(ctx, "hello")
	if err != nil {
		return "", err
	}
	if err := s.runs(ctx, "hello", commit); err != nil {
		return "", err
	}
	return fmt.Sprintf("ready %.1f s after its first publication", time.Since(began).Seconds()), nil
}

func (s *system) publishChange(ctx context.Context) (string, error) {
	if err := s.edit("k8s/services/info.yaml", "{LOG_LEVEL: debug}", "{LOG_LEVEL: debug, TITLE: a new title}"); err != nil {
		return "", err
	}
	if err := s.commit(ctx, "Give info a title"); err != nil {
		return "", err
	}
	commit, began, err := s.publish(ctx, "info")
	if err != nil {
		return "", err
	}
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	if err := until(ctx, patient, "the Deployment of info to change", func() error {
		d, err := c.Kube.AppsV1().Deployments("info").Get(ctx, "info", metav1.GetOptions{})
		if err == nil && !strings.Contains(fmt.Sprint(d.Spec.Template.Spec.Containers[0].Env), "a new title") {
			err = errors.New("the Deployment is as it was")
		}
		return err
	}); err != nil {
		return "", err
	}
	applied := time.Since(began)
	if err := s.runs(ctx, "info", commit); err != nil {
		return "", err
	}
	detail := fmt.Sprintf("applied %.1f s, rolled out %.1f s after the push", applied.Seconds(), time.Since(began).Seconds())
	return detail, s.shows(ctx, `"title":"a new title"`)
}

// branch makes a clone of a service's branch, as its owner has one.
func (s *system) branch(ctx context.Context, service string) (string, error) {
	ports, err := s.dir.LoadPorts()
	if err != nil {
		return "", err
	}
	clone, err := os.MkdirTemp(filepath.Dir(s.repo), service)
	if err != nil {
		return "", err
	}
	if _, err := s.git(ctx, clone, "clone", "--quiet", "--branch", "local/"+service, ports.URL(layout.Git)+"/manifests.git", "."); err != nil {
		return "", err
	}
	for _, kv := range [][2]string{{"user.name", "e2e"}, {"user.email", "e2e@localhost"}} {
		if _, err := s.git(ctx, clone, "config", kv[0], kv[1]); err != nil {
			return "", err
		}
	}
	return clone, nil
}

// revertLast reverts the newest commit of a branch and returns the new one.
func (s *system) revertLast(ctx context.Context, clone string) (string, error) {
	if _, err := s.git(ctx, clone, "revert", "--no-edit", "HEAD"); err != nil {
		return "", err
	}
	if _, err := s.git(ctx, clone, "push", "--quiet"); err != nil {
		return "", err
	}
	return s.git(ctx, clone, "rev-parse", "HEAD")
}

func (s *system) revertService(ctx context.Context) (string, error) {
	clone, err := s.branch(ctx, "info")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(clone)
	commit, err := s.revertLast(ctx, clone)
	if err != nil {
		return "", err
	}
	began := time.Now()
	if err := s.runs(ctx, "info", commit); err != nil {
		return "", err
	}
	detail := fmt.Sprintf("rolled back %.1f s after the push", time.Since(began).Seconds())
	return detail, s.shows(ctx, `"title":"nodezoo"`)
}

const stolen = `---
apiVersion: v1
kind: ConfigMap
metadata:
  name: stolen
  namespace: npm
`

// trespass pushes past all checks what the cluster must refuse.
func (s *system) trespass(ctx context.Context) (string, error) {
	clone, err := s.branch(ctx, "hello")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(clone)
	before, err := s.service(ctx, "npm")
	if err != nil {
		return "", err
	}
	file := filepath.Join(clone, "hello.k8s.yaml")
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(file, append(raw, stolen...), 0o600); err != nil {
		return "", err
	}
	for _, args := range [][]string{{"commit", "--quiet", "--all", "-m", "Reach for npm"}, {"push", "--quiet"}} {
		if _, err := s.git(ctx, clone, args...); err != nil {
			return "", err
		}
	}
	var refused serviceLine
	if err := until(ctx, patient, "the service hello to be refused", func() error {
		if refused, err = s.service(ctx, "hello"); err == nil && (refused.Ready != "False" || !strings.Contains(strings.ToLower(refused.Message), "forbidden")) {
			err = fmt.Errorf("not refused: %+v", refused)
		}
		return err
	}); err != nil {
		return "", err
	}
	if err := s.untouched(ctx, before); err != nil {
		return "", err
	}
	commit, err := s.revertLast(ctx, clone)
	if err != nil {
		return "", err
	}
	return refused.Message, s.runs(ctx, "hello", commit)
}

// untouched fails if npm is not what it was, or has what was pushed for it; and unless the platform's status names the
// service that tried.
func (s *system) untouched(ctx context.Context, before serviceLine) error {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return err
	}
	if _, err := c.Kube.CoreV1().ConfigMaps("npm").Get(ctx, "stolen", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("npm has a ConfigMap of hello, %w", err)
	}
	if after, err := s.service(ctx, "npm"); err != nil || after != before {
		return fmt.Errorf("npm was %+v and is %+v, %w", before, after, err)
	}
	st, err := s.status(ctx)
	if shown := strings.Join(st.Problems, "\n"); err == nil && !strings.Contains(shown, "service hello: ") {
		err = fmt.Errorf("status does not name hello: %s", shown)
	}
	return err
}

func (s *system) removeService(ctx context.Context) (string, error) {
	if _, err := s.gitops(ctx, "service", "remove", "hello"); err != nil {
		return "", err
	}
	if err := s.commit(ctx, "Remove hello"); err != nil {
		return "", err
	}
	began := time.Now()
	if err := s.push(ctx, "Remove hello"); err != nil {
		return "", err
	}
	out, err := s.gitops(ctx, "service", "remove", "hello", "--env", "local")
	if err == nil && strings.TrimSpace(out) != "local/hello" {
		err = fmt.Errorf("the branch was not deleted: %s", out)
	}
	if err != nil {
		return "", err
	}
	detail := fmt.Sprintf("%.1f s after the push", time.Since(began).Seconds())
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	if left, err := c.Left(ctx, "hello"); err != nil || left != "" {
		return "", fmt.Errorf("left: %s, %w", left, err)
	}
	_, err = s.healthy(ctx)
	return detail, err
}
