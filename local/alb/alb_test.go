package alb

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"k8s-plus-aws-gitops/local/internal/freeport"
)

func decode(r io.Reader, v any) error { return json.NewDecoder(r).Decode(v) }

func TestRequestReachesTheTarget(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s|%s|%s|%s|%s|%s|%s", r.Host, r.URL.RequestURI(), r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"),
			r.Header.Get("X-Forwarded-Port"), r.Header.Get("X-Amzn-Trace-Id"), r.Proto, r.Header.Get("Accept-Encoding"))
	})
	api := newFake()
	api.group("ghost", b.address())
	api.balancer("shared", hostRule(1, "ghost.localhost", "ghost"))
	r := startALB(t, api, "")
	r.settled("ghost", stateHealthy, 1)
	req, _ := http.NewRequest("GET", "https://ghost.localhost:"+r.tls+"/a%2Fb?x=1;y", nil)
	req.Header.Set("X-Forwarded-For", "192.0.2.7")
	req.Header.Set("X-Forwarded-Proto", "gopher")
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	want := `^ghost\.localhost:` + r.tls + `\|/a%2Fb\?x=1;y\|192\.0\.2\.7, 127\.0\.0\.1\|https\|` + r.tls + `\|Root=1-[0-9a-f]{8}-[0-9a-f]{24}\|HTTP/1\.1\|identity$`
	if !regexp.MustCompile(want).Match(body) || resp.ProtoMajor != 2 {
		t.Errorf("%s %s\nwant %s", resp.Proto, body, want)
	}
}

func TestUnknownHostAndRedirect(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "ghost", nil)
	api := newFake()
	api.group("ghost", b.address())
	api.balancer("shared", hostRule(1, "ghost.localhost", "ghost"))
	r := startALB(t, api, "")
	r.settled("ghost", stateHealthy, 1)
	if code, body := r.get("other.localhost", "/"); code != 404 {
		t.Errorf("unknown host: %d %s", code, body)
	}
	resp, err := r.client.Get("http://ghost.localhost:" + r.plain + "/a/b?c=d")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if want := "https://ghost.localhost:" + r.tls + "/a/b?c=d"; resp.StatusCode != 301 || resp.Header.Get("Location") != want {
		t.Errorf("%s to %s, want %s", resp.Status, resp.Header.Get("Location"), want)
	}
	// A host of an application may have the path; the load balancer's own pages are for its bare address.
	if code, body := r.get("ghost.localhost", "/_alb/healthz"); code != 200 || body != "ghost" {
		t.Errorf("application's path: %d %s", code, body)
	}
}

func TestStatusCodesOfFailures(t *testing.T) {
	t.Parallel()
	closed := freeport.Address(t)
	hang := newBackend(t, "", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	brk := newBackend(t, "", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	api := newFake()
	api.group("empty")
	api.group("refused", closed)
	api.group("hang", hang.address())
	api.group("broken", brk.address())
	api.balancer("shared", hostRule(1, "empty.localhost", "empty"), hostRule(2, "refused.localhost", "refused"), hostRule(3, "unknown.localhost", "nothing"),
		hostRule(4, "hang.localhost", "hang"), hostRule(5, "broken.localhost", "broken"))
	r := startALB(t, api, "")
	r.settled("refused", stateInitial, 1)
	r.settled("broken", stateHealthy, 1)
	for host, want := range map[string]int{"empty.localhost": 503, "unknown.localhost": 503, "refused.localhost": 502, "broken.localhost": 502} {
		if code, body := r.get(host, "/"); code != want {
			t.Errorf("%s: %d %s, want %d", host, code, body, want)
		}
	}
	// The limit of 60 s is too long for a test: the handler is asked with a transport that waits less.
	p := newProxy(dialer{}, discard())
	p.transport.ResponseHeaderTimeout = 50 * time.Millisecond
	w := httptest.NewRecorder()
	req := httptest.NewRequest("GET", "http://hang.localhost/", nil)
	p.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), hopKey{}, hop{scheme: "http", address: hang.address(), proto: "https", port: 443})))
	if w.Code != 504 {
		t.Errorf("silent target: %d %s, want 504", w.Code, w.Body)
	}
}

func TestRollingUpdateLosesNoRequest(t *testing.T) {
	t.Parallel()
	old, fresh := newBackend(t, "old", nil), newBackend(t, "new", nil)
	fresh.setHealthy(false)
	api := newFake()
	api.group("ghost", old.address())
	api.balancer("shared", hostRule(1, "ghost.localhost", "ghost"))
	r := startALB(t, api, "")
	r.settled("ghost", stateHealthy, 1)
	var failed, total, news atomic.Int32
	var ended [4]atomic.Int32 // requests of each client
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range ended {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				code, body := r.get("ghost.localhost", "/")
				total.Add(1)
				if code != 200 {
					failed.Add(1)
					t.Log(code, body)
				}
				if body == "new" {
					news.Add(1)
				}
				ended[i].Add(1)
			}
		})
	}
	api.change(func() { api.register("ghost", old.address(), fresh.address()) })
	r.settled("ghost", stateInitial, 1)
	if news.Load() != 0 {
		t.Error("a target was used before its first success")
	}
	fresh.setHealthy(true)
	r.settled("ghost", stateHealthy, 2)
	api.change(func() { api.register("ghost", fresh.address()) })
	r.eventually("the old target is gone", func() bool { _, body := r.get("ghost.localhost", "/"); return body == "new" })
	r.settled("ghost", stateHealthy, 1)
	// The second end from now is of a request that began after now.
	oneRound := func() {
		t.Helper()
		var before [4]int32
		for i := range ended {
			before[i] = ended[i].Load()
		}
		r.eventually("each client has asked again", func() bool {
			for i := range ended {
				if ended[i].Load() < before[i]+2 {
					return false
				}
			}
			return true
		})
	}
	oneRound()
	old.Close()
	oneRound()
	close(stop)
	wg.Wait()
	if failed.Load() != 0 || news.Load() == 0 {
		t.Errorf("%d of %d requests failed, %d reached the new target", failed.Load(), total.Load(), news.Load())
	}
}

