package httpbody

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// closing is a body that fails every read after its last byte, as a server's does that was closed.
type closing struct {
	left   *strings.Reader
	closed bool
}

func (c *closing) Read(b []byte) (int, error) {
	if c.left.Len() == 0 {
		return 0, http.ErrBodyReadAfterClose
	}
	return c.left.Read(b)
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestExact(t *testing.T) {
	in := &closing{left: strings.NewReader("Action=X")}
	r := &http.Request{Body: in, ContentLength: 8}
	Exact(r)
	got, err := io.ReadAll(r.Body)
	if err != nil || string(got) != "Action=X" {
		t.Errorf("%q, %v", got, err)
	}
	if err := r.Body.Close(); err != nil || !in.closed {
		t.Errorf("not closed, %v", err)
	}
	// A body that is too short still fails.
	r = &http.Request{Body: &closing{left: strings.NewReader("Act")}, ContentLength: 8}
	Exact(r)
	if _, err := io.ReadAll(r.Body); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("a short body: %v", err)
	}
	for _, r := range []*http.Request{{}, {Body: http.NoBody}, {Body: in, ContentLength: -1}} {
		before := r.Body
		if Exact(r); r.Body != before {
			t.Errorf("%+v: the body was replaced", r)
		}
	}
}

func TestNothingIsReadAfterTheEnd(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}))
	defer s.Close()
	for _, size := range []int{1, 100, 5000, 1 << 20} { // below and above the transport's buffer
		text := strings.Repeat("x", size)
		send := func(base http.RoundTripper) (string, error) {
			r, err := http.NewRequest(http.MethodPost, s.URL, &closing{left: strings.NewReader(text)})
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = int64(size)
			res, err := base.RoundTrip(r)
			if err != nil {
				return "", err
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			return string(b), err
		}
		base := &http.Transport{}
		if got, err := send(Transport{base}); err != nil || got != text {
			t.Errorf("%d bytes: %d bytes back, %v", size, len(got), err)
		}
		base.CloseIdleConnections()
	}
}
