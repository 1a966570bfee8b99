package alb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"k8s-plus-aws-gitops/local/ca"
)

// fakeAPI is ELBv2 state in memory. Lists come in pages of one element, to try the pagination too.
type fakeAPI struct {
	mu        sync.Mutex
	balancers []types.LoadBalancer
	listeners map[string][]types.Listener
	rules     map[string][]types.Rule
	groups    []types.TargetGroup
	targets   map[string][]types.TargetHealthDescription
	err       error
	calls     map[string]int
}

func newFake() *fakeAPI {
	return &fakeAPI{listeners: map[string][]types.Listener{}, rules: map[string][]types.Rule{}, targets: map[string][]types.TargetHealthDescription{}, calls: map[string]int{}}
}

func (f *fakeAPI) change(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
}

func (f *fakeAPI) count() (n int) {
	f.change(func() {
		for _, c := range f.calls {
			n += c
		}
	})
	return n
}

func page[T any](f *fakeAPI, call string, all []T, marker *string) ([]T, *string, error) {
	f.calls[call]++
	if f.err != nil {
		return nil, nil, f.err
	}
	i, _ := strconv.Atoi(aws.ToString(marker))
	if i >= len(all) {
		return nil, nil, nil
	}
	if i+1 == len(all) {
		return all[i:], nil, nil
	}
	return all[i : i+1], aws.String(strconv.Itoa(i + 1)), nil
}

func (f *fakeAPI) DescribeLoadBalancers(_ context.Context, in *elb.DescribeLoadBalancersInput, _ ...func(*elb.Options)) (*elb.DescribeLoadBalancersOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, m, err := page(f, "balancers", f.balancers, in.Marker)
	return &elb.DescribeLoadBalancersOutput{LoadBalancers: p, NextMarker: m}, err
}

func (f *fakeAPI) DescribeListeners(_ context.Context, in *elb.DescribeListenersInput, _ ...func(*elb.Options)) (*elb.DescribeListenersOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, m, err := page(f, "listeners", f.listeners[*in.LoadBalancerArn], in.Marker)
	return &elb.DescribeListenersOutput{Listeners: p, NextMarker: m}, err
}

func (f *fakeAPI) DescribeRules(_ context.Context, in *elb.DescribeRulesInput, _ ...func(*elb.Options)) (*elb.DescribeRulesOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, m, err := page(f, "rules", f.rules[*in.ListenerArn], in.Marker)
	return &elb.DescribeRulesOutput{Rules: p, NextMarker: m}, err
}

func (f *fakeAPI) DescribeTargetGroups(_ context.Context, in *elb.DescribeTargetGroupsInput, _ ...func(*elb.Options)) (*elb.DescribeTargetGroupsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, m, err := page(f, "groups", f.groups, in.Marker)
	return &elb.DescribeTargetGroupsOutput{TargetGroups: p, NextMarker: m}, err
}

func (f *fakeAPI) DescribeTargetHealth(_ context.Context, in *elb.DescribeTargetHealthInput, _ ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls["targets"]++
	t, ok := f.targets[*in.TargetGroupArn]
	if !ok && f.err == nil {
		return nil, &types.TargetGroupNotFoundException{}
	}
	return &elb.DescribeTargetHealthOutput{TargetHealthDescriptions: t}, f.err
}

// balancer adds a load balancer with both listeners; https gets the rules, http redirects everything there.
func (f *fakeAPI) balancer(name string, rules ...types.Rule) {
	arn := "arn:lb/" + name
	f.balancers = append(f.balancers, types.LoadBalancer{LoadBalancerArn: &arn, LoadBalancerName: &name, Type: types.LoadBalancerTypeEnumApplication})
	plain, secure := arn+"/http", arn+"/https"
	redirect := types.Action{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{
		Protocol: aws.String("HTTPS"), Port: aws.String("443"), StatusCode: types.RedirectActionStatusCodeEnumHttp301}}
	missing := types.Action{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("404"), ContentType: aws.String("text/plain")}}
	f.listeners[arn] = []types.Listener{
		{ListenerArn: &plain, Port: aws.Int32(80), Protocol: types.ProtocolEnumHttp, DefaultActions: []types.Action{redirect}},
		{ListenerArn: &secure, Port: aws.Int32(443), Protocol: types.ProtocolEnumHttps, DefaultActions: []types.Action{missing}},
	}
	f.rules[plain] = []types.Rule{{IsDefault: aws.Bool(true), Priority: aws.String("default"), Actions: []types.Action{redirect}}}
	f.rules[secure] = append(rules, types.Rule{IsDefault: aws.Bool(true), Priority: aws.String("default"), Actions: []types.Action{missing}})
}

