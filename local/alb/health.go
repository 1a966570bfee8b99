package alb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Health states, by their ELBv2 names.
const (
	stateInitial = "initial"
	stateHealthy = "healthy"
	// Unhealthy is the health of a target that fails its health check.
	Unhealthy = "unhealthy"
)

const (
	// slowestCheck caps the configured interval (15 s by the AWS Load Balancer Controller's default): waiting costs a
	// developer more than the request costs the machine.
	slowestCheck = 5 * time.Second
	// eagerCheck is the pause before a new target's first success, for its first eagerPhase.
	eagerCheck = 250 * time.Millisecond
	eagerPhase = 15 * time.Second
	// retryCheck is the pause while a target is unhealthy, or new and slow.
	retryCheck = time.Second
)

// settings are the health check and the protocol of a target group.
type settings struct {
	scheme             string // of requests
	checkScheme        string
	checkPort          string // "" is the traffic port
	path               string
	matcher            []codes
	interval, timeout  time.Duration
	healthy, unhealthy int
}

// codes is an inclusive range of status codes.
type codes struct{ from, to int }

// newSettings reads a target group's description, with the ALB's defaults. The settings are usable beside an error,
// which names what was replaced by a default.
func newSettings(g types.TargetGroup) (settings, error) {
	s := settings{
		scheme: scheme(g.Protocol), checkScheme: scheme(g.HealthCheckProtocol), path: "/",
		interval: seconds(g.HealthCheckIntervalSeconds, 30), timeout: seconds(g.HealthCheckTimeoutSeconds, 5),
		healthy: count(g.HealthyThresholdCount, 5), unhealthy: count(g.UnhealthyThresholdCount, 2),
		matcher: []codes{{200, 200}},
	}
	if p := aws.ToString(g.HealthCheckPath); p != "" {
		s.path = p
	}
	if p := aws.ToString(g.HealthCheckPort); p != "traffic-port" {
		s.checkPort = p
	}
	if g.Matcher == nil || aws.ToString(g.Matcher.HttpCode) == "" {
		return s, nil
	}
	m, err := parseMatcher(*g.Matcher.HttpCode)
	if err != nil {
		return s, err
	}
	s.matcher = m
	return s, nil
}

func scheme(p types.ProtocolEnum) string {
	if p == types.ProtocolEnumHttps {
		return schemeHTTPS
	}
	return schemeHTTP
}

func seconds(n *int32, or int32) time.Duration {
	if v := aws.ToInt32(n); v > 0 {
		or = v
	}
	return time.Duration(or) * time.Second
}

func count(n *int32, or int) int {
	if v := int(aws.ToInt32(n)); v > 0 {
		return v
	}
	return or
}

// parseMatcher reads "200", "200,301" or "200-399".
func parseMatcher(text string) ([]codes, error) {
	var all []codes
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(strings.TrimSpace(part), "-")
		if !ranged {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || a > b {
			return nil, fmt.Errorf("health check matcher %q is not served, 200 is used; write codes such as 200,301 or 200-399", text)
		}
		all = append(all, codes{a, b})
	}
	return all, nil
}

// health is the state of one target. Its zero value is "initial".
type health struct {
	mu        sync.Mutex
	state     string
	reason    string
	good, bad int // in a row
}

// observe counts the result of a check and reports whether the state changed. A new target becomes healthy with its
// first success; after that the thresholds of the group decide.
func (h *health) observe(err error, s *settings) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.state
	if err == nil {
		h.good, h.bad, h.reason = h.good+1, 0, ""
		if h.state == "" || h.good >= s.healthy {
			h.state = stateHealthy
		}
	} else {
		h.good, h.bad, h.reason = 0, h.bad+1, err.Error()
		if h.state == stateHealthy && h.bad >= s.unhealthy {
			h.state = Unhealthy
		}
	}
	return h.state != before
}

func (h *health) ok() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state == stateHealthy
}

func (h *health) now() (state, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state == "" {
		return stateInitial, h.reason
	}
	return h.state, h.reason
}

// pause is the time to the next check of a target that has been there for age.
func (h *health) pause(s *settings, age time.Duration) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := s.interval
	switch {
	case h.state == "" && age < eagerPhase:
		p = eagerCheck
	case h.state != stateHealthy || h.bad > 0:
		p = retryCheck
	}
	return min(p, s.interval, slowestCheck)
}

// newHealthClient makes the client for checks: a new connection each time, no redirects followed.
func newHealthClient(d dialer) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: d.dial, DisableKeepAlives: true, DisableCompression: true,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the ALB does not verify targets' certificates either
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// check asks the target once. The error is the reason that the state shows.
func (p *pool) check(ctx context.Context, s *settings, t *target) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	address := t.address
	if s.checkPort != "" {
		host, _, _ := net.SplitHostPort(address)
		address = net.JoinHostPort(host, s.checkPort)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.checkScheme+"://"+address+s.path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	resp, err := p.client.Do(req)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("health check: no answer within %s", s.timeout)
	}
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	for _, c := range s.matcher {
		if resp.StatusCode >= c.from && resp.StatusCode <= c.to {
			return nil
		}
	}
	return fmt.Errorf("health check: %s answered %s", s.path, resp.Status)
}
