package cost

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"k8s-plus-aws-gitops/internal/assembly"
)

// Line is one item of a bill.
type Line struct {
	// Item is what is paid for, for example "RDS db.m7g.large, Multi-AZ".
	Item string `json:"item"`
	// Where is the stack's resource, or what else makes the item.
	Where string `json:"where"`
	// Monthly price in the table's currency.
	Monthly float64 `json:"monthly"`
	// Checked is the day on which the price was compared with AWS's, YYYY-MM-DD; empty: it never was.
	Checked string `json:"checked,omitempty"`
}

// Bill is what a side of a change costs each month.
type Bill struct {
	Lines []Line
	// Unknown are items without a price in the table, with where they are.
	Unknown []string
	// Usage are resources paid by use.
	Usage []string
}

// Delta is what a change adds to the monthly bill of an environment.
type Delta struct {
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	// Lines that come (positive) and go (negative).
	Lines []Line `json:"lines,omitempty"`
	// Unknown are items of the change that have no price.
	Unknown []string `json:"unknown,omitempty"`
	// Usage are resources of the change that are paid by use.
	Usage []string `json:"usage,omitempty"`
	// Totals tells that Before and After are whole bills; false when the AWS half did not have to be looked at.
	Totals bool `json:"totals"`
}

// Change is the difference of the totals.
func (d Delta) Change() float64 { return d.After - d.Before }

// Input is what a bill is made of.
type Input struct {
	// Stacks by name.
	Stacks map[string]assembly.Template
	// LoadBalancers that the Ingresses of the environment ask for.
	LoadBalancers []string
}

// Compare returns the delta between two sides.
func (p Prices) Compare(old, now Input) Delta {
	before, after := p.Bill(old), p.Bill(now)
	d := Delta{Before: before.Total(), After: after.Total()}
	amounts := map[Line]float64{}
	for _, line := range before.Lines {
		amounts[Line{Item: line.Item, Where: line.Where, Checked: line.Checked}] -= line.Monthly
	}
	for _, line := range after.Lines {
		amounts[Line{Item: line.Item, Where: line.Where, Checked: line.Checked}] += line.Monthly
	}
	for line, amount := range amounts {
		if math.Abs(amount) >= 0.005 {
			line.Monthly = amount
			d.Lines = append(d.Lines, line)
		}
	}
	slices.SortFunc(d.Lines, func(a, b Line) int {
		return cmp.Or(strings.Compare(a.Where, b.Where), cmp.Compare(a.Monthly, b.Monthly), strings.Compare(a.Item, b.Item))
	})
	d.Unknown = changed(before.Unknown, after.Unknown)
	d.Usage = changed(before.Usage, after.Usage)
	return d
}

// changed lists what is on one side only, with its sign.
func changed(before, after []string) []string {
	var lines []string
	for _, line := range after {
		if !slices.Contains(before, line) {
			lines = append(lines, "+ "+line)
		}
	}
	for _, line := range before {
		if !slices.Contains(after, line) {
			lines = append(lines, "- "+line)
		}
	}
	return lines
}

// Total is the sum of the lines, in the currency of the table, for a month.
func (b Bill) Total() float64 {
	sum := 0.0
	for _, line := range b.Lines {
		sum += line.Monthly
	}
	return sum
}

// Bill returns what a side costs.
func (p Prices) Bill(in Input) Bill {
	b := &biller{prices: p}
	for _, name := range slices.Sorted(maps.Keys(in.Stacks)) {
		resources := in.Stacks[name].Resources()
		for _, id := range slices.Sorted(maps.Keys(resources)) {
			b.where = name + "/" + id
			b.resource(resources[id], resources)
		}
	}
	for _, name := range in.LoadBalancers {
		b.where = name
		b.add("Application Load Balancer", "hourly.loadBalancer", 1)
	}
	slices.Sort(b.bill.Unknown)
	slices.Sort(b.bill.Usage)
	return b.bill
}

