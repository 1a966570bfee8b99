package moto_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"k8s-plus-aws-gitops/local/internal/freeport"
)

// Rules change places in one request, as the load balancer controller asks for when an Ingress comes before others. A place that a
// rule outside of the request holds is refused, and nothing has moved then.
func TestRulesChangePlaces(t *testing.T) {
	c := client(start(t, python(t), freeport.Port(t), t.TempDir()).URL)
	balancers := elb.NewFromConfig(c)
	listener := newListener(t, c)
	var rules []string
	for i := range 3 {
		out, err := balancers.CreateRule(t.Context(), &elb.CreateRuleInput{
			ListenerArn: &listener, Priority: aws.Int32(int32(i + 1)),
			Conditions: []types.RuleCondition{{Field: aws.String("host-header"), Values: []string{string(rune('a'+i)) + ".example.com"}}},
			Actions:    answer,
		})
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, *out.Rules[0].RuleArn)
	}
	move := func(first, second int32) error {
		_, err := balancers.SetRulePriorities(t.Context(), &elb.SetRulePrioritiesInput{RulePriorities: []types.RulePriorityPair{
			{RuleArn: &rules[0], Priority: &first}, {RuleArn: &rules[1], Priority: &second},
		}})
		return err
	}
	expect := func(want ...string) {
		t.Helper()
		out, err := balancers.DescribeRules(t.Context(), &elb.DescribeRulesInput{ListenerArn: &listener})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, r := range out.Rules {
			got[*r.RuleArn] = *r.Priority
		}
		for i, w := range want {
			if got[rules[i]] != w {
				t.Errorf("rule %d has priority %s, want %s", i, got[rules[i]], w)
			}
		}
	}
	if err := move(2, 1); err != nil {
		t.Fatal(err)
	}
	expect("2", "1", "3")
	var taken *types.PriorityInUseException
	if err := move(4, 3); !errors.As(err, &taken) {
		t.Errorf("priority 3 is another rule's, got %v", err)
	}
	expect("2", "1", "3")
}

// answer is what a listener and its rules do.
var answer = []types.Action{{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("404")}}}

func newListener(t *testing.T, c aws.Config) string {
	t.Helper()
	network := ec2.NewFromConfig(c)
	vpc, err := network.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	subnet, err := network.CreateSubnet(t.Context(), &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.0.0.0/24")})
	if err != nil {
		t.Fatal(err)
	}
	balancer, err := elb.NewFromConfig(c).CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{Name: aws.String("public"), Subnets: []string{*subnet.Subnet.SubnetId}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := elb.NewFromConfig(c).CreateListener(t.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), DefaultActions: answer,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *listener.Listeners[0].ListenerArn
}
