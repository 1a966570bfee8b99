package podlog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// api is an API server whose second pod comes after the first look.
type api struct {
	mu    sync.Mutex
	pods  []string // JSON
	asked []string
}

func pod(name, state string) string {
	return fmt.Sprintf(`{"metadata": {"name": %[1]q, "uid": %[1]q}, "spec": {"containers": [{"name": "orders"}]}, "status": {"containerStatuses": [{"name": "orders", "state": %[2]s}]}}`, name, state)
}

const runs, waits = `{"running": {}}`, `{"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}`

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r.URL.String())
	name, isLog := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/orders/pods/"), "/log")
	switch {
	case !isLog:
		_, _ = io.WriteString(w, `{"items": [`+strings.Join(a.pods, ",")+`]}`)
	case strings.HasPrefix(name, "waits"):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"message": "container is waiting to start"}`)
	default:
		_, _ = io.WriteString(w, "of "+name+"\nlast without an end")
	}
}

func open(t *testing.T, a *api) *Reader {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	r, err := Open(&rest.Config{Host: server.URL}, "orders", "app.kubernetes.io/name=orders")
	if err != nil {
		t.Fatal(err)
	}
	r.Environment = "dev"
	return r
}

func TestPrint(t *testing.T) {
	for name, c := range map[string]struct {
		pods       []string
		since      time.Duration
		out, errs  string
		err, asked string
	}{
		"one pod":   {[]string{pod("a", runs)}, 0, "of a\nlast without an end\n", "", "", "tailLines=100"},
		"since":     {[]string{pod("a", runs)}, 90 * time.Second, "of a\nlast without an end\n", "", "", "sinceSeconds=90"},
		"two pods":  {[]string{pod("b", runs), pod("a", runs)}, 0, "a/orders: of a\na/orders: last without an end\nb/orders: of b\nb/orders: last without an end\n", "", "", "labelSelector=app.kubernetes.io%2Fname%3Dorders"},
		"it waits":  {[]string{pod("waits", waits)}, 0, "", "waits/orders has no log: ImagePullBackOff: no such image\n", "", ""},
		"no pods":   {nil, 0, "", "", "namespace orders has no pods; see gitops service status orders --env dev", ""},
		"a refusal": {[]string{pod("waits", runs)}, 0, "", "", "namespace orders: container is waiting to start", ""},
	} {
		a, out, errs := &api{pods: c.pods}, &bytes.Buffer{}, &bytes.Buffer{}
		r := open(t, a)
		r.Since = c.since
		err := r.Print(t.Context(), out, errs)
		if out.String() != c.out || errs.String() != c.errs || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %q, %q, %v", name, out, errs, err)
		}
		if !strings.Contains(strings.Join(a.asked, " "), c.asked) {
			t.Errorf("%s: asks %v, want %s", name, a.asked, c.asked)
		}
	}
}

// A pod that comes later is followed, too, and each container once.
func TestFollow(t *testing.T) {
	a := &api{pods: []string{pod("a", runs), pod("waits", waits)}}
	r := open(t, a)
	r.Poll = time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	out := &watched{until: map[string]func(){
		"of a": func() { a.mu.Lock(); a.pods = append(a.pods, pod("b", runs)); a.mu.Unlock() },
		"of b": stop,
	}}
	if err := r.Follow(ctx, out, io.Discard); err != nil {
		t.Error(err)
	}
	if text := out.text.String(); strings.Count(text, "of a\n") != 1 || strings.Count(text, "of b\n") != 1 {
		t.Errorf("got %q", text)
	}
}

// watched acts when words are written.
type watched struct {
	text  bytes.Buffer
	until map[string]func()
}

func (w *watched) Write(p []byte) (int, error) {
	for words, act := range w.until {
		if strings.Contains(string(p), words) {
			act()
		}
	}
	return w.text.Write(p)
}
