package programs

import (
	"fmt"
	"slices"
	"strings"
)

// program is one program of the local system.
type program struct {
	name    string // directory below local/programs, binary and process name
	module  string // module whose version is the program's version
	version string // that version; the test holds go.mod to it
	tag     string // tag of the container image that AWS runs, "" where the version is the tag
	pkg     string // package to build, "" is the directory itself
	ldflags []string
	edits   []edit
}

// edit changes one file of a module's source before it is built.
type edit struct {
	file string
	// old is replaced by new and must occur exactly once, so that an edit that no longer fits fails the
	// build; an empty old replaces the whole file or adds it.
	old, new string
}

// bindAddress is the environment variable that the edits below read: the address of the webhook server. A
// process node runs many pods on one machine, each bound to its own loopback address.
const bindAddress = "WEBHOOK_BIND_ADDRESS"

const (
	kubernetesVersion   = "v1.36.3"
	fluxOperatorVersion = "v0.58.1"
	fluxOperatorModule  = "github.com/controlplaneio-fluxcd/flux-operator"
	lbcModule           = "sigs.k8s.io/aws-load-balancer-controller"
	esoModule           = "github.com/external-secrets/external-secrets"
)

// table is every program in the order in which a cold machine should build them: those that a cluster needs
// first come first, those that share dependencies follow each other.
var table = []program{
	{
		name: "controlplane", module: "k8s.io/kubernetes", version: kubernetesVersion,
		ldflags: []string{
			"-X", "k8s.io/component-base/version.gitVersion=" + kubernetesVersion,
			"-X", "k8s.io/client-go/pkg/version.gitVersion=" + kubernetesVersion,
		},
	},
	{
		name: "flux-operator", module: fluxOperatorModule, version: fluxOperatorVersion,
		pkg:     fluxOperatorModule + "/cmd/operator",
		ldflags: []string{"-X", "main.VERSION=" + fluxOperatorVersion},
		edits: []edit{{
			file: "web/dist/index.html",
			new:  "<!doctype html><title>flux-operator</title>The web page is not part of the Go module.\n",
		}},
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
			{file: "pkg/provider/register/register.go", new: register("provider", "aws", "fake", "kubernetes")},
			{file: "pkg/generator/register/register.go", new: register("generator", "fake", "password", "uuid")},
			{
				file: "cmd/controller/webhook.go",
				old:  "\t\t\t\tPort:    port,\n",
				new:  "\t\t\t\tPort:    port,\n\t\t\t\tHost:    os.Getenv(\"" + bindAddress + "\"),\n",
			},
		},
	},
	{
		// The module's tags are v2 and v3 without the suffix that Go asks for, so its version is the commit of
		// the tag v3.2.2.
		name: "aws-load-balancer-controller", module: lbcModule, version: "v0.0.0-20260423195125-93ff3b5fdaad",
		tag: "v3.2.2", pkg: lbcModule, ldflags: []string{"-X", lbcModule + "/pkg/version.GitVersion=v3.2.2"},
		edits: []edit{{
			file: "pkg/config/runtime_config.go",
			old:  "\t\t\tPort:     rtCfg.WebhookBindPort,\n",
			new:  "\t\t\tPort:     rtCfg.WebhookBindPort,\n\t\t\tHost:     os.Getenv(\"" + bindAddress + "\"),\n",
		}},
	},
	{
		name: "external-dns", module: "sigs.k8s.io/external-dns", version: "v0.22.0", pkg: "sigs.k8s.io/external-dns",
		ldflags: []string{"-X", "sigs.k8s.io/external-dns/pkg/apis/externaldns.Version=v0.22.0"},
	},
}

// fluxController is a controller of Flux at the version that flux-operator's distribution manifests name
// (config/data/flux/v2.9.4 of its module).
func fluxController(name, version string) program {
	module := "github.com/fluxcd/" + name
	return program{name: name, module: module, version: version, pkg: module}
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
	if err != nil {
		return "", err
	}
	if p.tag != "" {
		return p.tag, nil
	}
	return p.version, nil
}

func lookup(name string) (program, error) {
	i := slices.IndexFunc(table, func(p program) bool { return p.name == name })
	if i < 0 {
		return program{}, fmt.Errorf("no program %q: one of %s", name, strings.Join(Names(), ", "))
	}
	return table[i], nil
}
