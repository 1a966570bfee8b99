package watch

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/endpoint/permissions"
)

var deleteNow = metav1.DeleteOptions{}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }

// status answers with one.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// pass lets a phase see requests to a host.
func pass(t *testing.T, w *Watch, phase rehearsal.Phase, hosts ...string) {
	t.Helper()
	if phase != rehearsal.Before {
		w.Phase(phase)
	}
	for _, name := range hosts {
		until(t, name+" in "+string(phase), func() bool { return w.requests(name, phase) >= 8 })
	}
}

// A base that is left alone has no findings, whatever it does by itself.
func TestQuiet(t *testing.T) {
	s := newWorld(t)
	s.host("a.localhost", ok)
	s.host("signin.localhost", status(http.StatusUnauthorized))
	s.pod("orders-5fb8858795-qfvx8", 3, nil)
	s.lines["orders-5fb8858795-qfvx8"] = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339Nano) + " ERROR no queue 17\n" + time.Now().Add(time.Millisecond).UTC().Format(time.RFC3339Nano) + " ERROR no queue 18\n"
	s.warn("e1", corev1.ObjectReference{Kind: "TargetGroupBinding", Namespace: "n", Name: "k8s-a-a-1234567890"}, "Failed", "request xSoR6K2vT8Z1YN21Jn9uwCsJzhCD8 refused", 4)
	s.calls = []permissions.Call{{Role: "role", Action: "s3:GetObject", Count: 9, Denied: 2}}
	s.applied(map[string]string{"a": "1"})
	s.cloud.set("local-orders", `{"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "ID": "q1"}}}`)
	w := s.start()
	for _, phase := range rehearsal.Phases() {
		pass(t, w, phase, "a.localhost", "signin.localhost")
		if phase == rehearsal.Hold {
			if err := w.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		// The same about another object, with another id and number.
		s.warn("e-"+string(phase), corev1.ObjectReference{Kind: "TargetGroupBinding", Namespace: "m", Name: "k8s-b-b-0987654321"}, "Failed", "request 9RKz1Q2nB6WSVyXWN6Fzu19oNpS5G1 refused", 2)
		s.set(func() { s.calls = []permissions.Call{{Role: "role", Action: "s3:GetObject", Count: 11, Denied: 4}} })
		s.applied(map[string]string{"a": "1"})
	}
	o, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	result := rehearsal.Result{Observations: o, Merge: rehearsal.Half{State: rehearsal.Succeeded}, Revert: rehearsal.Half{State: rehearsal.Succeeded}}
	result.Judge()
	if result.Verdict != rehearsal.Verified || len(result.Findings)+len(o.Unseen) > 0 {
		t.Errorf("got %s, %v, %v", result.Verdict, result.Findings, o.Unseen)
	}
	if len(o.Hosts) != 2 || !o.Hosts[0].Session.Kept || o.Hosts[0].Requests() < 32 {
		t.Errorf("got %+v", o.Hosts)
	}
}

// What users of a host notice, by what it does while the change is live.
func TestHosts(t *testing.T) {
	for name, c := range map[string]struct {
		base, change http.HandlerFunc
		lost         string // in the first that was lost
	}{
		"it answers":                      {ok, ok, ""},
		"another page":                    {ok, status(http.StatusFound), ""},
		"a gateway's error":               {ok, status(http.StatusBadGateway), "502 Bad Gateway"},
		"no page any more":                {ok, status(http.StatusNotFound), "404 Not Found, which the base does not answer"},
		"a sign-in as before":             {status(http.StatusUnauthorized), status(http.StatusUnauthorized), ""},
		"no rule in the load balancer":    {ok, nil, "404 Not Found by the load balancer"},
		"it breaks off":                   {ok, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"an answer that ends in the half": {ok, half, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorld(t)
			s.host("a.localhost", c.base)
			w := s.start()
			pass(t, w, rehearsal.Before, "a.localhost")
			pass(t, w, rehearsal.Merge, "a.localhost")
			s.set(func() { s.serve["a.localhost"] = c.change })
			pass(t, w, rehearsal.Hold, "a.localhost")
			s.set(func() { s.serve["a.localhost"] = c.base })
			o, err := w.Stop(t.Context())
			if err != nil || len(o.Hosts) != 1 {
				t.Fatal(o, err)
			}
			h := o.Hosts[0]
			if (h.FirstLost == nil) != (c.lost == "") || h.FirstLost != nil && !strings.Contains(h.FirstLost.Said, c.lost) {
				t.Errorf("first lost %+v, want %q", h.FirstLost, c.lost)
			}
			if h.Period(rehearsal.Before).Lost != 0 || (h.Lost() > 0) != (c.lost != "") || h.Session.Kept && h.Lost() > 20 {
				t.Errorf("got %+v", h)
			}
		})
	}
}

