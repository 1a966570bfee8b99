package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

var (
	zoneLetter    = regexp.MustCompile(`^[a-z]$`)
	instanceType  = regexp.MustCompile(`^[a-z][a-z0-9-]*[0-9][a-z0-9-]*\.(nano|micro|small|medium|large|xlarge|[0-9]+xlarge|metal(-[0-9]+xl)?)$`)
	graviton      = regexp.MustCompile(`^(a1|[a-z]+[0-9]+g[a-z]*)\.`)
	databaseClass = regexp.MustCompile(`^db\.[a-z][a-z0-9]*[0-9][a-z0-9]*\.(micro|small|medium|large|xlarge|[0-9]+xlarge)$`)

	// Periods that CloudWatch Logs accepts:
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
	retentionDays = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

	// Interface endpoints that can be asked for.
	endpoints = []string{"autoscaling", "ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "email", "kms", "lambda", "logs", "monitoring", "secretsmanager", "ssm", "ssmmessages", "sts"}

	// Address blocks that AWS recommends for a VPC: RFC 1918 and RFC 6598.
	privateBlocks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10")}
)

// noNAT is why a cluster without a way out is refused: docs/design/20261129.no-closed-network.md
const noNAT = "set it to \"one\" or \"per-zone\": Git, the charts, and Route 53 have no endpoint in a VPC, so nothing could be deployed"

// checkNetwork checks the VPC.
func checkNetwork(f field, e Environment) {
	n := e.Network
	f.key("cidr").block(n.CIDR, 16, 19, "10.20.0.0/16")
	if letters := regions[e.Region]; letters != "" {
		checkZones(f.key("zones"), n.Zones, e.Region, letters)
	}
	if n.NAT == "none" {
		f.key("nat").add(noNAT, "must be a way out of the cluster, got %q", n.NAT)
	}
	f.key("nat").oneOf(string(n.NAT), string(NATOne), string(NATPerZone))
	for i, endpoint := range n.Endpoints {
		f.key("endpoints").index(i).oneOf(endpoint, endpoints...)
		f.key("endpoints").index(i).once(n.Endpoints, i)
	}
	f.key("flowLogDays").retention(n.FlowLogDays)
}

// checkZones checks the availability zones against the letters of those of the region.
func checkZones(f field, zones []string, region, letters string) {
	if len(zones) == 0 && len(defaultZones(region)) == 0 {
		f.add("name two that this account has: aws ec2 describe-availability-zones --region "+region, "is missing, and accounts differ in the zones that they have in %s", region)
		return
	}
	if len(zones) < 2 || len(zones) > 3 {
		f.add("EKS and Multi-AZ databases need two, and the subnets are cut for three", "must be two or three zones, got %d", len(zones))
	}
	for i, letter := range zones {
		switch {
		case !zoneLetter.MatchString(letter):
			f.index(i).add("give the letter alone, for example \"a\"", "must be the letter of an availability zone, got %q", letter)
		case !strings.Contains(letters, letter):
			f.index(i).add("use one of "+strings.Join(strings.Split(letters, ""), ", "), "must be a zone of %s, got %q", region, letter)
		}
		f.index(i).once(zones, i)
	}
}

// block checks a private IPv4 block whose prefix length lies from low to high.
func (f field) block(text string, low, high int, example string) {
	prefix, ok := f.prefix(text, example)
	switch {
	case !ok:
	case prefix.Bits() > high:
		f.add(fmt.Sprintf("choose a larger one, for example %q", example), "must be a block of /%d to /%d, got %s", low, high, text)
	case prefix.Bits() < low:
		f.add(fmt.Sprintf("choose a smaller one, for example %q", example), "must be a block of /%d to /%d, got %s", low, high, text)
	case !slices.ContainsFunc(privateBlocks, func(b netip.Prefix) bool { return b.Contains(prefix.Addr()) && b.Bits() <= prefix.Bits() }):
		f.add(fmt.Sprintf("choose a block in 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10, for example %q", example), "must be private addresses, got %s", text)
	}
}

// prefix checks an IPv4 block of any size, and returns it.
func (f field) prefix(text, example string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil || !prefix.Addr().Is4():
		f.add(fmt.Sprintf("write it as %q", example), "must be an IPv4 block, got %q", text)
		return prefix, false
	case prefix != prefix.Masked():
		f.add(fmt.Sprintf("write %q", prefix.Masked()), "must have no bits behind its prefix, got %s", text)
		return prefix, false
	}
	return prefix, true
}

// checkCluster checks the control plane.
func checkCluster(f field, e Environment) {
	c := e.Cluster
	for i := range c.PublicAccessCIDRs {
		checkPublicAccess(f.key("publicAccessCidrs").index(i), c.PublicAccessCIDRs, i)
	}
	f.key("serviceCidr").block(c.ServiceCIDR, 12, 24, "172.20.0.0/16")
	service, err1 := netip.ParsePrefix(c.ServiceCIDR)
	vpc, err2 := netip.ParsePrefix(e.Network.CIDR)
	if err1 == nil && err2 == nil && service.Overlaps(vpc) {
		f.key("serviceCidr").add("choose a block outside network.cidr", "must not overlap the VPC, %s, got %s", vpc, service)
	}
	f.key("logDays").retention(c.LogDays)
	seen := map[string]string{}
	for i, arn := range c.Admins {
		checkPrincipal(f.key("admins").index(i), arn, e, seen)
	}
	for i, arn := range c.Viewers {
		checkPrincipal(f.key("viewers").index(i), arn, e, seen)
	}
}