func TestOpenRequestOutlivesDeregistration(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	b := newBackend(t, "", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first ")
		w.(http.Flusher).Flush()
		close(begun)
		<-finish
		io.WriteString(w, "second")
	})
	api := newFake()
	api.group("ghost", b.address())
	api.balancer("shared", hostRule(1, "ghost.localhost", "ghost"))
	r := startALB(t, api, "")
	r.settled("ghost", stateHealthy, 1)
	got := make(chan string, 1)
	go func() { _, body := r.get("ghost.localhost", "/"); got <- body }()
	<-begun
	api.change(func() { api.register("ghost") })
	r.eventually("503", func() bool { code, _ := r.get("ghost.localhost", "/"); return code == 503 })
	close(finish)
	if body := <-got; body != "first second" {
		t.Errorf("open request ended with %q", body)
	}
}

func TestUnhealthyTargetsAndFailOpen(t *testing.T) {
	t.Parallel()
	a, b := newBackend(t, "a", nil), newBackend(t, "b", nil)
	api := newFake()
	api.group("x", a.address(), b.address())
	api.groups[0].HealthCheckIntervalSeconds = aws.Int32(1)
	api.balancer("shared", hostRule(1, "x.localhost", "x"))
	r := startALB(t, api, "")
	r.settled("x", stateHealthy, 2)
	bodies := func() map[string]bool {
		seen := map[string]bool{}
		for range 8 {
			_, body := r.get("x.localhost", "/")
			seen[body] = true
		}
		return seen
	}
	if seen := bodies(); len(seen) != 2 {
		t.Errorf("round robin reached %v", seen)
	}
	a.setHealthy(false)
	r.settled("x", Unhealthy, 1)
	if seen := bodies(); seen["a"] {
		t.Errorf("unhealthy target used: %v", seen)
	}
	b.setHealthy(false)
	r.settled("x", Unhealthy, 2)
	if seen := bodies(); len(seen) != 2 {
		t.Errorf("fail open reached %v", seen)
	}
	a.setHealthy(true)
	r.settled("x", stateHealthy, 1)
	if seen := bodies(); seen["b"] {
		t.Errorf("unhealthy target used: %v", seen)
	}
}

func TestLastStateServesWhileTheAPIIsDown(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "up", nil)
	api := newFake()
	api.group("x", b.address())
	api.balancer("shared", hostRule(1, "x.localhost", "x"))
	r := startALB(t, api, "")
	r.settled("x", stateHealthy, 1)
	api.change(func() { api.err = errDown })
	r.eventually("the state names the error", func() bool {
		resp, err := http.Get("http://127.0.0.1:" + r.plain + "/_alb/state")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var s State
		return decode(resp.Body, &s) == nil && s.Error == errDown.Error() && len(s.LoadBalancers) == 1
	})
	if code, body := r.get("x.localhost", "/"); code != 200 || body != "up" {
		t.Errorf("%d %s", code, body)
	}
	api.change(func() { api.err = nil; api.balancer("second", hostRule(1, "y.localhost", "x")) })
	r.eventually("the new state serves", func() bool { code, _ := r.get("y.localhost", "/"); return code == 200 })
}

func TestQuietStateCostsFewCalls(t *testing.T) {
	b := newBackend(t, "a", nil)
	api := newFake()
	api.group("used", b.address())
	api.group("unused", b.address())
	api.balancer("shared", hostRule(1, "a.localhost", "used"))
	p := newPoller(api, newPool(t.Context(), dialer{}, discard()), time.Hour, discard())
	if err := p.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := api.calls["targets"]; n != 1 {
		t.Errorf("%d calls for targets, want 1: a group without a rule is left alone", n)
	}
	p.every, p.changed = time.Second, time.Now().Add(-time.Minute)
	before := api.count()
	if err := p.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := api.count() - before; n != 3 { // two pages of groups and the targets of one
		t.Errorf("%d calls in a quiet round, want 3", n)
	}
	api.change(func() {
		api.group("new")
		api.rules["arn:lb/shared/https"] = append(api.rules["arn:lb/shared/https"], hostRule(2, "n.localhost", "new"))
	})
	if err := p.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !p.table.Load().uses["arn:tg/new"] {
		t.Error("a new group did not wake the poller")
	}
	p.pool.close()
}

func TestConfigErrors(t *testing.T) {
	get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
	for name, c := range map[string]struct {
		config Config
		want   string
	}{
		"no certificate": {Config{HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0"}, "GetCertificate is missing"},
		"all interfaces": {Config{HTTP: "0.0.0.0:0", HTTPS: "127.0.0.1:0", GetCertificate: get}, "alb: HTTP: listen 0.0.0.0:0: not a loopback address"},
		"no port":        {Config{HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1", GetCertificate: get}, "alb: HTTPS: "},
	} {
		if err := run(t.Context(), c.config, newFake()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
