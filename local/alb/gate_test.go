package alb

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s-plus-aws-gitops/local/internal/freeport"
)

func TestWebSocketThroughTheGate(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "echo" {
			w.WriteHeader(http.StatusUpgradeRequired)
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		line, _ := rw.ReadString('\n')
		io.WriteString(c, strings.ToUpper(line))
	})
	gate, seen := newGate(t, map[string]string{"10.10.3.4:2368": b.address()})
	api := newFake()
	api.group("ws", "10.10.3.4:2368")
	api.balancer("shared", hostRule(1, "ws.localhost", "ws"))
	r := startALB(t, api, gate)
	r.settled("ws", stateHealthy, 1)
	c, err := tls.Dial("tcp", "127.0.0.1:"+r.tls, &tls.Config{ServerName: "ws.localhost", RootCAs: r.client.Transport.(*http.Transport).TLSClientConfig.RootCAs})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: ws.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	rd := bufio.NewReader(c)
	resp, err := http.ReadResponse(rd, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v %v", resp, err)
	}
	fmt.Fprintf(c, "hello\n")
	if line, _ := rd.ReadString('\n'); line != "HELLO\n" {
		t.Errorf("echo %q", line)
	}
	if seen.Load() == 0 {
		t.Error("the gate was not used")
	}
}

func TestGateErrors(t *testing.T) {
	gate, _ := newGate(t, map[string]string{"10.10.0.9:80": "slow"})
	for address, want := range map[string]string{"10.10.0.1:80": "502 Bad Gateway", "10.10.0.9:80": "deadline exceeded"} {
		_, err := dialer{gate}.dial(t.Context(), "tcp", address)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
	if _, err := (dialer{freeport.Address(t)}).dial(t.Context(), "tcp", "10.10.0.1:80"); err == nil || !strings.Contains(err.Error(), "gate 127.0.0.1") {
		t.Errorf("no gate: %v", err)
	}
	silent := listen(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	// Where the time ends, in the connection to the gate or in the wait for its answer, is the machine's choice.
	if _, err := (dialer{silent.Addr().String()}).dial(ctx, "tcp", "10.10.0.1:80"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent gate: %v", err)
	}
}

// newGate is a CONNECT proxy with a table of targets; "slow" answers 504, others 502.
func newGate(t *testing.T, table map[string]string) (string, *atomic.Int32) {
	var seen atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		to := table[r.Host]
		if to == "slow" {
			w.WriteHeader(http.StatusGatewayTimeout)
			return
		}
		up, err := net.Dial("tcp", to)
		if r.Method != http.MethodConnect || err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { io.Copy(up, c); up.Close() }()
		go func() { io.Copy(c, up); c.Close() }()
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), &seen
}
