package cost

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/manifests"
)

func stack(resources map[string]any) map[string]assembly.Template {
	return map[string]assembly.Template{"s": {"Resources": resources}}
}

func resource(kind string, properties map[string]any) map[string]any {
	return map[string]any{"R": map[string]any{"Type": kind, "Properties": properties}}
}

func TestBill(t *testing.T) {
	p, err := Table()
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[string]any{"InstanceTypes": []any{"m7g.large", "m6g.large"}, "ScalingConfig": map[string]any{"MinSize": 2.0, "MaxSize": 9.0}, "DiskSize": 20.0}
	for name, c := range map[string]struct {
		kind       string
		properties map[string]any
		lines      int
		total      float64
		unknown    int
	}{
		"NAT":                {"AWS::EC2::NatGateway", nil, 1, p.Hourly["natGateway"] * 730, 0},
		"gateway endpoint":   {"AWS::EC2::VPCEndpoint", map[string]any{"VpcEndpointType": "Gateway"}, 0, 0, 0},
		"interface endpoint": {"AWS::EC2::VPCEndpoint", map[string]any{"VpcEndpointType": "Interface", "SubnetIds": []any{1, 2, 3}}, 1, 3 * p.Hourly["interfaceEndpoint"] * 730, 0},
		"cluster":            {"AWS::EKS::Cluster", map[string]any{"Version": "1.36"}, 1, p.Hourly["eksCluster"] * 730, 0},
		"old cluster":        {"AWS::EKS::Cluster", map[string]any{"Version": "1.30"}, 2, (p.Hourly["eksCluster"] + p.Hourly["eksExtendedSupport"]) * 730, 0},
		"old cluster that EKS upgrades": {"AWS::EKS::Cluster", map[string]any{"Version": "1.30", "UpgradePolicy": map[string]any{"SupportType": "STANDARD"}},
			1, p.Hourly["eksCluster"] * 730, 0},
		"nodes":         {"AWS::EKS::Nodegroup", nodes, 2, 2*p.Instances["m7g.large"]*730 + 40*p.Storage["ebs-gp3"], 0},
		"unknown nodes": {"AWS::EKS::Nodegroup", map[string]any{"InstanceTypes": []any{"z9.huge"}}, 0, 0, 1},
		"database": {"AWS::RDS::DBInstance", map[string]any{"Engine": "mysql", "DBInstanceClass": "db.t4g.small", "AllocatedStorage": "20", "StorageType": "gp3"},
			2, p.Databases["mysql"]["db.t4g.small"]*730 + 20*p.Storage["rds-gp3"], 0},
		"Multi-AZ": {"AWS::RDS::DBInstance", map[string]any{"Engine": "mysql", "DBInstanceClass": "db.t4g.small", "AllocatedStorage": "20", "StorageType": "gp3", "MultiAZ": true},
			2, 2 * (p.Databases["mysql"]["db.t4g.small"]*730 + 20*p.Storage["rds-gp3"]), 0},
		"another engine": {"AWS::RDS::DBInstance", map[string]any{"DBInstanceClass": "db.t4g.small", "Engine": "oracle-se2", "AllocatedStorage": "20", "StorageType": "gp3"},
			1, 20 * p.Storage["rds-gp3"], 1},
		"cache": {"AWS::ElastiCache::ReplicationGroup", map[string]any{"Engine": "valkey", "CacheNodeType": "cache.t4g.micro", "NumCacheClusters": 1.0},
			1, p.Caches["valkey"]["cache.t4g.micro"] * 730, 0},
		"cache with replicas": {"AWS::ElastiCache::ReplicationGroup", map[string]any{"Engine": "valkey", "CacheNodeType": "cache.m7g.large", "NumCacheClusters": "3"},
			1, 3 * p.Caches["valkey"]["cache.m7g.large"] * 730, 0},
		"cache of another engine": {"AWS::ElastiCache::ReplicationGroup", map[string]any{"CacheNodeType": "cache.t4g.micro", "NumCacheClusters": 1.0}, 0, 0, 1},
		"cache of shards":         {"AWS::ElastiCache::ReplicationGroup", map[string]any{"Engine": "valkey", "CacheNodeType": "cache.t4g.micro", "NumNodeGroups": 2.0}, 0, 0, 1},
		"unknown database":        {"AWS::RDS::DBInstance", map[string]any{"DBInstanceClass": "db.z9", "StorageType": "io2"}, 0, 0, 2},
		"free":                    {"AWS::IAM::Role", nil, 0, 0, 0},
		"custom resource":         {"Custom::AWSCDK-EKS-HelmChart", nil, 0, 0, 0},
		"paid by use":             {"AWS::S3::Bucket", nil, 0, 0, 0},
		"type without price":      {"AWS::Redshift::Cluster", nil, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bill := p.Bill(Input{Stacks: stack(resource(c.kind, c.properties))})
			if len(bill.Lines) != c.lines || len(bill.Unknown) != c.unknown || fmt.Sprintf("%.4f", bill.Total()) != fmt.Sprintf("%.4f", c.total) {
				t.Errorf("got %+v, total %.4f, want %.4f", bill, bill.Total(), c.total)
			}
		})
	}
}

