package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	zoneLetter    = regexp.MustCompile(`^[a-z]$`)
	mirrorPrefix  = regexp.MustCompile(`^[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?(/[a-z0-9._/-]+)?$`)
	instanceType  = regexp.MustCompile(`^[a-z][a-z0-9-]*[0-9][a-z0-9-]*\.(nano|micro|small|medium|large|xlarge|[0-9]+xlarge|metal(-[0-9]+xl)?)$`)
	graviton      = regexp.MustCompile(`^(a1|[a-z]+[0-9]+g[a-z]*)\.`)
	databaseClass = regexp.MustCompile(`^db\.[a-z][a-z0-9]*[0-9][a-z0-9]*\.(micro|small|medium|large|xlarge|[0-9]+xlarge)$`)

	// Kubernetes minors: in standard support, and within one minor of the bootstrap's kubectl 1.35.
	kubernetesVersions = []string{"1.34", "1.35", "1.36"}

	// Periods that CloudWatch Logs accepts:
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
	retentionDays = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

	// Interface endpoints that can be asked for.
	endpoints = []string{"autoscaling", "ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "kms", "lambda", "logs", "monitoring", "secretsmanager", "ssm", "sts"}

	// Endpoints without which a cluster with no way out does not come up: nodes and their images (ec2, ecr.*, eks, sts),
	// Pod Identity (eks-auth), the load balancer controller, external-secrets, logs, and the kubectl Lambda, whose
	// framework calls it through the Lambda API.
	// https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html
	endpointsWithoutNAT = []string{"ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "lambda", "logs", "secretsmanager", "sts"}

	// Address blocks that AWS recommends for a VPC: RFC 1918 and RFC 6598.
	privateBlocks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10")}
)

// network checks the VPC.
func (r *report) network(path string, n Network) {
	r.block(path+".cidr", n.CIDR, 16, 19, "\"10.20.0.0/16\"")
	if at := path + ".zones"; !r.under(at) && !r.absentAbove(at) {
		if len(n.Zones) < 2 || len(n.Zones) > 3 {
			r.add(at, "give two or three: EKS and Multi-AZ databases need two, and the subnets are cut for three", "has %d zones", len(n.Zones))
		}
		for i, letter := range n.Zones {
			if !zoneLetter.MatchString(letter) {
				r.add(fmt.Sprintf("%s[%d]", at, i), "give the letter alone, for example \"a\"", "%q is no availability zone", letter)
			} else if slices.Index(n.Zones, letter) < i {
				r.add(fmt.Sprintf("%s[%d]", at, i), "name each zone once", "%q is there twice", letter)
			}
		}
	}
	r.oneOf(path+".nat", string(n.NAT), []string{string(NATOne), string(NATPerZone), string(NATNone)})
	for i, endpoint := range n.Endpoints {
		at := fmt.Sprintf("%s.endpoints[%d]", path, i)
		r.oneOf(at, endpoint, endpoints)
		if slices.Index(n.Endpoints, endpoint) < i {
			r.add(at, "name each endpoint once", "%q is there twice", endpoint)
		}
	}
	if n.NAT == NATNone {
		missing := slices.DeleteFunc(slices.Clone(endpointsWithoutNAT), func(e string) bool { return slices.Contains(n.Endpoints, e) })
		if len(missing) > 0 && !r.under(path+".endpoints") {
			r.add(path+".endpoints", "add them, or set nat to \"one\"", "lacks %s, and without NAT nodes, controllers and the bootstrap reach AWS only through endpoints", strings.Join(missing, ", "))
		}
		if n.Mirror == "" {
			r.add(path+".mirror", "mirror ghcr.io to ECR and give the prefix, or set nat to \"one\"", "is missing, and without NAT the cluster cannot pull Flux from ghcr.io")
		}
	}
	if n.Mirror != "" && !mirrorPrefix.MatchString(n.Mirror) {
		r.add(path+".mirror", "give <account>.dkr.ecr.<region>.amazonaws.com/<prefix>, without scheme and trailing slash", "%q is no ECR registry", n.Mirror)
	}
	r.retention(path+".flowLogDays", n.FlowLogDays)
}

// block checks a private IPv4 block whose prefix length lies from low to high.
func (r *report) block(path, text string, low, high int, example string) {
	if r.under(path) || r.absentAbove(path) {
		return
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil || !prefix.Addr().Is4():
		r.add(path, "give an IPv4 block, for example "+example, "%q is no IPv4 block", text)
	case prefix != prefix.Masked():
		r.add(path, fmt.Sprintf("write %s", prefix.Masked()), "%s has bits behind its prefix", text)
	case prefix.Bits() > high:
		r.add(path, fmt.Sprintf("choose a block of /%d to /%d, for example %s", low, high, example), "%s is too small", text)
	case prefix.Bits() < low:
		r.add(path, fmt.Sprintf("choose a block of /%d to /%d, for example %s", low, high, example), "%s is too large", text)
	case !slices.ContainsFunc(privateBlocks, func(b netip.Prefix) bool { return b.Contains(prefix.Addr()) && b.Bits() <= prefix.Bits() }):
		r.add(path, "choose a block in 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10, for example "+example, "%s are public addresses", text)
	}
}

// cluster checks the control plane.
func (r *report) cluster(path string, e Environment) {
	c := e.Cluster
	if at := path + ".version"; !r.under(at) && !r.absentAbove(at) && !slices.Contains(kubernetesVersions, c.Version) {
		r.add(at, "use one of "+strings.Join(kubernetesVersions, ", "), "Kubernetes %q is not supported", c.Version)
	}
	for i, text := range c.PublicAccessCIDRs {
		r.publicAccess(fmt.Sprintf("%s.publicAccessCidrs[%d]", path, i), i, text, c.PublicAccessCIDRs)
	}
	r.block(path+".serviceCidr", c.ServiceCIDR, 12, 24, "\"172.20.0.0/16\"")
	service, err1 := netip.ParsePrefix(c.ServiceCIDR)
	vpc, err2 := netip.ParsePrefix(e.Network.CIDR)
	if err1 == nil && err2 == nil && service.Overlaps(vpc) {
		r.add(path+".serviceCidr", "choose a block outside network.cidr", "%s overlaps the VPC, %s", service, vpc)
	}
	r.retention(path+".logDays", c.LogDays)
	seen := map[string]string{}
	for i, arn := range c.Admins {
		r.principal(fmt.Sprintf("%s.admins[%d]", path, i), arn, e, seen)
	}
	for i, arn := range c.Viewers {
		r.principal(fmt.Sprintf("%s.viewers[%d]", path, i), arn, e, seen)
	}
}

// publicAccess checks the i-th block that may reach the API endpoint.
func (r *report) publicAccess(path string, i int, text string, all []string) {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case r.under(path):
	case err != nil || !prefix.Addr().Is4():
		r.add(path, "give an IPv4 block, for example \"203.0.113.7/32\"", "%q is no IPv4 block", text)
	case prefix != prefix.Masked():
		r.add(path, fmt.Sprintf("write %s", prefix.Masked()), "%s has bits behind its prefix", text)
	case prefix.Bits() < 8:
		r.add(path, "name the networks that need the API; for everyone else there is the private endpoint", "%s opens the cluster's API to the world", text)
	case slices.ContainsFunc(privateBlocks, func(b netip.Prefix) bool { return b.Overlaps(prefix) }):
		r.add(path, "leave it out: traffic from inside arrives at the private endpoint", "%s are private addresses, which never reach a public endpoint", text)
	default:
		for _, other := range all[:i] {
			if p, err := netip.ParsePrefix(other); err == nil && p.Overlaps(prefix) {
				r.add(path, "keep the larger of the two", "%s overlaps %s", text, other)
			}
		}
	}
}

