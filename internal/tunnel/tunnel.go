// Package tunnel opens a way from this machine to an address that pods of a namespace reach and this machine does not, such as
// that of a database in isolated subnets. Nothing listens but a port of 127.0.0.1 here and one of 127.0.0.1 in a short-lived
// pod; between them is the API server, by its port-forward, as `kubectl port-forward` uses it.
package tunnel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

var (
	jobs = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
	pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
)

// Options say where a tunnel leads, and through which namespace.
type Options struct {
	Namespace, Host string
	Port            int
	// Life ends the pod when nobody did before, because this process was killed. Default 1 h.
	Life time.Duration
	// Patience is how long the pod may take to run. Default 2 min.
	Patience time.Duration
	// Log says what is waited for. Default: nowhere.
	Log io.Writer

	poll time.Duration // between two looks at the pod, default 0.5 s
}

// Tunnel is open until Close.
type Tunnel struct {
	// Port of 127.0.0.1 that leads to the address.
	Port int

	client    dynamic.Interface
	namespace string
	job       string
	stop      chan struct{}
	ended     chan error
}

// Open makes the pod, waits until it runs, and listens on a free port. What it made it removes when it fails.
func Open(ctx context.Context, access *rest.Config, o Options) (*Tunnel, error) {
	// It asks twice a second. A limiter would refuse what comes too close to the deadline, in place of what the pod waits for.
	access = rest.CopyConfig(access)
	access.QPS = -1
	client, err := dynamic.NewForConfig(access)
	if err != nil {
		return nil, err
	}
	o.Life, o.Patience, o.poll = cmp.Or(o.Life, time.Hour), cmp.Or(o.Patience, 2*time.Minute), cmp.Or(o.poll, time.Second/2)
	if o.Log == nil {
		o.Log = io.Discard
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(Job(o))
	if err != nil {
		return nil, err
	}
	made, err := client.Resource(jobs).Namespace(o.Namespace).Create(ctx, &unstructured.Unstructured{Object: object}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("the pod for the connection: %w", err)
	}
	t := &Tunnel{client: client, namespace: o.Namespace, job: made.GetName(), stop: make(chan struct{}), ended: make(chan error, 1)}
	pod, err := t.running(ctx, o)
	if err == nil {
		err = t.forward(ctx, access, pod, o.Port)
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// running waits for the pod of the job.
func (t *Tunnel) running(ctx context.Context, o Options) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Patience)
	defer cancel()
	last := "it does not exist yet"
	for said := false; ; said = true {
		list, err := t.client.Resource(pods).Namespace(t.namespace).List(ctx, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + t.job})
		if err != nil && ctx.Err() == nil {
			return "", err
		}
		if err == nil && len(list.Items) > 0 {
			var pod corev1.Pod
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[0].Object, &pod); err != nil {
				return "", err
			}
			ready, state := look(pod)
			if ready {
				return pod.Name, nil
			}
			last = state
			if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
				return "", fmt.Errorf("the pod for the connection ended: %s", state)
			}
		}
		if !said {
			fmt.Fprintf(o.Log, "a pod in namespace %s opens the way to %s\n", t.namespace, o.Host)
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the pod for the connection does not run: %s: %w; see kubectl -n %s describe job %s", last, ctx.Err(), t.namespace, t.job)
		case <-time.After(o.poll):
		}
	}
}

// look says whether a pod is ready, or what it waits for.
func look(pod corev1.Pod) (bool, string) {
	for _, c := range pod.Status.ContainerStatuses {
		switch {
		case c.Ready:
			return true, ""
		case c.State.Waiting != nil && c.State.Waiting.Reason != "":
			return false, c.State.Waiting.Reason + " " + c.State.Waiting.Message
		case c.State.Terminated != nil:
			return false, c.State.Terminated.Reason + " " + c.State.Terminated.Message
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Status != corev1.ConditionTrue && c.Message != "" {
			return false, c.Message
		}
	}
	return false, string(pod.Status.Phase)
}

// forward listens on a free port of 127.0.0.1.
func (t *Tunnel) forward(ctx context.Context, access *rest.Config, pod string, port int) error {
	transport, upgrader, err := spdy.RoundTripperFor(access)
	if err != nil {
		return err
	}
	base, _, err := rest.DefaultServerUrlFor(access)
	if err != nil {
		return err
	}
	address := base.JoinPath("api/v1/namespaces", t.namespace, "pods", pod, "portforward")
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, address)
	ready := make(chan struct{})
	f, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:" + strconv.Itoa(port)}, t.stop, ready, io.Discard, io.Discard)
	if err != nil {
		return err
	}
	go func() { t.ended <- f.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-t.ended:
		t.ended <- nil // Close waits for it
		return fmt.Errorf("port-forward: %w", err)
	case <-ctx.Done():
		return ctx.Err()
	}
	local, err := f.GetPorts()
	if err != nil {
		return err
	}
	t.Port = int(local[0].Local)
	return nil
}

// Close ends the tunnel and removes the pod, also when the caller's context has ended.
func (t *Tunnel) Close() error {
	close(t.stop)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	background := metav1.DeletePropagationBackground
	err := t.client.Resource(jobs).Namespace(t.namespace).Delete(ctx, t.job, metav1.DeleteOptions{PropagationPolicy: &background, GracePeriodSeconds: new(int64)})
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("the pod for the connection stays until its time is up; remove it with: kubectl -n %s delete job %s: %w", t.namespace, t.job, err)
}

// Job is that of the pod. It removes itself when its time is up.
func Job(o Options) *batchv1.Job {
	life, after, none, no, yes, nobody := int64(o.Life.Seconds()), int32(0), int32(0), false, true, int64(65534)
	port := strconv.Itoa(o.Port)
	labels := map[string]string{"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "gitops"}
	return &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-", Namespace: o.Namespace, Labels: labels},
		Spec: batchv1.JobSpec{
			ActiveDeadlineSeconds: &life, TTLSecondsAfterFinished: &after, BackoffLimit: &none,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
					TerminationGracePeriodSeconds: new(int64),
					SecurityContext: &corev1.PodSecurityContext{
						RunAsNonRoot: &yes, RunAsUser: &nobody, RunAsGroup: &nobody,
						SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
					},
					Containers: []corev1.Container{{
						Name: name, Image: Image,
						// It listens on the pod's loopback, which port-forward enters and no other pod does.
						Command: []string{"tcpsvd", "-E", "-c", "20", "127.0.0.1", port, "nc", o.Host, port},
						ReadinessProbe: &corev1.Probe{
							ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "netstat -ltn | grep -q ':" + port + " '"}}},
							PeriodSeconds: 1,
						},
						Resources: resources,
						SecurityContext: &corev1.SecurityContext{
							AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
						},
					}},
				},
			},
		},
	}
}