// biller writes a bill.
type biller struct {
	prices Prices
	bill   Bill
	where  string
}

// add adds an item by the key of its price, and reports whether the table has one.
func (b *biller) add(item, key string, quantity float64) bool {
	price, known := b.prices.Month(key)
	if known {
		b.bill.Lines = append(b.bill.Lines, Line{Item: item, Where: b.where, Monthly: price * quantity, Checked: b.prices.Checked[key]})
	}
	return known
}

// usage names what is paid by use, which a template does not tell.
func (b *biller) usage(format string, args ...any) {
	b.bill.Usage = append(b.bill.Usage, fmt.Sprintf(format, args...)+" ("+b.where+")")
}

// ingested names logs that CloudWatch takes in, with the price of a GB.
func (b *biller) ingested(logs string) {
	b.usage("%s, %.2f %s for each GB ingested", logs, b.prices.PerGB["logIngestion"], b.prices.Currency)
}

func (b *biller) unknown(format string, args ...any) {
	b.bill.Unknown = append(b.bill.Unknown, fmt.Sprintf(format, args...)+" ("+b.where+")")
}

// resource adds a resource of a template.
func (b *biller) resource(r map[string]any, all map[string]map[string]any) {
	resourceType, _ := r["Type"].(string)
	properties, _ := r["Properties"].(map[string]any)
	switch resourceType {
	case "AWS::EC2::NatGateway":
		b.add("NAT gateway", "hourly.natGateway", 1)
	case "AWS::EC2::EIP":
		b.add("Public IPv4 address", "hourly.publicIPv4", 1)
	case "AWS::EC2::VPCEndpoint":
		if properties["VpcEndpointType"] == "Interface" {
			subnets, _ := properties["SubnetIds"].([]any)
			b.add(fmt.Sprintf("Interface endpoint in %d zones", len(subnets)), "hourly.interfaceEndpoint", float64(len(subnets)))
		}
	case "AWS::EC2::FlowLog":
		b.flowLog(properties)
	case "AWS::EKS::Cluster":
		b.cluster(properties)
	case "AWS::EKS::Nodegroup":
		b.nodes(properties, all)
	case "AWS::RDS::DBInstance":
		b.database(properties)
	case "AWS::ElastiCache::ReplicationGroup":
		b.cache(properties)
	case "AWS::KMS::Key":
		b.add("KMS key", "monthly.kmsKey", 1)
	case "AWS::SecretsManager::Secret":
		b.add("Secret", "monthly.secret", 1)
	case "AWS::Route53::HostedZone":
		b.add("Hosted zone", "monthly.hostedZone", 1)
	case "AWS::CloudWatch::Alarm":
		b.add("Alarm", "monthly.alarm", 1)
	default:
		switch {
		case b.prices.isFree(resourceType):
		case slices.Contains(b.prices.Usage, resourceType):
			b.usage("%s", resourceType)
		default:
			b.unknown("%s", resourceType)
		}
	}
}

// cluster adds an EKS control plane. Extended support is paid where the upgrade policy asks for it, which is EKS's
// default; with STANDARD, EKS upgrades the cluster when the standard support of its version ends.
func (b *biller) cluster(properties map[string]any) {
	b.add("EKS control plane", "hourly.eksCluster", 1)
	logging, _ := properties["Logging"].(map[string]any)
	enabled, _ := logging["ClusterLogging"].(map[string]any)
	if kinds, _ := enabled["EnabledTypes"].([]any); len(kinds) > 0 {
		b.ingested(fmt.Sprintf("EKS control plane logs, %d kinds", len(kinds)))
	}
	policy, _ := properties["UpgradePolicy"].(map[string]any)
	if version := text(properties["Version"]); policy["SupportType"] != "STANDARD" && !slices.Contains(b.prices.StandardSupport, version) {
		b.add("EKS extended support of Kubernetes "+version, "hourly.eksExtendedSupport", 1)
	}
}

