//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/local/system/observe"
)

var helmReleases = schema.GroupVersionResource{Group: "helm.toolkit.fluxcd.io", Version: "v2", Resource: "helmreleases"}

// wedgedHelm leaves the newest release of external-dns as a controller does that was killed in the middle of an upgrade: pending,
// which Helm itself takes for a lock and refuses to touch. helm-controller unlocks it and upgrades.
func (s *system) wedgedHelm(ctx context.Context) (string, error) {
	const namespace, name = "external-dns", "external-dns"
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	secret, err := newestRelease(ctx, c, namespace, name)
	if err != nil {
		return "", err
	}
	version := secret.Labels["version"]
	secret.Labels["status"] = "pending-upgrade"
	if secret.Data["release"], err = withStatus(secret.Data["release"], "pending-upgrade"); err != nil {
		return "", err
	}
	if _, err := c.Kube.CoreV1().Secrets(namespace).Update(ctx, secret, metav1.UpdateOptions{}); err != nil {
		return "", err
	}
	began := time.Now()
	ask := fmt.Sprintf(`{"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": %q}}}`, began.Format(time.RFC3339Nano))
	if _, err := c.Dynamic.Resource(helmReleases).Namespace(namespace).Patch(ctx, name, types.MergePatchType, []byte(ask), metav1.PatchOptions{}); err != nil {
		return "", err
	}
	now := ""
	if err := until(ctx, 15*time.Minute, "helm-controller to take the release up", func() error {
		newest, err := newestRelease(ctx, c, namespace, name)
		if err != nil {
			return err
		}
		if now = newest.Labels["version"]; newest.Labels["status"] != "deployed" {
			return fmt.Errorf("version %s is %s", now, newest.Labels["status"])
		}
		_, err = s.healthy(ctx)
		return err
	}); err != nil {
		return "", err
	}
	return fmt.Sprintf("version %s was pending-upgrade, version %s is deployed %.0f s after Flux looked", version, now, time.Since(began).Seconds()), nil
}

// newestRelease is Helm's record of the last version of a release.
func newestRelease(ctx context.Context, c *observe.Cluster, namespace, name string) (*corev1.Secret, error) {
	list, err := c.Kube.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{LabelSelector: "owner=helm,name=" + name})
	if err != nil {
		return nil, err
	}
	var newest *corev1.Secret
	most := 0
	for i := range list.Items {
		if v, err := strconv.Atoi(list.Items[i].Labels["version"]); err == nil && v > most {
			most, newest = v, &list.Items[i]
		}
	}
	if newest == nil {
		return nil, fmt.Errorf("Helm has no release %s in %s", name, namespace)
	}
	return newest, nil
}

// withStatus changes the status in Helm's record of a release: base64 of gzip of JSON.
// https://github.com/helm/helm/blob/v4.2.2/pkg/storage/driver/util.go
func withStatus(record []byte, status string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(string(record))
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	if raw, err = io.ReadAll(r); err != nil {
		return nil, err
	}
	var release map[string]json.RawMessage
	var info map[string]any
	if err := errors.Join(json.Unmarshal(raw, &release), json.Unmarshal(release["info"], &info)); err != nil {
		return nil, err
	}
	info["status"] = status
	if release["info"], err = json.Marshal(info); err == nil {
		raw, err = json.Marshal(release)
	}
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(raw); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return []byte(base64.StdEncoding.EncodeToString(out.Bytes())), nil
}

// fullDisk puts a file system without room where source-controller keeps what it has fetched, and sends a commit. Flux and status
// say what is wrong; with room again the commit arrives.
func (s *system) fullDisk(ctx context.Context) (said string, err error) {
	if os.Geteuid() != 0 {
		return "not run: only root may mount a file system", nil
	}
	data, err := s.sourceData(ctx)
	if err != nil {
		return "", err
	}
	mount := func(args ...string) error {
		out, err := exec.CommandContext(context.WithoutCancel(ctx), args[0], args[1:]...).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%v: %w: %s", args, err, out)
		}
		return err
	}
	if err := mount("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", data); err != nil {
		return "not run: this machine lets nobody mount a file system: " + err.Error(), nil
	}
	full := true
	empty := func() error {
		if !full {
			return nil
		}
		full = false
		return mount("umount", "--lazy", data)
	}
	defer func() { err = errors.Join(err, empty()) }()
	sets, days, err := s.moreOfBoth()
	if err != nil {
		return "", err
	}
	load := s.startLoad(ctx)
	commit, err := s.sent(ctx, "Without room on the disk")
	cause := ""
	if err == nil {
		cause, err = s.saysFull(ctx, commit)
	}
	if err == nil {
		err = empty()
	}
	back := time.Now()
	if err == nil {
		err = s.arrives(ctx, commit, sets, days, "no space left on device", &said)
	}
	total, failed := load()
	if err == nil && len(failed) > 0 {
		err = fmt.Errorf("%d of %d requests failed: %s", len(failed), total, failed[0])
	}
	return fmt.Sprintf("status says %.160q%s; both halves %.0f s after there was room; %d requests, %d failed", cause, said, time.Since(back).Seconds(), total, len(failed)), err
}

// saysFull waits until status says of a commit why it does not arrive.
func (s *system) saysFull(ctx context.Context, commit string) (cause string, err error) {
	err = until(ctx, 30*time.Minute, "status to say that the disk is full", func() error {
		now, err := s.where(ctx, commit)
		if now == nil {
			return err
		}
		for _, o := range now.Objects {
			if o.Kind == "GitRepository" && strings.Contains(o.Message, "no space left on device") {
				cause = o.Message
				return nil
			}
		}
		return fmt.Errorf("it says that %.8s is %s: %s", commit, now.State, now.Cause)
	})
	return cause, err
}

// sourceData is where source-controller's volume is on this machine.
func (s *system) sourceData(ctx context.Context) (string, error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	pods, err := c.Kube.CoreV1().Pods("flux-system").List(ctx, metav1.ListOptions{LabelSelector: "app=source-controller"})
	if err != nil {
		return "", err
	}
	if len(pods.Items) != 1 {
		return "", fmt.Errorf("%d pods of source-controller, want 1", len(pods.Items))
	}
	pod := s.dir.Path("pods", string(pods.Items[0].UID))
	found := ""
	err = filepath.WalkDir(pod, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "gitrepository" {
			found = filepath.Dir(path)
			return filepath.SkipAll
		}
		return err
	})
	if err == nil && found == "" {
		err = fmt.Errorf("source-controller keeps no repository below %s", pod)
	}
	return found, err
}

// pushesAtOnce is the scenario's step, from whatever state the system is in.
func (s *system) pushesAtOnce(ctx context.Context) (string, error) {
	if s.isBoth(ctx, true, 2) != nil {
		if err := s.both(true, 1, 2); err != nil {
			return "", err
		}
		if err := s.push(ctx, "Two replicas and a standby database"); err != nil {
			return "", err
		}
	}
	return s.twoMerges(ctx)
}
