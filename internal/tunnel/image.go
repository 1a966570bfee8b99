package tunnel

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// name is that of the container, and begins that of the job. It is no label by which a Service finds its pods.
const name = "gitops-connect"

// Image has tcpsvd and nc: https://hub.docker.com/_/busybox. The digest is that of the index of all architectures.
const Image = "docker.io/library/busybox:1.37.0@sha256:9db7b59979c38555a39def84a31fb98b5296952f9e3afd4f6f11f05b07adfab0"

// resources are enough for the twenty connections that it takes.
var resources = corev1.ResourceRequirements{
	Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
	Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
}