// half promises more than it writes.
func half(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "10")
	_, _ = w.Write([]byte("hello"))
}

// A host that comes with the change may take its time, but not for ever; one that goes with it loses nothing.
func TestHostsComeAndGo(t *testing.T) {
	s := newWorld(t)
	s.host("stays.localhost", ok)
	s.host("goes.localhost", ok)
	w := s.start()
	pass(t, w, rehearsal.Before, "stays.localhost", "goes.localhost")
	pass(t, w, rehearsal.Merge, "stays.localhost")
	s.host("comes.localhost", nil)
	s.host("never.localhost", status(http.StatusServiceUnavailable))
	s.unname("goes.localhost")
	s.set(func() { s.serve["goes.localhost"] = nil })
	until(t, "the new host is asked", func() bool {
		w.hosts.mu.Lock()
		defer w.hosts.mu.Unlock()
		return len(w.hosts.all) == 4
	})
	s.set(func() { s.serve["comes.localhost"] = ok })
	pass(t, w, rehearsal.Hold, "stays.localhost", "comes.localhost")
	w.Phase(rehearsal.Revert)
	s.unname("comes.localhost")
	s.set(func() { s.serve["comes.localhost"] = nil })
	s.host("goes.localhost", ok)
	pass(t, w, rehearsal.After, "stays.localhost", "goes.localhost")
	o, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range o.Hosts {
		wantLost, came, went := 0, h.Name == "comes.localhost" || h.Name == "never.localhost", h.Name == "goes.localhost"
		if h.Name == "never.localhost" {
			wantLost = 2 // in Hold, and in After: it is still there
			if h.Session.Kept {
				t.Error("a host that never answered kept a session")
			}
			if h.FirstLost == nil || h.FirstLost.Phase != rehearsal.Hold || h.FirstLost.Said != "it never answered: 503 Service Unavailable" {
				t.Errorf("%s: first lost %+v", h.Name, h.FirstLost)
			}
		}
		if h.Lost() != wantLost || h.Added != came || h.Removed != went {
			t.Errorf("%s: %d lost, added %t, removed %t; %+v", h.Name, h.Lost(), h.Added, h.Removed, h.FirstLost)
		}
	}
}

// A session is its cookies, but for those that the base itself gives anew with every answer.
func TestSession(t *testing.T) {
	set := func(cookies ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for _, c := range cookies {
				w.Header().Add("Set-Cookie", c)
			}
		}
	}
	var n atomic.Int64
	turning := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "AWSALB="+strings.Repeat("x", int(n.Add(1)%50)+1))
	}
	for name, c := range map[string]struct {
		base, change http.HandlerFunc
		why          string
	}{
		"no cookies":             {ok, ok, ""},
		"the same":               {set("sid=1"), set("sid=1"), ""},
		"asked for no more":      {set("sid=1"), ok, ""},
		"a new one":              {ok, set("sid=1"), ""},
		"given anew":             {set("sid=1"), set("sid=2"), "the cookie sid was given anew"},
		"taken back":             {set("sid=1"), set("sid=; Max-Age=0"), "the cookie sid was taken back"},
		"with every answer":      {turning, turning, ""},
		"one of two, given anew": {set("a=1", "b=1"), set("a=1", "b=2"), "the cookie b was given anew"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorld(t)
			s.host("a.localhost", c.base)
			w := s.start()
			until(t, "the cookies of the base", func() bool { return w.requests("a.localhost", rehearsal.Before) > 60 })
			w.Phase(rehearsal.Merge)
			s.set(func() { s.serve["a.localhost"] = c.change })
			until(t, "those of the change", func() bool { return w.requests("a.localhost", rehearsal.Merge) > 60 })
			o, err := w.Stop(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := o.Hosts[0].Session; got.Why != c.why || got.Kept != (c.why == "") {
				t.Errorf("got %+v, want %q", got, c.why)
			}
		})
	}
}

