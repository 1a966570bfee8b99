// Package procnode is a Kubernetes node whose pods are processes of this machine.
//
// It stands in for the kubelet, the container runtime, kube-proxy, cluster DNS and the pod network, so that unmodified
// manifests and charts run without a container engine and without root. An image table says which program of the host
// stands for which image; an image that is not in the table is simulated: its containers are Ready without a process, and
// complete at once where the pod is not meant to run for ever (Jobs, init containers).
//
// What is kept: init containers and native sidecars, restart policies, startup/readiness/liveness probes (HTTP, HTTPS, TCP,
// exec, gRPC), postStart and preStop hooks, termination grace, CrashLoopBackOff, ErrImagePull for an unknown tag of a known
// repository, CreateContainerConfigError for a missing Secret, readiness gates, projected ServiceAccount tokens bound to the
// pod, Secret/ConfigMap/downward volumes that follow changes, emptyDir, subPath, EKS Pod Identity, logs, exec, port-forward.
//
// What is not:
//
//   - There is no mount namespace. Mount paths are replaced by their place on the host in arguments and in values of
//     variables; a path compiled into a program is not found. Volumes other than emptyDir, Secret, ConfigMap, downward
//     API and projected are refused by name.
//   - NetworkPolicy is not enforced: every pod reaches every other.
//   - Resource requests and limits of CPU are not enforced; they only resolve in resourceFieldRef. A limit of memory is, on
//     Linux: a container whose processes use more, by a look each second, ends as OOMKilled.
//   - securityContext is not enforced: runAsNonRoot, runAsUser, readOnlyRootFilesystem, capabilities, seccomp. Everything
//     runs as the user who started the node.
//   - There is no kube-proxy and no cluster DNS. A pod reaches Services, ClusterIPs and pod IPs through the gate, an HTTP
//     forward proxy named by HTTP_PROXY and HTTPS_PROXY; other protocols reach 127.0.0.0/8 only.
//   - Service environment variables (GHOST_SERVICE_HOST and so on) are not set; a TTY of kubectl exec is not emulated.
//
// # Addresses
//
// The API refuses 127.0.0.0/8 as an endpoint address, so a pod is reported with an address of the pod network (10.10.x.y) and
// its processes listen on the loopback address with the same last octets: 127.10.x.y, or another network when a second node
// of this machine has that one. Linux answers on all of 127.0.0.0/8; macOS only on addresses that were added, so each must be
// an alias there:
//
//	for i in $(seq 1 60); do sudo ifconfig lo0 alias 127.10.0.$i; done
//
// (the lowest free address is taken on such systems). A program that can only listen on 0.0.0.0 works as long as no second
// pod wants the same port.
package procnode
