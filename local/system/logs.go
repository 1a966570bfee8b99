package system

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/local/system/observe"
)

// LogOptions change what Logs shows.
type LogOptions struct {
	// Follow goes on until the context ends.
	Follow bool
	// Lines is how many of the last lines are shown first; all when negative.
	Lines int
	// Previous shows a pod's run before its last restart.
	Previous bool
}

// Logs writes the log of a process, of a step of `up`, or of a pod. A pod is
// named by its name, or by the beginning of it (source-controller),
// with its namespace before a slash where that is not enough.
func (s *System) Logs(ctx context.Context, name string, o LogOptions, out io.Writer) error {
	if !s.Dir.Ours() {
		return fmt.Errorf("no local system in %s: run `gitops local up`", s.Dir.Root)
	}
	if slices.Contains(s.Dir.Logs(), name) {
		return tailFile(ctx, s.Dir.Log(name), o, out)
	}
	pods, err := s.pods(ctx, name)
	if err != nil || len(pods) == 0 {
		known, _ := s.LogNames(ctx)
		return errors.Join(err, fmt.Errorf("no log %q: it is one of %s", name, strings.Join(known, ", ")))
	}
	return s.podLogs(ctx, pods, o, out)
}

// LogNames lists what Logs knows: processes and steps, then pods.
func (s *System) LogNames(ctx context.Context) ([]string, error) {
	if !s.Dir.Ours() {
		return nil, fmt.Errorf("no local system in %s: run `gitops local up`", s.Dir.Root)
	}
	names := s.Dir.Logs()
	pods, err := s.pods(ctx, "")
	for _, p := range pods {
		names = append(names, p.Namespace+"/"+p.Name)
	}
	return names, err
}

func (s *System) pods(ctx context.Context, name string) ([]corev1.Pod, error) {
	if _, err := s.running(); err != nil {
		return nil, nil //nolint:nilerr // a stopped system has no pods
	}
	c, err := observe.Open(s.Dir.Kubeconfig())
	if err != nil {
		return nil, err
	}
	namespace, pod, ok := strings.Cut(name, "/")
	if !ok {
		namespace, pod = "", name
	}
	list, err := c.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		return p.Name != pod && !strings.HasPrefix(p.Name, pod+"-") && pod != ""
	}), nil
}

func (s *System) podLogs(ctx context.Context, pods []corev1.Pod, o LogOptions, out io.Writer) error {
	c, err := observe.Open(s.Dir.Kubeconfig())
	if err != nil {
		return err
	}
	lines := make(chan string)
	ended := make(chan error)
	streams := 0
	for _, p := range pods {
		for _, container := range p.Spec.Containers {
			options := &corev1.PodLogOptions{Container: container.Name, Follow: o.Follow, Previous: o.Previous}
			if o.Lines >= 0 {
				n := int64(o.Lines)
				options.TailLines = &n
			}
			prefix := ""
			if len(pods) > 1 || len(p.Spec.Containers) > 1 {
				prefix = p.Name + " "
			}
			streams++
			go func() { ended <- stream(ctx, c, p, options, prefix, lines) }()
		}
	}
	var all []error
	for streams > 0 {
		select {
		case l := <-lines:
			if _, err := io.WriteString(out, l); err != nil {
				return err
			}
		case err := <-ended:
			streams--
			if ctx.Err() == nil {
				all = append(all, err)
			}
		}
	}
	return errors.Join(all...)
}

func stream(ctx context.Context, c *observe.Cluster, p corev1.Pod, o *corev1.PodLogOptions, prefix string, lines chan<- string) error {
	r, err := c.Kube.CoreV1().Pods(p.Namespace).GetLogs(p.Name, o).Stream(ctx)
	if err != nil {
		return fmt.Errorf("pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	defer r.Close()
	for in := bufio.NewReader(r); ; {
		line, err := in.ReadString('\n')
		if line != "" {
			select {
			case lines <- prefix + strings.TrimSuffix(line, "\n") + "\n":
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// tailFile writes the last lines of a file and, to follow it, what is added.
func tailFile(ctx context.Context, path string, o LogOptions, out io.Writer) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such log yet", path)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	if _, err := out.Write(lastLines(text, o.Lines)); err != nil || !o.Follow {
		return err
	}
	at := int64(len(text))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.Size() < at { // rotated: the file was truncated
			if at, err = f.Seek(0, io.SeekStart); err != nil {
				return err
			}
		}
		n, err := io.Copy(out, f)
		if err != nil {
			return err
		}
		at += n
	}
}

func lastLines(text []byte, n int) []byte {
	if n < 0 {
		return text
	}
	end := len(bytes.TrimSuffix(text, []byte("\n")))
	for i := end; n > 0; n-- {
		i = bytes.LastIndexByte(text[:i], '\n')
		if i < 0 {
			return text
		}
		if n == 1 {
			return text[i+1:]
		}
	}
	return nil
}