// What happens to pods is said of the workload, once, and not when the base does it too.
func TestPods(t *testing.T) {
	s := newWorld(t)
	const first, second = "orders-5fb8858795-qfvx8", "orders-5fb8858795-abcde"
	about := corev1.ObjectReference{Kind: "Pod", Namespace: "orders", Name: second}
	s.pod(first, 1, nil)
	w := s.start()
	pass(t, w, rehearsal.Merge)
	stamp := func() string { return time.Now().UTC().Format(time.RFC3339Nano) }
	s.set(func() {
		s.lines[second] = stamp() + " INFO serves\n" + stamp() + ` {"level":"error","msg":"no queue","error":"after 17 s"}` + "\n" + stamp() + ` {"level":"error","msg":"no queue","error":"after 18 s"}` + "\n"
	})
	s.pod(second, 2, &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 3})
	s.warn("e1", about, "BackOff", "Back-off restarting failed container orders in pod orders-5fb8858795-abcde_orders(1a2b3c4d-0000-0000-0000-000000000000)", 2)
	until(t, "the restarts, the warning and the errors", func() bool {
		return len(w.pods.restarts(&w.times)) == 1 && len(w.events.result(&w.times)) == 1 && len(w.logs.result(&w.times)) == 1
	})
	w.Phase(rehearsal.Hold)
	time.Sleep(1100 * time.Millisecond) // events have times of whole seconds
	s.set(func() { s.lines[second] = "" })
	s.pod(second, 3, &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137})
	s.warn("e2", about, "BackOff", "Back-off restarting failed container orders in pod orders-5fb8858795-abcde_orders(1a2b3c4d-0000-0000-0000-000000000001)", 1)
	until(t, "the last restart", func() bool { return len(w.pods.restarts(&w.times)) == 2 && w.events.result(&w.times)[0].Count == 3 })
	o, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	orders := rehearsal.Where{Namespace: "orders", Kind: "Deployment", Name: "orders"}
	if want := []rehearsal.Restart{{Where: orders, Container: "orders", Phase: "merge", Count: 2, Reason: "Error, exit code 3"}, {Where: orders, Container: "orders", Phase: "hold", Count: 1, Reason: "OOMKilled"}}; !slices.Equal(o.Restarts, want) {
		t.Errorf("restarts %+v", o.Restarts)
	}
	if want := (rehearsal.LogLine{Where: orders, Container: "orders", Text: "no queue: after 17 s", Count: 2, First: "merge", Last: "merge"}); len(o.Errors) != 1 || o.Errors[0] != want {
		written, _ := json.Marshal(o.Errors)
		t.Errorf("errors %s", written)
	}
	if e := o.Events; len(e) != 1 || e[0].Where != orders || e[0].Reason != "BackOff" || e[0].Count != 3 || e[0].Last != rehearsal.Hold {
		t.Errorf("events %+v", e)
	}
}

