//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/system/observe"
)

// withoutGitWrite names a Secret that nobody makes, as where /<environment>/flux/git-write was not stored. Image automation
// must fail, and the release and the root must not.
func (s *system) withoutGitWrite(ctx context.Context) (string, error) {
	const (
		source  = "k8s/platform/image-automation/git.yaml"
		stored  = "    name: flux-git-write\n  timeout:"
		missing = "    name: flux-git-missing\n  timeout:"
	)
	if err := s.edit(source, stored, missing); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Write image tags without credentials"); err != nil {
		return "", fmt.Errorf("a release waits for image automation: %w", err)
	}
	commit, err := s.head(ctx)
	if err != nil {
		return "", err
	}
	waiting := ""
	err = until(ctx, 5*time.Minute, "the root Kustomization to be ready without image automation", func() (err error) {
		waiting, err = s.rootAlone(ctx, commit)
		return err
	})
	if back := s.edit(source, missing, stored); back != nil {
		return "", errors.Join(err, back)
	}
	if back := s.push(ctx, "Write image tags with credentials"); back != nil {
		return "", errors.Join(err, fmt.Errorf("the revert does not heal: %w", back))
	}
	if err != nil {
		return "", err
	}
	_, err = s.settled(ctx)
	return "image-automation: " + waiting, err
}

// rootAlone fails unless the root is ready at a commit while image automation is not; it tells why that is not.
func (s *system) rootAlone(ctx context.Context, commit string) (string, error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	all, err := c.Kustomizations(ctx)
	if err != nil {
		return "", err
	}
	by := map[string]observe.Item{}
	for _, i := range all {
		by[i.Name] = i
	}
	root, automation := by["flux-system"], by["image-automation"]
	if automation.Ready == "True" {
		return "", errors.New("image-automation is ready without its credentials")
	}
	if root.Ready != "True" || !strings.HasSuffix(root.Revision, commit) {
		return "", fmt.Errorf("the root is %s at %s, want ready at %.8s: %s", root.Ready, root.Revision, commit, root.Message)
	}
	return automation.Message, nil
}
