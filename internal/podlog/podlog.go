// Package podlog reads the logs of pods, one after the other or all together as they are written. It asks the API server by HTTP: a
// client with the types of all kinds would be a third of the program.
package podlog

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// Reader reads the logs of the pods of a namespace.
type Reader struct {
	// Namespace and Selector, a label selector, choose the pods.
	Namespace, Selector string
	// Environment is the cluster's, for the remedy of an error.
	Environment string
	// Since is how far the logs go back; zero for the last hundred lines of each container.
	Since time.Duration
	// Poll is the pause between two looks for new pods when following. Default 2 s.
	Poll time.Duration

	base   *url.URL
	client *http.Client
	mu     sync.Mutex // of the output
	wide   bool       // lines begin with the pod and the container
	seen   map[string]bool
}

// Open makes a reader of a cluster's pods. It connects on first use.
func Open(c *rest.Config, namespace, selector string) (*Reader, error) {
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, err
	}
	base, _, err := rest.DefaultServerUrlFor(c)
	return &Reader{Namespace: namespace, Selector: selector, base: base, client: client, seen: map[string]bool{}}, err
}

// Print writes what is there, pod by pod. What has no log yet is said on errs, with its state.
func (r *Reader) Print(ctx context.Context, out, errs io.Writer) error {
	pods, err := r.pods(ctx)
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return fmt.Errorf("namespace %s has no pods; see gitops service status %[1]s --env %s", r.Namespace, r.Environment)
	}
	r.widen(pods)
	for _, p := range pods {
		for _, c := range p.Spec.Containers {
			if err := r.read(ctx, p, c.Name, false, out, errs); err != nil {
				return err
			}
		}
	}
	return nil
}

// Follow writes what is there and then what comes, of all pods, also of those that come later, until the context ends.
func (r *Reader) Follow(ctx context.Context, out, errs io.Writer) error {
	var streams sync.WaitGroup
	defer streams.Wait()
	poll := r.Poll
	if poll == 0 {
		poll = 2 * time.Second
	}
	for said := false; ; {
		pods, err := r.pods(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case len(pods) == 0 && !said:
			fmt.Fprintf(errs, "namespace %s has no pods; waiting for one\n", r.Namespace)
			said = true
		}
		r.widen(pods)
		for _, p := range pods {
			for _, s := range p.Status.ContainerStatuses {
				// A container that starts again has a log of its own.
				key := fmt.Sprint(p.UID, s.Name, s.RestartCount)
				if s.State.Waiting != nil || r.seen[key] {
					continue
				}
				r.seen[key] = true
				streams.Go(func() {
					if err := r.read(ctx, p, s.Name, true, out, errs); err != nil && ctx.Err() == nil {
						fmt.Fprintf(errs, "%s/%s is not followed any more: %v\n", p.Name, s.Name, err)
					}
				})
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(poll):
		}
	}
}

// widen decides whether lines say whose they are: as soon as there are two.
func (r *Reader) widen(pods []corev1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wide = r.wide || len(pods) > 1 || len(pods) == 1 && len(pods[0].Spec.Containers) > 1
}

func (r *Reader) pods(ctx context.Context) ([]corev1.Pod, error) {
	body, err := r.get(ctx, "pods", url.Values{"labelSelector": {r.Selector}})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var list corev1.PodList
	if err := json.NewDecoder(body).Decode(&list); err != nil {
		return nil, fmt.Errorf("pods of namespace %s: %w", r.Namespace, err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return list.Items, nil
}

// read writes the log of one container.
func (r *Reader) read(ctx context.Context, p corev1.Pod, container string, follow bool, out, errs io.Writer) error {
	query := url.Values{"container": {container}, "follow": {strconv.FormatBool(follow)}}
	if r.Since > 0 {
		query.Set("sinceSeconds", strconv.Itoa(max(int(r.Since.Seconds()), 1)))
	} else {
		query.Set("tailLines", "100")
	}
	body, err := r.get(ctx, "pods/"+p.Name+"/log", query)
	if err != nil {
		if waits := state(p, container); waits != "" {
			fmt.Fprintf(errs, "%s/%s has no log: %s\n", p.Name, container, waits)
			return nil
		}
		return err
	}
	defer body.Close()
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(p.Name, container, strings.TrimSuffix(line, "\n"), out)
		}
		if err == io.EOF || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *Reader) line(pod, container, text string, out io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wide {
		text = pod + "/" + container + ": " + text
	}
	fmt.Fprintln(out, text)
}

// state is why a container does not run, if it waits.
func state(p corev1.Pod, container string) string {
	for _, s := range p.Status.ContainerStatuses {
		if s.Name == container && s.State.Waiting != nil {
			return strings.TrimSuffix(s.State.Waiting.Reason+": "+s.State.Waiting.Message, ": ")
		}
	}
	if p.Status.Phase == corev1.PodPending {
		return "the pod is pending"
	}
	return ""
}

// get asks the API server. An error has its words.
func (r *Reader) get(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	address := r.base.JoinPath("api/v1/namespaces", r.Namespace, path)
	address.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close()
	var status metav1.Status
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&status); err != nil || status.Message == "" {
		return nil, fmt.Errorf("namespace %s: the API server answers %s", r.Namespace, response.Status)
	}
	return nil, fmt.Errorf("namespace %s: %s", r.Namespace, status.Message)
}
