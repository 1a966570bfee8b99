package programs

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// program is one program of the local system.
type program struct {
	name    string   // binary and process name
	module  string   // module whose version is the program's version
	version string   // that version; the test holds set/go.mod to it
	tag     string   // tag of the container image that AWS runs, "" where the version is the tag
	pkg     string   // package to build
	vars    []string // string variables that the linker sets, as for its flag -X
	edits   []edit
	image   released
}

// released is the container image that the project releases of a program.
type released struct {
	repository string // the program's tag is the image's
	file       string // path of the binary in it, by the Dockerfile of the release; "" where the binary cannot run here
	why        string // why it cannot; differences.md tells it
}

// edit changes one file of a module's source before it is built. An edit that no longer fits fails the build.
type edit struct {
	file string
	why  string // differences.md tells it
	// old is replaced by new and must occur exactly once; an empty old replaces the whole file or adds it.
	old, new string
	// pattern is a regular expression in the place of old: what matches is replaced by new, once at least.
	pattern string
}

// bindAddress is the environment variable that the edits below read: the address of the webhook server. A
// process node runs many pods on one machine, each bound to its own loopback address.
const (
	bindAddress = "WEBHOOK_BIND_ADDRESS"
	ownAddress  = "binds the webhook server to the pod's address instead of all of the machine's"
)

// ControlPlane is the program that every system needs.
const ControlPlane = "controlplane"

const (
	kubernetesVersion   = "v1.36.3"
	fluxOperatorVersion = "v0.58.1"
	fluxOperatorModule  = "github.com/controlplaneio-fluxcd/flux-operator"
	lbcModule           = "sigs.k8s.io/aws-load-balancer-controller"
	setModule           = "k8s-plus-aws-gitops/local/programs/set"
	esoModule           = "github.com/external-secrets/external-secrets"
)

// table is every program in the order in which a cold machine should build them: those that a cluster needs
// first come first, those that share dependencies follow each other.
var table = []program{
	{
		name: ControlPlane, module: "k8s.io/kubernetes", version: kubernetesVersion, pkg: setModule + "/controlplane",
		vars: []string{
			"k8s.io/component-base/version.gitVersion=" + kubernetesVersion,
			"k8s.io/client-go/pkg/version.gitVersion=" + kubernetesVersion,
		},
		image: released{why: "one process here, of five released programs: etcd, three of Kubernetes, and kubeadm's phases for the certificates"},
	},
	{
		name: "flux-operator", module: fluxOperatorModule, version: fluxOperatorVersion,
		pkg:  fluxOperatorModule + "/cmd/operator",
		vars: []string{"main.VERSION=" + fluxOperatorVersion},
		edits: []edit{{
			file: "web/dist/index.html",
			why:  "its web page is built by npm and not in the module, whose embed directive wants a file; the page is off here",
			new:  "<!doctype html><title>flux-operator</title>The web page is not part of the Go module.\n",
		}},
		image: released{repository: "ghcr.io/controlplaneio-fluxcd/flux-operator", file: "/flux-operator"},
	},
	fluxController("source-controller", "v1.9.4"),
	fluxController("kustomize-controller", "v1.9.4"),
	fluxController("helm-controller", "v1.6.3"),
	fluxController("notification-controller", "v1.9.3"),
	fluxController("image-reflector-controller", "v1.2.4"),
	fluxController("image-automation-controller", "v1.2.4"),
	{
		name: "external-secrets", module: esoModule, version: "v0.20.4", pkg: esoModule,
		edits: []edit{
			{
				file: "pkg/provider/register/register.go",
				why:  "registers the AWS, fake and kubernetes providers only: dependencies of some others fail the checksum database",
				new:  register("provider", "aws", "fake", "kubernetes"),
			},
			{
				file: "pkg/generator/register/register.go",
				why:  "registers the fake, password and uuid generators only, as above",
				new:  register("generator", "fake", "password", "uuid"),
			},
			{
				file: "cmd/controller/webhook.go", why: ownAddress,
				old: "\t\t\t\tPort:    port,\n",
				new: "\t\t\t\tPort:    port,\n\t\t\t\tHost:    os.Getenv(\"" + bindAddress + "\"),\n",
			},
			webhooks("v1/secretstore"), webhooks("v1/externalsecret"), webhooks("v1beta1/secretstore"), webhooks("v1beta1/externalsecret"),
		},
		// Its webhook, which an edit above binds to the pod's address, is off: k8s/platform/controllers/external-secrets.yaml.
		image: released{repository: "ghcr.io/external-secrets/external-secrets", file: "/bin/external-secrets"},
	},
	{
		// The module's tags are v2 and v3 without the suffix that Go asks for, so its version is the commit of
		// the tag v3.2.2.
		name: "aws-load-balancer-controller", module: lbcModule, version: "v0.0.0-20260423195125-93ff3b5fdaad",
		tag: "v3.2.2", pkg: lbcModule, vars: []string{lbcModule + "/pkg/version.GitVersion=v3.2.2"},
		edits: []edit{
			{
				file: "pkg/config/runtime_config.go", why: ownAddress,
				old: "\t\t\tPort:     rtCfg.WebhookBindPort,\n",
				new: "\t\t\tPort:     rtCfg.WebhookBindPort,\n\t\t\tHost:     os.Getenv(\"" + bindAddress + "\"),\n",
			},
			stores("pkg/k8s", "ConversionStore", "SecretsStore"),
			stores("pkg/aga", "ResourceStore[T]"),
		},
		image: released{
			repository: "public.ecr.aws/eks/aws-load-balancer-controller",
			why:        "has no flag for the address of its webhook server, and would listen on all of the machine's",
		},
	},
	{
		name: "external-dns", module: "sigs.k8s.io/external-dns", version: "v0.22.0", pkg: "sigs.k8s.io/external-dns",
		vars: []string{"sigs.k8s.io/external-dns/pkg/apis/externaldns.Version=v0.22.0"},
		edits: []edit{{
			file:    "provider/factory/provider.go",
			why:     "has the aws and inmemory providers only: the others are a fifth of its packages",
			pattern: `(?m)^.*\b(alibabacloud|awssd|azure|civo|cloudflare|coredns|dnsimple|exoscale|gandi|godaddy|google|linode|ns1|oci|ovh|pdns|pihole|rfc2136|scaleway|webhook)(\.New\w*,|")\n`,
		}},
		// Built with ko, which has no Dockerfile: https://ko.build/features/static-assets/ has the folder.
		image: released{repository: "registry.k8s.io/external-dns/external-dns", file: "/ko-app/external-dns"},
	},
}