func (f *fakeAPI) group(name string, addresses ...string) {
	f.groups = append(f.groups, types.TargetGroup{
		TargetGroupArn: aws.String("arn:tg/" + name), TargetGroupName: &name, TargetType: types.TargetTypeEnumIp, Protocol: types.ProtocolEnumHttp,
		Port: aws.Int32(80), HealthCheckPath: aws.String("/health"), HealthCheckPort: aws.String("traffic-port"), HealthCheckIntervalSeconds: aws.Int32(15),
		HealthCheckTimeoutSeconds: aws.Int32(120), // no target is unhealthy because the machine is busy
		HealthyThresholdCount:     aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2), Matcher: &types.Matcher{HttpCode: aws.String("200")},
	})
	f.register(name, addresses...)
}

// register replaces the targets of a group.
func (f *fakeAPI) register(group string, addresses ...string) {
	list := []types.TargetHealthDescription{}
	for _, a := range addresses {
		host, port, _ := net.SplitHostPort(a)
		n, _ := strconv.Atoi(port)
		list = append(list, types.TargetHealthDescription{Target: &types.TargetDescription{Id: &host, Port: aws.Int32(int32(n))},
			TargetHealth: &types.TargetHealth{State: types.TargetHealthStateEnumHealthy}})
	}
	f.targets["arn:tg/"+group] = list
}

func hostRule(priority int, host, group string) types.Rule {
	return types.Rule{
		Priority:   aws.String(strconv.Itoa(priority)),
		Conditions: []types.RuleCondition{{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{host}}}},
		Actions:    []types.Action{forwardTo(group)},
	}
}

func forwardTo(group string) types.Action {
	return types.Action{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String("arn:tg/" + group)}
}

// backend is a target; healthy can be switched, hits are counted by what it answers.
type backend struct {
	*httptest.Server
	mu      sync.Mutex
	healthy bool
}

func newBackend(t *testing.T, name string, handler http.HandlerFunc) *backend {
	b := &backend{healthy: true}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			b.mu.Lock()
			defer b.mu.Unlock()
			if !b.healthy {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return
		}
		if handler != nil {
			handler(w, r)
			return
		}
		io.WriteString(w, name)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) setHealthy(v bool) { b.mu.Lock(); b.healthy = v; b.mu.Unlock() }
func (b *backend) address() string   { return b.Listener.Addr().String() }

// running is a load balancer that serves a fake.
type running struct {
	t          *testing.T
	client     *http.Client
	plain, tls string // ports
	done       chan error
}

func startALB(t *testing.T, api *fakeAPI, gate string) *running {
	t.Helper()
	authority, err := ca.Ensure(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	plain, secure := listen(t), listen(t)
	r := &running{t: t, client: authority.Client(), plain: portOf(plain), tls: portOf(secure), done: make(chan error, 1)}
	r.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		r.done <- follow(ctx, Config{Gate: gate, GetCertificate: authority.GetCertificate, Poll: 20 * time.Millisecond, Log: discard()}, api, plain, secure)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-r.done; err != nil {
			t.Error(err)
		}
	})
	r.eventually("the load balancer answers", func() bool {
		resp, err := http.Get("http://127.0.0.1:" + r.plain + "/_alb/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	})
	return r
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func portOf(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }

func (r *running) eventually(what string, ok func() bool) {
	r.t.Helper()
	// The limit is for a machine on which much else runs.
	for begin := time.Now(); time.Since(begin) < 2*time.Minute; time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	r.t.Fatalf("never: %s", what)
}

// get asks https://host/path and returns status and body.
func (r *running) get(host, path string) (int, string) {
	resp, err := r.client.Get("https://" + host + ":" + r.tls + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

// settled waits until all targets of a group are in the given state.
func (r *running) settled(group, state string, n int) {
	r.t.Helper()
	r.eventually(fmt.Sprintf("%d targets of %s are %s", n, group, state), func() bool {
		resp, err := http.Get("http://127.0.0.1:" + r.plain + "/_alb/state")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var s State
		if err := decode(resp.Body, &s); err != nil {
			return false
		}
		for _, g := range s.TargetGroups {
			if g.Name != group {
				continue
			}
			have := 0
			for _, t := range g.Targets {
				if t.Health == state {
					have++
				}
			}
			return have == n && len(g.Targets) >= n
		}
		return false
	})
}

var errDown = errors.New("connection refused")
