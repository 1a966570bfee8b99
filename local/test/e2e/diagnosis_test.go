//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/local/system/observe"
)

// until asks until there is no complaint. The error names what was waited for
// and the last complaint.
func until(ctx context.Context, limit time.Duration, what string, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s, not after %s: %w", what, limit, err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// settled waits until everything is ready, and counts what is.
func (s *system) settled(ctx context.Context) (counted string, err error) {
	err = until(ctx, 15*time.Minute, "everything to be ready", func() (err error) {
		counted, err = s.healthy(ctx)
		return err
	})
	return counted, err
}

// diagnosis is what a person would look at after a failure, so that the log of
// a run on another machine is enough.
func (s *system) diagnosis() string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var b strings.Builder
	section := func(title string, text string, err error) {
		fmt.Fprintf(&b, "\n--- %s\n%s\n", title, strings.TrimSpace(text))
		if err != nil {
			fmt.Fprintf(&b, "(%v)\n", err)
		}
	}
	load, err := os.ReadFile("/proc/loadavg")
	if errors.Is(err, os.ErrNotExist) {
		err = nil // not Linux
	}
	section("load of the machine", string(load), err)
	text, err := s.gitops(ctx, "local", "status")
	section("gitops local status", text, err)
	text, err = s.gitops(ctx, "local", "pipelines", "--lines", "20")
	section("gitops local pipelines", text, err)
	text, err = s.warnings(ctx)
	section("the last warnings of the cluster", text, err)
	for _, name := range s.dir.Logs() {
		raw, err := os.ReadFile(s.dir.Log(name))
		section("the end of "+s.dir.Log(name), lastLines(string(raw), 12), err)
	}
	return b.String()
}

// warnings are the cluster's newest events of that type.
func (s *system) warnings(ctx context.Context) (string, error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	list, err := c.Kube.CoreV1().Events("").List(ctx, metav1.ListOptions{FieldSelector: "type=" + corev1.EventTypeWarning})
	if err != nil {
		return "", err
	}
	when := func(e corev1.Event) time.Time { return cmp.Or(e.LastTimestamp.Time, e.EventTime.Time) }
	slices.SortFunc(list.Items, func(a, b corev1.Event) int { return when(a).Compare(when(b)) })
	var b strings.Builder
	for _, e := range list.Items[max(0, len(list.Items)-20):] {
		o := e.InvolvedObject
		fmt.Fprintf(&b, "%s %s %s/%s: %s: %.300s\n", when(e).Format("15:04:05"), o.Kind, o.Namespace, o.Name, e.Reason, e.Message)
	}
	return b.String(), nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
