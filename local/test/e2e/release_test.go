//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
)

// releases are the steps that prove releases by tag, on the scenario's system.
func (s *system) releases() {
	s.step("5 a tag releases a service with its static files", s.releaseByTag)
}

// tag commits the files of a clone and pushes them as a tag alone.
func (s *system) tag(ctx context.Context, clone, tag string) (commit string, err error) {
	for _, args := range [][]string{{"add", "--all"}, {"commit", "--quiet", "--allow-empty", "-m", "Release " + tag}, {"tag", "-a", "-m", tag, tag}, {"push", "--quiet", "origin", tag}} {
		if _, err := s.git(ctx, clone, args...); err != nil {
			return "", err
		}
	}
	return s.git(ctx, clone, "rev-parse", "HEAD")
}

// released waits for the execution that a tag started.
func (s *system) released(ctx context.Context, commit string) (pipelines.Shown, error) {
	var all []pipelines.Shown
	err := until(ctx, 30*time.Minute, "the release of the tag to end", func() (err error) {
		if all, err = s.executions(ctx, commit); err == nil && (len(all) != 1 || !all[0].Status.Ended()) {
			err = fmt.Errorf("%d executions of %.8s, none ended", len(all), commit)
		}
		return err
	})
	if err != nil {
		return pipelines.Shown{}, err
	}
	return all[0], nil
}

func (s *system) releaseByTag(ctx context.Context) (string, error) {
	clone, err := s.fetch(ctx, filepath.Join(s.t.TempDir(), "release"))
	if err != nil {
		return "", err
	}
	assets := filepath.Join(clone, "k8s/services/npm/assets")
	if err := os.MkdirAll(assets, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(assets, "app.css"), []byte("p {color: "+fmt.Sprint(time.Now().Unix())+"}"), 0o644); err != nil {
		return "", err
	}
	tag := fmt.Sprintf("npm/v9.0.%d", time.Now().Unix()) // of this run alone, on a system that is used again
	commit, err := s.tag(ctx, clone, tag)
	if err != nil {
		return "", err
	}
	e, err := s.released(ctx, commit)
	if err != nil {
		return "", err
	}
	if e.Pipeline != "local-services" || e.Status != pipelines.Succeeded || e.Tag != tag {
		return "", fmt.Errorf("%s for %q is %s: %s: %s", e.Pipeline, e.Tag, e.Status, e.Reason, strings.Join(e.LogTail, "\n"))
	}
	ports, err := s.dir.LoadPorts()
	if err != nil {
		return "", err
	}
	if _, err := s.git(ctx, clone, "fetch", "--quiet", ports.URL(layout.Git)+"/manifests.git", "local/npm"); err != nil {
		return "", err
	}
	message, err := s.git(ctx, clone, "log", "-1", "--format=%B", "FETCH_HEAD")
	if err != nil {
		return "", err
	}
	manifest, err := s.git(ctx, clone, "show", "FETCH_HEAD:npm.k8s.yaml")
	if err != nil {
		return "", err
	}
	if !strings.Contains(message, "Source-Commit: "+commit) || !strings.Contains(message, "Source-Tag: "+tag) {
		return "", errors.New("the manifests do not name their source: " + message)
	}
	return took([]pipelines.Shown{e}), s.servedFrom(ctx, manifest)
}

// servedFrom fails unless the static file is where the manifest says.
func (s *system) servedFrom(ctx context.Context, manifest string) error {
	_, rest, _ := strings.Cut(manifest, "name: ASSETS_PREFIX")
	_, rest, _ = strings.Cut(rest, "value: ")
	prefix, _, _ := strings.Cut(rest, "\n")
	c, err := s.aws()
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true })
	bucket := fmt.Sprintf("local-services-assets-%s-%s", deploy.Account, deploy.Region)
	out, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String(strings.TrimSpace(prefix) + "/app.css")})
	if err != nil {
		return fmt.Errorf("the manifest names %q: %w", prefix, err)
	}
	if kind := aws.ToString(out.ContentType); !strings.HasPrefix(kind, "text/css") {
		return fmt.Errorf("app.css is %s", kind)
	}
	return nil
}

func (s *system) badTag(ctx context.Context) (string, error) {
	clone, err := s.fetch(ctx, filepath.Join(s.t.TempDir(), "bad-release"))
	if err != nil {
		return "", err
	}
	tag := fmt.Sprintf("npm/vnext-%d", time.Now().Unix())
	commit, err := s.tag(ctx, clone, tag)
	if err != nil {
		return "", err
	}
	e, err := s.released(ctx, commit)
	if err != nil {
		return "", err
	}
	if said := strings.Join(e.LogTail, "\n"); e.Status != pipelines.Failed || !strings.Contains(said, tag+`": must be <service>/v<major>.<minor>.<patch>`) {
		return "", fmt.Errorf("%s: %s", e.Status, said)
	}
	return e.Reason, nil
}
