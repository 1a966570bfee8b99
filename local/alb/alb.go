// Package alb stands in for the data plane of every Application Load Balancer of an account: it follows the ELBv2
// state through the AWS API and serves all load balancers on one HTTP and one HTTPS address of this machine.
//
// It serves what the ELBv2 documentation describes for listeners on ports 80 (HTTP) and 443 (HTTPS), rules, and target
// groups of type ip: conditions, forward, redirect and fixed-response actions, health checks, the X-Forwarded headers.
// What it does not serve it names in the log (see table.problems) instead of guessing.
package alb

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"k8s-plus-aws-gitops/local/ca/loopback"
)

// Config says what Run serves and where it learns it.
type Config struct {
	// HTTP and HTTPS are the loopback addresses that stand for ports 80 and 443 of every load balancer.
	HTTP, HTTPS string
	// AWS reaches the ELBv2 API: region, credentials and, locally, the base endpoint.
	AWS aws.Config
	// Gate is the address of the proxy that reaches pod IPs by HTTP CONNECT. Empty: targets are dialled directly.
	Gate string
	// GetCertificate answers TLS handshakes; the certificates of the listeners are not used, since ACM never hands out
	// their keys.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// PublicHTTP and PublicHTTPS are the ports that clients use for the two addresses; redirects and X-Forwarded-Port
	// carry them in place of 80 and 443. Default: the ports of HTTP and HTTPS.
	PublicHTTP, PublicHTTPS int
	// Poll is the pause between two looks at the targets. Default: 1 s.
	Poll time.Duration
	// Log defaults to slog.Default(). Each request is one record at level debug.
	Log *slog.Logger
}

// grace is how long open requests may go on after Run's context ends.
const grace = 5 * time.Second

// idleTimeout is the ALB's default for idle client connections and silent targets (idle_timeout.timeout_seconds).
const idleTimeout = 60 * time.Second

// Run serves until ctx ends. On the hosts localhost and 127.0.0.1 it answers GET /_alb/healthz (200 while it serves)
// and GET /_alb/state (load balancers, targets with their health, problems) itself.
func Run(ctx context.Context, c Config) error {
	client := elb.NewFromConfig(c.AWS, func(o *elb.Options) { o.RetryMaxAttempts = 1 }) // the poller has its own back-off
	return run(ctx, c, client)
}

func run(ctx context.Context, c Config, client api) error {
	if c.GetCertificate == nil {
		return errors.New("alb: Config.GetCertificate is missing; pass the local CA's")
	}
	plain, err := loopback.Listen(ctx, c.HTTP)
	if err != nil {
		return fmt.Errorf("alb: HTTP: %w", err)
	}
	defer plain.Close()
	secure, err := loopback.Listen(ctx, c.HTTPS)
	if err != nil {
		return fmt.Errorf("alb: HTTPS: %w", err)
	}
	defer secure.Close()
	return follow(ctx, c, client, plain, secure)
}

// follow serves on the two listeners and keeps up with the API until ctx ends.
func follow(ctx context.Context, c Config, client api, plain, secure net.Listener) error {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.PublicHTTP == 0 {
		c.PublicHTTP = plain.Addr().(*net.TCPAddr).Port
	}
	if c.PublicHTTPS == 0 {
		c.PublicHTTPS = secure.Addr().(*net.TCPAddr).Port
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := newALB(ctx, c, client)
	var wg sync.WaitGroup
	wg.Go(func() { e.poller.run(ctx) })
	err := e.serve(ctx, plain, secure)
	cancel()
	wg.Wait()
	e.pool.close()
	return err
}

// alb ties the parts together.
type alb struct {
	Config
	pool   *pool
	poller *poller
	proxy  http.Handler
}

func newALB(ctx context.Context, c Config, client api) *alb {
	e := &alb{Config: c}
	d := dialer{gate: c.Gate}
	e.pool = newPool(ctx, d, c.Log)
	e.poller = newPoller(client, e.pool, c.Poll, c.Log)
	e.proxy = newProxy(d, c.Log)
	e.pool.onRemove = e.proxy.(*proxy).transport.CloseIdleConnections
	return e
}

func (e *alb) serve(ctx context.Context, plain, secure net.Listener) error {
	errorLog := slog.NewLogLogger(e.Log.Handler(), slog.LevelDebug) // handshake errors of scanners and the like
	server := func(scheme string) *http.Server {
		return &http.Server{
			Handler: &entry{alb: e, scheme: scheme}, ErrorLog: errorLog,
			ReadHeaderTimeout: idleTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 64 << 10,
			TLSConfig: &tls.Config{GetCertificate: e.GetCertificate, MinVersion: tls.VersionTLS12},
		}
	}
	a, b := server(schemeHTTP), server(schemeHTTPS)
	failed := make(chan error, 2)
	go func() { failed <- a.Serve(plain) }()
	go func() { failed <- b.ServeTLS(secure, "", "") }()
	e.Log.Info("alb ready", "http", plain.Addr().String(), "https", secure.Addr().String())
	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("alb: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	var wg sync.WaitGroup
	for _, s := range []*http.Server{a, b} {
		wg.Go(func() {
			if s.Shutdown(stop) != nil {
				_ = s.Close()
			}
		})
	}
	wg.Wait()
	return err
}

// own answers the load balancer's own paths; they exist for hosts that no load balancer has.
func (e *alb) own(w http.ResponseWriter, r *http.Request) bool {
	host := loopback.Hostname(r.Host)
	if host != "localhost" && net.ParseIP(host) == nil || !strings.HasPrefix(r.URL.Path, "/_alb/") {
		return false
	}
	switch r.URL.Path {
	case "/_alb/healthz":
		io.WriteString(w, "ok\n")
	case "/_alb/state":
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(e.State())
	default:
		http.NotFound(w, r)
	}
	return true
}
