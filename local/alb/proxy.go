package alb

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/httpbody"
)

// targetIdle is how long an idle connection to a target is kept. It stays below the 5 s after which a Node.js server
// closes its side, so that no request is sent into a closing connection.
const targetIdle = 4 * time.Second

// entry is the handler of one of the two addresses.
type entry struct {
	*alb
	scheme string
}

func (e *entry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e.own(w, r) {
		return
	}
	begin, rec := time.Now(), &recorder{ResponseWriter: w}
	name, to := e.answer(rec, r)
	e.Log.Debug("request", "scheme", e.scheme, "method", r.Method, "host", r.Host, "path", r.URL.Path, "status", rec.status,
		"rule", name, "target", to, "duration", time.Since(begin).Round(time.Microsecond))
}

// answer routes one request; it returns the rule's name and the target's address for the log.
func (e *entry) answer(w http.ResponseWriter, r *http.Request) (name, to string) {
	x := newRequest(r)
	name, do := e.poller.table.Load().route(e.scheme, x)
	switch {
	case do == nil:
		fail(w, http.StatusNotFound, fmt.Sprintf("no load balancer has a rule for host %q", x.host))
	case do.refused != "":
		fail(w, http.StatusNotImplemented, do.refused)
	case do.fixed != nil:
		do.fixed.ServeHTTP(w, r)
	case do.redirect != nil:
		w.Header().Set("Server", "awselb/2.0")
		w.Header().Set("Location", do.redirect.location(e.scheme, x, e.public()))
		w.WriteHeader(do.redirect.status)
	default:
		g, t := e.pool.pick(do.group())
		if t == nil {
			fail(w, http.StatusServiceUnavailable, "the target group of rule "+name+" has no registered targets")
			return name, ""
		}
		h := hop{scheme: g.settings.Load().scheme, address: t.address, proto: e.scheme, port: e.public()[e.scheme]}
		e.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), hopKey{}, h)))
		return name, t.address
	}
	return name, ""
}

func (e *alb) public() map[string]int {
	return map[string]int{schemeHTTP: e.PublicHTTP, schemeHTTPS: e.PublicHTTPS}
}

// hop is where a request goes and how it came.
type hop struct {
	scheme, address string // of the target
	proto           string // of the client's connection
	port            int    // that the client used
}

type hopKey struct{}

// proxy forwards requests to targets.
//
// It fails as the ALB does: 502 when a target refuses or breaks the connection, 504 when it does not accept within 10 s
// or is silent for 60 s. It does not try another target. (Go's transport does repeat a request without a body when a
// kept connection turns out to be closed before anything was answered.)
type proxy struct {
	httputil.ReverseProxy
	transport *http.Transport
	log       *slog.Logger
}

func newProxy(d dialer, log *slog.Logger) *proxy {
	p := &proxy{log: log, transport: &http.Transport{
		DialContext: d.dial, MaxIdleConnsPerHost: 32, IdleConnTimeout: targetIdle, ResponseHeaderTimeout: idleTimeout,
		DisableCompression: true,                                  // bodies pass as they are
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, // the ALB does not verify targets' certificates either
	}}
	p.ReverseProxy = httputil.ReverseProxy{
		Transport: p.transport, Rewrite: rewrite, ErrorHandler: p.failed, FlushInterval: -1,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return p
}

// rewrite sets what the ALB sets
// (docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html).
func rewrite(p *httputil.ProxyRequest) {
	h := p.In.Context().Value(hopKey{}).(hop)
	p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = h.scheme, h.address, p.In.Host
	p.Out.URL.RawQuery = p.In.URL.RawQuery // ReverseProxy drops what it cannot parse; the ALB does not
	if host, _, err := net.SplitHostPort(p.In.RemoteAddr); err == nil {
		p.Out.Header.Set("X-Forwarded-For", strings.Join(append(p.In.Header["X-Forwarded-For"], host), ", "))
	}
	httpbody.Exact(p.Out)
	p.Out.Header.Set("X-Forwarded-Proto", h.proto)
	p.Out.Header.Set("X-Forwarded-Port", strconv.Itoa(h.port))
	p.Out.Header.Set("X-Amzn-Trace-Id", trace(p.In.Header.Get("X-Amzn-Trace-Id"), time.Now()))
}

// trace is the request's trace header: a new root, or, when the client brought one, that with the load balancer's own
// span before it (docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html).
func trace(in string, now time.Time) string {
	var b [12]byte
	rand.Read(b[:]) // never fails
	id := fmt.Sprintf("1-%08x-%x", now.Unix(), b)
	switch {
	case in == "":
		return "Root=" + id
	case strings.Contains(in, "Root="):
		return "Self=" + id + ";" + in
	}
	return "Root=" + id + ";" + in
}

func (p *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	h := r.Context().Value(hopKey{}).(hop)
	if r.Context().Err() != nil {
		return // the client is gone, nobody reads an answer
	}
	status := http.StatusBadGateway
	var t net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout() {
		status = http.StatusGatewayTimeout
	}
	p.log.Warn("target failed", "target", h.address, "status", status, "method", r.Method, "host", r.Host, "path", r.URL.Path, "error", err)
	fail(w, status, "target "+h.address+": "+err.Error())
}

// fail answers with the load balancer's status and, unlike an ALB, with the reason.
func fail(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Server", "awselb/2.0")
	http.Error(w, fmt.Sprintf("%d %s: %s", status, http.StatusText(status), reason), status)
}

// recorder remembers the status for the log.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader passes informational answers on without remembering them.
func (r *recorder) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController the writer that can flush and hijack.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
