package procnode

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/util/workqueue"
)

// reportQueue holds the pods whose status is to be written. Statuses go out as strategic merge patches, as a kubelet's do,
// and not by virtual-kubelet, which replaces the whole object: that loses conditions that others set and brings back labels
// and finalizers that were changed in between.
type reportQueue = workqueue.TypedRateLimitingInterface[*pod]

func newReportQueue() reportQueue {
	return workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[*pod](20*time.Millisecond, 10*time.Second))
}

// reportWorkers write statuses until the queue is shut down.
func (p *provider) reportWorkers(ctx context.Context, n int) {
	for range n {
		go func() {
			for {
				x, shutdown := p.reports.Get()
				if shutdown {
					return
				}
				if err := x.report(ctx); err != nil && ctx.Err() == nil {
					p.log.Warn("status not written, trying again", "pod", x.namespace+"/"+x.name, "error", err)
					p.reports.AddRateLimited(x)
				} else {
					p.reports.Forget(x)
				}
				p.reports.Done(x)
			}
		}()
	}
}

// report writes the pod's status if it differs from what the API has.
func (x *pod) report(ctx context.Context) error {
	x.reportMu.Lock()
	defer x.reportMu.Unlock()
	before := x.known()
	after := x.computeStatus(before)
	patch, err := statusPatch(x.uid, before, &after)
	if err != nil || patch == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := x.node.client.CoreV1().Pods(x.namespace).Patch(ctx, x.name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err): // gone, or another pod of the same name
		return nil
	case err != nil:
		return err
	}
	x.reported, x.reportedAt = &out.Status, out.ResourceVersion
	return nil
}

// overruled reports whether somebody else has changed whether the pod is ready since that was reported last, and takes it for what
// the API has. The control plane does so with all pods of a node that is late, and leaves it to the node to correct it.
func (x *pod) overruled(now *corev1.Pod) bool {
	x.reportMu.Lock()
	defer x.reportMu.Unlock()
	if x.reported == nil {
		return false
	}
	mine, its := conditionOf(x.reported.Conditions, corev1.PodReady), conditionOf(now.Status.Conditions, corev1.PodReady)
	if mine == nil || its == nil || mine.Status == its.Status {
		return false
	}
	// What was reported meanwhile may not have come back yet.
	if newer, err := resourceversion.CompareResourceVersion(now.ResourceVersion, x.reportedAt); err != nil || newer <= 0 {
		return false
	}
	x.reported, x.reportedAt = now.Status.DeepCopy(), now.ResourceVersion
	return true
}

// known is the status that the API has: the last that was written, with the conditions that others set since.
func (x *pod) known() *corev1.PodStatus {
	base := x.reported
	if base == nil {
		base = &x.object().Status
	}
	out := base.DeepCopy()
	if cur := x.node.current(x.namespace, x.name, x.uid); cur != nil {
		var own []corev1.PodCondition
		for _, t := range ownConditions {
			if c := conditionOf(out.Conditions, t); c != nil {
				own = append(own, *c)
			}
		}
		out.Conditions = append(foreign(cur.Status.Conditions), own...)
	}
	return out
}

// statusPatch is nil when nothing differs. The UID makes the API server refuse it for another pod of the same name.
func statusPatch(uid string, before, after *corev1.PodStatus) ([]byte, error) {
	a, err := json.Marshal(corev1.Pod{Status: *before})
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(corev1.Pod{Status: *after})
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(a, b, corev1.Pod{})
	if err != nil || string(patch) == "{}" {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal(patch, &m); err != nil {
		return nil, err
	}
	m["metadata"] = map[string]any{"uid": uid}
	return json.Marshal(m)
}