// principal checks one IAM principal of an access entry; seen holds those checked before.
func (r *report) principal(path, arn string, e Environment, seen map[string]string) {
	match := principalARN.FindStringSubmatch(arn)
	switch {
	case r.under(path):
	case strings.Contains(arn, ":sts:") || strings.Contains(arn, "assumed-role"):
		r.add(path, "give the role itself, arn:…:iam::…:role/NAME", "%q is a session, not a role", arn)
	case match == nil:
		r.add(path, "give arn:aws:iam::<account>:role/<name> or …:user/<name>, without wildcards", "%q is no IAM role or user", arn)
	case slices.Contains(regions, e.Region) && match[1] != e.Partition():
		r.add(path, "use arn:"+e.Partition()+":…", "%q lies in partition %s, the environment in %s", arn, match[1], e.Partition())
	case seen[arn] != "":
		r.add(path, "EKS takes one access entry per principal: name it once", "%q is already in %s", arn, seen[arn])
	}
	seen[arn] = path
}

// nodes checks the node group.
func (r *report) nodes(path string, n Nodes) {
	r.oneOf(path+".architecture", string(n.Architecture), []string{string(ARM64), string(X8664)})
	if at := path + ".instanceTypes"; !r.under(at) && !r.absentAbove(at) {
		if len(n.InstanceTypes) == 0 || len(n.InstanceTypes) > 20 {
			r.add(at, "name 1 to 20", "has %d instance types", len(n.InstanceTypes))
		}
		for i, name := range n.InstanceTypes {
			r.instance(fmt.Sprintf("%s[%d]", at, i), name, n.Architecture)
		}
	}
	r.between(path+".min", n.Min, 1, 450)
	r.between(path+".max", n.Max, 1, 450)
	if n.Max < n.Min && !r.under(path+".min") && !r.under(path+".max") && !r.absentAbove(path+".max") {
		r.add(path+".max", fmt.Sprintf("raise it to %d or more, or lower min", n.Min), "%d is less than min, %d", n.Max, n.Min)
	}
	r.between(path+".diskGiB", n.DiskGiB, 20, 16384)
}