// Logs that a template turns on are paid by the GB and can cost more than what they are of, so each is named with its price.
func TestLogs(t *testing.T) {
	p, err := Table()
	if err != nil {
		t.Fatal(err)
	}
	price := fmt.Sprintf("%.2f USD for each GB ingested (s/R)", p.PerGB["logIngestion"])
	logging := func(kinds ...any) map[string]any {
		return map[string]any{"Version": "1.36", "Logging": map[string]any{"ClusterLogging": map[string]any{"EnabledTypes": kinds}}}
	}
	for name, c := range map[string]struct {
		kind       string
		properties map[string]any
		want       string
	}{
		"flow logs":            {"AWS::EC2::FlowLog", map[string]any{"TrafficType": "ALL", "LogDestinationType": "cloud-watch-logs"}, "[VPC flow logs of ALL traffic, " + price + "]"},
		"flow logs by default": {"AWS::EC2::FlowLog", map[string]any{"TrafficType": "REJECT"}, "[VPC flow logs of REJECT traffic, " + price + "]"},
		"flow logs to S3":      {"AWS::EC2::FlowLog", map[string]any{"TrafficType": "ALL", "LogDestinationType": "s3"}, "[VPC flow logs of ALL traffic to s3 (s/R)]"},
		"control plane":        {"AWS::EKS::Cluster", logging(map[string]any{"Type": "api"}, map[string]any{"Type": "audit"}), "[EKS control plane logs, 2 kinds, " + price + "]"},
		"no control plane":     {"AWS::EKS::Cluster", logging(), "[]"},
	} {
		if got := fmt.Sprint(p.Bill(Input{Stacks: stack(resource(c.kind, c.properties))}).Usage); got != c.want {
			t.Errorf("%s: got %s, must be %s", name, got, c.want)
		}
	}
}

// Everything in this repository's templates is priced, free, or paid by use: nothing is forgotten.
func TestTemplates(t *testing.T) {
	p, err := Table()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../../testdata/templates/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var parsed assembly.Template
		if err := json.Unmarshal(content, &parsed); err != nil {
			t.Fatal(err)
		}
		for _, unknown := range p.Bill(Input{Stacks: map[string]assembly.Template{filepath.Base(file): parsed}}).Unknown {
			t.Errorf("prices.yaml does not know %s; add its price, or list its type under free or usage", unknown)
		}
	}
}

func TestTable(t *testing.T) {
	p, err := Table()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(time.DateOnly, p.Date); err != nil || p.Region == "" || p.Source == "" {
		t.Errorf("date %q, region %q, source %q", p.Date, p.Region, p.Source)
	}
	for _, list := range [][]string{p.Free, p.Usage} {
		if !slices.IsSorted(list) {
			t.Error("the lists of types are not sorted")
		}
	}
	for key, day := range p.Checked {
		if _, known := p.Price(key); !known {
			t.Errorf("checked names %s, which has no price", key)
		}
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			t.Errorf("checked: %s: %v", key, err)
		}
	}
	for _, u := range p.Usual {
		if _, known := p.Price(u.Price); !known || u.Item == "" || u.Of == "" || u.Amount <= 0 || u.Unit == "" || !slices.Contains([]Each{"", EachResource, EachZone}, u.Each) {
			t.Errorf("usual: %+v", u)
		}
	}
	for _, prices := range []map[string]float64{p.PerGB, p.PerUse, p.Hourly, p.Monthly, p.Storage, p.Instances, p.Databases["mysql"], p.Databases["postgres"]} {
		for name, price := range prices {
			if price <= 0 {
				t.Errorf("%s costs %v", name, price)
			}
		}
	}
}

// A price that was checked says when in every line that is made of it; another one says nothing.
func TestChecked(t *testing.T) {
	p, err := Table()
	if err != nil {
		t.Fatal(err)
	}
	p.Checked = map[string]string{"databases.mysql.db.t4g.small": "2026-12-01"}
	lines := p.Bill(Input{Stacks: stack(resource("AWS::RDS::DBInstance", map[string]any{"Engine": "mysql", "DBInstanceClass": "db.t4g.small", "AllocatedStorage": "20", "StorageType": "gp3"}))}).Lines
	if len(lines) != 2 || lines[0].Checked != "2026-12-01" || lines[1].Checked != "" {
		t.Errorf("got %+v", lines)
	}
}

func TestLoadBalancers(t *testing.T) {
	ingress := func(name, group string) manifests.Object {
		return manifests.Object{Kind: "Ingress", Namespace: "n", Name: name, Values: map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"alb.ingress.kubernetes.io/group.name": group}},
		}}
	}
	got := LoadBalancers(manifests.Rendered{Kustomizations: []manifests.Kustomization{
		{Objects: []manifests.Object{ingress("a", "public"), ingress("own", ""), {Kind: "Service"}}},
		{Objects: []manifests.Object{ingress("b", "public")}},
	}})
	if fmt.Sprint(got) != "[Ingress group public Ingress n/own]" {
		t.Error(got)
	}
}
