package loopback

import (
	"net"
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:80": true, "git.localhost": true, "a.b.localhost:8443": true, "git.localhost.": true,
		"127.0.0.1": true, "127.10.3.4:80": true, "[::1]:80": true, "::1": true,
		"example.com": false, "localhost.example.com": false, "evillocalhost": false, "10.10.0.1:80": false, "": false,
	} {
		if got := Name(host); got != want {
			t.Errorf("Name(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestListen(t *testing.T) {
	ctx := t.Context()
	l, err := Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for address, want := range map[string]string{
		l.Addr().String(): "taken by another program",
		"0.0.0.0:0":       "not a loopback address",
		"10.0.0.1:80":     "not a loopback address",
		":8080":           "not a loopback address",
		"localhost:0":     "use 127.0.0.1",
		"127.0.0.1":       "give host:port",
	} {
		if x, err := Listen(ctx, address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Listen(%q) = %v, %v; want an error with %q", address, x, err, want)
		}
	}
}

func TestDialContext(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"ghost.localhost", "a.b.localhost", "127.0.0.1"} {
		c, err := DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		c.Close()
	}
}
