package dashboard

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// ask returns the answer and its text. Headers are pairs; Host is the request's.
func ask(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if request.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			request.Host = headers[i+1]
		}
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, strings.Join(strings.Fields(string(text)), " ")
}

// What is amiss is said in its place, and the rest is there.
func TestOverview(t *testing.T) {
	const rest = "Stacks: 4"
	for name, c := range map[string]struct {
		of   *Environment
		says []string
		not  []string
	}{
		"well": {well("dev"), []string{
			`dev <span class="badge good">verified</span>`, "Give orders a database", "by Jane Doe", `Applications <span class="badge good">passed</span>`,
			`href="/environments/dev/orders">orders</a> <span class="badge good">ready</span>`, `href="/environments/dev/ghost">ghost</a>`, "pods: 2 of 2; CPU 100m, memory 256Mi; AWS: database, queue",
			"docker.io/library/ghost:6.65.0", "Flux: 4<", rest, "312 USD a month", "replaced", "released/dev 1f3a9c2d4b5e",
		}, []string{"not whole", "Not read", "not ready", "class=\"unread\"", "class=\"cause\""}},
		"failed": {failed("dev"), []string{
			`<span class="badge bad">failed</span>`, "action Deploy failed: Resource handler", "1 not whole", "update rollback failed", "1 not ready",
			"HealthCheckFailed: Deployment/ghost/ghost status: &#39;Failed&#39;", "1 short of pods", "1 of 2 pods", "ReplicaSet has timed out",
		}, nil},
		"waiting":      {waiting("dev"), []string{"On its way", "Two pods of Ghost", `Approve <span class="badge busy">waits for an approval</span>`, `Release <span class="badge ">to come</span>`}, nil},
		"unread":       {unread("dev"), []string{"AWS is not read: there are no credentials", "Branch not read: no route to the host", "Not read: the account is not reached too", "Not read: it needs the account", "What is published is not read: no route to the manifests", ">orders</a>", "2 wanted"}, []string{"Nothing is released"}},
		"no such look": {nil, []string{"Not read: the local system does not run", `<span class="badge bad">not read</span>`}, nil},
		"no release":   {with(well("dev"), func(e *Environment) { e.Commit = nil }), []string{"Nothing is released yet", rest}, nil},
		"no rights to it": {with(well("dev"), func(e *Environment) {
			e.Status.Pipeline.Note, e.Status.Pipeline.Stages = "it needs the rights codepipeline:X", nil
		}), []string{"Pipeline: it needs the rights codepipeline:X", rest}, nil},
		"no commit":     {with(well("dev"), func(e *Environment) { e.Unread["commit"] = "not in this clone" }), []string{"not in this clone", rest}, nil},
		"no stacks":     {with(well("dev"), func(e *Environment) { e.Unread["stacks"], e.Status.Stacks = "AccessDenied", nil }), []string{`<details id="stacks-dev" open>`, "Not read: AccessDenied", "Flux: 4"}, nil},
		"no cluster":    {with(well("dev"), func(e *Environment) { e.Unread["cluster"], e.Status.Objects = "refused", nil }), []string{`<details id="flux-dev" open>`, "Not read: refused", rest}, nil},
		"no workloads":  {with(well("dev"), func(e *Environment) { e.Unread["workloads"], e.Workloads = "deployments is forbidden", nil }), []string{"Not read: deployments is forbidden", rest, "2 wanted"}, nil},
		"no executions": {with(well("dev"), func(e *Environment) { e.Unread["executions"], e.Executions = "throttled", nil }), []string{`<details id="executions-dev" open>`, "Not read: throttled", rest}, nil},
		"no price":      {with(well("dev"), func(e *Environment) { e.Unread["price"], e.Price = "no GetTemplate", nil }), []string{"Not read: no GetTemplate", rest}, nil},
		"no fleet":      {with(well("dev"), func(e *Environment) { e.Unread["fleet"], e.Services = "orders.yaml:1: wrong", nil }), []string{"Services not read: orders.yaml:1: wrong", rest, ">ghost</a>"}, nil},
		"no services":   {with(well("dev"), func(e *Environment) { e.Unread["services"] = "forbidden" }), []string{"Services in the cluster not read: forbidden", rest}, nil},
		"suspended":     {with(well("dev"), func(e *Environment) { e.Status.Objects[1].Suspended = true }), []string{`<span class="badge ">suspended</span>`}, nil},
		"stopped":       {with(well("dev"), func(e *Environment) { e.Executions[0].Status, e.Executions[0].Why = "Stopped", "the wrong day" }), []string{`<span class="badge bad">stopped</span>`, "the wrong day"}, nil},
		"unpriced":      {with(well("dev"), func(e *Environment) { e.Price.Unknown = 2 }), []string{"2 without a price"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, "dev production", c.of, well("production"))
			answer, text := ask(t, http.MethodGet, server.URL+"/")
			if answer.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s", answer.Status, text)
			}
			own, other, _ := strings.Cut(text, "env-production")
			for _, want := range c.says {
				if !strings.Contains(own, want) {
					t.Errorf("lacks %q: %s", want, own)
				}
			}
			for _, no := range c.not {
				if strings.Contains(own, no) {
					t.Errorf("has %q: %s", no, own)
				}
			}
			if !strings.Contains(other, "badge good\">verified") {
				t.Errorf("the other environment is touched: %s", other)
			}
		})
	}
}

