package alb

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		p    pattern
		s    string
		want bool
	}{
		{"ghost.localhost", "ghost.localhost", true}, {"ghost.localhost", "ghost.localhost.x", false},
		{"*.localhost", "a.b.localhost", true}, {"*.localhost", "localhost", false},
		{"/*", "/a/b", true}, {"/*", "/", true}, {"/a*c*e", "/abcde", true}, {"/a*c*e", "/abcdf", false},
		{"/img/?", "/img/1", true}, {"/img/?", "/img/", false}, {"", "", true}, {"", "a", false}, {"*", "", true}, {"**a", "ba", true},
		{"/A", "/a", false},
	} {
		if got := c.p.match(c.s); got != c.want {
			t.Errorf("%q matches %q: %v", c.p, c.s, got)
		}
	}
	long := strings.Repeat("a", 5000)
	begin := time.Now()
	if pattern(strings.Repeat("a*", 50) + "b").match(long) {
		t.Error("matched")
	}
	if d := time.Since(begin); d > time.Minute { // an instant; with backtracking, years
		t.Errorf("took %s", d)
	}
}

func cond(field string, change func(*types.RuleCondition)) types.RuleCondition {
	k := types.RuleCondition{Field: &field}
	change(&k)
	return k
}

func TestConditions(t *testing.T) {
	host := func(v ...string) types.RuleCondition {
		return cond("host-header", func(k *types.RuleCondition) { k.HostHeaderConfig = &types.HostHeaderConditionConfig{Values: v} })
	}
	path := func(v ...string) types.RuleCondition {
		return cond("path-pattern", func(k *types.RuleCondition) { k.PathPatternConfig = &types.PathPatternConditionConfig{Values: v} })
	}
	header := func(name string, v ...string) types.RuleCondition {
		return cond("http-header", func(k *types.RuleCondition) {
			k.HttpHeaderConfig = &types.HttpHeaderConditionConfig{HttpHeaderName: &name, Values: v}
		})
	}
	method := cond("http-request-method", func(k *types.RuleCondition) {
		k.HttpRequestMethodConfig = &types.HttpRequestMethodConditionConfig{Values: []string{"POST", "PUT"}}
	})
	query := func(key, value string) types.RuleCondition {
		return cond("query-string", func(k *types.RuleCondition) {
			p := types.QueryStringKeyValuePair{Value: &value}
			if key != "" {
				p.Key = &key
			}
			k.QueryStringConfig = &types.QueryStringConditionConfig{Values: []types.QueryStringKeyValuePair{p}}
		})
	}
	source := func(v ...string) types.RuleCondition {
		return cond("source-ip", func(k *types.RuleCondition) { k.SourceIpConfig = &types.SourceIpConditionConfig{Values: v} })
	}
	old := cond("host-header", func(k *types.RuleCondition) { k.Values = []string{"a.localhost"} })
	for _, c := range []struct {
		name, method, url string
		k                 types.RuleCondition
		want              bool
	}{
		{"host", "GET", "http://a.localhost:8443/", host("b.localhost", "A.localhost"), true},
		{"host of another", "GET", "http://c.localhost/", host("b.localhost", "a.localhost"), false},
		{"host, old field", "GET", "http://a.localhost/", old, true},
		{"path", "GET", "http://h/api/x?y=/z", path("/api/*"), true},
		{"path is case-sensitive", "GET", "http://h/API/x", path("/api/*"), false},
		{"path does not see the query", "GET", "http://h/?/api/x", path("/api/*"), false},
		{"header", "GET", "http://h/", header("x-a", "ONE*"), true},
		{"header missing", "GET", "http://h/", header("x-b", "*"), false},
		{"header host", "GET", "http://h/", header("Host", "h"), true},
		{"method", "POST", "http://h/", method, true},
		{"other method", "GET", "http://h/", method, false},
		{"query", "GET", "http://h/?v=1&Env=Dev%20x", query("env", "dev ?"), true},
		{"query value of any key", "GET", "http://h/?v=1", query("", "1"), true},
		{"query of another key", "GET", "http://h/?w=1", query("v", "1"), false},
		{"no query", "GET", "http://h/", query("v", "1"), false},
		{"source", "GET", "http://h/", source("10.0.0.0/8", "192.0.2.0/24"), true},
		{"other source", "GET", "http://h/", source("10.0.0.0/8"), false},
	} {
		r := httptest.NewRequest(c.method, c.url, nil) // comes from 192.0.2.1
		r.Header.Add("X-A", "zero")
		r.Header.Add("X-A", "onE two")
		f, _, err := newCondition(c.k)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := f(newRequest(r)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	for want, k := range map[string]types.RuleCondition{
		`"jwt" is not served`:       cond("jwt", func(*types.RuleCondition) {}),
		"regular expressions":       cond("host-header", func(k *types.RuleCondition) { k.RegexValues = []string{"^a"} }),
		"http-header has no config": cond("http-header", func(*types.RuleCondition) {}),
		"source-ip":                 source("nonsense"),
	} {
		if _, _, err := newCondition(k); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestRedirectLocation(t *testing.T) {
	public := map[string]int{schemeHTTP: 8080, schemeHTTPS: 8443}
	for _, c := range []struct {
		name, url, scheme string
		config            types.RedirectActionConfig
		want              string
	}{
		{"to https", "http://a.localhost:8080/x?y=1", schemeHTTP, types.RedirectActionConfig{Protocol: aws.String("HTTPS"), Port: aws.String("443")}, "https://a.localhost:8443/x?y=1"},
		{"nothing but the host", "http://a.localhost/x", schemeHTTPS, types.RedirectActionConfig{Host: aws.String("www.#{host}")}, "https://www.a.localhost:8443/x"},
		{"path and query", "http://a.localhost/x/y?z=1", schemeHTTP, types.RedirectActionConfig{Path: aws.String("/new/#{path}"), Query: aws.String("from=#{host}&#{query}")}, "http://a.localhost:8080/new/x/y?from=a.localhost&z=1"},
		{"query removed", "http://a.localhost/?z=1", schemeHTTP, types.RedirectActionConfig{Query: aws.String("")}, "http://a.localhost:8080/"},
		{"foreign port", "http://a.localhost/", schemeHTTP, types.RedirectActionConfig{Host: aws.String("example.com"), Port: aws.String("9000")}, "http://example.com:9000/"},
		{"escaped path", "http://a.localhost/a%2Fb%20c", schemeHTTP, types.RedirectActionConfig{}, "http://a.localhost:8080/a%2Fb%20c"},
	} {
		r := newRequest(httptest.NewRequest("GET", c.url, nil))
		if got := newRedirect(&c.config).location(c.scheme, r, public); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if newRedirect(&types.RedirectActionConfig{StatusCode: types.RedirectActionStatusCodeEnumHttp302}).status != 302 {
		t.Error("HTTP_302")
	}
}

func TestRoute(t *testing.T) {
	api := newFake()
	any := types.Rule{Priority: aws.String("5"), Actions: []types.Action{forwardTo("any")},
		Conditions: []types.RuleCondition{cond("path-pattern", func(k *types.RuleCondition) {
			k.PathPatternConfig = &types.PathPatternConditionConfig{Values: []string{"/any/*"}}
		})}}
	both := hostRule(1, "b.localhost", "b-api")
	both.Conditions = append(both.Conditions, cond("path-pattern", func(k *types.RuleCondition) {
		k.PathPatternConfig = &types.PathPatternConditionConfig{Values: []string{"/api", "/api/*"}}
	}))
	api.balancer("first", any, hostRule(10, "a.localhost", "a"))
	api.balancer("second", hostRule(20, "b.localhost", "b"), both, hostRule(30, "*.c.localhost", "c"))
	s, err := readStructure(t.Context(), api)
	if err != nil {
		t.Fatal(err)
	}
	table := compile(s, nil)
	for _, c := range []struct{ scheme, url, want string }{
		{schemeHTTPS, "https://a.localhost/", "first/10"},
		{schemeHTTPS, "https://A.localhost:8443/", "first/10"},
		{schemeHTTPS, "https://a.localhost/any/x", "first/5"},
		{schemeHTTPS, "https://b.localhost/", "second/20"},
		{schemeHTTPS, "https://b.localhost/api/x", "second/1"},
		{schemeHTTPS, "https://b.localhost/any/x", "second/20"}, // not the other load balancer's
		{schemeHTTPS, "https://x.c.localhost/", "second/30"},
		{schemeHTTPS, "https://z.localhost/any/x", "first/5"},
		{schemeHTTPS, "https://z.localhost/", ""},
		{schemeHTTP, "http://b.localhost/", "second/default"},
		{schemeHTTP, "http://z.localhost/", "first/default"},
	} {
		if got, _ := table.route(c.scheme, newRequest(httptest.NewRequest("GET", c.url, nil))); got != c.want {
			t.Errorf("%s: %q, want %q", c.url, got, c.want)
		}
	}
	if len(table.problems) > 0 {
		t.Error(table.problems)
	}
}

func TestProblemsAreNamed(t *testing.T) {
	api := newFake()
	auth := hostRule(1, "auth.localhost", "g")
	auth.Actions = append([]types.Action{{Type: types.ActionTypeEnumAuthenticateOidc}}, auth.Actions...)
	regex := hostRule(2, "x.localhost", "g")
	regex.Conditions[0].HostHeaderConfig = &types.HostHeaderConditionConfig{RegexValues: []string{"^x"}}
	rewrite := hostRule(3, "rewrite.localhost", "g")
	rewrite.Transforms = []types.RuleTransform{{}}
	sticky := hostRule(4, "sticky.localhost", "g")
	sticky.Actions[0].ForwardConfig = &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: aws.String("arn:tg/g")}},
		TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true)}}
	api.balancer("lb", auth, regex, rewrite, sticky)
	api.listeners["arn:lb/lb"] = append(api.listeners["arn:lb/lb"], types.Listener{ListenerArn: aws.String("l"), Port: aws.Int32(8080), Protocol: types.ProtocolEnumHttp})
	api.balancers = append(api.balancers, types.LoadBalancer{LoadBalancerArn: aws.String("n"), LoadBalancerName: aws.String("nlb"), Type: types.LoadBalancerTypeEnumNetwork})
	api.group("g")
	api.groups[0].TargetType, api.groups[0].ProtocolVersion, api.groups[0].Matcher = types.TargetTypeEnumInstance, aws.String("GRPC"), &types.Matcher{HttpCode: aws.String("2xx")}
	s, err := readStructure(t.Context(), api)
	if err != nil {
		t.Fatal(err)
	}
	table := compile(s, api.groups)
	all := strings.Join(table.problems, "\n")
	for _, want := range []string{
		"rule lb/1: action type authenticate-oidc is not served", "rule lb/2: condition host-header: regular expressions", "rule lb/3: transforms are not served",
		"rule lb/4: stickiness between target groups is ignored", "listener HTTP:8080 is not served", "load balancer nlb: type network is not served",
		"target group g: target type instance", "protocol version GRPC", `matcher "2xx"`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("problems lack %q:\n%s", want, all)
		}
	}
	for host, want := range map[string]string{"auth.localhost": "authenticate-oidc", "rewrite.localhost": "transforms"} {
		_, do := table.route(schemeHTTPS, newRequest(httptest.NewRequest("GET", "https://"+host+"/", nil)))
		if do == nil || !strings.Contains(do.refused, want) {
			t.Errorf("%s is not refused: %+v", host, do)
		}
	}
}

