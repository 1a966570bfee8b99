// Package wholebody keeps net/http from looking for more of a request's body
// than its length says.
//
// After the last byte net/http's transport reads on, to see that the body ends
// there. The server may have answered by then, above all where all processors
// are busy, and whoever sent the request may have closed the body: the SDK does
// so with the answer's header (smithy-go, transport/http/client.go), and so
// does net/http's server below a reverse proxy (response.cw.writeHeader). The
// transport takes the error of that read for a failure to send and closes the
// connection while the answer's body is on its way. The SDK then sends the
// request again, and what was to be created exists already.
package wholebody

import (
	"io"
	"net/http"
)

// Request returns the request with a body that ends by itself after
// ContentLength bytes.
func Request(r *http.Request) *http.Request {
	if r.Body == nil || r.ContentLength <= 0 {
		return r
	}
	whole := *r
	whole.Body = body{io.LimitReader(r.Body, r.ContentLength), r.Body}
	return &whole
}

// body reads to its limit and closes the original.
type body struct {
	io.Reader
	io.Closer
}

// Transport sends every request with such a body.
type Transport struct{ Base http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.Base.RoundTrip(Request(r))
}