// An application's page goes from the commit to the pods and to what it has in AWS.
func TestApplication(t *testing.T) {
	for name, c := range map[string]struct {
		of   *Environment
		path string
		code int
		says []string
	}{
		"a service": {well("dev"), "dev/orders", 200, []string{
			"orders <span class=\"by\">in dev", "Give orders a database", "Stack dev-orders", "RDS DBInstance <span class=\"badge good\">ready</span>", "SQS Queue", "Roles, rules and the rest: 1",
			"Branch dev/orders", "made of orders/v1.0.0", "Kustomization services/orders <span class=\"badge good\">ready</span>", "Deployment orders", "Its pods use in AWS: database, queue", "Pod orders-7d9c5-abcde",
		}},
		"of the platform":     {well("dev"), "dev/ghost", 200, []string{"Stack dev-ghost", "Kustomization flux-system/apps <span class=\"badge good\">ready</span>", "Deployment ghost"}},
		"a service that fell": {failed("dev"), "dev/orders", 200, []string{"ImagePullBackOff: no such tag", "3 restarts", "RDS DBInstance <span class=\"badge bad\">failed</span>", "not whole", "DBInstance not found", "ReplicaSet has timed out"}},
		"unread":              {unread("dev"), "dev/orders", 200, []string{"AWS is not read: there are no credentials", "Stacks not read: the account", "Not read: no route to the manifests", "The cluster is not read: it needs the account", `<span class="badge ">unknown</span>`}},
		"details unread": {with(well("dev"), func(e *Environment) {
			e.Details["orders"] = Detail{Unread: map[string]string{"pods": "pods is forbidden", "resources": "no ListStackResources"}}
		}), "dev/orders", 200, []string{"Pods not read: pods is forbidden", "Resources not read: no ListStackResources", "Deployment orders"}},
		"no stack yet":        {with(well("dev"), func(e *Environment) { e.Status.Stacks = nil }), "dev/orders", 200, []string{"There is no stack dev-orders yet; its file wants: database, queue."}},
		"not published":       {with(well("dev"), func(e *Environment) { e.Services[0].State.Commit, e.Services[0].State.Applied = "", "" }), "dev/orders", 200, []string{"Nothing is published.", "Nothing is applied."}},
		"no look":             {nil, "dev/orders", 200, []string{"Not read: the local system does not run"}},
		"no such application": {well("dev"), "dev/none", 404, []string{`dev has no application "none"`}},
		"no such environment": {well("dev"), "none/orders", 404, nil},
		"no such page":        {well("dev"), "dev", 404, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, "dev", c.of)
			answer, text := ask(t, http.MethodGet, server.URL+"/environments/"+c.path)
			if answer.StatusCode != c.code {
				t.Errorf("%s, must be %d", answer.Status, c.code)
			}
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("lacks %q: %s", want, text)
				}
			}
		})
	}
}

// A subject is anybody's text.
func TestHostileText(t *testing.T) {
	const hostile = `</title><script>alert(1)</script><img src=x onerror=alert(1)>" onclick="x`
	e := well("dev")
	e.Commit.Subject, e.Commit.Author, e.Status.Cause, e.Unread["stacks"] = hostile, hostile, hostile, hostile
	e.Services[0].State.Message, e.Workloads[1].Cause, e.Services[0].Image = hostile, hostile, hostile
	e.Details["orders"].Pods[0].Cause, e.Details["orders"].Pods[0].Name = hostile, hostile
	server := serve(t, "dev", e)
	for _, path := range []string{"/", "/environments/dev/orders"} {
		_, text := ask(t, http.MethodGet, server.URL+path)
		if !strings.Contains(text, "&lt;script&gt;alert(1)") || strings.Contains(text, "<script>") || strings.Contains(text, "<img") || strings.Contains(text, `" onclick`) {
			t.Errorf("%s: %s", path, text)
		}
	}
}

