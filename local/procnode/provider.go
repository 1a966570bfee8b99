package procnode

import (
	"context"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/errdefs"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
)

// provider is what virtual-kubelet's pod controller drives: it makes, changes and removes pods.
type provider struct {
	cfg              Config
	log              *slog.Logger
	client           kubernetes.Interface
	apiServer        string // URL
	apiHost, apiPort string
	images           *images
	sources          sources
	identity         *podIdentity // nil: off
	events           record.EventRecorder
	lister           listers.PodLister // pods of this node
	reports          reportQueue
	addresses        *addresses
	loopback         string // the first two octets of the pods' loopback addresses, with a trailing dot
	memory           memory

	mu   sync.Mutex
	pods map[string]*pod // by namespace/name
}

// forcedGrace is what processes have whose pod is out of the API already.
const forcedGrace = 2 * time.Second

func key(namespace, name string) string { return namespace + "/" + name }

func (p *provider) get(namespace, name string) *pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pods[key(namespace, name)]
}

// current is the pod as the API has it now, nil when it is gone or another.
func (p *provider) current(namespace, name, uid string) *corev1.Pod {
	cur, err := p.lister.Pods(namespace).Get(name)
	if err != nil || string(cur.UID) != uid {
		return nil
	}
	return cur
}

// NotifyPods would have virtual-kubelet write statuses; reportQueue does that.
func (p *provider) NotifyPods(context.Context, func(*corev1.Pod)) {}

// CreatePod starts a pod. It never fails: what is missing shows in the pod's status and is waited for.
func (p *provider) CreatePod(_ context.Context, in *corev1.Pod) error {
	p.mu.Lock()
	old := p.pods[key(in.Namespace, in.Name)]
	if old != nil && old.uid == string(in.UID) {
		p.mu.Unlock()
		return nil
	}
	x := newPod(p, in, p.addresses.take(in))
	p.pods[key(in.Namespace, in.Name)] = x
	p.mu.Unlock()
	if old != nil { // removed from the API by force while it ran
		go p.remove(old, forcedGrace)
	}
	go x.run()
	return nil
}

// UpdatePod is called when labels, annotations, tolerations or images change.
func (p *provider) UpdatePod(ctx context.Context, in *corev1.Pod) error {
	x := p.get(in.Namespace, in.Name)
	if x == nil || x.uid != string(in.UID) {
		return p.CreatePod(ctx, in)
	}
	x.mu.Lock()
	x.api = in
	var restart []*container
	for i, c := range x.mains {
		if i < len(in.Spec.Containers) && c.spec.Image != in.Spec.Containers[i].Image {
			restart = append(restart, c)
			c.spec = &in.Spec.Containers[i]
		}
	}
	x.mu.Unlock()
	for _, c := range restart {
		if !c.simulated {
			x.event(corev1.EventTypeNormal, "Killing", "Container %s definition changed, will be restarted", c.name)
			c.endRun(&endRun{reason: "image changed"})
		}
	}
	x.changed()
	return nil
}

// DeletePod ends a pod. It returns at once; the API object goes when nothing runs any more.
func (p *provider) DeletePod(_ context.Context, in *corev1.Pod) error {
	x := p.get(in.Namespace, in.Name)
	if x == nil || x.uid != string(in.UID) {
		go p.deleteObject(in.Namespace, in.Name, string(in.UID))
		return errdefs.NotFound("pod not found")
	}
	grace := podGrace(in)
	if s := in.DeletionGracePeriodSeconds; s != nil {
		grace = time.Duration(*s) * time.Second
	}
	if p.current(in.Namespace, in.Name, x.uid) == nil { // by force, or virtual-kubelet's short cut for pods without a running container
		grace = min(grace, forcedGrace)
	}
	x.beginStop(grace, true)
	go p.remove(x, grace)
	return nil
}

