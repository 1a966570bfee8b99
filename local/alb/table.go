package alb

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

const (
	schemeHTTP  = "http"
	schemeHTTPS = "https"
)

// table is the compiled state of all load balancers. It is never changed, only replaced.
type table struct {
	balancers []*balancer
	// uses has the ARN of each target group that an action forwards to.
	uses map[string]bool
	// problems name what is not served, sorted and without repetition.
	problems []string
}

// balancer is one Application Load Balancer.
type balancer struct {
	name string
	// hosts are the patterns of all host-header conditions of all listeners: the names that the load balancer is for.
	hosts     []pattern
	listeners map[string]*listener // by scheme
}

// listener is an HTTP listener on port 80 or an HTTPS listener on port 443.
type listener struct {
	rules    []rule // by priority
	fallback *action
}

type rule struct {
	name       string // load balancer and priority, for the log
	priority   int
	conditions []condition
	do         *action
}

// route finds the action for a request. All load balancers share one address, so their rules are tried together:
// first those of load balancers that have a host-header condition for the request's host, as DNS would lead there, then
// the others'; within a load balancer by priority. Then come default actions: that of a load balancer for the host; or
// else the first that is more than a 404. Nil means that nobody wants the request.
func (t *table) route(scheme string, r *request) (name string, do *action) {
	var mine, others []*balancer
	for _, b := range t.balancers {
		if b.listeners[scheme] == nil {
			continue
		}
		if slices.ContainsFunc(b.hosts, func(p pattern) bool { return p.match(r.host) }) {
			mine = append(mine, b)
		} else {
			others = append(others, b)
		}
	}
	for _, b := range slices.Concat(mine, others) {
		for i := range b.listeners[scheme].rules {
			if x := &b.listeners[scheme].rules[i]; x.match(r) {
				return x.name, x.do
			}
		}
	}
	for _, b := range mine {
		if do := b.listeners[scheme].fallback; do != nil {
			return b.name + "/default", do
		}
	}
	for _, b := range others {
		if do := b.listeners[scheme].fallback; do != nil && !do.plain404() {
			return b.name + "/default", do
		}
	}
	return "", nil
}

func (x *rule) match(r *request) bool {
	for _, c := range x.conditions {
		if !c(r) {
			return false
		}
	}
	return true
}

// compiler collects problems on the way.
type compiler struct {
	groups map[string]types.TargetGroup
	table  *table
}

func (c *compiler) problem(format string, args ...any) {
	c.table.problems = append(c.table.problems, fmt.Sprintf(format, args...))
}

// compile turns descriptions into a table.
func compile(s structure, groups []types.TargetGroup) *table {
	c := &compiler{groups: map[string]types.TargetGroup{}, table: &table{uses: map[string]bool{}}}
	for _, g := range groups {
		c.groups[aws.ToString(g.TargetGroupArn)] = g
	}
	for _, d := range s.Balancers {
		name := aws.ToString(d.Balancer.LoadBalancerName)
		if d.Balancer.Type != "" && d.Balancer.Type != types.LoadBalancerTypeEnumApplication {
			c.problem("load balancer %s: type %s is not served; use an Application Load Balancer", name, d.Balancer.Type)
			continue
		}
		b := &balancer{name: name, listeners: map[string]*listener{}}
		for _, l := range d.Listeners {
			c.listener(b, l)
		}
		c.table.balancers = append(c.table.balancers, b)
	}
	slices.SortStableFunc(c.table.balancers, func(a, b *balancer) int { return cmp.Compare(a.name, b.name) })
	for arn := range c.table.uses {
		if g, ok := c.groups[arn]; ok {
			c.group(g)
		}
	}
	slices.Sort(c.table.problems)
	c.table.problems = slices.Compact(c.table.problems)
	return c.table
}

// group names the settings of a target group that the load balancer does not follow.
func (c *compiler) group(g types.TargetGroup) {
	name := aws.ToString(g.TargetGroupName)
	if g.TargetType != "" && g.TargetType != types.TargetTypeEnumIp {
		c.problem("target group %s: target type %s is not served; use ip", name, g.TargetType)
	}
	if v := aws.ToString(g.ProtocolVersion); v != "" && v != "HTTP1" {
		c.problem("target group %s: protocol version %s is served as HTTP1", name, v)
	}
	if _, err := newSettings(g); err != nil {
		c.problem("target group %s: %v", name, err)
	}
}

