package config

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// kubernetesFile is the one table of what goes with a minor version of Kubernetes. hack/eks-versions prints a row of it
// from AWS; docs/guides/upgrade.md tells when.
//
//go:embed kubernetes.json
var kubernetesFile []byte

// Kubernetes is what runs with a minor version of Kubernetes on EKS.
type Kubernetes struct {
	// EndOfSupport is the last day of AWS's standard support, YYYY-MM-DD. Then EKS upgrades the control plane by itself.
	EndOfSupport string `json:"endOfSupport"`
	// Addons are the versions of the EKS add-ons by name, as `aws eks describe-addon-versions` lists them.
	Addons map[string]string `json:"addons"`
	// Nodes is the release of the Amazon Linux 2023 image of EKS.
	Nodes string `json:"nodes"`
	// Checked is the day on which the row was held against Source.
	Checked string `json:"checked"`
	// Source says where the versions were found.
	Source string `json:"source"`
}

// Kubectl is the package with the kubectl and helm of the bootstrap.
type Kubectl struct {
	// Package is the name of the npm package that carries the layer.
	Package string `json:"package"`
	// Version is the package's version, the one in package.json.
	Version string `json:"version"`
	// Kubectl and Helm are the versions in it.
	Kubectl string `json:"kubectl"`
	Helm    string `json:"helm"`
}

// kubernetes is the table.
var kubernetes = func() (table struct {
	Kubectl Kubectl               `json:"kubectl"`
	Minors  map[string]Kubernetes `json:"minors"`
}) {
	if err := json.Unmarshal(kubernetesFile, &table); err != nil {
		panic("config/kubernetes.json: " + err.Error()) //nolint:forbidigo // a mistake in this package, found by any test
	}
	return table
}()

// KubectlLayer is the package with the kubectl and helm of the bootstrap.
func KubectlLayer() Kubectl { return kubernetes.Kubectl }

// KubernetesVersions are the minor versions that can be chosen, oldest first.
func KubernetesVersions() []string {
	return slices.SortedFunc(maps.Keys(kubernetes.Minors), func(a, b string) int { return minor(a) - minor(b) })
}

// KubernetesOf is what runs with one of KubernetesVersions.
func KubernetesOf(version string) Kubernetes { return kubernetes.Minors[version] }

// minor is the second number of a version, for example 36 of "1.36" and of "v1.36.0-eksbuild.25".
func minor(version string) int {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return 0
	}
	number, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0
	}
	return number
}

// NodeVersion is the minor version of Kubernetes of the nodes and add-ons: nodes.version, or the control plane's.
func (e Environment) NodeVersion() string {
	if e.Nodes.Version != "" {
		return e.Nodes.Version
	}
	return e.Cluster.Version
}

// NodeRelease is the release of the image of the nodes.
func (e Environment) NodeRelease() string {
	if e.Nodes.Release != "" {
		return e.Nodes.Release
	}
	return kubernetes.Minors[e.NodeVersion()].Nodes
}

// AddonVersion is the version of an EKS add-on.
func (e Environment) AddonVersion(name string) string {
	if version, own := e.Cluster.Addons[name]; own {
		return version
	}
	return kubernetes.Minors[e.NodeVersion()].Addons[name]
}

var (
	addonVersion = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+$`)
	nodeRelease  = regexp.MustCompile(`^1\.[0-9]+\.[0-9]+-20[0-9]{6}$`)
)

// checkVersions checks the versions of control plane, nodes and add-ons against the table and each other.
func checkVersions(f field, e Environment) {
	known := KubernetesVersions()
	if !slices.Contains(known, e.Cluster.Version) {
		f.key("cluster").key("version").add("use one of "+strings.Join(known, ", ")+"; docs/guides/upgrade.md tells how to add one", "must be a supported version of Kubernetes, got %q", e.Cluster.Version)
	}
	if !f.key("cluster").key("version").reported() {
		checkNodeVersion(f.key("nodes"), e)
	}
	names := slices.Sorted(maps.Keys(kubernetes.Minors[known[0]].Addons))
	for _, name := range slices.Sorted(maps.Keys(e.Cluster.Addons)) {
		at, version := f.key("cluster").key("addons").key(name), e.Cluster.Addons[name]
		switch {
		case !slices.Contains(names, name):
			at.add(Suggest(name, names), "must be an add-on of the cluster, got %q", name)
		case !addonVersion.MatchString(version):
			at.add("copy one from aws eks describe-addon-versions, for example \""+kubernetes.Minors[known[len(known)-1]].Addons[name]+"\"", "must be a version of an EKS add-on, got %q", version)
		}
	}
}

// checkNodeVersion checks nodes.version and nodes.release against the control plane's version.
func checkNodeVersion(f field, e Environment) {
	version, release := f.key("version"), f.key("release")
	if e.Nodes.Version != "" {
		// The kubelet must not be newer than the API server: https://kubernetes.io/releases/version-skew-policy/#kubelet
		switch behind := minor(e.Cluster.Version) - minor(e.Nodes.Version); {
		case !slices.Contains(KubernetesVersions(), e.Nodes.Version):
			version.add("use one of "+strings.Join(KubernetesVersions(), ", ")+", or leave it out", "must be a supported version of Kubernetes, got %q", e.Nodes.Version)
		case behind < 0 || behind > 1:
			version.add("leave it out, or give the minor version before cluster.version", "must be cluster.version, %s, or one minor version behind it, got %s", e.Cluster.Version, e.Nodes.Version)
		}
	}
	switch {
	case e.Nodes.Release == "" || version.reported():
	case !nodeRelease.MatchString(e.Nodes.Release):
		release.add(fmt.Sprintf("copy one from github.com/awslabs/amazon-eks-ami/releases, for example %q", kubernetes.Minors[e.NodeVersion()].Nodes), "must be a release of the nodes' image, got %q", e.Nodes.Release)
	case !strings.HasPrefix(e.Nodes.Release, e.NodeVersion()+"."):
		release.add("give one of "+e.NodeVersion()+", or leave it out", "must be a release for Kubernetes %s, got %q", e.NodeVersion(), e.Nodes.Release)
	}
}