// instance checks one instance type against the architecture.
func (r *report) instance(path, name string, architecture Architecture) {
	switch {
	case !instanceType.MatchString(name):
		r.add(path, "give family and size, for example \"m7g.large\"", "%q is no EC2 instance type", name)
	case strings.HasSuffix(name, ".nano") || strings.HasSuffix(name, ".micro"):
		r.add(path, "choose small or larger: the add-ons and controllers do not fit", "%q is too small for a node", name)
	case architecture == ARM64 && !graviton.MatchString(name):
		r.add(path, "choose a Graviton type, for example \"m7g.large\", or set architecture to \"x86_64\"", "%q is not arm64", name)
	case architecture == X8664 && graviton.MatchString(name):
		r.add(path, "choose for example \"m7i.large\", or set architecture to \"arm64\"", "%q is arm64", name)
	}
}

// database checks an RDS for MySQL instance.
func (r *report) database(path string, e Environment) {
	d := e.Ghost.Database
	if at := path + ".instanceClass"; !r.under(at) && !r.absentAbove(at) && !databaseClass.MatchString(d.InstanceClass) {
		remedy := "give an RDS class, for example \"db.t4g.small\""
		if databaseClass.MatchString("db." + d.InstanceClass) {
			remedy = strconv.Quote("db." + d.InstanceClass)
			remedy = "write " + remedy
		}
		r.add(at, remedy, "%q is no RDS instance class", d.InstanceClass)
	}
	r.between(path+".storageGiB", d.StorageGiB, 20, 65536)
	r.between(path+".maxStorageGiB", d.MaxStorageGiB, 20, 65536)
	// RDS refuses a limit less than 10 % above the storage: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
	if at := path + ".maxStorageGiB"; !r.under(path) && d.MaxStorageGiB*10 < d.StorageGiB*11 {
		r.add(at, fmt.Sprintf("raise it to %d or more", (d.StorageGiB*11+9)/10), "%d leaves less than 10 %% above storageGiB, %d", d.MaxStorageGiB, d.StorageGiB)
	}
	low := 1
	if e.DeletionProtection {
		low = 7
	}
	r.between(path+".backupDays", d.BackupDays, low, 35)
	r.retention(path+".logDays", d.LogDays)
}

// retention checks a number of days against the periods of CloudWatch Logs.
func (r *report) retention(path string, days int) {
	if r.under(path) || r.absentAbove(path) || slices.Contains(retentionDays, days) {
		return
	}
	next := retentionDays[len(retentionDays)-1]
	if i, _ := slices.BinarySearch(retentionDays, days); i < len(retentionDays) {
		next = retentionDays[i]
	}
	r.add(path, fmt.Sprintf("CloudWatch Logs has fixed periods, the next is %d", next), "is %d days", days)
}
