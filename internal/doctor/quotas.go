package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	quotatypes "github.com/aws/aws-sdk-go-v2/service/servicequotas/types"

	"k8s-plus-aws-gitops/config"
)

// quota is one of Service Quotas: https://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html.
type quota struct{ service, code string }

var (
	vpcs       = quota{"vpc", "L-F678F1CE"}
	elasticIPs = quota{"ec2", "L-0263D0A3"}
	onDemand   = quota{"ec2", "L-1216C47A"} // vCPUs of the standard families
	spot       = quota{"ec2", "L-34B43A08"}
	executions = quota{"lambda", "L-B99A9384"}    // at the same time; a new account has 10
	builds     = quota{"codebuild", "L-2DC20C30"} // at the same time on Linux/Medium; a new account has 1
)

// limit is the account's value, or the default where the account has none of its own.
func (d *Doctor) limit(ctx context.Context, q quota) (float64, error) {
	client := servicequotas.NewFromConfig(d.AWS)
	out, err := client.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: &q.service, QuotaCode: &q.code})
	var none *quotatypes.NoSuchResourceException
	if errors.As(err, &none) {
		fallback, err := client.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: &q.service, QuotaCode: &q.code})
		if err != nil {
			return 0, err
		}
		return value(fallback.Quota)
	}
	if err != nil {
		return 0, err
	}
	return value(out.Quota)
}

func value(q *quotatypes.ServiceQuota) (float64, error) {
	if q == nil || q.Value == nil {
		return 0, errors.New("the answer of Service Quotas has no value")
	}
	return *q.Value, nil
}

// fits compares what is in use and what comes with a quota. What the environment has already is in use and does not come again.
func (d *Doctor) fits(ctx context.Context, q quota, used, own, want int) Line {
	limit, err := d.limit(ctx, q)
	if err != nil {
		return unread(err)
	}
	more := max(want-own, 0)
	detail := fmt.Sprintf("%g, %d in use, %d more for %s", limit, used, more, d.Env.Name)
	if float64(used+more) <= limit || more == 0 {
		return ok("%s", detail)
	}
	return missing(increase(d.Env, q, math.Max(float64(used+more), limit)), "%s", detail)
}

// ours reports whether something carries the environment's tag, which the CDK gives to all that it makes.
func (d *Doctor) ours(tags []types.Tag) bool { return tagged(tags, "environment", d.Env.Name) }

func tagged(tags []types.Tag, key, value string) bool {
	for _, t := range tags {
		if aws.ToString(t.Key) == key && aws.ToString(t.Value) == value {
			return true
		}
	}
	return false
}

// networks compares the quota of VPCs with the environment's one.
func (d *Doctor) networks(ctx context.Context) Line {
	used, own := 0, 0
	for pages := ec2.NewDescribeVpcsPaginator(ec2.NewFromConfig(d.AWS), &ec2.DescribeVpcsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return unread(err)
		}
		used += len(page.Vpcs)
		for _, v := range page.Vpcs {
			if d.ours(v.Tags) {
				own++
			}
		}
	}
	return d.fits(ctx, vpcs, used, own, 1)
}

// reservable is the quota from which Lambda lets a function reserve some: it keeps 100 for those that do not.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
const reservable = 110

// executions looks whether the function of alerts.sns can reserve what it does.
func (d *Doctor) executions(ctx context.Context) Line {
	if !d.Env.Alerts.SNS {
		return ok("none is reserved: alerts.sns is false")
	}
	limit, err := d.limit(ctx, executions)
	if err != nil {
		return unread(err)
	}
	if limit < reservable {
		// The default of older accounts.
		return missing(increase(d.Env, executions, 1000), "%g, of which none can be reserved for the function of alerts.sns", limit)
	}
	return ok("%g", limit)
}

// concurrent is how many builds run at once at the least: a plan waits on its machine for the execution before it, whose builds need
// one of the same size.
const concurrent = 2

