package risk

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s-plus-aws-gitops/internal/review/cfndiff"
)

// eks finds what EKS refuses of a cluster's change, and what a change of the node group's size does not do.
func eks(place Place, r cfndiff.Resource, all []cfndiff.Resource) []Finding {
	if r.Old == nil || r.New == nil {
		return nil
	}
	f := Finding{Resource: place.resource(r.ID), Path: r.Path, Type: r.Type}
	switch r.Type {
	case "AWS::EKS::Cluster":
		f.Kind, f.Guarded = Refused, true
		return append(version(f, r.Properties["Version"]), zones(f, r.Properties["ResourcesVpcConfig"])...)
	case "AWS::EKS::Nodegroup":
		found := combined(f, r.Properties, changed(all, "AWS::EC2::LaunchTemplate"))
		f.Kind = Capacity
		return append(found, size(f, r.Properties["ScalingConfig"])...)
	}
	return nil
}

// version finds a control plane that skips a version of Kubernetes, or goes back.
func version(f Finding, change cfndiff.Change) []Finding {
	old, ok1 := minor(change.Old)
	now, ok2 := minor(change.New)
	switch {
	case !ok1 || !ok2 || now == old || now == old+1:
		return nil
	case now < old:
		f.Message = fmt.Sprintf("goes back from Kubernetes %v to %v: EKS takes that within seven days of the upgrade, by one version, and after the nodes; see docs/guides/upgrade.md", change.Old, change.New)
	default:
		f.Message = fmt.Sprintf("goes from Kubernetes %v to %v: EKS refuses to skip a version; raise cluster.version by one at a time", change.Old, change.New)
	}
	return []Finding{f}
}

// minor is the second number of a version of Kubernetes; false for what is none.
func minor(value any) (int, bool) {
	text, _ := value.(string)
	_, after, found := strings.Cut(text, ".")
	number, err := strconv.Atoi(after)
	return number, found && err == nil
}

// zones finds other subnets of the control plane. Each zone has one, so other subnets are other zones:
// https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
func zones(f Finding, change cfndiff.Change) []Finding {
	old, now := subnets(change.Old), subnets(change.New)
	if len(old) == 0 || len(now) == 0 || slices.Equal(old, now) {
		return nil
	}
	f.Message = "moves to other zones: EKS refuses another set of zones for a cluster that exists; leave network.zones as they are"
	return []Finding{f}
}

// subnets lists the subnets of a cluster, sorted.
func subnets(config any) []string {
	var read struct {
		SubnetIDs []any `json:"SubnetIds"`
	}
	text, err := json.Marshal(config)
	if err != nil || json.Unmarshal(text, &read) != nil {
		return nil
	}
	names := make([]string, len(read.SubnetIDs))
	for i, id := range read.SubnetIDs {
		names[i] = fmt.Sprint(cfndiff.Readable(id))
	}
	slices.Sort(names)
	return names
}

// combined finds another change of a node group together with that of its version. CloudFormation refuses it with "Version
// and ReleaseVersion updates cannot be combined with other updates": https://github.com/aws/containers-roadmap/issues/1258
// A changed launch template has another version, which the group refers to.
func combined(f Finding, properties map[string]cfndiff.Change, launchTemplate bool) []Finding {
	own := []string{"Version", "ReleaseVersion"}
	others := slices.DeleteFunc(slices.Sorted(maps.Keys(properties)), func(name string) bool { return slices.Contains(own, name) })
	if len(others) == len(properties) {
		return nil
	}
	if launchTemplate && !slices.Contains(others, "LaunchTemplate") {
		others = append(others, "LaunchTemplate")
	}
	if len(others) == 0 || slices.ContainsFunc(others, func(name string) bool { return properties[name].Impact == cfndiff.Replace }) {
		return nil // a group that is replaced is not updated
	}
	f.Kind, f.Guarded = Refused, true
	f.Message = "changes its version together with " + strings.Join(others, ", ") + ": CloudFormation refuses that; make two pull requests, and deploy the first before the second"
	return []Finding{f}
}

// changed reports whether a resource of the type is updated.
func changed(all []cfndiff.Resource, kind string) bool {
	return slices.ContainsFunc(all, func(r cfndiff.Resource) bool { return r.Type == kind && r.Old != nil && r.New != nil })
}

// scaling is the size of a node group.
type scaling struct{ MinSize, MaxSize, DesiredSize float64 }

// size tells what another size does and does not do.
func size(f Finding, change cfndiff.Change) []Finding {
	old, now := scalingOf(change.Old), scalingOf(change.New)
	if now == (scaling{}) || old == now {
		return nil
	}
	f.Message = fmt.Sprintf("is set to %v nodes. Nothing scales it by itself: pods beyond them stay pending; max (%v) only limits what somebody sets by hand", now.DesiredSize, now.MaxSize)
	return []Finding{f}
}

// scalingOf reads a size; it is empty when there is none.
func scalingOf(value any) scaling {
	var read scaling
	if text, err := json.Marshal(value); err != nil || json.Unmarshal(text, &read) != nil {
		return scaling{}
	}
	return read
}
