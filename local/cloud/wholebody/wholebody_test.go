package wholebody

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// closed is a body that somebody closed after its last byte was read.
type closed struct{ left io.Reader }

func (c closed) Read(p []byte) (int, error) {
	n, err := c.left.Read(p)
	if errors.Is(err, io.EOF) {
		err = http.ErrBodyReadAfterClose
	}
	return n, err
}

func (closed) Close() error { return nil }

func TestNothingIsReadAfterTheEnd(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}))
	defer s.Close()
	for _, size := range []int{1, 100, 5000, 1 << 20} { // below and above the transport's buffer
		text := strings.Repeat("x", size)
		send := func(base http.RoundTripper) (string, error) {
			r, err := http.NewRequest(http.MethodPost, s.URL, closed{strings.NewReader(text)})
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

func TestRequestsWithoutLengthStay(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"no body": {}, "empty body": {Body: http.NoBody}, "unknown length": {Body: io.NopCloser(strings.NewReader("x")), ContentLength: -1},
	} {
		if Request(r) != r {
			t.Errorf("%s: the request was changed", name)
		}
	}
}
