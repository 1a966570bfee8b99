// The Go modules that the manifests are checked with: their schemas, and charts where a repository is out of reach. They are
// read, never compiled, so nothing that they require is here. go.sum has what the go command verifies them by: after a
// change, `go mod download -json MODULE@VERSION` here, and in the root `go generate ./internal/manifests/schemas`.
module k8s-plus-aws-gitops/internal/manifests/modules

go 1.26.0

require (
	github.com/external-secrets/external-secrets v0.20.4
	github.com/fluxcd/helm-controller v1.6.3
	github.com/fluxcd/image-automation-controller v1.2.4
	github.com/fluxcd/image-reflector-controller v1.2.4
	github.com/fluxcd/kustomize-controller v1.9.4
	github.com/fluxcd/notification-controller v1.9.3
	github.com/fluxcd/source-controller v1.9.4
	k8s.io/kubernetes v1.36.3
	sigs.k8s.io/aws-load-balancer-controller v0.0.0-20260423195125-93ff3b5fdaad
	sigs.k8s.io/external-dns v0.22.0
)