// remove waits for the end of a pod and takes it out of the node and the API. virtual-kubelet alone would keep the API object
// until the whole grace is over.
func (p *provider) remove(x *pod, grace time.Duration) {
	x.removal.Do(func() {
		x.stop(grace, true)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if x.processes || p.finalized(x) {
			if err := x.report(ctx); err != nil {
				p.log.Warn("last status not written", "pod", key(x.namespace, x.name), "error", err)
			}
		}
		p.forget(x)
		p.deleteObject(x.namespace, x.name, x.uid)
		if err := os.RemoveAll(x.dir); err != nil {
			p.log.Warn("pod directory not removed", "dir", x.dir, "error", err)
		}
	})
}

// finalized says whether someone wants to see the pod's end before it goes.
func (p *provider) finalized(x *pod) bool {
	cur := p.current(x.namespace, x.name, x.uid)
	return cur != nil && len(cur.Finalizers) > 0
}

func (p *provider) forget(x *pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pods[key(x.namespace, x.name)] == x {
		delete(p.pods, key(x.namespace, x.name))
	}
	p.addresses.free(x.ip)
}

func (p *provider) deleteObject(namespace, name, uid string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	o := metav1.NewDeleteOptions(0)
	o.Preconditions = metav1.NewUIDPreconditions(uid)
	_ = p.client.CoreV1().Pods(namespace).Delete(ctx, name, *o) // gone, or left to virtual-kubelet's own deletion
}

// stopAll ends every process within the grace and leaves the API as it is: the next node continues the pods.
func (p *provider) stopAll(grace time.Duration) {
	var wg sync.WaitGroup
	p.mu.Lock()
	for _, x := range p.pods {
		wg.Go(func() { x.stop(grace, false) })
	}
	p.mu.Unlock()
	wg.Wait()
}

// GetPod returns a pod of the node with its metadata and specification. A pod of the same name that the API no longer has is
// not given out, so that its successor is made.
func (p *provider) GetPod(_ context.Context, namespace, name string) (*corev1.Pod, error) {
	x := p.get(namespace, name)
	if x == nil {
		return nil, errdefs.NotFound("pod not found")
	}
	if cur, err := p.lister.Pods(namespace).Get(name); err == nil && string(cur.UID) != x.uid {
		return nil, errdefs.NotFound("pod not found")
	}
	return x.object().DeepCopy(), nil
}

// GetPodStatus returns a pod's present status.
func (p *provider) GetPodStatus(_ context.Context, namespace, name string) (*corev1.PodStatus, error) {
	x := p.get(namespace, name)
	if x == nil {
		return nil, errdefs.NotFound("pod not found")
	}
	s := x.computeStatus(&x.object().Status)
	return &s, nil
}

// GetPods returns every pod of the node.
func (p *provider) GetPods(context.Context) ([]*corev1.Pod, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]*corev1.Pod, 0, len(p.pods))
	for _, x := range p.pods {
		o := x.object().DeepCopy()
		o.Status = x.computeStatus(&o.Status)
		out = append(out, o)
	}
	return out, nil
}

// watch follows what virtual-kubelet does not: conditions that others set, for readiness gates and over the node's, and the removal of pods that
// had ended before the node started.
func (p *provider) watch() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(a, b any) {
			before, after := a.(*corev1.Pod), b.(*corev1.Pod)
			x := p.get(after.Namespace, after.Name)
			if x == nil || x.uid != string(after.UID) {
				return
			}
			gates := len(after.Spec.ReadinessGates) > 0 && !reflect.DeepEqual(foreign(before.Status.Conditions), foreign(after.Status.Conditions))
			if x.overruled(after) || gates {
				x.changed()
			}
		},
		DeleteFunc: func(o any) {
			if gone, ok := o.(*corev1.Pod); ok && p.get(gone.Namespace, gone.Name) == nil {
				p.removeDir(string(gone.UID))
			}
		},
	}
}

// sweep removes the directories of pods that the API no longer has.
func (p *provider) sweep(known []*corev1.Pod) error {
	entries, err := os.ReadDir(p.cfg.Root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && !slices.ContainsFunc(known, func(o *corev1.Pod) bool { return string(o.UID) == e.Name() }) {
			p.removeDir(e.Name())
		}
	}
	return nil
}
