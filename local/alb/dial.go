package alb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// dialTimeout is the ALB's limit for reaching a target (docs.aws.amazon.com/elasticloadbalancing/latest/application/
// load-balancer-troubleshooting.html, 504).
const dialTimeout = 10 * time.Second

// dialer reaches targets, through the gate when there is one. It is not a proxy setting of the transport: with one, Go
// would ask the gate for the host of the request instead of the chosen target.
type dialer struct{ gate string }

func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if d.gate == "" {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.gate)
	if err != nil {
		return nil, fmt.Errorf("gate %s: %w", d.gate, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	r, err := connect(c, address)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("target %s through the gate: %w", address, err)
	}
	if r.Buffered() > 0 {
		return &buffered{c, r}, nil
	}
	return c, nil
}

// connect asks for a tunnel. The reader may hold bytes that came after the answer.
func connect(c net.Conn, address string) (*bufio.Reader, error) {
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", address, address); err != nil {
		return nil, err
	}
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect}) //nolint:bodyclose // the body of this answer is the tunnel
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusGatewayTimeout:
		return nil, context.DeadlineExceeded
	case resp.StatusCode != http.StatusOK:
		return nil, errors.New(resp.Status)
	}
	return r, nil
}

// buffered is a connection of which some bytes were read ahead.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.r.Read(p) }
