package versions

import (
	"maps"
	"regexp"
	"slices"

	"k8s-plus-aws-gitops/config"
)

// ownValues is why a rule proposes no version of what CDK names.
const ownValues = "CDK names the versions that it knows: a new one comes with CDK, and the constant is changed by hand"

// Components lists what is pinned, in the order of the table.
func Components() []Component {
	all := controllers()
	all = append(all, flux()...)
	all = append(all, cluster()...)
	all = append(all, minors()...)
	all = append(all, ghost()...)
	all = append(all, cdk()...)
	return append(all, tools()...)
}

// controllers are those of k8s/platform/controllers: chart and program.
func controllers() []Component {
	var all []Component
	for _, c := range []struct{ name, title string }{
		{"aws-load-balancer-controller", "AWS Load Balancer Controller"},
		{"external-dns", "external-dns"},
		{"external-secrets", "External Secrets Operator"},
	} {
		file := "k8s/platform/controllers/" + c.name + ".yaml"
		all = append(all,
			Component{Name: c.title + ", chart", Product: c.name, Pin: Pin{file, `\n {6}version: (\S+)`}},
			Component{Name: c.title + ", program", Product: c.name, Pin: Pin{file, `\n {6}tag: (\S+)`}})
	}
	return all
}

// flux is the operator and what it installs.
func flux() []Component {
	const file = "infrastructure/bootstrap.go"
	return []Component{
		{Name: "flux-operator", Product: "flux-operator", Pin: Pin{file, `FluxOperatorVersion = "([^"]+)"`}},
		{Name: "Flux", Product: "flux", Pin: Pin{file, `FluxVersion += "([^"]+)"`}},
	}
}

// cluster is what AWS runs.
func cluster() []Component {
	const projects = "infrastructure/delivery/project.go"
	return []Component{
		{Name: "Kubernetes", Product: "amazon-eks", Pin: Pin{"config/config.go", `json:"version" default:"([0-9.]+)"`}},
		{
			Name: "MySQL of RDS", Product: "amazon-rds-mysql", Manual: ownValues,
			Pin: Pin{"app-resources/database.go", `MysqlEngineVersion_VER_([0-9_]+)\(`},
		},
		{Name: "Valkey of ElastiCache", Manual: "AWS publishes no list that can be asked without an account", Pin: Pin{"app-resources/cache.go", `valkeyVersion = "([0-9.]+)"`}},
		{
			Name: "CodeBuild's image, x86", Manual: "AWS publishes no list that can be asked without an account",
			Pin: Pin{projects, `x86Image += "aws/codebuild/([^"]+)"`},
		},
		{Name: "CodeBuild's image, rehearsals", Manual: "as for x86", Pin: Pin{projects, `ubuntuImage += "aws/codebuild/([^"]+)"`}},
		{Name: "CodeBuild's image, Arm", Manual: "as for x86", Pin: Pin{projects, `armImage += "aws/codebuild/([^"]+)"`}},
	}
}

// minors are what goes with each minor version of Kubernetes.
func minors() []Component {
	var all []Component
	for _, minor := range config.KubernetesVersions() {
		pin := func(pattern string) Pin { return Pin{"config/kubernetes.json", pattern} }
		number := regexp.QuoteMeta(minor)
		for _, name := range slices.Sorted(maps.Keys(config.KubernetesOf(minor).Addons)) {
			all = append(all, Component{Name: name, Minor: minor, Pin: pin(`"` + number + `": \{[^}]*"` + name + `": "([^"]+)"`)})
		}
		all = append(all, Component{
			Name: "Amazon Linux 2023 of the nodes", Minor: minor, Pin: pin(`"nodes": "(` + number + `\.[^"]+)"`),
			Manual: "hack/eks-versions asks AWS for it: a release has a patch of Kubernetes and a day, which no source of Renovate lists together",
		})
	}
	return all
}

