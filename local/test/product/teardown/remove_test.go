package teardown_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"

	"k8s-plus-aws-gitops/config"
)

// On the network that the CDK makes, everything that makes a plain removal of the stacks fail is there at once: objects,
// versions and delete markers, ACM's record, records of external-dns and of people, and a load balancer whose removal the
// cluster swallowed. A neighbour whose name begins with the environment's is left alone.
func TestRemove(t *testing.T) {
	w := newWorld(t)
	vpc, subnet, zone, pods := w.whole(synthesized(t))
	w.leak("local", subnet, vpc, pods)
	w.record(zone, "ghost.localhost", "192.0.2.1", r53types.RRTypeA)
	w.record(zone, "a-ghost.localhost", `"heritage=external-dns,external-dns/owner=local,external-dns/resource=ingress/ghost/ghost"`, r53types.RRTypeTxt)
	w.deploy("local-two-app", strings.ReplaceAll(applicationTemplate, "local-app-", "local-two-app-"), "local-two")

	td := w.teardown(local())
	if err := td.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := w.there()
	plan, err := td.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after := w.there(); after != before {
		t.Errorf("the plan changed something: %s", after)
	}
	var printed bytes.Buffer
	plan.Print(&printed)
	order := []string{"stack local-delivery", "5 objects", "stack local-cluster", "stack local-app,", "bucket local-app-content, 5 objects", "stack local-network",
		"record a-ghost.localhost. TXT", "These are kept:", "local-app-archive: its DeletionPolicy is Retain", "KMS key"}
	rest := printed.String()
	for _, want := range order {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("the plan lacks %q, or has it in another place:\n%s", want, printed.String())
		}
		rest = after
	}
	report, err := td.Remove(t.Context(), plan)
	printed.Reset()
	report.Print(&printed)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, printed.String(), strings.Join(w.said, "\n"))
	}
	if got := w.there(); got != "[local-app-archive local-two-app local-two-app-archive local-two-app-content], 0 load balancers, 0 zones" {
		t.Errorf("there is %s", got)
	}
	for _, want := range []string{"removed  load balancer app/k8s-local/", "removed  target group k8s-local", "removed  security group sg-", "removed  record _", "removed  stack local-network", "kept     AWS::S3::Bucket local-app-archive"} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, printed.String())
		}
	}
	for line := range strings.Lines(printed.String()) {
		if len(strings.TrimSpace(line)) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	again, err := td.Plan(t.Context())
	if err != nil || !again.Empty() {
		t.Errorf("a second plan has %d stacks (%v), must have none", len(again.Stacks), err)
	}
}

// Whatever moment it is interrupted at, the next run ends it.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	vpc, subnet, _, pods := w.whole(networkTemplate)
	w.leak("local", subnet, vpc, pods)
	moments := []string{"emptying bucket", "removing stack local-delivery", "removing stack local-cluster", "load balancer", "removing stack local-app", "removing record", "removing stack local-network"}
	for _, moment := range moments {
		ctx, cancel := context.WithCancel(t.Context())
		td := w.teardown(local())
		say := td.Say
		hit := false
		td.Say = func(format string, args ...any) {
			say(format, args...)
			if strings.Contains(w.said[len(w.said)-1], moment) {
				hit = true
				cancel()
			}
		}
		plan, err := td.Plan(ctx)
		if err != nil {
			t.Fatal(err)
		}
		report, err := td.Remove(ctx, plan)
		cancel()
		if !hit || err == nil || !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "canceled") {
			t.Fatalf("at %q: reached %t, %v", moment, hit, err)
		}
		var printed bytes.Buffer
		report.Print(&printed)
		if !strings.Contains(printed.String(), "left     stack local-network") {
			t.Errorf("at %q the report does not say what is left:\n%s", moment, printed.String())
		}
	}
	td := w.teardown(local())
	plan, err := td.Plan(t.Context())
	if err == nil {
		_, err = td.Remove(t.Context(), plan)
	}
	if got := w.there(); err != nil || got != "[local-app-archive], 0 load balancers, 0 zones" {
		t.Errorf("there is %s, %v", got, err)
	}
}

// What another cluster made in the VPC, or somebody by hand, is named and not removed.
func TestForeignLoadBalancer(t *testing.T) {
	w := newWorld(t)
	vpc, subnet, _, pods := w.whole(networkTemplate)
	arn := w.leak("another", subnet, vpc, pods)
	td := w.teardown(local())
	plan, err := td.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = td.Remove(t.Context(), plan); err == nil || !strings.Contains(err.Error(), "stack local-network is not removed") || !strings.Contains(err.Error(), "aws elbv2 delete-load-balancer --load-balancer-arn "+arn) {
		t.Errorf("%v, must name the load balancer and the command that removes it", err)
	}
	if got := w.there(); !strings.Contains(got, "local-network") || !strings.Contains(got, "1 load balancers") {
		t.Errorf("there is %s", got)
	}
}

// In a zone that stays, what external-dns made for this cluster goes, and nothing else.
func TestSharedZone(t *testing.T) {
	w := newWorld(t)
	made, err := route53.NewFromConfig(w.aws).CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: aws.String("example.com"), CallerReference: aws.String("1")})
	if err != nil {
		t.Fatal(err)
	}
	zone := strings.TrimPrefix(aws.ToString(made.HostedZone.Id), "/hostedzone/")
	claim := func(owner string) string {
		return `"heritage=external-dns,external-dns/owner=` + owner + `,external-dns/resource=ingress/n/n"`
	}
	w.record(zone, "ghost.dev.example.com", "192.0.2.1", r53types.RRTypeA)
	w.record(zone, "a-ghost.dev.example.com", claim("dev"), r53types.RRTypeTxt)
	w.record(zone, "by-hand.dev.example.com", "192.0.2.2", r53types.RRTypeA)
	w.record(zone, "other.dev.example.com", "192.0.2.3", r53types.RRTypeA)
	w.record(zone, "a-other.dev.example.com", claim("dev2"), r53types.RRTypeTxt)
	w.record(zone, "www.example.com", "192.0.2.4", r53types.RRTypeA)
	w.record(zone, "a-www.example.com", claim("dev"), r53types.RRTypeTxt) // not below the environment's domain
	env := config.Environment{Name: "dev", Account: account, Region: "eu-west-1", Domain: "dev.example.com", HostedZone: &config.HostedZone{ID: zone, Name: "example.com"}}
	td := w.teardown(env)
	plan, err := td.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(plan.Records, ", "); got != "a-ghost.dev.example.com. TXT, ghost.dev.example.com. A" {
		t.Errorf("the plan removes %s", got)
	}
	if _, err := td.Remove(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	left, err := route53.NewFromConfig(w.aws).ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &zone})
	if err != nil || len(left.ResourceRecordSets) != 2+5 {
		t.Errorf("%d records are left (%v), must be SOA, NS and 5 others", len(left.ResourceRecordSets), err)
	}
}

// A stack that CloudFormation would not remove is refused before anything is.
func TestProtectedStack(t *testing.T) {
	w := newWorld(t)
	w.deploy("local-app", applicationTemplate, "local")
	if _, err := cloudformation.NewFromConfig(w.aws).UpdateTerminationProtection(t.Context(), &cloudformation.UpdateTerminationProtectionInput{StackName: aws.String("local-app"), EnableTerminationProtection: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.teardown(local()).Plan(t.Context()); err == nil || !strings.Contains(err.Error(), "stack local-app has termination protection") {
		t.Errorf("%v, must refuse a protected stack", err)
	}
}
