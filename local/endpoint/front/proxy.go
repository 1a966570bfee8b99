package front

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"k8s-plus-aws-gitops/internal/httpbody"
)

// inMemory is how much of a body of unknown length is kept in memory before it
// goes to a temporary file.
const inMemory = 16 << 20

// newProxy passes requests to moto as they came: moto reads the service from
// the signature and the bucket from the path, so the Host header stays.
func newProxy(moto *url.URL, log *slog.Logger) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = moto.Scheme, moto.Host
			p.Out.Host = p.In.Host
			p.Out.Header.Del("Expect") // the server here has already said "100 Continue"
		},
		Transport: httpbody.Transport{Base: &http.Transport{
			Proxy:               nil, // loopback, whatever the environment says
			MaxIdleConnsPerHost: 32, IdleConnTimeout: 10 * time.Second,
			DisableCompression: true,
		}},
		FlushInterval: -1,
		// What the proxy itself logs are clients that went away in the middle of an answer.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(r.Context().Err(), context.Canceled) {
				return // the client has gone
			}
			log.Warn("moto does not answer", "path", r.URL.Path, "error", err)
			unavailable(w)
		},
	}
}

// unavailable is the answer while moto restarts: every SDK retries it.
func unavailable(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, "<ErrorResponse><Error><Type>Receiver</Type><Code>ServiceUnavailable</Code>"+
		"<Message>The local AWS services are restarting</Message></Error></ErrorResponse>")
}

// forward passes a request to moto.
func (f *Front) forward(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength < 0 {
		// moto's server does not read chunked bodies: give it a length.
		body, length, err := spool(r.Body)
		if err != nil {
			f.opt.Log.Warn("a request body was not read", "path", r.URL.Path, "error", err)
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		defer func() { _ = body.Close() }()
		r = r.Clone(r.Context())
		r.Body, r.ContentLength, r.TransferEncoding = body, length, nil
	}
	f.proxy.ServeHTTP(w, r)
}

// spool reads a body to its end, into memory or a file that goes away when it
// is closed.
func spool(body io.Reader) (io.ReadCloser, int64, error) {
	var buf bytes.Buffer
	n, err := io.CopyN(&buf, body, inMemory)
	if errors.Is(err, io.EOF) {
		return io.NopCloser(&buf), n, nil
	}
	if err != nil {
		return nil, 0, err
	}
	file, err := os.CreateTemp("", "aws-body-")
	if err != nil {
		return nil, 0, err
	}
	t := &temporary{file}
	n, err = io.Copy(file, io.MultiReader(&buf, body))
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(err, t.Close())
	}
	return t, n, nil
}

type temporary struct{ *os.File }

func (t *temporary) Close() error { return errors.Join(t.File.Close(), os.Remove(t.Name())) }

// ask sends a small request to moto and reads the answer. An answer that is not a success goes on to the client, and ok is
// false.
func (f *Front) ask(w http.ResponseWriter, r *http.Request, body []byte) (answer []byte, ok bool) {
	status, header, answer, err := f.send(r, body)
	if err != nil {
		f.opt.Log.Warn("moto does not answer", "path", r.URL.Path, "error", err)
		unavailable(w)
		return nil, false
	}
	for _, h := range []string{"Content-Type", "X-Amzn-Errortype"} {
		if v := header.Get(h); v != "" {
			w.Header().Set(h, v)
		}
	}
	if status >= http.StatusBadRequest {
		w.WriteHeader(status)
		_, _ = w.Write(answer)
		return nil, false
	}
	return answer, true
}

func (f *Front) send(r *http.Request, body []byte) (status int, header http.Header, answer []byte, err error) {
	u := *r.URL
	u.Scheme, u.Host = f.moto.Scheme, f.moto.Host
	out, err := http.NewRequestWithContext(r.Context(), r.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	out.Header, out.Host = r.Header.Clone(), r.Host
	for _, h := range []string{"Connection", "Expect", "Accept-Encoding", "Transfer-Encoding", "Content-Length"} {
		out.Header.Del(h)
	}
	res, err := f.proxy.Transport.RoundTrip(out)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, res.Header, answer, err
}