// builds looks whether the pipelines' builds run beside each other. What is above the quota waits.
// https://docs.aws.amazon.com/codebuild/latest/userguide/limits.html
func (d *Doctor) builds(ctx context.Context) Line {
	if !d.Env.Delivers() {
		return ok("none: %s has no pipelines", d.Env.Name)
	}
	limit, err := d.limit(ctx, builds)
	if err != nil {
		return unread(err)
	}
	if limit < concurrent {
		return missing(increase(d.Env, builds, concurrent), "%g at once on Linux/Medium: a plan waits for a deployment whose builds wait for the plan's machine", limit)
	}
	return ok("%g", limit)
}

// increase is the command that asks for a larger quota.
func increase(env config.Environment, q quota, desired float64) string {
	return fmt.Sprintf("aws service-quotas request-service-quota-increase --region %s --service-code %s --quota-code %s --desired-value %g", env.Region, q.service, q.code, desired)
}

// addresses compares the quota of elastic IPs with those of the environment's NAT gateways.
func (d *Doctor) addresses(ctx context.Context) Line {
	out, err := ec2.NewFromConfig(d.AWS).DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
	if err != nil {
		return unread(err)
	}
	own, want := 0, 1
	for _, a := range out.Addresses {
		if d.ours(a.Tags) {
			own++
		}
	}
	if d.Env.Network.NAT == config.NATPerZone {
		want = len(d.Env.Zones())
	}
	return d.fits(ctx, elasticIPs, len(out.Addresses), own, want)
}

// standard are the families that share one quota: A, C, D, H, I, M, R, T and Z.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits
var standard = map[string]bool{"a": true, "c": true, "d": true, "h": true, "i": true, "im": true, "is": true, "m": true, "r": true, "t": true, "z": true}

// family is the letters at the start of an instance type: m of m7g.large.
func family(instanceType string) string {
	end := strings.IndexAny(instanceType, "0123456789-.")
	if end < 0 {
		return instanceType
	}
	return instanceType[:end]
}

// processors compares the quota of vCPUs with what the nodes need. An update of a node group adds up to two nodes for each
// zone before it takes old ones away: https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html.
func (d *Doctor) processors(ctx context.Context) Line {
	q := onDemand
	if d.Env.Nodes.Spot {
		q = spot
	}
	size, err := d.largest(ctx)
	if err != nil {
		return unread(err)
	}
	used, own := 0, 0
	for pages := ec2.NewDescribeInstancesPaginator(ec2.NewFromConfig(d.AWS), &ec2.DescribeInstancesInput{Filters: []types.Filter{
		{Name: aws.String("instance-state-name"), Values: []string{"pending", "running"}},
	}}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return unread(err)
		}
		for _, r := range page.Reservations {
			for _, i := range r.Instances {
				if !standard[family(string(i.InstanceType))] || (i.InstanceLifecycle == types.InstanceLifecycleTypeSpot) != d.Env.Nodes.Spot || i.CpuOptions == nil {
					continue
				}
				cpus := int(aws.ToInt32(i.CpuOptions.CoreCount) * aws.ToInt32(i.CpuOptions.ThreadsPerCore))
				used += cpus
				if tagged(i.Tags, "eks:cluster-name", d.Env.ClusterName()) {
					own += cpus
				}
			}
		}
	}
	return d.fits(ctx, q, used, own, (d.Env.Nodes.Min+2*len(d.Env.Zones()))*size)
}

// largest is the vCPUs of the largest of the nodes' instance types. Each must be of a standard family.
func (d *Doctor) largest(ctx context.Context) (int, error) {
	in := &ec2.DescribeInstanceTypesInput{}
	for _, t := range d.Env.Nodes.InstanceTypes {
		if !standard[family(t)] {
			return 0, fmt.Errorf("%s has a quota of its own, see Service Quotas", t)
		}
		in.InstanceTypes = append(in.InstanceTypes, types.InstanceType(t))
	}
	most := 0
	for pages := ec2.NewDescribeInstanceTypesPaginator(ec2.NewFromConfig(d.AWS), in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, err
		}
		for _, t := range page.InstanceTypes {
			if t.VCpuInfo != nil {
				most = max(most, int(aws.ToInt32(t.VCpuInfo.DefaultVCpus)))
			}
		}
	}
	return most, nil
}
