package programs

// Exception is one way in which a program of the local system is not what its image on AWS holds.
type Exception struct {
	Program string // see [Names]
	What    string // a replaced module path of go.mod, or an edited file of the module
	Reason  string
}

// Exceptions lists every difference. The test fails for a replace line or an edit without one, and for one
// without a difference.
func Exceptions() []Exception {
	const (
		inherited = "a dependency's own replace line, which Go does not inherit"
		webhook   = "binds the webhook server to the pod's address instead of all of the machine's"
		patch     = "dependencies are at the patch release that the controllers here share, one build cache for all"
	)
	out := []Exception{
		{"flux-operator", "web/dist/index.html", "its web page is built by npm and not in the module, whose embed directive wants a file; the page is off here"},
		{"flux-operator", "github.com/google/go-containerregistry/pkg/authn/kubernetes", "the pinned commit of this nested module is not on every module proxy; the package is the same at this one and used for OCI pulls only"},
		{"source-controller", "github.com/opencontainers/go-digest", inherited},
		{"source-controller", "github.com/fluxcd/pkg/artifact", patch},
		{"kustomize-controller", "github.com/opencontainers/go-digest", inherited},
		{"helm-controller", "github.com/opencontainers/go-digest", inherited},
		{"helm-controller", "sigs.k8s.io/kustomize/api", inherited},
		{"helm-controller", "sigs.k8s.io/kustomize/kyaml", inherited},
		{"notification-controller", "gopkg.in/yaml.v3", inherited},
		{"image-reflector-controller", "github.com/fluxcd/pkg/artifact", patch},
		{"image-automation-controller", "sigs.k8s.io/kustomize/api", inherited},
		{"image-automation-controller", "sigs.k8s.io/kustomize/kyaml", inherited},
		{"external-secrets", "github.com/Masterminds/sprig/v3", inherited},
		{"external-secrets", "pkg/provider/register/register.go", "registers the AWS, fake and kubernetes providers only: dependencies of some others fail the checksum database"},
		{"external-secrets", "pkg/generator/register/register.go", "registers the fake, password and uuid generators only, as above"},
		{"external-secrets", "cmd/controller/webhook.go", webhook},
		{"aws-load-balancer-controller", "pkg/config/runtime_config.go", webhook},
		{"external-dns", "github.com/exoscale/egoscale/v3", "the required version was withdrawn from the module proxy; a DNS provider that is not used"},
		{"external-dns", "github.com/openshift/api", "the required version was withdrawn from the module proxy; types of a source that is not used"},
	}
	for _, m := range staging {
		out = append(out, Exception{"controlplane", m, "Kubernetes' own staging replace line, which Go does not inherit"})
	}
	return out
}

// staging are the modules that are published from k8s.io/kubernetes/staging, whose go.mod requires v0.0.0 of
// them.
var staging = []string{
	"k8s.io/api", "k8s.io/apiextensions-apiserver", "k8s.io/apimachinery", "k8s.io/apiserver", "k8s.io/cli-runtime",
	"k8s.io/client-go", "k8s.io/cloud-provider", "k8s.io/cluster-bootstrap", "k8s.io/code-generator",
	"k8s.io/component-base", "k8s.io/component-helpers", "k8s.io/controller-manager", "k8s.io/cri-api",
	"k8s.io/cri-client", "k8s.io/cri-streaming", "k8s.io/csi-translation-lib", "k8s.io/dynamic-resource-allocation",
	"k8s.io/endpointslice", "k8s.io/externaljwt", "k8s.io/kms", "k8s.io/kube-aggregator",
	"k8s.io/kube-controller-manager", "k8s.io/kube-proxy", "k8s.io/kube-scheduler", "k8s.io/kubectl",
	"k8s.io/kubelet", "k8s.io/metrics", "k8s.io/mount-utils", "k8s.io/pod-security-admission",
	"k8s.io/sample-apiserver", "k8s.io/streaming",
}
