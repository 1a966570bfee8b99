// Package loopback holds what the local servers share about this machine's own addresses: they listen on loopback
// only, answer to loopback names only, and resolve *.localhost themselves, since not every resolver does (RFC 6761
// section 6.3 asks for it; macOS and musl do not).
package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// Name reports whether host, with or without a port, names this machine: localhost, a name below it, or a loopback
// address. Servers without authentication refuse other names, so that a web page cannot reach them by rebinding its
// own name to 127.0.0.1.
func Name(host string) bool {
	host = Hostname(host)
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Hostname returns the host of a Host header or an address in lower case, without its port, brackets and final dot.
func Hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// Listen opens a TCP listener on address, host:port with a loopback host. Its errors name the remedy.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen %q: %w; give host:port, for example 127.0.0.1:8080", address, err)
	}
	if !Name(host) {
		return nil, fmt.Errorf("listen %s: not a loopback address; use 127.0.0.1", address)
	}
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(host, ".localhost") {
		return nil, fmt.Errorf("listen %s: a name may resolve to anything; use 127.0.0.1", address)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen %s: the port is taken by another program; stop that program or choose another port", address)
	}
	return l, err
}

// DialContext dials as net.Dialer does, but takes localhost and the names below it to 127.0.0.1 without a resolver.
func DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(host) == nil && Name(host) {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}