// The three looks tell what the change made, and what the revert left.
func TestLooks(t *testing.T) {
	s := newWorld(t)
	s.applied(map[string]string{"same": "1", "changes": "1", "sticks": "1", "goes": "1"})
	s.cloud.set("local-orders", `{"Resources": {"Same": {"Type": "T", "ID": "s"}, "Table": {"Type": "T", "ID": "t1"}, "Role": {"Type": "R", "ID": "r", "Properties": {"a": 1}}}}`)
	w := s.start()
	w.Phase(rehearsal.Hold)
	s.applied(map[string]string{"same": "1", "changes": "2", "sticks": "2", "comes": "1"})
	if err := s.dynamic.Resource(configMaps).Namespace("n").Delete(t.Context(), "goes", deleteNow); err != nil {
		t.Fatal(err)
	}
	s.cloud.set("local-orders", `{"Resources": {"Same": {"Type": "T", "ID": "s"}, "Table": {"Type": "T", "ID": "t2"}, "Role": {"Type": "R", "ID": "r", "Properties": {"a": 2}}}}`)
	s.cloud.set("local-new", `{"Resources": {"Data": {"Type": "B", "ID": "b"}}}`)
	s.cloud.set("local-stays", `{"Resources": {"One": {"Type": "B", "ID": "1"}, "Two": {"Type": "B", "ID": "2"}}}`)
	s.set(func() {
		s.calls = []permissions.Call{{Role: "role", Action: "sqs:SendMessage", Resource: "q", Count: 3, Denied: 3}, {Role: "role", Action: "s3:GetObject", Count: 1}}
	})
	if err := w.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Phase(rehearsal.After)
	// Flux no longer has "comes" in its inventory, and yet it is there.
	s.applied(map[string]string{"same": "1", "changes": "1", "sticks": "2"})
	s.cloud.mu.Lock()
	delete(s.cloud.templates, "local-new")
	s.cloud.templates["local-orders"] = `{"Resources": {"Same": {"Type": "T", "ID": "s"}, "Table": {"Type": "T", "ID": "t3"}, "Role": {"Type": "R", "ID": "r", "Properties": {"a": 1}}}}`
	now := time.Now()
	kept := types.StackEvent{StackName: aws.String("local-new"), LogicalResourceId: aws.String("Data"), ResourceType: aws.String("B"), PhysicalResourceId: aws.String("b"), ResourceStatus: types.ResourceStatusDeleteSkipped, Timestamp: &now}
	s.cloud.events["local-new"] = []types.StackEvent{kept}
	s.cloud.mu.Unlock()
	o, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ got, want []string }{
		"objects made":      {o.Kubernetes.Made, []string{"n/ConfigMap/comes"}},
		"objects changed":   {o.Kubernetes.Changed, []string{"n/ConfigMap/changes", "n/ConfigMap/sticks"}},
		"objects removed":   {o.Kubernetes.Removed, []string{"n/ConfigMap/goes"}},
		"objects left":      {o.Kubernetes.Left, []string{"n/ConfigMap/comes", "n/ConfigMap/sticks (not as before)"}},
		"objects missing":   {o.Kubernetes.Missing, []string{"n/ConfigMap/goes"}},
		"resources made":    {o.AWS.Made, []string{"local-new/Data B", "local-stays/One B", "local-stays/Two B"}},
		"resources changed": {o.AWS.Changed, []string{"local-orders/Role R", "local-orders/Table T"}},
		"resources left":    {o.AWS.Left, []string{"local-orders/Table T (not as before)"}},
		"resources kept":    {o.AWS.Kept, []string{"local-new/Data B b"}},
		"stacks that stay":  {o.AWS.Stays, []string{"local-stays"}},
		"resources missing": {o.AWS.Missing, nil},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: got %q, want %q", name, c.got, c.want)
		}
	}
	if want := []rehearsal.Refusal{{ServiceAccount: "orders/orders", Role: "role", Action: "sqs:SendMessage", Resource: "q", Count: 3}}; !slices.Equal(o.Refused, want) {
		t.Errorf("refused %+v", o.Refused)
	}
}

// What comes at the last moment is looked at, and does not keep Stop from ending.
func TestStopEnds(t *testing.T) {
	s := newWorld(t)
	from := s.sources()
	from.every = time.Hour // so that the last look is the first that sees them
	w, err := start(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	s.host("late.localhost", ok)
	s.pod("orders-5fb8858795-abcde", 0, nil)
	ended := make(chan error)
	go func() {
		_, err := w.Stop(t.Context())
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Stop does not end")
	}
}

// A host whose Ingress is made anew under another name has not gone with the change; one that the revert brings back has.
func TestHostGoes(t *testing.T) {
	h := newHost("a.localhost", "https://a.localhost/", rehearsal.Before)
	h.stop = func() {}
	for i, step := range []struct {
		come  bool
		phase rehearsal.Phase
		want  bool
	}{
		{true, rehearsal.Before, false}, {false, rehearsal.Merge, true}, {true, rehearsal.Merge, false}, {false, rehearsal.Hold, true}, {true, rehearsal.Revert, true},
	} {
		if step.come {
			h.come(step.phase, time.Now())
		} else {
			h.leave(step.phase)
		}
		if h.removed != step.want {
			t.Errorf("step %d: removed is %v, want %v", i, h.removed, step.want)
		}
	}
}

// A tag that Flux chooses differs after a revert, which builds the image anew. While the change is live it is a change.
func TestTagsOfImages(t *testing.T) {
	container := func(image string) any { return map[string]any{"containers": []any{map[string]any{"image": image}}} }
	const own = "registry.localhost:5000/local/ghost"
	before, err1 := fingerprints(container(own+":20261201000000-aaaaaaa@sha256:1"), []string{own})
	after, err2 := fingerprints(container(own+":20261201000100-aaaaaaa@sha256:2"), []string{own})
	other, err3 := fingerprints(container(own+"-other:1"), []string{own})
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	look := func(value string) map[string]string { return map[string]string{"n/Deployment/a": value} }
	if _, changed, _ := differ(look(before), look(after)); len(changed) != 1 {
		t.Error("another tag is no change")
	}
	if c := restored(steady(look(before)), steady(look(after))); len(c.Left) != 0 {
		t.Errorf("another tag is left behind: %v", c.Left)
	}
	if c := restored(steady(look(before)), steady(look(other))); len(c.Left) != 1 {
		t.Errorf("another image is not left behind: %v", c.Left)
	}
}
