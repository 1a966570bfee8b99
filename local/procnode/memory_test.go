package procnode

import (
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestMemoryLimit(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("enforced on Linux alone")
	}
	limited := func(script, memory string) corev1.Container {
		c := sh("a", script)
		c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(memory)}
		return c
	}
	const grow = `x=$(head -c 60000000 /dev/zero | tr '\0' a); while :; do sleep 0.1; done`
	n := newTestNode(t)
	grows := limited(grow, "32Mi")
	n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{grows}}, corev1.PodStatus{})
	s := n.wait("Failed", func(s corev1.PodStatus) bool { return s.Phase == corev1.PodFailed })
	if end := s.ContainerStatuses[0].State.Terminated; end == nil || end.Reason != "OOMKilled" || end.ExitCode != 137 {
		t.Errorf("got %+v, want OOMKilled, 137", s.ContainerStatuses[0].State)
	}

	n = newTestNode(t)
	ends := limited("sleep 3; exit 3", "32Mi")
	n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{ends}}, corev1.PodStatus{})
	s = n.wait("Failed", func(s corev1.PodStatus) bool { return s.Phase == corev1.PodFailed })
	if end := s.ContainerStatuses[0].State.Terminated; end == nil || end.Reason != "Error" || end.ExitCode != 3 {
		t.Errorf("got %+v, want its own error, 3", s.ContainerStatuses[0].State)
	}
}
