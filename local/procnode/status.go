package procnode

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ownConditions are the conditions that a kubelet sets; all others belong to whoever set them.
var ownConditions = []corev1.PodConditionType{corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady}

func (c *container) status() corev1.ContainerStatus {
	started := c.started
	s := corev1.ContainerStatus{
		Name: c.name, Image: c.spec.Image, State: *c.state.DeepCopy(), LastTerminationState: *c.last.DeepCopy(),
		Ready: c.ready, Started: &started, RestartCount: c.runs,
	}
	if c.launched || c.finished {
		s.ImageID, s.ContainerID = "process://"+c.spec.Image, c.id()
	} else if c.last.Terminated != nil { // between two runs, or pulling: the last container that was
		s.ImageID, s.ContainerID = "process://"+c.spec.Image, c.last.Terminated.ContainerID
		s.RestartCount = max(c.runs-1, 0)
	}
	return s
}

// computeStatus is the pod's present status. before is what the API has; conditions of others are kept from it.
func (x *pod) computeStatus(before *corev1.PodStatus) corev1.PodStatus {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := *before.DeepCopy()
	start := x.started
	s.StartTime, s.ObservedGeneration = &start, x.api.Generation
	s.HostIP, s.HostIPs = hostIP, []corev1.HostIP{{IP: hostIP}}
	s.PodIP, s.PodIPs = x.ip, []corev1.PodIP{{IP: x.ip}}
	s.InitContainerStatuses, s.ContainerStatuses = nil, nil
	for _, c := range x.inits {
		s.InitContainerStatuses = append(s.InitContainerStatuses, c.status())
	}
	for _, c := range x.mains {
		s.ContainerStatuses = append(s.ContainerStatuses, c.status())
	}
	s.Phase = x.phase()
	s.Reason, s.Message = "", ""
	if x.failure != nil {
		s.Reason, s.Message = x.failure.reason, x.failure.message
	}
	s.Conditions = x.conditions(before.Conditions, s.Phase)
	return s
}

// phase is https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase.
func (x *pod) phase() corev1.PodPhase {
	begun, ended, failed := false, true, false
	for _, c := range x.mains {
		begun = begun || c.state.Running != nil || c.last.Terminated != nil || c.state.Terminated != nil
		ended = ended && c.finished
		failed = failed || c.state.Terminated != nil && c.state.Terminated.ExitCode != 0
	}
	switch {
	case x.failure != nil && (x.failure.reason == "" || ended):
		return corev1.PodFailed
	case ended && failed:
		return corev1.PodFailed
	case ended:
		return corev1.PodSucceeded
	case begun:
		return corev1.PodRunning
	}
	return corev1.PodPending
}

func (x *pod) conditions(before []corev1.PodCondition, phase corev1.PodPhase) []corev1.PodCondition {
	out := foreign(before)
	unready := unreadyContainers(append(slices.Clone(x.mains), x.sidecars()...))
	containers := corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionTrue}
	switch {
	case phase == corev1.PodSucceeded:
		containers.Status, containers.Reason = corev1.ConditionFalse, "PodCompleted"
	case phase == corev1.PodFailed:
		containers.Status, containers.Reason = corev1.ConditionFalse, "PodFailed"
	case len(unready) > 0:
		containers.Status, containers.Reason = corev1.ConditionFalse, "ContainersNotReady"
		containers.Message = fmt.Sprintf("containers with unready status: [%s]", strings.Join(unready, " "))
	}
	ready := containers
	ready.Type = corev1.PodReady
	if missing := missingGates(x.api.Spec.ReadinessGates, out); ready.Status == corev1.ConditionTrue && len(missing) > 0 {
		ready.Status, ready.Reason, ready.Message = corev1.ConditionFalse, "ReadinessGatesNotReady", strings.Join(missing, ", ")
	}
	initialized := corev1.PodCondition{Type: corev1.PodInitialized, Status: corev1.ConditionTrue}
	if !x.initialized && len(x.inits) > 0 {
		initialized.Status, initialized.Reason = corev1.ConditionFalse, "ContainersNotInitialized"
	}
	for _, c := range []corev1.PodCondition{initialized, containers, ready} {
		c.LastTransitionTime, c.ObservedGeneration = now(), x.api.Generation
		if old := conditionOf(before, c.Type); old != nil && old.Status == c.Status {
			c.LastTransitionTime = old.LastTransitionTime
		}
		out = append(out, c)
	}
	return out
}

func (x *pod) sidecars() (out []*container) {
	for _, c := range x.inits {
		if c.kind == sidecar {
			out = append(out, c)
		}
	}
	return out
}

func unreadyContainers(all []*container) (names []string) {
	for _, c := range all {
		if !c.ready {
			names = append(names, c.name)
		}
	}
	return names
}

// missingGates says which readiness gates are not met
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate).
func missingGates(gates []corev1.PodReadinessGate, conditions []corev1.PodCondition) (out []string) {
	for _, g := range gates {
		switch c := conditionOf(conditions, g.ConditionType); {
		case c == nil:
			out = append(out, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", g.ConditionType))
		case c.Status != corev1.ConditionTrue:
			out = append(out, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %s", g.ConditionType, c.Status))
		}
	}
	return out
}

func conditionOf(list []corev1.PodCondition, t corev1.PodConditionType) *corev1.PodCondition {
	for i := range list {
		if list[i].Type == t {
			return &list[i]
		}
	}
	return nil
}

// foreign are the conditions of others.
func foreign(list []corev1.PodCondition) (out []corev1.PodCondition) {
	for _, c := range list {
		if !slices.Contains(ownConditions, c.Type) {
			out = append(out, c)
		}
	}
	return out
}
