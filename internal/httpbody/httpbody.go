// Package httpbody keeps net/http from looking for more of a request's body than its length says.
//
// After the last byte http.Transport reads on, to see that the body ends there. When the answer is quicker than that read,
// which happens where all processors are busy, whoever sent the request may have closed the body: the SDK does so with the
// answer's header (smithy-go, transport/http/client.go), and so does net/http's server below a reverse proxy. The transport
// takes the error of that read for a failure to send and closes the connection under the answer. The client of a proxy gets
// 200 and half a body; the SDK sends the request again, and what was to be created exists already.
package httpbody

import (
	"io"
	"net/http"
)

// Exact makes the body of a request end by itself after its announced length. A reverse proxy calls it before it passes a
// server's request on.
func Exact(r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength <= 0 {
		return
	}
	r.Body = body{Reader: io.LimitReader(r.Body, r.ContentLength), Closer: r.Body}
}

type body struct {
	io.Reader
	io.Closer
}

// Client returns a client for the SDK whose requests have such a body.
func Client() *http.Client { return &http.Client{Transport: Transport{Base: http.DefaultTransport}} }

// Transport sends every request with such a body.
type Transport struct{ Base http.RoundTripper }

// RoundTrip implements [http.RoundTripper]. It leaves the caller's request as it is.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := *r
	Exact(&sent)
	return t.Base.RoundTrip(&sent)
}