// fluxController is a controller of Flux at the version that flux-operator's distribution manifests name
// (config/data/flux/v2.9.4 of its module).
func fluxController(name, version string) program {
	module := "github.com/fluxcd/" + name
	return program{
		name: name, module: module, version: version, pkg: module,
		image: released{repository: "ghcr.io/fluxcd/" + name, file: "/usr/local/bin/" + name},
	}
}

// register is the source of a package of the External Secrets Operator that registers implementations by
// importing them.
func register(kind string, names ...string) string {
	var b strings.Builder
	b.WriteString("// Package register imports the implementations that this build has.\npackage register\n\nimport (\n")
	for _, n := range names {
		fmt.Fprintf(&b, "\t_ %q\n", esoModule+"/pkg/"+kind+"/"+n)
	}
	b.WriteString(")\n")
	return b.String()
}

// webhooks adapts a file of the External Secrets Operator.
func webhooks(file string) edit {
	return edit{
		file:    "apis/externalsecrets/" + file + "_webhook.go",
		why:     "calls controller-runtime with the signature that it has since v0.23",
		pattern: `NewWebhookManagedBy\(mgr\)\.\s+For\((\w+)\)\.\s+WithValidator\(`,
		new:     "NewWebhookManagedBy(mgr, $1).WithCustomValidator(",
	}
}

// stores adapts a package of the load balancer controller by methods for its types that wrap a store.
func stores(dir string, types ...string) edit {
	var b strings.Builder
	b.WriteString("package " + path.Base(dir) + "\n")
	for _, t := range types {
		fmt.Fprintf(&b, "\nfunc (s *%s) LastStoreSyncResourceVersion() string { return s.store.LastStoreSyncResourceVersion() }\n", t)
		fmt.Fprintf(&b, "\nfunc (s *%s) Bookmark(rv string) { s.store.Bookmark(rv) }\n", t)
	}
	return edit{file: dir + "/stores.go", why: "adds the methods that client-go's cache.Store has since v0.36", new: b.String()}
}

// Names are the programs that [Build] knows, in the order in which a cold machine should build them.
func Names() []string {
	names := make([]string, len(table))
	for i, p := range table {
		names[i] = p.name
	}
	return names
}

// Tag is the tag of the container image that runs this version of the program on AWS, and so the tag that
// manifests name.
func Tag(name string) (string, error) {
	p, err := lookup(name)
	return cmp.Or(p.tag, p.version), err
}

func lookup(name string) (program, error) {
	i := slices.IndexFunc(table, func(p program) bool { return p.name == name })
	if i < 0 {
		return program{}, fmt.Errorf("no program %q: one of %s", name, strings.Join(Names(), ", "))
	}
	return table[i], nil
}
