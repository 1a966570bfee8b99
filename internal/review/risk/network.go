package risk

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/review/cfndiff"
)

// rules finds traffic that security groups let through now and did not before.
func rules(place Place, groups cfndiff.Groups) []Finding {
	var found []Finding
	for _, side := range []struct {
		direction      string
		added, removed []cfndiff.Rule
	}{
		{"from", groups.IngressAdded, groups.IngressRemoved},
		{"to", groups.EgressAdded, groups.EgressRemoved},
	} {
		for _, rule := range side.added {
			if closed(rule) || slices.ContainsFunc(side.removed, func(old cfndiff.Rule) bool { return ruleCovers(old, rule) }) {
				continue
			}
			found = append(found, Finding{
				Kind: Network, Resource: place.resource(logicalID(rule.Group)),
				Message: fmt.Sprintf("lets %s through %s %s", traffic(rule), side.direction, peer(rule.Peer)),
			})
		}
	}
	return found
}

// closed tells whether a rule is the CDK's way to write "no egress": one address that does not exist.
func closed(rule cfndiff.Rule) bool { return rule.Peer.CIDR == "255.255.255.255/32" }

// ruleCovers tells whether wide lets through everything that narrow does.
func ruleCovers(wide, narrow cfndiff.Rule) bool {
	if wide.Group != narrow.Group {
		return false
	}
	if wide.Protocol != "-1" && (wide.Protocol != narrow.Protocol || !portsCover(wide, narrow)) {
		return false
	}
	return wide.Peer == narrow.Peer || cidrCovers(wide.Peer.CIDR, narrow.Peer.CIDR)
}

// portsCover compares ranges; a port that is a reference covers only itself.
func portsCover(wide, narrow cfndiff.Rule) bool {
	if equal(wide.From, narrow.From) && equal(wide.To, narrow.To) {
		return true
	}
	from, ok1 := wide.From.(float64)
	to, ok2 := wide.To.(float64)
	first, ok3 := narrow.From.(float64)
	last, ok4 := narrow.To.(float64)
	return ok1 && ok2 && ok3 && ok4 && from <= first && last <= to
}

// cidrCovers tells whether the block wide holds the block narrow.
func cidrCovers(wide, narrow string) bool {
	w, err1 := netip.ParsePrefix(wide)
	n, err2 := netip.ParsePrefix(narrow)
	return err1 == nil && err2 == nil && w.Bits() <= n.Bits() && w.Contains(n.Addr())
}

// traffic writes protocol and ports.
func traffic(rule cfndiff.Rule) string {
	if rule.Protocol == "-1" {
		return "everything"
	}
	from, to := fmt.Sprint(rule.From), fmt.Sprint(rule.To)
	switch {
	case rule.From == nil || from == "-1":
		return "all " + rule.Protocol
	case from == to:
		return rule.Protocol + " " + from
	default:
		return rule.Protocol + " " + from + "-" + to
	}
}

// peer writes the other side of a rule.
func peer(p cfndiff.Peer) string {
	switch {
	case p.CIDR == "0.0.0.0/0" || p.CIDR == "::/0":
		return "anywhere (" + p.CIDR + ")"
	case p.CIDR != "":
		return p.CIDR
	case p.Group != "":
		return "the security group " + p.Group
	case p.Prefix != "":
		return "the prefix list " + p.Prefix
	default:
		return "an unknown peer"
	}
}

// endpoint finds who may newly reach the cluster's API.
func endpoint(r cfndiff.Resource, add func(Kind, string, ...any) []Finding) []Finding {
	if r.Old == nil {
		return nil
	}
	change, changed := r.Properties["ResourcesVpcConfig"]
	if !changed {
		return nil
	}
	old, now := publicBlocks(change.Old), publicBlocks(change.New)
	var fresh []string
	for _, block := range now {
		if !slices.ContainsFunc(old, func(wide string) bool { return wide == block || cidrCovers(wide, block) }) {
			fresh = append(fresh, block)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return add(Network, "the cluster's API can now be reached from %s", strings.Join(fresh, ", "))
}

// publicBlocks lists the blocks that reach the public endpoint; EKS opens it to everybody when it has no list.
func publicBlocks(config any) []string {
	var read struct {
		EndpointPublicAccess any
		PublicAccessCidrs    []any
	}
	text, err := json.Marshal(config)
	if err != nil || json.Unmarshal(text, &read) != nil || config == nil {
		return nil
	}
	if read.EndpointPublicAccess != nil && !isTrue(read.EndpointPublicAccess) {
		return nil
	}
	if len(read.PublicAccessCidrs) == 0 {
		return []string{"0.0.0.0/0"}
	}
	blocks := make([]string, len(read.PublicAccessCidrs))
	for i, block := range read.PublicAccessCidrs {
		blocks[i] = fmt.Sprint(cfndiff.Readable(block))
	}
	return blocks
}
