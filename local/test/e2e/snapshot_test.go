//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
)

// snapshots saves the system, and starts a second one from the snapshot beside it. Each has its own ports and database, and
// the second serves without the first.
func (s *system) snapshots(ctx context.Context) (string, error) {
	if _, err := s.gitops(ctx, "local", "down"); err != nil {
		return "", err
	}
	said, err := s.gitops(ctx, "local", "snapshot", "save", "--output", "json")
	if err != nil {
		return "", err
	}
	var saved struct {
		Key   string
		Bytes int64
	}
	if err := json.Unmarshal([]byte(said), &saved); err != nil {
		return "", err
	}
	second := *s
	second.dir = &layout.Dir{Root: filepath.Join(filepath.Dir(s.repo), "s2"), Repo: s.repo}
	defer func() {
		clean := context.WithoutCancel(ctx)
		_, reset := second.gitops(clean, "local", "reset", "--yes")
		_, removed := s.gitops(clean, "local", "snapshot", "remove", saved.Key)
		if err := errors.Join(reset, removed); err != nil {
			s.t.Errorf("the second system and its snapshot: %v", err)
		}
	}()
	if _, err := s.gitops(ctx, "local", "up"); err != nil {
		return "", err
	}
	began := time.Now()
	if _, err := second.gitops(ctx, "local", "up", "--snapshot", saved.Key); err != nil {
		return "", err
	}
	took := time.Since(began)
	if err := second.apart(ctx, s.dir); err != nil {
		return "", err
	}
	if _, err := s.gitops(ctx, "local", "down"); err != nil {
		return "", err
	}
	if code, _, err := second.get(ctx, "ghost", "/"); err != nil || code != 200 {
		return "", fmt.Errorf("without the first system the second's Ghost answers %d, %w", code, err)
	}
	if _, err := s.gitops(ctx, "local", "up"); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d MB, the second system up beside the first in %.1f s", saved.Bytes>>20, took.Seconds()), nil
}

// apart fails unless the system has nothing of the other's ports, and its Ghost is told of its own.
func (s *system) apart(ctx context.Context, other *layout.Dir) error {
	mine, err := s.dir.LoadPorts()
	if err != nil {
		return err
	}
	theirs, err := other.LoadPorts()
	if err != nil {
		return err
	}
	for name, port := range mine {
		for of, taken := range theirs {
			if port == taken {
				return fmt.Errorf("port %d is %s here and %s there", port, name, of)
			}
		}
	}
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return err
	}
	secret, err := c.Kube.CoreV1().Secrets("ghost").Get(ctx, "ghost-database", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if got, want := string(secret.Data["port"]), fmt.Sprint(mine[layout.Database]); got != want {
		return fmt.Errorf("Ghost's database has the port %s, want %s", got, want)
	}
	pods, err := c.Kube.CoreV1().Pods("ghost").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	want := fmt.Sprintf("https://ghost.localhost:%d", mine[layout.HTTPS])
	for _, p := range pods.Items {
		for _, v := range p.Spec.Containers[0].Env {
			if v.Name == "url" && v.Value != want {
				return fmt.Errorf("pod %s has the url %s, want %s", p.Name, v.Value, want)
			}
		}
	}
	return nil
}
