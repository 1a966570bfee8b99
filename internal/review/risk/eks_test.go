package risk

import (
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/review/cfndiff"
)

func TestEKS(t *testing.T) {
	subnets := func(names ...any) any { return map[string]any{"SubnetIds": names} }
	nodes := func(low, high float64) any {
		return map[string]any{"MinSize": low, "DesiredSize": low, "MaxSize": high}
	}
	for name, c := range map[string]struct {
		kind, property string
		old, now       any
		want           string
		guarded        bool
	}{
		"one version":       {"Cluster", "Version", "1.35", "1.36", "", false},
		"two versions":      {"Cluster", "Version", "1.34", "1.36", "EKS refuses to skip a version", true},
		"back":              {"Cluster", "Version", "1.36", "1.35", "within seven days", true},
		"version unknown":   {"Cluster", "Version", "1.36", nil, "", false},
		"subnets reordered": {"Cluster", "ResourcesVpcConfig", subnets("a", "b"), subnets("b", "a"), "", false},
		"a zone more":       {"Cluster", "ResourcesVpcConfig", subnets("a", "b"), subnets("a", "b", "c"), "another set of zones", true},
		"a zone less":       {"Cluster", "ResourcesVpcConfig", subnets("a", "b", "c"), subnets("a", "b"), "another set of zones", true},
		"more nodes":        {"Nodegroup", "ScalingConfig", nodes(2, 4), nodes(3, 4), "is set to 3 nodes", false},
		"a higher limit":    {"Nodegroup", "ScalingConfig", nodes(2, 4), nodes(2, 9), "max (9) only limits", false},
		"a group":           {"AccessEntry", "KubernetesGroups", nil, []any{"masters"}, "with group masters", false},
		"no group":          {"AccessEntry", "KubernetesGroups", []any{"masters"}, nil, "", false},
		"the same size":     {"Nodegroup", "ScalingConfig", nodes(2, 4), nodes(2, 4), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			found := Find(Place{"dev", "cluster"}, cfndiff.Diff{Resources: []cfndiff.Resource{{
				ID: "X", Type: "AWS::EKS::" + c.kind, Old: map[string]any{"Type": "AWS::EKS::" + c.kind}, New: map[string]any{"Type": "AWS::EKS::" + c.kind, "Properties": map[string]any{c.property: c.now}},
				Properties: map[string]cfndiff.Change{c.property: {Old: c.old, New: c.now}},
			}}})
			switch {
			case c.want == "" && len(found) > 0, len(found) > 1:
				t.Errorf("got %v", found)
			case c.want != "" && (len(found) == 0 || !strings.Contains(found[0].Message, c.want) || found[0].Guarded != c.guarded):
				t.Errorf("got %v, want %q, guarded %t", found, c.want, c.guarded)
			}
		})
	}
}

func TestCombined(t *testing.T) {
	change := cfndiff.Change{Old: "1", New: "2"}
	for name, c := range map[string]struct {
		properties map[string]cfndiff.Change
		template   bool
		want       string
	}{
		"version and release": {map[string]cfndiff.Change{"Version": change, "ReleaseVersion": change}, false, ""},
		"tags alone":          {map[string]cfndiff.Change{"Tags": change}, true, ""},
		"with tags":           {map[string]cfndiff.Change{"ReleaseVersion": change, "Tags": change}, false, "together with Tags"},
		"with a larger disk":  {map[string]cfndiff.Change{"ReleaseVersion": change}, true, "together with LaunchTemplate"},
		"with a replacement":  {map[string]cfndiff.Change{"Version": change, "InstanceTypes": {Old: "1", New: "2", Impact: cfndiff.Replace}}, false, ""},
	} {
		found := combined(Finding{}, c.properties, c.template)
		if c.want == "" && len(found) > 0 || c.want != "" && (len(found) != 1 || !found[0].Guarded || !strings.Contains(found[0].Message, c.want)) {
			t.Errorf("%s: got %v, want %q", name, found, c.want)
		}
	}
}
