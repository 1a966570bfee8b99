package procnode

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// When a node is late, the control plane says of all its pods that they are not ready. They stayed so for ever, as if the node had
// nothing new to report.
func TestReadyAgainAfterTheControlPlaneSaidNo(t *testing.T) {
	n := newTestNode(t)
	n.create(corev1.PodSpec{Containers: []corev1.Container{sh("a", "sleep 600")}}, corev1.PodStatus{})
	n.wait("ready", ready)
	x := n.get("ns", "pod")
	x.reportMu.Lock()
	x.reportedAt = "5"
	x.reportMu.Unlock()

	before, err := n.client.CoreV1().Pods("ns").Get(t.Context(), "pod", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	late := before.DeepCopy()
	conditionOf(late.Status.Conditions, corev1.PodReady).Status = corev1.ConditionFalse
	late.ResourceVersion = "4"
	n.watch().OnUpdate(before, late)
	x.reportMu.Lock()
	if !ready(*x.reported) {
		t.Error("an older state was taken for the present one")
	}
	x.reportMu.Unlock()
	if _, err := n.client.CoreV1().Pods("ns").UpdateStatus(t.Context(), late, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	late.ResourceVersion = "6"
	n.watch().OnUpdate(before, late)
	n.wait("ready again", ready)
}
