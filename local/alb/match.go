package alb

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"k8s-plus-aws-gitops/local/ca/loopback"
)

// request is what conditions look at.
type request struct {
	*http.Request
	host   string // lower case, no port
	client netip.Addr
}

func newRequest(r *http.Request) *request {
	x := &request{Request: r, host: loopback.Hostname(r.Host)}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		x.client = a.Addr().Unmap()
	}
	return x
}

// condition is one condition of a rule; the rule matches when all of them do
// (docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html).
type condition func(*request) bool

// newCondition compiles a condition. hosts are its patterns when it is a host-header condition. Errors name the part
// that is not served.
func newCondition(k types.RuleCondition) (c condition, hosts []pattern, err error) {
	field := aws.ToString(k.Field)
	if len(k.RegexValues) > 0 || regexes(k) {
		return nil, nil, fmt.Errorf("condition %s: regular expressions are not served", field)
	}
	switch field {
	case "host-header":
		values := k.Values
		if k.HostHeaderConfig != nil {
			values = k.HostHeaderConfig.Values
		}
		hosts = patterns(values, strings.ToLower)
		return func(r *request) bool { return anyMatch(hosts, r.host) }, hosts, nil
	case "path-pattern":
		values := k.Values
		if k.PathPatternConfig != nil {
			values = k.PathPatternConfig.Values
		}
		paths := patterns(values, nil)
		return func(r *request) bool { return anyMatch(paths, r.URL.EscapedPath()) }, nil, nil
	case "http-header":
		if k.HttpHeaderConfig != nil {
			return headerCondition(*k.HttpHeaderConfig), nil, nil
		}
	case "http-request-method":
		if k.HttpRequestMethodConfig != nil {
			methods := k.HttpRequestMethodConfig.Values
			return func(r *request) bool { return slices.Contains(methods, r.Method) }, nil, nil
		}
	case "query-string":
		if k.QueryStringConfig != nil {
			return queryCondition(k.QueryStringConfig.Values), nil, nil
		}
	case "source-ip":
		if k.SourceIpConfig != nil {
			c, err := sourceCondition(k.SourceIpConfig.Values)
			return c, nil, err
		}
	default:
		return nil, nil, fmt.Errorf("condition %q is not served", field)
	}
	return nil, nil, fmt.Errorf("condition %s has no configuration", field)
}

func regexes(k types.RuleCondition) bool {
	return k.HostHeaderConfig != nil && len(k.HostHeaderConfig.RegexValues) > 0 ||
		k.PathPatternConfig != nil && len(k.PathPatternConfig.RegexValues) > 0 ||
		k.HttpHeaderConfig != nil && len(k.HttpHeaderConfig.RegexValues) > 0
}

func headerCondition(c types.HttpHeaderConditionConfig) condition {
	name, values := aws.ToString(c.HttpHeaderName), patterns(c.Values, strings.ToLower)
	return func(r *request) bool {
		got := r.Header.Values(name)
		if strings.EqualFold(name, "Host") {
			got = []string{r.Host} // net/http keeps it apart
		}
		return slices.ContainsFunc(got, func(v string) bool { return anyMatch(values, strings.ToLower(v)) })
	}
}

func queryCondition(want []types.QueryStringKeyValuePair) condition {
	type pair struct {
		key   pattern
		value pattern
		any   bool // no key: the value of any key
	}
	var pairs []pair
	for _, p := range want {
		pairs = append(pairs, pair{
			pattern(strings.ToLower(aws.ToString(p.Key))), pattern(strings.ToLower(aws.ToString(p.Value))), aws.ToString(p.Key) == "",
		})
	}
	return func(r *request) bool {
		for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
			key, value, _ := strings.Cut(part, "=")
			key, value = strings.ToLower(unescape(key)), strings.ToLower(unescape(value))
			if slices.ContainsFunc(pairs, func(p pair) bool { return (p.any || p.key.match(key)) && p.value.match(value) }) {
				return true
			}
		}
		return false
	}
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

func sourceCondition(values []string) (condition, error) {
	var nets []netip.Prefix
	for _, v := range values {
		p, err := netip.ParsePrefix(v)
		if err != nil {
			return nil, fmt.Errorf("condition source-ip: %w", err)
		}
		nets = append(nets, p)
	}
	return func(r *request) bool {
		return slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(r.client) })
	}, nil
}

// pattern is a text with the wildcards * (any text, slashes too) and ? (one character), as ELBv2 uses them.
type pattern string

func patterns(values []string, change func(string) string) []pattern {
	var all []pattern
	for _, v := range values {
		if change != nil {
			v = change(v)
		}
		all = append(all, pattern(v))
	}
	return all
}

func anyMatch(all []pattern, s string) bool {
	return slices.ContainsFunc(all, func(p pattern) bool { return p.match(s) })
}

// match runs in len(p)*len(s) at worst: after a mismatch only the last * is tried again.
func (p pattern) match(s string) bool {
	star, retry, i, j := -1, 0, 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, retry = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			retry++
			i, j = star+1, retry
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
