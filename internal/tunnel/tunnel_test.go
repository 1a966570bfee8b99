package tunnel

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// cluster is an API server with one namespace, whose pods are in a state, and lead to an address that they alone reach.
type cluster struct {
	t       *testing.T
	state   string // of the pod, as JSON
	server  string // behind the pods
	mu      sync.Mutex
	job     *batchv1.Job
	deleted []string
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const all = "/apis/batch/v1/namespaces/orders/jobs"
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method == http.MethodPost && r.URL.Path == all:
		c.job = &batchv1.Job{}
		if err := json.NewDecoder(r.Body).Decode(c.job); err != nil {
			c.t.Error(err)
		}
		c.job.Name = c.job.GenerateName + "x1"
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(c.job)
	case r.Method == http.MethodDelete:
		body, _ := io.ReadAll(r.Body)
		c.deleted = append(c.deleted, strings.TrimPrefix(r.URL.Path, all+"/")+" "+string(body))
		_, _ = io.WriteString(w, `{"kind": "Status", "apiVersion": "v1", "status": "Success"}`)
	case r.Method == http.MethodGet && r.URL.Query().Get("labelSelector") == "batch.kubernetes.io/job-name=gitops-connect-x1":
		items := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod-1"}, "status": %s}`, c.state)
		_, _ = io.WriteString(w, `{"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [`+items+`]}`)
	case r.URL.Path == "/api/v1/namespaces/orders/pods/pod-1/portforward":
		c.forward(w, r)
	default:
		c.t.Errorf("%s %s", r.Method, r.URL)
	}
}

// forward is the server's end of port-forward: https://github.com/kubernetes/design-proposals-archive/blob/main/node/troubleshoot-running-pods.md
func (c *cluster) forward(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
		c.t.Error(err)
		return
	}
	streams := make(chan httpstream.Stream, 8)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error { streams <- s; return nil })
	if conn == nil {
		return
	}
	go func() {
		for {
			select {
			case <-conn.CloseChan():
				return
			case s := <-streams:
				if s.Headers().Get("streamType") != "data" {
					_ = s.Close()
					continue
				}
				if s.Headers().Get("port") != "5432" {
					c.t.Errorf("port %s", s.Headers().Get("port"))
				}
				go c.pipe(s)
			}
		}
	}()
}

func (c *cluster) pipe(s httpstream.Stream) {
	defer s.Reset()
	to, err := net.Dial("tcp", c.server)
	if err != nil {
		c.t.Error(err)
		return
	}
	defer to.Close()
	go func() { _, _ = io.Copy(to, s); _ = to.(*net.TCPConn).CloseWrite() }()
	_, _ = io.Copy(s, to)
	_ = s.Close()
}

// echo answers each connection with what it was sent, in capitals.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var b [5]byte
				if _, err := io.ReadFull(c, b[:]); err == nil {
					_, _ = c.Write(bytes.ToUpper(b[:]))
				}
			}()
		}
	}()
	return l.Addr().String()
}

func start(t *testing.T, state string) (*cluster, *rest.Config) {
	t.Helper()
	c := &cluster{t: t, state: state, server: echo(t)}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, &rest.Config{Host: server.URL}
}

var options = Options{Namespace: "orders", Host: "orders.rds.amazonaws.com", Port: 5432, poll: time.Millisecond}

func TestTunnel(t *testing.T) {
	c, access := start(t, `{"phase": "Running", "containerStatuses": [{"name": "gitops-connect", "ready": true}]}`)
	way, err := Open(t.Context(), access, options)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // clients open several connections
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", way.Port))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "hello"); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); err != nil || string(answer) != "HELLO" {
			t.Errorf("got %q, %v", answer, err)
		}
		_ = conn.Close()
	}
	if err := way.Close(); err != nil {
		t.Error(err)
	}
	if len(c.deleted) != 1 || !strings.HasPrefix(c.deleted[0], "gitops-connect-x1 ") || !strings.Contains(c.deleted[0], `"propagationPolicy":"Background"`) {
		t.Errorf("deleted %q", c.deleted)
	}
	if s := c.job.Spec; *s.ActiveDeadlineSeconds != 3600 || *s.TTLSecondsAfterFinished != 0 || *s.BackoffLimit != 0 {
		t.Errorf("it does not end by itself: %+v", s)
	}
}

// Nothing is left of a pod that does not run.
func TestPodThatDoesNotRun(t *testing.T) {
	for name, c := range map[string]struct{ state, says string }{
		"no image":  {`{"phase": "Pending", "containerStatuses": [{"name": "x", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]}`, "ImagePullBackOff no such image"},
		"no node":   {`{"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]}`, "0/3 nodes are available"},
		"it failed": {`{"phase": "Failed", "containerStatuses": [{"name": "x", "state": {"terminated": {"reason": "Error", "message": "exit 1"}}}]}`, "ended: Error exit 1"},
	} {
		t.Run(name, func(t *testing.T) {
			cl, access := start(t, c.state)
			o := options
			o.Patience = 200 * time.Millisecond
			_, err := Open(t.Context(), access, o)
			if err == nil || !strings.Contains(err.Error(), c.says) || len(cl.deleted) != 1 {
				t.Errorf("%v; deleted %v", err, cl.deleted)
			}
		})
	}
	cl, access := start(t, `{"phase": "Pending"}`)
	ctx, cancel := context.WithCancel(t.Context())
	o := options
	o.Log = writer(func() { cancel() }) // while it waits
	if _, err := Open(ctx, access, o); err == nil || len(cl.deleted) != 1 {
		t.Errorf("interrupted: %v; deleted %v", err, cl.deleted)
	}
}

type writer func()

func (w writer) Write(p []byte) (int, error) { w(); return len(p), nil }

// The namespaces of services take pods of the restricted Pod Security Standard alone.
func TestJobIsRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	template := Job(options).Spec.Template
	level := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	for _, r := range evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec) {
		if !r.Allowed {
			t.Errorf("%s: %s", r.ForbiddenReason, r.ForbiddenDetail)
		}
	}
	if c := template.Spec.Containers[0]; c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() || !strings.Contains(c.Image, "@sha256:") ||
		strings.Join(c.Command, " ") != "tcpsvd -E -c 20 127.0.0.1 5432 nc orders.rds.amazonaws.com 5432" || template.Spec.AutomountServiceAccountToken == nil || *template.Spec.AutomountServiceAccountToken {
		t.Errorf("%+v", c)
	}
	if template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Error(template.Spec.RestartPolicy)
	}
}
