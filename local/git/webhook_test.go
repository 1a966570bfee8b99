package git

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func constant(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}

var push = Push{"platform", "refs/heads/main", strings.Repeat("a", 40), strings.Repeat("b", 40)}

func TestWebhookLooksLikeGitHub(t *testing.T) {
	var got *http.Request
	var body []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, body = r, must(io.ReadAll(r.Body))
	}))
	defer s.Close()
	w := Webhook{URL: constant(s.URL + "/hook/abc"), Host: "flux.localhost", Token: constant("secret")}
	if err := w.Send(t.Context(), push); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-Github-Event": "push", "Content-Type": "application/json", "X-Hub-Signature-256": Sign("secret", body),
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	if len(got.Header.Get("X-Github-Delivery")) != 36 || got.Host != "flux.localhost" || got.URL.Path != "/hook/abc" || got.Method != "POST" {
		t.Errorf("%s %s %s delivery %q", got.Method, got.Host, got.URL, got.Header.Get("X-Github-Delivery"))
	}
	var e struct {
		Ref, Before, After string
		Repository         struct {
			FullName string `json:"full_name"`
			CloneURL string `json:"clone_url"`
		}
		Pusher struct{ Name string }
	}
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatal(err)
	}
	if e.Ref != push.Ref || e.Before != push.Before || e.After != push.After || e.Repository.FullName != "local/platform" ||
		e.Repository.CloneURL != "http://git.localhost/platform.git" || e.Pusher.Name == "" {
		t.Errorf("body %s", body)
	}
}

// The example of docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries.
func TestSign(t *testing.T) {
	const want = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	if got := Sign("It's a Secret to Everybody", []byte("Hello, World!")); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWebhookTriesAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []int
		want    string // part of the error; empty: delivered
		calls   int
		limit   time.Duration
	}{
		{"at once", []int{200}, "", 1, patience},
		{"receiver not there yet", []int{404, 503, 200}, "", 3, patience},
		{"rate limit", []int{429, 202}, "", 2, patience},
		{"bad signature", []int{403}, "403", 1, patience},
		{"bad request", []int{400}, "receiver answered 400", 1, patience},
		{"never", []int{502}, "gave up", -1, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			var n atomic.Int32
			var ids atomic.Value
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id := r.Header.Get("X-GitHub-Delivery")
				if old := ids.Swap(id); old != nil && old != id {
					t.Errorf("delivery %s, then %s", old, id)
				}
				w.WriteHeader(c.answers[min(int(n.Add(1)), len(c.answers))-1])
			}))
			defer s.Close()
			err := Webhook{URL: constant(s.URL), Token: constant("x"), Patience: c.limit}.Send(t.Context(), push)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if c.calls >= 0 && int(n.Load()) != c.calls {
				t.Errorf("%d calls, want %d", n.Load(), c.calls)
			}
		})
	}
}

func TestWebhookResolvesEachTime(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/new" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	n := 0
	w := Webhook{Token: constant("x"), Patience: patience, URL: func(context.Context) (string, error) {
		n++
		switch n {
		case 1:
			return "", errors.New("receiver flux-system/github has no status.webhookPath yet")
		case 2:
			return s.URL + "/old", nil
		}
		return s.URL + "/new", nil
	}}
	if err := w.Send(t.Context(), push); err != nil || n != 3 {
		t.Errorf("%v after %d calls", err, n)
	}
}

func TestWebhookStopsWhenSuperseded(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(ErrSuperseded) })
	err := Webhook{URL: constant(s.URL), Token: constant("x"), Patience: patience}.Send(ctx, push)
	if !errors.Is(err, ErrSuperseded) {
		t.Errorf("%v, want that it was superseded", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