func TestWeights(t *testing.T) {
	a := &action{groups: []weighted{{"a", 3}, {"b", 1}, {"c", 0}}}
	n := map[string]int{}
	for range 4000 {
		n[a.group()]++
	}
	if n["c"] != 0 || n["a"] < 2700 || n["a"] > 3300 || n["a"]+n["b"] != 4000 {
		t.Errorf("shares %v", n)
	}
	if g := (&action{groups: []weighted{{"a", 0}}}).group(); g != "" {
		t.Errorf("weight 0 gave %q", g)
	}
}

func TestFixedResponse(t *testing.T) {
	f := newFixed(&types.FixedResponseActionConfig{StatusCode: aws.String("503"), ContentType: aws.String("application/json"), MessageBody: aws.String("{}")})
	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 503 || w.Body.String() != "{}" || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	w = httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequest("HEAD", "/", nil))
	if w.Body.Len() != 0 || w.Header().Get("Content-Length") != "2" {
		t.Errorf("HEAD: %q %v", w.Body, w.Header())
	}
}

func TestHealthTransitions(t *testing.T) {
	s := &settings{healthy: 2, unhealthy: 3, interval: 15 * time.Second}
	bad := errors.New("no")
	for _, c := range []struct {
		name   string
		checks string // + success, - failure
		want   string
	}{
		{"new", "", stateInitial},
		{"new and failing", "-----", stateInitial},
		{"first success", "--+", stateHealthy},
		{"two failures are not enough", "+--", stateHealthy},
		{"a success starts the count anew", "+--+--", stateHealthy},
		{"three failures", "+---", Unhealthy},
		{"one success is not enough", "+---+", Unhealthy},
		{"two successes", "+---++", stateHealthy},
		{"interrupted successes", "+---+-+", Unhealthy},
	} {
		var h health
		for _, x := range c.checks {
			if x == '+' {
				h.observe(nil, s)
			} else {
				h.observe(bad, s)
			}
		}
		if got, _ := h.now(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	var h health
	for _, c := range []struct {
		age, want time.Duration
		then      error
	}{{0, eagerCheck, bad}, {time.Minute, retryCheck, nil}, {time.Minute, slowestCheck, bad}, {time.Minute, retryCheck, bad}} {
		if got := h.pause(s, c.age); got != c.want {
			t.Errorf("pause %s, want %s", got, c.want)
		}
		h.observe(c.then, s)
	}
}

func TestMatcher(t *testing.T) {
	for text, want := range map[string][]codes{"200": {{200, 200}}, "200,301": {{200, 200}, {301, 301}}, "200-299, 401": {{200, 299}, {401, 401}}, "": nil, "2xx": nil, "300-200": nil} {
		got, err := parseMatcher(text)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestHealthCheckRequest(t *testing.T) {
	var got *http.Request
	b := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(r.Context())
		http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
	}))
	defer b.Close()
	p := newPool(t.Context(), dialer{}, discard())
	address := b.Listener.Addr().String()
	_, port, _ := strings.Cut(address, ":")
	s, err := newSettings(types.TargetGroup{HealthCheckProtocol: types.ProtocolEnumHttps, HealthCheckPath: aws.String("/ready?x=1"), HealthCheckPort: &port,
		Matcher: &types.Matcher{HttpCode: aws.String("301")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.check(t.Context(), &s, &target{address: "127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	if got.URL.RequestURI() != "/ready?x=1" || got.Host != address || got.UserAgent() != "ELB-HealthChecker/2.0" || got.TLS == nil {
		t.Errorf("%s %s %s", got.Host, got.URL, got.UserAgent())
	}
	s.matcher = []codes{{200, 299}}
	if err := p.check(t.Context(), &s, &target{address: "127.0.0.1:1"}); err == nil || !strings.Contains(err.Error(), "/ready?x=1 answered 301") {
		t.Errorf("%v", err)
	}
}

func TestTrace(t *testing.T) {
	now := time.Unix(0x65000000, 0)
	for in, want := range map[string]string{"": "Root=1-65000000-", "Root=1-x-y": "Self=1-65000000-", "Foo=1": "Root=1-65000000-"} {
		got := trace(in, now)
		if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, in) {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestRequestClient(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "[::ffff:127.0.0.1]:5"
	if got := newRequest(r).client; got != netip.MustParseAddr("127.0.0.1") {
		t.Error(got)
	}
}
