package procnode

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// threshold counts results in a row (https://kubernetes.io/docs/concepts/workloads/pods/probes/).
type threshold struct {
	success, failure int32 // results in a row that decide
	good, bad        int32
}

func newThreshold(p *corev1.Probe) *threshold {
	return &threshold{success: cmp.Or(p.SuccessThreshold, 1), failure: cmp.Or(p.FailureThreshold, 3)}
}

// observe adds a result and says whether one of the thresholds is reached.
func (t *threshold) observe(ok bool) (decided bool) {
	if ok {
		t.good, t.bad = t.good+1, 0
		return t.good >= t.success
	}
	t.good, t.bad = 0, t.bad+1
	return t.bad >= t.failure
}

func period(p *corev1.Probe) time.Duration {
	return time.Duration(cmp.Or(p.PeriodSeconds, 10)) * time.Second
}

// probes runs the startup probe, then readiness and liveness until the run ends.
func (c *container) probes(ctx context.Context, spec *corev1.Container) {
	if spec.StartupProbe != nil && !c.probeStartup(ctx, spec) {
		return
	}
	if spec.ReadinessProbe != nil {
		go c.probeReadiness(ctx, spec.ReadinessProbe)
	}
	if spec.LivenessProbe != nil {
		go c.probeLiveness(ctx, spec.LivenessProbe)
	}
}

// probeStartup asks every second while the budget of failureThreshold periods lasts: what counts is that budget, and a start
// shall be noticed soon.
func (c *container) probeStartup(ctx context.Context, spec *corev1.Container) bool {
	p := spec.StartupProbe
	sleep(ctx, time.Duration(p.InitialDelaySeconds)*time.Second)
	budget := time.Duration(cmp.Or(p.FailureThreshold, 3)) * period(p)
	for began := time.Now(); ctx.Err() == nil; {
		err := c.check(ctx, p)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			c.set(func() { c.started, c.ready = true, spec.ReadinessProbe == nil })
			c.upOnce.Do(func() { close(c.up) })
			return true
		}
		if time.Since(began) >= budget-min(period(p), time.Second) {
			c.probeFailed("Startup", p, err)
			return false
		}
		sleep(ctx, min(period(p), time.Second))
	}
	return false
}

// probeReadiness asks every second until the container is ready for the first time, then every period.
func (c *container) probeReadiness(ctx context.Context, p *corev1.Probe) {
	sleep(ctx, time.Duration(p.InitialDelaySeconds)*time.Second)
	t, ready, pause := newThreshold(p), false, min(period(p), time.Second)
	said := false
	for ctx.Err() == nil {
		err := c.check(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if t.observe(err == nil) {
			if ready != (err == nil) {
				ready, pause = err == nil, period(p)
				c.set(func() { c.ready = ready })
			}
			// A kubelet says it of each failure; once is enough for whoever reads it, also of a container that was never ready.
			if !ready && !said {
				c.pod.event(corev1.EventTypeWarning, "Unhealthy", "Readiness probe failed: %v", err)
			}
			said = !ready
		}
		sleep(ctx, pause)
	}
}

func (c *container) probeLiveness(ctx context.Context, p *corev1.Probe) {
	sleep(ctx, time.Duration(p.InitialDelaySeconds)*time.Second)
	for t := newThreshold(p); ctx.Err() == nil; sleep(ctx, period(p)) {
		err := c.check(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if t.observe(err == nil) && err != nil {
			c.probeFailed("Liveness", p, err)
			return
		}
	}
}

// probeFailed ends the run, so that the restart policy acts.
func (c *container) probeFailed(kind string, p *corev1.Probe, err error) {
	c.pod.event(corev1.EventTypeWarning, "Unhealthy", "%s probe failed: %v", kind, err)
	c.pod.event(corev1.EventTypeNormal, "Killing", "Container %s failed %s probe, will be restarted", c.name, kind)
	why := &endRun{reason: kind + " probe failed"}
	if s := p.TerminationGracePeriodSeconds; s != nil {
		grace := time.Duration(*s) * time.Second
		why.grace = &grace
	}
	c.endRun(why)
}

// check asks once.
func (c *container) check(ctx context.Context, p *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(cmp.Or(p.TimeoutSeconds, 1))*time.Second)
	defer cancel()
	switch {
	case p.HTTPGet != nil:
		return c.httpGet(ctx, p.HTTPGet, "kube-probe/1.36")
	case p.TCPSocket != nil:
		port, err := portNumber(c.definition(), p.TCPSocket.Port)
		if err != nil {
			return err
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(cmp.Or(p.TCPSocket.Host, c.pod.bind), port))
		if err == nil {
			conn.Close()
		}
		return err
	case p.Exec != nil:
		return c.execute(ctx, p.Exec.Command)
	case p.GRPC != nil:
		service := ""
		if p.GRPC.Service != nil {
			service = *p.GRPC.Service
		}
		return grpcHealth(ctx, net.JoinHostPort(c.pod.bind, strconv.Itoa(int(p.GRPC.Port))), service)
	}
	return errors.New("this kind of probe is not supported")
}

// probeClient opens a connection per request, goes through no proxy, accepts any certificate and takes a redirect for an
// answer; a kubelet would follow it on the same host and take it for success on another.
var probeClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // as a kubelet
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (c *container) httpGet(ctx context.Context, h *corev1.HTTPGetAction, agent string) error {
	port, err := portNumber(c.definition(), h.Port)
	if err != nil {
		return err
	}
	u := &url.URL{Scheme: "http", Host: net.JoinHostPort(cmp.Or(c.pod.node.bind(h.Host), c.pod.bind), port), Path: "/"}
	if h.Scheme == corev1.URISchemeHTTPS {
		u.Scheme = "https"
	}
	if path, err := url.Parse(h.Path); err == nil && path.Path != "" {
		u.Path, u.RawQuery = path.Path, path.RawQuery
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", agent)
	req.Header.Set("Accept", "*/*")
	own := http.Header{}
	for _, x := range h.HTTPHeaders {
		own.Add(x.Name, x.Value)
	}
	maps.Copy(req.Header, own)
	if host := own.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := probeClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode >= 400 {
		return fmt.Errorf("HTTP probe failed with statuscode: %d", resp.StatusCode)
	}
	return nil
}

// portNumber resolves a port by number or by the name the container gives it.
func portNumber(c *corev1.Container, v intstr.IntOrString) (string, error) {
	if v.Type == intstr.Int {
		return strconv.Itoa(int(v.IntVal)), nil
	}
	for _, p := range c.Ports {
		if p.Name == v.StrVal {
			return strconv.Itoa(int(p.ContainerPort)), nil
		}
	}
	if _, err := strconv.Atoi(v.StrVal); err == nil {
		return v.StrVal, nil
	}
	return "", fmt.Errorf("the container has no port named %q", v.StrVal)
}
