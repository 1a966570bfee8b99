//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/local/system/observe"
)

var receivers = schema.GroupVersionResource{Group: "notification.toolkit.fluxcd.io", Version: "v1", Resource: "receivers"}

// gitSource is what tells how Flux learned of a commit.
type gitSource struct {
	// interval between two looks without a webhook.
	interval string
	// requested is when somebody last asked for a look, and handled which of these Flux has done. Nobody but the Receiver asks:
	// neither a poll nor a change of the specification sets it.
	requested, handled string
	revision           string
}

func readSource(ctx context.Context, c *observe.Cluster) (gitSource, error) {
	o, err := c.Dynamic.Resource(sources).Namespace("flux-system").Get(ctx, "flux-system", metav1.GetOptions{})
	if err != nil {
		return gitSource{}, err
	}
	text := func(path ...string) string {
		value, _, _ := unstructured.NestedString(o.Object, path...)
		return value
	}
	return gitSource{
		interval: text("spec", "interval"), requested: o.GetAnnotations()["reconcile.fluxcd.io/requestedAt"],
		handled: text("status", "lastHandledReconcileAt"), revision: text("status", "artifact", "revision"),
	}, nil
}

// woken fails unless the webhook has made Flux fetch a commit since an earlier look.
func woken(ctx context.Context, c *observe.Cluster, before gitSource, commit string) error {
	now, err := readSource(ctx, c)
	switch {
	case err != nil:
		return err
	case now.requested == before.requested:
		return fmt.Errorf("no webhook woke the source: it was last asked for at %q", before.requested)
	case now.handled != now.requested:
		return fmt.Errorf("the source was asked for at %q and has handled %q", now.requested, now.handled)
	case !strings.HasSuffix(now.revision, ":"+commit):
		return fmt.Errorf("the source is at %s, want commit %s", now.revision, commit)
	}
	return nil
}

// slowly makes Flux poll once an hour, and returns how it was before and what takes that back. Nothing else sets the interval
// meanwhile: the source is the cluster stack's and none of Flux's own objects, and no step here deploys that stack.
func (s *system) slowly(ctx context.Context, c *observe.Cluster) (before gitSource, restore func() error, err error) {
	if before, err = readSource(ctx, c); err != nil {
		return before, nil, err
	}
	interval := func(ctx context.Context, value string) error {
		return patch(ctx, c, sources, "flux-system", map[string]any{"spec": map[string]any{"interval": value}})
	}
	return before, func() error { return interval(context.WithoutCancel(ctx), before.interval) }, interval(ctx, "1h")
}

// number is one in a file of the clone, which the steps change and find as the step before has left it.
type number struct {
	file    string
	pattern *regexp.Regexp
}

var (
	// history is how many old ReplicaSets Ghost's Deployment keeps; a change makes no new pod.
	history = number{"k8s/apps/ghost/deployment.yaml", regexp.MustCompile(`(revisionHistoryLimit: )(\d+)`)}
	// uploadDays is for how many days a bucket keeps the parts of an upload that was given up.
	uploadDays = number{"app-resources/bucket.go", regexp.MustCompile(`(AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days\(jsii.Number\()(\d+)`)}
)

// add changes a number in the clone, and returns what it is then.
func (s *system) add(n number, by int) (int, error) {
	path := filepath.Join(s.repo, n.file)
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	all := n.pattern.FindAllSubmatch(raw, -1)
	if len(all) != 1 {
		return 0, fmt.Errorf("%s holds %s %d times, want once", n.file, n.pattern, len(all))
	}
	was, err := strconv.Atoi(string(all[0][2]))
	if err != nil {
		return 0, err
	}
	now := fmt.Sprintf("${1}%d", was+by)
	return was + by, os.WriteFile(path, n.pattern.ReplaceAll(raw, []byte(now)), 0o644)
}