// flowLog names a VPC's flow logs. CloudWatch is where they go unless told otherwise.
func (b *biller) flowLog(properties map[string]any) {
	logs := "VPC flow logs of " + cmp.Or(text(properties["TrafficType"]), "some") + " traffic"
	if to := cmp.Or(text(properties["LogDestinationType"]), "cloud-watch-logs"); to != "cloud-watch-logs" {
		b.usage("%s to %s", logs, to)
		return
	}
	b.ingested(logs)
}

// nodes adds a node group at the size at which it starts.
func (b *biller) nodes(properties map[string]any, all map[string]map[string]any) {
	scaling, _ := properties["ScalingConfig"].(map[string]any)
	count, ok := number(scaling["DesiredSize"])
	if !ok {
		count, _ = number(scaling["MinSize"])
	}
	types, _ := properties["InstanceTypes"].([]any)
	if len(types) == 0 {
		b.unknown("nodes without an instance type")
		return
	}
	name := text(types[0])
	item := fmt.Sprintf("%g nodes %s", count, name)
	if properties["CapacityType"] == "SPOT" {
		item += " (Spot: less than this on-demand price)"
	}
	if !b.add(item, "instances."+name, count) {
		b.unknown("EC2 %s", name)
	}
	if size := disk(properties, all); size > 0 {
		b.add(fmt.Sprintf("%g node volumes gp3, %g GiB", count, size), "storage.ebs-gp3", size*count)
	}
}

// disk is the size of a node's volumes in GiB, from the node group or its launch template.
func disk(properties map[string]any, all map[string]map[string]any) float64 {
	if size, ok := number(properties["DiskSize"]); ok {
		return size
	}
	template, _ := properties["LaunchTemplate"].(map[string]any)
	id, _ := template["Id"].(map[string]any)
	launch, _ := all[text(id["Ref"])]["Properties"].(map[string]any)
	data, _ := launch["LaunchTemplateData"].(map[string]any)
	devices, _ := data["BlockDeviceMappings"].([]any)
	sum := 0.0
	for _, d := range devices {
		device, _ := d.(map[string]any)
		ebs, _ := device["Ebs"].(map[string]any)
		size, _ := number(ebs["VolumeSize"])
		sum += size
	}
	return sum
}

// database adds an RDS instance: a standby doubles instance and storage.
func (b *biller) database(properties map[string]any) {
	class, copies, zones := text(properties["DBInstanceClass"]), 1.0, "Single-AZ"
	if properties["MultiAZ"] == true || properties["MultiAZ"] == "true" {
		copies, zones = 2, "Multi-AZ"
	}
	engine := text(properties["Engine"])
	if !b.add("RDS "+class+", "+zones, "databases."+engine+"."+class, copies) {
		b.unknown("RDS for %s, %s", engine, class)
	}
	size, _ := number(properties["AllocatedStorage"])
	kind := cmp.Or(text(properties["StorageType"]), "gp2")
	if !b.add(fmt.Sprintf("RDS storage %s, %g GiB, %s", kind, size, zones), "storage.rds-"+kind, size*copies) {
		b.unknown("RDS storage %s", kind)
	}
}

// cache adds the nodes of a replication group of one shard.
func (b *biller) cache(properties map[string]any) {
	engine, node := cmp.Or(text(properties["Engine"]), "redis"), text(properties["CacheNodeType"])
	nodes, ok := number(properties["NumCacheClusters"])
	item := "ElastiCache " + node
	if nodes > 1 {
		item += fmt.Sprintf(", %g nodes", nodes)
	}
	// More shards are counted by other properties.
	if !ok || !b.add(item, "caches."+engine+"."+node, nodes) {
		b.unknown("ElastiCache for %s, %s", engine, node)
	}
}

// text is a value as text; empty for nothing.
func text(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// number reads a number, which templates also write as text.
func number(value any) (float64, bool) {
	switch value := value.(type) {
	case float64:
		return value, true
	case string:
		n, err := strconv.ParseFloat(value, 64)
		return n, err == nil
	default:
		return 0, false
	}
}
