package procnode

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// hostIP is the address of the node: the API server reaches the kubelet API there.
const hostIP = "127.0.0.1"

// fieldValue resolves a fieldRef. Pod IPs are given as the address that the pod's processes can listen on.
// https://kubernetes.io/docs/concepts/workloads/pods/downward-api/#available-fields
func fieldValue(pod *corev1.Pod, bind, path string) (string, error) {
	if name, key, ok := subscript(path); ok {
		switch name {
		case "metadata.labels":
			return pod.Labels[key], nil
		case "metadata.annotations":
			return pod.Annotations[key], nil
		}
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return formatMap(pod.Labels), nil
	case "metadata.annotations":
		return formatMap(pod.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return hostIP, nil
	case "status.podIP", "status.podIPs":
		return bind, nil
	}
	return "", fmt.Errorf("fieldRef %s is not supported", path)
}

// subscript splits metadata.labels['key'].
func subscript(path string) (name, key string, ok bool) {
	name, rest, ok := strings.Cut(path, "['")
	if !ok || !strings.HasSuffix(rest, "']") {
		return "", "", false
	}
	return name, strings.TrimSuffix(rest, "']"), true
}

// formatMap writes labels or annotations as a kubelet writes them into a downward API file.
func formatMap(m map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%s=%q\n", k, m[k])
	}
	return b.String()
}

// capacity is what the node offers: enough that the scheduler never says no, because nothing is enforced.
func capacity() corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("1k"),
		corev1.ResourceMemory:           resource.MustParse("4Ti"),
		corev1.ResourceEphemeralStorage: resource.MustParse("10Ti"),
		corev1.ResourcePods:             resource.MustParse("10k"),
	}
}

// resourceValue resolves a resourceFieldRef of a container. A limit that is not set is what the node has, as for a kubelet;
// for the CPU that is the machine's, because programs size their thread pools by it.
func resourceValue(c *corev1.Container, ref *corev1.ResourceFieldSelector) (string, error) {
	kind, name, _ := strings.Cut(ref.Resource, ".")
	key := corev1.ResourceName(name)
	limit, hasLimit := c.Resources.Limits[key]
	q, ok := limit, hasLimit
	switch kind {
	case "requests":
		if r, has := c.Resources.Requests[key]; has {
			q = r
		}
		ok = true // no request: 0
	case "limits":
		if !hasLimit {
			q, ok = capacity()[key]
			if key == corev1.ResourceCPU {
				q = *resource.NewQuantity(int64(runtime.NumCPU()), resource.DecimalSI)
			}
		}
	default:
		ok = false
	}
	if !ok {
		return "", fmt.Errorf("resourceFieldRef %s is not supported", ref.Resource)
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if key == corev1.ResourceCPU {
		return strconv.FormatInt(ceil(q.MilliValue(), divisor.MilliValue()), 10), nil
	}
	return strconv.FormatInt(ceil(q.Value(), divisor.Value()), 10), nil
}

func ceil(a, b int64) int64 {
	if b == 0 {
		return a
	}
	return (a + b - 1) / b
}

// containerNamed finds the container that a resourceFieldRef of a volume names.
func containerNamed(pod *corev1.Pod, name string) (*corev1.Container, error) {
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i], nil
			}
		}
	}
	return nil, fmt.Errorf("resourceFieldRef: no container %q", name)
}