func (s *system) hasHistory(ctx context.Context, want int) error {
	d, err := s.ghostDeployment(ctx)
	if err == nil && int(*d.Spec.RevisionHistoryLimit) != want {
		err = fmt.Errorf("the Deployment keeps %d ReplicaSets, want %d", *d.Spec.RevisionHistoryLimit, want)
	}
	return err
}

func (s *system) wokenByWebhook(ctx context.Context) (said string, err error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	before, restore, err := s.slowly(ctx, c)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, restore()) }()
	sets, err := s.add(history, 1)
	if err != nil {
		return "", err
	}
	began := time.Now()
	if err := s.push(ctx, "Keep one ReplicaSet more"); err != nil {
		return "", err
	}
	took := time.Since(began)
	commit, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
	if err != nil {
		return "", err
	}
	// The push ends when the commit is applied; what Flux writes about the source may come a moment later.
	if err := until(ctx, 5*time.Minute, "the source to say that the webhook woke it", func() error { return woken(ctx, c, before, commit) }); err != nil {
		return "", err
	}
	return fmt.Sprintf("applied %.0f s after the push", took.Seconds()), s.hasHistory(ctx, sets)
}

// notTold is what the Git server says when it gives up.
const notTold = "Flux was not told of the push"

// withoutWebhook suspends the Receiver, which then refuses every event. The source may still be fetched, by a look that was due
// before; but nothing has woken it.
func (s *system) withoutWebhook(ctx context.Context) (said string, err error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	before, restore, err := s.slowly(ctx, c)
	if err != nil {
		return "", err
	}
	suspend := func(ctx context.Context, yes any) error {
		return patch(ctx, c, receivers, "github", map[string]any{"spec": map[string]any{"suspend": yes}})
	}
	undo := func() error { return errors.Join(suspend(context.WithoutCancel(ctx), nil), restore()) }
	defer func() {
		if err != nil {
			err = errors.Join(err, undo())
		}
	}()
	refused, err := s.untold()
	if err == nil {
		err = suspend(ctx, true)
	}
	sets := 0
	if err == nil {
		sets, err = s.add(history, -1)
	}
	if err == nil {
		_, err = s.gitops(ctx, "local", "push", "--message", "Keep one ReplicaSet less", "--no-wait")
	}
	if err != nil {
		return "", err
	}
	if err := until(ctx, 20*time.Minute, "the Git server to give up on the webhook of the release", func() error {
		now, err := s.untold()
		if err == nil && now <= refused {
			err = errors.New("it has not yet")
		}
		return err
	}); err != nil {
		return "", err
	}
	commit, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
	if err != nil {
		return "", err
	}
	proof := woken(ctx, c, before, commit)
	if proof == nil || !strings.Contains(proof.Error(), "no webhook woke the source") {
		return "", fmt.Errorf("without a webhook the proof says: %w", proof)
	}
	// The changed interval makes Flux look, and the pipeline, which waits for it, goes on.
	if err := undo(); err != nil {
		return "", err
	}
	err = until(ctx, 25*time.Minute, "the release to arrive by polling", func() error {
		if _, err := s.ran(ctx, "deploy Succeeded"); err != nil {
			return err
		}
		return s.hasHistory(ctx, sets)
	})
	return proof.Error(), err
}

// untold counts the releases of which the Git server could not tell Flux.
func (s *system) untold() (int, error) {
	raw, err := os.ReadFile(s.dir.Log("git"))
	n := 0
	for line := range strings.Lines(string(raw)) {
		if strings.Contains(line, notTold) && strings.Contains(line, released) {
			n++
		}
	}
	return n, err
}

// patch changes an object in flux-system.
func patch(ctx context.Context, c *observe.Cluster, resource schema.GroupVersionResource, name string, change map[string]any) error {
	raw, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = c.Dynamic.Resource(resource).Namespace("flux-system").Patch(ctx, name, types.MergePatchType, raw, metav1.PatchOptions{})
	return err
}
