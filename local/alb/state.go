package alb

import (
	"slices"
	"time"
)

// State is what GET /_alb/state answers.
type State struct {
	// LoadBalancers are served, by name.
	LoadBalancers []LoadBalancerState `json:"loadBalancers"`
	// TargetGroups are those that a rule of a served load balancer names.
	TargetGroups []TargetGroupState `json:"targetGroups"`
	// Problems name what the state asks for and the load balancer does not serve.
	Problems []string `json:"problems,omitempty"`
	// Updated is when the AWS API was last read with success; zero before.
	Updated time.Time `json:"updated"`
	// Error is why the last reading failed; the state before it still serves.
	Error string `json:"error,omitempty"`
}

// LoadBalancerState is one load balancer.
type LoadBalancerState struct {
	Name  string   `json:"name"`
	Hosts []string `json:"hosts,omitempty"`
	// Rules counts the rules without the default ones.
	Rules int `json:"rules"`
}

// TargetGroupState is one target group.
type TargetGroupState struct {
	Name    string        `json:"name"`
	ARN     string        `json:"arn"`
	Targets []TargetState `json:"targets"`
}

// TargetState is one target: its address, its health (initial, healthy, unhealthy) as the load balancer found it, and why.
type TargetState struct {
	Address string `json:"address"`
	Health  string `json:"health"`
	Reason  string `json:"reason,omitempty"`
}

// State tells what the load balancer serves now.
func (e *alb) State() State {
	t, updated, err := e.poller.status()
	s := State{TargetGroups: e.pool.state(), Problems: t.problems, Updated: updated, LoadBalancers: []LoadBalancerState{}}
	if err != nil {
		s.Error = err.Error()
	}
	for _, b := range t.balancers {
		n := 0
		for _, l := range b.listeners {
			n += len(l.rules)
		}
		l := LoadBalancerState{Name: b.name, Rules: n}
		for _, p := range b.hosts {
			l.Hosts = append(l.Hosts, string(p))
		}
		slices.Sort(l.Hosts)
		l.Hosts = slices.Compact(l.Hosts)
		s.LoadBalancers = append(s.LoadBalancers, l)
	}
	return s
}
