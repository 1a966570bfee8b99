package stack

import (
	"fmt"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/local/cloud/front"
	"k8s-plus-aws-gitops/local/procnode"
	"k8s-plus-aws-gitops/local/stack/deploy"
)

// programs are what stands for the container images: paths of binaries by
// program name, and what else the table names.
type hostPrograms struct {
	binaries map[string]string
	// tags are the image tags that the binaries were built from.
	tags map[string]string
	// fluxData is flux-operator's folder with the manifests of Flux.
	fluxData string
	// ghostDir and ghostNode are the installation of Ghost and its Node.js.
	ghostDir, ghostNode, ghostTag string
	// gitops is this program, which stands for the images of the example services.
	gitops string
	// endpoint is the AWS endpoint for pods.
	endpoint, region string
}

// seedContent copies Ghost's bundled themes into the pod's content folder, as
// the entrypoint of the official image does, and becomes Ghost.
const seedContent = `cp -R "$0/content/." "$1/" && exec "$2" index.js`

// ghostRepository is where the dockerbuild pipeline's images are in the
// registry of this machine.
const ghostRepository = front.RegistryHost + "/" + deploy.Environment + "/ghost"

// imageTable says which program stands for which image. Flags bind each
// program to its pod's address; the ports stay as the manifests say.
func imageTable(p hostPrograms) procnode.Table {
	aws := map[string]string{
		"AWS_ENDPOINT_URL": p.endpoint, "AWS_ENDPOINT_URL_S3": p.endpoint,
		"AWS_REGION": p.region, "AWS_DEFAULT_REGION": p.region, "AWS_EC2_METADATA_DISABLED": "true",
	}
	flux := func(name string, more map[string]string) procnode.Image {
		return p.image("ghcr.io/fluxcd/"+name, name, with(map[string]string{
			"--metrics-addr": "${IP}:8080", "--health-addr": "${IP}:9440", "--enable-leader-election": "false",
		}, more), map[string]string{"TMPDIR": "${mount:/tmp}"})
	}
	// On AWS a dependent looks again after 5 s, four times in a row here:
	// https://fluxcd.io/flux/components/kustomize/options/
	dependencies := map[string]string{"--requeue-dependency": "2s"}
	ghost := procnode.Image{
		Repository: "docker.io/library/ghost", Tags: []string{p.ghostTag}, Dir: p.ghostDir, Args: "drop",
		Command: []string{"/bin/sh", "-c", seedContent, p.ghostDir, "${mount:/var/lib/ghost/content}", p.ghostNode},
		Env: with(aws, map[string]string{
			"server__host": "${IP}", "server__port": "2368", "NODE_ENV": "production",
			"paths__contentPath":           "${mount:/var/lib/ghost/content}",
			"paths__installedAdaptersPath": "${mount:/etc/ghost/adapters}",
		}),
	}
	// What the dockerbuild pipeline pushed: the same program, since no image is built here.
	built := ghost
	built.Repository, built.Tags, built.Registry = ghostRepository, nil, p.endpoint
	return procnode.Table{Images: []procnode.Image{
		withEnv(flux("source-controller", map[string]string{"--storage-addr": "${IP}:9090", "--storage-path": "${mount:/data}"}),
			"TUF_ROOT", "${mount:/tmp}/.sigstore"),
		flux("kustomize-controller", dependencies),
		flux("helm-controller", dependencies),
		flux("notification-controller", map[string]string{"--events-addr": "${IP}:9090", "--receiverAddr": "${IP}:9292"}),
		flux("image-reflector-controller", map[string]string{"--storage-path": "${mount:/data}"}),
		flux("image-automation-controller", nil),
		p.image("ghcr.io/controlplaneio-fluxcd/flux-operator", "flux-operator", map[string]string{
			"--metrics-addr": "${IP}:8080", "--health-addr": "${IP}:8081", "--enable-leader-election": "false",
			"--web-server-port": "0", // it would bind every address, and its page is not in the module
			"--storage-path":    p.fluxData,
		}, map[string]string{
			"GODEBUG": "fips140=on", // it refuses to start otherwise
			"TMPDIR":  "${DIR}",
			// With it, a preflight looks for the image's own files.
			"KUBERNETES_SERVICE_HOST": "",
		}),
		p.image("public.ecr.aws/eks/aws-load-balancer-controller", "aws-load-balancer-controller", map[string]string{
			"--kubeconfig":        "${KUBECONFIG}", // it does not read the variable
			"--metrics-bind-addr": "${IP}:8080", "--health-probe-bind-addr": "${IP}:61779",
			"--webhook-cert-dir": "${mount:/tmp/k8s-webhook-server/serving-certs}", "--enable-leader-election": "false",
		}, with(aws, map[string]string{"WEBHOOK_BIND_ADDRESS": "${IP}"})),
		p.image("registry.k8s.io/external-dns/external-dns", "external-dns", map[string]string{
			"--kubeconfig": "${KUBECONFIG}", "--metrics-address": "${IP}:7979",
		}, aws),
		p.image("ghcr.io/external-secrets/external-secrets", "external-secrets", map[string]string{
			"--metrics-addr": "${IP}:8080", "--live-addr": "${IP}:8082", "--enable-leader-election": "false",
		}, aws),
		ghost, built,
		p.nodezoo("npm"),
		p.nodezoo("github"),
		p.nodezoo("info", "--featured", "${mount:/etc/nodezoo}/featured.txt"),
	}}
}

// nodezoo is an example service. One program stands for all its versions, so that a published change of the version rolls
// out; the images of other services are not in the table and are simulated.
func (p hostPrograms) nodezoo(service string, args ...string) procnode.Image {
	return procnode.Image{
		Repository: "ghcr.io/nodezoo/nodezoo-" + service, Args: "drop",
		Command: append([]string{p.gitops, "local", "nodezoo", service, "--listen", "${IP}:8080"}, args...),
	}
}

func (p hostPrograms) image(repository, program string, flags, env map[string]string) procnode.Image {
	return procnode.Image{Repository: repository, Tags: []string{p.tags[program]}, Command: []string{p.binaries[program]}, Flags: flags, Env: env}
}

func with(a, b map[string]string) map[string]string {
	out := make(map[string]string, len(a)+len(b))
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		out[k] = v
	}
	return out
}

func withEnv(i procnode.Image, name, value string) procnode.Image {
	i.Env = with(i.Env, map[string]string{name: value})
	return i
}

// encode writes the table as YAML after a look at what procnode would refuse.
func encode(t procnode.Table) ([]byte, error) {
	for _, i := range t.Images {
		if len(i.Command) == 0 || !filepath.IsAbs(i.Command[0]) {
			return nil, fmt.Errorf("image table: %s has no program", i.Repository)
		}
		if slices.Contains(i.Tags, "") {
			return nil, fmt.Errorf("image table: %s has no tag", i.Repository)
		}
	}
	return yaml.Marshal(t)
}