// checkPublicAccess checks the i-th block that may reach the API endpoint.
func checkPublicAccess(f field, all []string, i int) {
	prefix, ok := f.prefix(all[i], "203.0.113.7/32")
	switch {
	case !ok:
		return
	case prefix.Bits() < 8:
		f.add("name the networks that need the API; for everyone else there is the private endpoint", "must not open the cluster's API to the world, got %s", all[i])
	case slices.ContainsFunc(privateBlocks, func(b netip.Prefix) bool { return b.Overlaps(prefix) }):
		f.add("leave it out: traffic from inside arrives at the private endpoint", "must be public addresses, got %s", all[i])
	}
	for _, other := range all[:i] {
		if p, err := netip.ParsePrefix(other); err == nil && p.Overlaps(prefix) {
			f.add("keep the larger of the two", "must not overlap %s, got %s", other, all[i])
		}
	}
}

// checkPrincipal checks one IAM principal of an access entry; seen holds those checked before.
func checkPrincipal(f field, arn string, e Environment, seen map[string]string) {
	match := principalARN.FindStringSubmatch(arn)
	switch {
	case strings.Contains(arn, ":sts:") || strings.Contains(arn, "assumed-role"):
		f.add("give the role itself, arn:…:iam::…:role/NAME", "must be a role or a user, got the session %q", arn)
	case match == nil:
		f.add("give arn:aws:iam::<account>:role/<name> or …:user/<name>, without wildcards", "must be the ARN of an IAM role or user, got %q", arn)
	case regions[e.Region] != "" && match[1] != e.Partition():
		f.add("use arn:"+e.Partition()+":…", "must be in the environment's partition, %s, got %q", e.Partition(), arn)
	case seen[arn] != "":
		f.add("EKS takes one access entry per principal: name it once", "must be there once, got %q, which is also in %s", arn, seen[arn])
	}
	seen[arn] = f.path
}

// checkNodes checks the node group.
func checkNodes(f field, n Nodes) {
	f.key("architecture").oneOf(string(n.Architecture), string(ARM64), string(X8664))
	types := f.key("instanceTypes")
	switch {
	case len(n.InstanceTypes) == 0:
		types.add("name one, for example \"m7g.large\"", "must have at least one instance type")
	case len(n.InstanceTypes) > 20:
		types.add("remove some: EKS takes 20", "must have at most 20 instance types, got %d", len(n.InstanceTypes))
	}
	for i, name := range n.InstanceTypes {
		checkInstanceType(types.index(i), name, n.Architecture)
	}
	f.key("min").between(n.Min, 1, 450)
	f.key("max").between(n.Max, 1, 450)
	if n.Max < n.Min && !f.key("min").reported() {
		f.key("max").add(fmt.Sprintf("raise it to %d or more, or lower min", n.Min), "must be at least min, %d, got %d", n.Min, n.Max)
	}
	f.key("diskGiB").between(n.DiskGiB, 20, 16384)
}

// checkInstanceType checks one instance type against the architecture.
func checkInstanceType(f field, name string, architecture Architecture) {
	switch {
	case !instanceType.MatchString(name):
		f.add("give family and size, for example \"m7g.large\"", "must be an EC2 instance type, got %q", name)
	case strings.HasSuffix(name, ".nano") || strings.HasSuffix(name, ".micro"):
		f.add("choose a larger size: the add-ons and controllers do not fit", "must be small or larger, got %q", name)
	case architecture == ARM64 && !graviton.MatchString(name):
		f.add("choose a Graviton type, for example \"m7g.large\", or set architecture to \"x86_64\"", "must be arm64, got %q", name)
	case architecture == X8664 && graviton.MatchString(name):
		f.add("choose for example \"m7i.large\", or set architecture to \"arm64\"", "must be x86_64, got %q", name)
	}
}

// checkDatabase checks the size of an RDS instance.
func checkDatabase(f field, d Database, protected bool) {
	if !databaseClass.MatchString(d.InstanceClass) {
		remedy := "give one of RDS, for example \"db.t4g.small\""
		if class := "db." + d.InstanceClass; databaseClass.MatchString(class) {
			remedy = fmt.Sprintf("write %q", class)
		}
		f.key("instanceClass").add(remedy, "must be an RDS instance class, got %q", d.InstanceClass)
	}
	f.key("storageGiB").between(d.StorageGiB, 20, 65536)
	f.key("maxStorageGiB").between(d.MaxStorageGiB, 20, 65536)
	// RDS refuses a limit less than 10 % above the storage: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
	if least := (d.StorageGiB*11 + 9) / 10; d.MaxStorageGiB < least && !f.key("storageGiB").reported() {
		f.key("maxStorageGiB").add(fmt.Sprintf("raise it to %d or more", least), "must be at least 10 %% above storageGiB, %d, got %d", d.StorageGiB, d.MaxStorageGiB)
	}
	least := 1
	if protected {
		least = 7
	}
	f.key("backupDays").between(d.BackupDays, least, 35)
	f.key("rotationDays").between(d.RotationDays, 1, 1000)
	f.key("logDays").retention(d.LogDays)
}
