package bill_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/bill"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/review/cost"
)

// of is the bill of an environment of the fixture, from its golden templates.
func of(t *testing.T, name string, change func(*cost.Prices)) bill.Bill {
	t.Helper()
	c, err := config.Load(fixture.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	prices, err := cost.Table()
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&prices)
	}
	files, err := filepath.Glob(filepath.Join(fixture.Root(t), "testdata/templates", name+"-*.json"))
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	stacks := map[string]assembly.Stack{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := assembly.Stack{Name: strings.TrimSuffix(filepath.Base(file), ".json")}
		if err := json.Unmarshal(content, &s.Template); err != nil {
			t.Fatal(err)
		}
		stacks[strings.TrimPrefix(s.Name, name+"-")] = s
	}
	return bill.New(prices, bill.Input{Env: c.Environments[name], Stacks: stacks, Services: []string{"billing", "orders"}, LoadBalancers: []string{"Ingress group public"}})
}

func near(a, b float64) bool { return math.Abs(a-b) < 0.005 }

// The sum is that of the parts, theirs that of their lines, and the parts are in the order of their kinds.
func TestSums(t *testing.T) {
	for _, name := range []string{"dev", "integration", "production"} {
		b, total := of(t, name, nil), 0.0
		var parts []string
		for _, p := range b.Parts {
			sum := 0.0
			for _, l := range p.Lines {
				sum += l.Monthly
			}
			if !near(sum, p.Monthly) {
				t.Errorf("%s: %s: %.2f, its lines are %.2f", name, p.Name, p.Monthly, sum)
			}
			total += p.Monthly
			parts = append(parts, fmt.Sprintf("%s %s", p.Name, p.Kind))
		}
		if !near(total, b.Total) || total < 100 || len(b.Unknown) > 0 {
			t.Errorf("%s: total %.2f, its parts are %.2f; unknown %v", name, b.Total, total, b.Unknown)
		}
		want := []string{name + "-cluster platform", name + "-delivery platform", name + "-network platform", name + "-ghost application", name + "-billing service", name + "-orders service", "Ingress group public load balancer"}
		if name == "dev" { // once, whoever shares it
			want = slices.Insert(want, 3, "dev-shared-postgres platform")
		}
		if !slices.Equal(parts, want) {
			t.Errorf("%s: %v, want %v", name, parts, want)
		}
	}
}

// The review and the bill are of one table and one code: what the review calls the whole is this sum.
func TestAsTheReview(t *testing.T) {
	prices, err := cost.Table()
	if err != nil {
		t.Fatal(err)
	}
	stacks := map[string]assembly.Template{}
	files, _ := filepath.Glob(filepath.Join(fixture.Root(t), "testdata/templates/production-*.json"))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var parsed assembly.Template
		if err := json.Unmarshal(content, &parsed); err != nil {
			t.Fatal(err)
		}
		stacks[filepath.Base(file)] = parsed
	}
	whole := prices.Compare(cost.Input{}, cost.Input{Stacks: stacks, LoadBalancers: []string{"Ingress group public"}}).After
	if got := of(t, "production", nil).Total; !near(got, whole) {
		t.Errorf("%.2f, the review says %.2f", got, whole)
	}
}

// What is paid by use has its arithmetic: for each resource, for each zone of a load balancer, or once.
func TestNotIncluded(t *testing.T) {
	b := of(t, "production", nil)
	prices, _ := cost.Table()
	nats := 0
	for _, p := range b.Parts {
		for _, l := range p.Lines {
			if l.Item == "NAT gateway" {
				nats++
			}
		}
	}
	want := map[string]float64{
		"Public addresses of load balancers": 3 * 730 * prices.Hourly["publicIPv4"],
		"Log ingestion, VPC flow logs":       30 * prices.PerGB["logIngestion"],
		"Traffic through NAT gateways":       100 * prices.PerGB["natTraffic"], // once, of three gateways
	}
	for _, u := range b.NotIncluded {
		if !near(u.Monthly, u.Amount*u.Price) {
			t.Errorf("%+v", u)
		}
		if expected, named := want[u.Item]; named && !near(u.Monthly, expected) {
			t.Errorf("%s: %.2f, want %.2f", u.Item, u.Monthly, expected)
		}
		delete(want, u.Item)
	}
	if nats != 3 || len(want) > 0 {
		t.Errorf("%d NAT gateways; not named: %v", nats, want)
	}
	if b.Usage["AWS::Lambda::Function"] == 0 || b.Usage["AWS::S3::Bucket"] != 0 {
		t.Errorf("without a usual amount: %v, must have functions, and not buckets, which have one", b.Usage)
	}
}

// A checked price has no mark; the words about the mark stay while one is left.
func TestChecked(t *testing.T) {
	line := func(b bill.Bill, start string) string {
		var out strings.Builder
		b.Print(&out)
		for l := range strings.Lines(out.String()) {
			if strings.HasPrefix(l, start) {
				return strings.TrimSuffix(l, "\n")
			}
		}
		return ""
	}
	if got := line(of(t, "dev", nil), "  EKS control plane"); !strings.HasSuffix(got, "73.00 *") {
		t.Errorf("not checked: %q", got)
	}
	checked := of(t, "dev", func(p *cost.Prices) { p.Checked = map[string]string{"hourly.eksCluster": "2026-12-01"} })
	if got := line(checked, "  EKS control plane"); !strings.HasSuffix(got, "73.00") {
		t.Errorf("checked: %q", got)
	}
	if line(checked, "* was never compared") == "" {
		t.Error("does not say what the mark is")
	}
}

// The tables fit 80 columns, name each part and item, several of one kind together, and end with the sums.
func TestPrint(t *testing.T) {
	b := of(t, "dev", nil)
	b.Region = "eu-central-1"
	b.Unknown = []string{"AWS::Redshift::Cluster (data/Warehouse)"}
	var out strings.Builder
	b.Print(&out)
	text := out.String()
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{
		"\ndev-network  ", "\n  4 x Alarm  ", "(Spot: less than this on-demand price)", "\nPublic addresses of load balancers    2190 hours x 0.005 ",
		fmt.Sprintf("%12.2f\n\nNot in the sum", b.Total), fmt.Sprintf("%12.2f\n\nPaid by use, without a usual amount: ", b.Used()),
		"\nWithout a price in the table: AWS::Redshift::Cluster (data/Warehouse).\n", "\nThe prices are of eu-west-1, and dev is in eu-central-1.\n", "entered on 20",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}