func (c *compiler) listener(b *balancer, d listenerDescription) {
	port, protocol := aws.ToInt32(d.Listener.Port), d.Listener.Protocol
	var scheme string
	switch {
	case port == 80 && protocol == types.ProtocolEnumHttp:
		scheme = schemeHTTP
	case port == 443 && protocol == types.ProtocolEnumHttps:
		scheme = schemeHTTPS
	default:
		c.problem("load balancer %s: listener %s:%d is not served; HTTP:80 and HTTPS:443 are", b.name, protocol, port)
		return
	}
	l := &listener{fallback: c.action(b.name+" default action", d.Listener.DefaultActions)}
	for _, r := range d.Rules {
		if aws.ToBool(r.IsDefault) || aws.ToString(r.Priority) == "default" {
			if len(r.Actions) > 0 {
				l.fallback = c.action(b.name+" default rule", r.Actions)
			}
			continue
		}
		l.rules = append(l.rules, c.rule(b, r)...)
	}
	slices.SortStableFunc(l.rules, func(a, b rule) int { return cmp.Compare(a.priority, b.priority) })
	b.listeners[scheme] = l
}

// rule returns no rule when a condition is unknown: it cannot be told when it would match.
func (c *compiler) rule(b *balancer, d types.Rule) []rule {
	x := rule{name: b.name + "/" + aws.ToString(d.Priority), priority: math.MaxInt}
	if n, err := strconv.Atoi(aws.ToString(d.Priority)); err == nil {
		x.priority = n
	}
	for _, k := range d.Conditions {
		cond, hosts, err := newCondition(k)
		if err != nil {
			c.problem("rule %s: %v; the rule is left out", x.name, err)
			return nil
		}
		b.hosts = append(b.hosts, hosts...)
		x.conditions = append(x.conditions, cond)
	}
	x.do = c.action("rule "+x.name, d.Actions)
	if len(d.Transforms) > 0 {
		x.do = c.refuse("rule "+x.name, "transforms are")
	}
	return []rule{x}
}

// action compiles the actions of a rule into the one that ends it. An action that must come before it and that the load balancer
// lacks, such as authentication, is refused for the whole rule: to leave it out would open what it protects.
func (c *compiler) action(where string, list []types.Action) *action {
	var do *action
	for _, a := range list {
		switch a.Type {
		case types.ActionTypeEnumForward:
			do = c.forward(where, a)
		case types.ActionTypeEnumRedirect:
			if a.RedirectConfig != nil {
				do = &action{redirect: newRedirect(a.RedirectConfig)}
			}
		case types.ActionTypeEnumFixedResponse:
			if a.FixedResponseConfig != nil {
				do = &action{fixed: newFixed(a.FixedResponseConfig)}
			}
		default:
			return c.refuse(where, fmt.Sprintf("action type %s is", a.Type))
		}
	}
	if do == nil {
		return c.refuse(where, "an empty list of actions is")
	}
	return do
}

func (c *compiler) refuse(where, what string) *action {
	text := strings.TrimSpace(fmt.Sprintf("%s: %s not served locally", where, what))
	c.problem("%s; it answers 501", text)
	return &action{refused: text}
}

func (c *compiler) forward(where string, a types.Action) *action {
	f := &action{}
	if a.ForwardConfig != nil {
		for _, g := range a.ForwardConfig.TargetGroups {
			w := 1
			if g.Weight != nil {
				w = int(*g.Weight)
			}
			f.groups = append(f.groups, weighted{aws.ToString(g.TargetGroupArn), w})
		}
		if s := a.ForwardConfig.TargetGroupStickinessConfig; s != nil && aws.ToBool(s.Enabled) {
			c.problem("%s: stickiness between target groups is ignored", where)
		}
	}
	if len(f.groups) == 0 && a.TargetGroupArn != nil {
		f.groups = []weighted{{*a.TargetGroupArn, 1}}
	}
	if len(f.groups) == 0 {
		return c.refuse(where, "forward without a target group is")
	}
	for _, g := range f.groups {
		c.table.uses[g.arn] = true
	}
	return f
}
