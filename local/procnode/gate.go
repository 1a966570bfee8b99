package procnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/httpbody"
)

// gate is an HTTP forward proxy, CONNECT included, through which pods reach Services and each other. The API server uses it
// too, as its egress selector, for webhooks and aggregated APIs.
type gate struct {
	resolve func(addr string) ([]string, error)
	log     *slog.Logger
	forward *httputil.ReverseProxy
}

func newGate(resolve func(string) ([]string, error), log *slog.Logger) *gate {
	g := &gate{resolve: resolve, log: log}
	g.forward = &httputil.ReverseProxy{
		// One connection per request, so that each request is balanced like a connection through kube-proxy and none meets
		// a pod that is gone. Neither a proxy of the environment nor compression of its own.
		Transport:     &http.Transport{DialContext: g.dial, DisableKeepAlives: true, DisableCompression: true},
		FlushInterval: -1, // watches and event streams pass as they come
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			r.Out.Host = r.In.Host
			httpbody.Exact(r.Out)
			for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if v, ok := r.In.Header[h]; ok { // ReverseProxy drops them, but this proxy is not one that the server knows of
					r.Out.Header[h] = v
				}
			}
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				log.Warn("gate", "to", r.URL.Host, "error", err)
			}
			http.Error(w, "gate: "+err.Error(), http.StatusBadGateway)
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return g
}

// ServeHTTP forwards a request whose URL names its host, and tunnels for CONNECT.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodConnect:
		g.tunnel(w, r)
	case r.URL.Host == "":
		http.Error(w, "gate: this is a forward proxy: name it by HTTP_PROXY", http.StatusBadRequest)
	default:
		g.forward.ServeHTTP(w, r)
	}
}

func (g *gate) tunnel(w http.ResponseWriter, r *http.Request) {
	up, err := g.dial(r.Context(), "tcp", r.Host)
	if err != nil {
		level := slog.LevelWarn
		if errors.Is(err, errNotServed) {
			level = slog.LevelDebug
		}
		g.log.Log(r.Context(), level, "gate", "to", r.Host, "error", err)
		http.Error(w, "gate: "+err.Error(), http.StatusBadGateway)
		return
	}
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		up.Close()
		http.Error(w, "gate: CONNECT needs HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	down, buffered, err := hijacker.Hijack()
	if err != nil {
		up.Close()
		return
	}
	if _, err := io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		up.Close()
		down.Close()
		return
	}
	pipe(up, &bufferedConn{Conn: down, r: buffered})
}

// dial tries the addresses behind addr in turn: an endpoint that has just gone costs an attempt, not a request.
func (g *gate) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	addr = withPort(addr)
	targets, err := g.resolve(addr)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, to := range targets {
		c, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", to)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("%s: %w", addr, errors.Join(errs...))
}

func withPort(addr string) string {
	if _, _, err := net.SplitHostPort(addr); err != nil && strings.Contains(err.Error(), "missing port") {
		return net.JoinHostPort(strings.Trim(addr, "[]"), "80")
	}
	return addr
}

// pipe copies both ways, passes a half-close on, and ends when both directions have ended.
func pipe(a, b io.ReadWriteCloser) {
	done := make(chan struct{})
	go func() { defer close(done); copyHalf(a, b) }()
	copyHalf(b, a)
	<-done
	a.Close()
	b.Close()
}

func copyHalf(to, from io.ReadWriteCloser) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil && half.CloseWrite() == nil {
		return
	}
	to.Close()
	from.Close()
}

// bufferedConn is a connection whose first bytes the HTTP server has read already.
type bufferedConn struct {
	net.Conn
	r io.Reader
}

func (c *bufferedConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// CloseWrite passes the end of one direction on.
func (c *bufferedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// serve listens on a loopback address and, if named, on a Unix socket until the context ends.
func (g *gate) serve(ctx context.Context, addr, socket string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("procnode: gate: %w", err)
	}
	listeners := []net.Listener{l}
	if socket != "" {
		if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
			l.Close()
			return fmt.Errorf("procnode: gate: %w", err)
		}
		_ = os.Remove(socket) // of an earlier node; the root's lock says that it is gone
		u, err := net.Listen("unix", socket)
		if err != nil {
			l.Close()
			return fmt.Errorf("procnode: gate: %w", err)
		}
		_ = os.Chmod(socket, 0o600)
		listeners = append(listeners, u)
	}
	s := &http.Server{Handler: g, ReadHeaderTimeout: 30 * time.Second, ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug)}
	for _, l := range listeners {
		go func() { _ = s.Serve(l) }()
	}
	context.AfterFunc(ctx, func() { s.Close() })
	return nil
}