// ghost is the application and its image.
func ghost() []Component {
	const image = "dockerbuild/Dockerfile"
	return []Component{
		{Name: "Ghost", Product: "ghost", Pin: Pin{image, `ARG GHOST_VERSION=(\S+)`}},
		{
			Name: "Ghost, official image before the first build", Product: "ghost",
			Pin: Pin{"k8s/apps/ghost/deployment.yaml", `docker\.io/library/ghost:([0-9.]+)`},
		},
		{Name: "Node.js of Ghost", Product: "nodejs", Pin: Pin{image, `ARG NODE_VERSION=(\S+)`}},
		{Name: "pnpm, installs Ghost", Pin: Pin{image, `ARG PNPM_VERSION=(\S+)`}},
		{
			Name: "Debian of Ghost's image", Product: "debian",
			Manual: "a name, not a number: Node.js's image has one for each release of Debian",
			Pin:    Pin{image, `\$\{NODE_VERSION\}-([a-z]+)-slim`},
		},
	}
}

// cdk is what makes the AWS half.
func cdk() []Component {
	goMod := func(name, module, product string) Component {
		return Component{Name: name, Product: product, Pin: Pin{"go.mod", `(?m)^(?:require |\t)` + regexp.QuoteMeta(module) + ` (v\S+)$`}}
	}
	npm := func(name, dependency, product string) Component {
		return Component{Name: name, Product: product, Pin: Pin{"package.json", `"` + regexp.QuoteMeta(dependency) + `": "([0-9.]+)"`}}
	}
	return []Component{
		goMod("CDK library", "github.com/aws/aws-cdk-go/awscdk/v2", "aws-cdk"),
		goMod("constructs", "github.com/aws/constructs-go/constructs/v10", ""),
		goMod("jsii", "github.com/aws/jsii-runtime-go", ""),
		goMod("cdk-nag", "github.com/cdklabs/cdk-nag-go/cdknag/v2", ""),
		goMod("cdk8s", "github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2", ""),
		npm("CDK CLI", "aws-cdk", "aws-cdk"),
		npm("CDK's template comparison", "@aws-cdk/cloudformation-diff", "aws-cdk"),
		npm("Node.js of the CDK", "node", "nodejs"),
		kubectl(),
		{Name: "Go", Product: "go", Pin: Pin{"go.mod", `(?m)^go ([0-9.]+)$`}},
		{Name: "Go of the builds", Product: "go", Pin: Pin{"infrastructure/delivery/buildspecs/test.yml", `golang: "([0-9.]+)"`}},
		{Name: "Node.js of the builds", Product: "nodejs", Pin: Pin{"infrastructure/delivery/buildspecs/test.yml", `nodejs: "([0-9.]+)"`}},
	}
}

// kubectl is the layer with kubectl and Helm, a package for each Kubernetes version.
func kubectl() Component {
	return Component{Name: "kubectl and Helm of the bootstrap", Product: "", Pin: Pin{"package.json", `"@aws-cdk/lambda-layer-kubectl-v[0-9]+": "([0-9.]+)"`}}
}

// tools are those of development.
func tools() []Component {
	return []Component{
		{Name: "busybox of `gitops service connect`", Pin: Pin{"internal/tunnel/image.go", `library/busybox:([0-9.]+)@`}},
		{Name: "axe, finds what the dashboard's pages keep from readers", Pin: Pin{"package.json", `"axe-core": "([0-9.]+)"`}},
		{Name: "golangci-lint", Pin: Pin{"tools/golangci-lint/go.mod", `(?m)^(?:require |\t)github\.com/golangci/golangci-lint/v2 (v\S+)`}},
		{Name: "kube-score", Pin: Pin{"tools/kube-score/go.mod", `(?m)^(?:require |\t)github\.com/zegl/kube-score (v\S+)`}},
		{Name: "cdk8s-cli, generates Go types", Pin: Pin{"hack/imports", `CDK8S_CLI=(\S+)`}},
	}
}