// Only this machine's own names, and only reading.
func TestRefusals(t *testing.T) {
	server := serve(t, "dev", well("dev"))
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for name, c := range map[string]struct {
		method, host string
		code         int
	}{
		"its address":            {http.MethodGet, "127.0.0.1:" + port, 200},
		"its name":               {http.MethodGet, "LocalHost:" + port, 200},
		"IPv6":                   {http.MethodGet, "[::1]:" + port, 200},
		"HEAD":                   {http.MethodHead, "localhost:" + port, 200},
		"a name that leads here": {http.MethodGet, "evil.example.com:" + port, 421},
		"another port":           {http.MethodGet, "localhost:1", 421},
		"no port":                {http.MethodGet, "localhost", 421},
		"a prefix":               {http.MethodGet, "localhost:" + port + ".example.com", 421},
		"POST":                   {http.MethodPost, "localhost:" + port, 405},
		"PUT":                    {http.MethodPut, "localhost:" + port, 405},
		"DELETE":                 {http.MethodDelete, "localhost:" + port, 405},
		"OPTIONS":                {http.MethodOptions, "localhost:" + port, 405},
	} {
		for _, path := range []string{"/", "/script.js", "/environments/dev/orders"} {
			answer, text := ask(t, c.method, server.URL+path, "Host", c.host)
			if answer.StatusCode != c.code || c.code != 200 && strings.Contains(text, "Jane Doe") {
				t.Errorf("%s: %s: %s, must be %d", name, path, answer.Status, c.code)
			}
			if got := answer.Header.Get("Content-Security-Policy"); got != policy {
				t.Errorf("%s: policy %q", name, got)
			}
		}
	}
}

// Browsers leave the port of HTTP out.
func TestPort80(t *testing.T) {
	for host, code := range map[string]int{
		"127.0.0.1": 200, "localhost": 200, "[::1]": 200, "127.0.0.2": 200, "localhost:80": 200, "127.0.0.2:80": 200,
		"evil.example.com": 421, "evil.example.com:80": 421, "localhost:8080": 421, "": 421,
	} {
		s := &Server{}
		answer := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodGet, "/style.css", nil)
		request.Host = host
		s.Handler(t.Context(), &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 80}).ServeHTTP(answer, request)
		if answer.Code != code {
			t.Errorf("%q: %d, want %d", host, answer.Code, code)
		}
	}
}

// The page loads nothing from elsewhere, and has no script or style in it, which its policy would not allow.
func TestPolicy(t *testing.T) {
	for _, unsafe := range []string{"unsafe", "*", "http", "data:"} {
		if strings.Contains(policy, unsafe) {
			t.Errorf("the policy has %q", unsafe)
		}
	}
	server := serve(t, "dev", failed("dev"))
	for _, path := range []string{"/", "/environments/dev/orders", "/style.css", "/script.js"} {
		answer, text := ask(t, http.MethodGet, server.URL+path)
		for _, no := range []string{"http://", "https://unpkg", "style=", "onclick", "url(", "<style", "@import", "innerHTML", "eval("} {
			if strings.Contains(text, no) {
				t.Errorf("%s has %q", path, no)
			}
		}
		if answer.Header.Get("X-Content-Type-Options") != "nosniff" || answer.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", path, answer.Header)
		}
	}
}

// A page that shows the same is not sent again, although it was read again; one that does not is.
func TestTag(t *testing.T) {
	now := well("dev")
	watch := &Watch{Name: "dev", Look: fixed(now), Pace: pace}
	s := &Server{First: 5 * time.Second, Watches: []*Watch{watch}}
	server := start(t, func(at net.Addr) http.Handler { return s.Handler(t.Context(), at) })
	first, text := ask(t, http.MethodGet, server.URL+"/")
	tag := first.Header.Get("ETag")
	if tag == "" || first.Header.Get("Read") != "1796040000" || !strings.Contains(text, noon.Local().Format("15:04:05")) {
		t.Fatalf("tag %q, read %q: %s", tag, first.Header.Get("Read"), text)
	}
	see := func(e *Environment) {
		watch.mu.Lock()
		defer watch.mu.Unlock()
		watch.seen.Environment = e
	}
	see(with(well("dev"), func(e *Environment) { e.Read = noon.Add(time.Minute) }))
	again, text := ask(t, http.MethodGet, server.URL+"/", "If-None-Match", tag)
	if again.StatusCode != http.StatusNotModified || text != "" || again.Header.Get("Read") != "1796040060" {
		t.Errorf("the same: %s, read %q, %q", again.Status, again.Header.Get("Read"), text)
	}
	see(failed("dev"))
	if other, _ := ask(t, http.MethodGet, server.URL+"/", "If-None-Match", tag); other.StatusCode != 200 || other.Header.Get("ETag") == tag {
		t.Errorf("another: %s", other.Status)
	}
}

// No other machine can reach it, whatever it is told.
func TestListen(t *testing.T) {
	for address, want := range map[string]string{
		"0": "127.0.0.1", "127.0.0.1:0": "127.0.0.1", "localhost:0": "127.0.0.1", "127.0.0.2:0": "127.0.0.2",
		"0.0.0.0:0": "", ":0": "", "[::]:0": "", "192.0.2.1:80": "", "example.com:80": "", "": "", "port": "", "127.0.0.1": "", "70000": "", "-1": "",
	} {
		l, err := Listen(t.Context(), address)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "must be a port, or an address of this machine's loopback") {
				t.Errorf("%q: %v", address, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", address, err)
			continue
		}
		if at := l.Addr().(*net.TCPAddr); at.IP.String() != want || !at.IP.IsLoopback() {
			t.Errorf("%q listens at %s", address, at)
		}
		l.Close()
	}
}
