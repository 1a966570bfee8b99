// Package standin is a small HTTP program that stands in for a container image. What it answers is data: all else is as with
// the image, the port, the variables, the Secret, the mounted files and the calls from one service to another.
package standin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"text/template"
	"time"

	"k8s-plus-aws-gitops/local/ca/loopback"
)

// Program is what one image answers to GET requests. /healthz answers for itself and speaks of this process alone: a service
// whose neighbour is away is still well.
type Program struct {
	// Port that it listens on.
	Port int `json:"port"`
	// Answers are JSON bodies, by path: https://pkg.go.dev/net/http#hdr-Patterns-ServeMux. Each is a template
	// (https://pkg.go.dev/text/template) that knows, beside Go's functions: path NAME, a part of the request's path; env NAME,
	// a variable; need NAME, a variable without which the answer is 503; text KEY, one of Texts, or 404; words FILE, the words
	// of a file; get URL, the JSON that a neighbour answers, or 404 when it does not know, else 502; and json VALUE. Of what
	// the service has in AWS: row STATEMENT…, the first value that the last of the statements finds in its database; object KEY
	// TEXT, what is in its bucket after it was put there; message TEXT, what arrives in its queue after it was sent; cached KEY
	// TEXT, what its cache has after it was set. A name without a leading slash is no path but a template for the others.
	Answers map[string]string `json:"answers"`
	// Texts are what the image would ask the internet for, by key.
	Texts map[string]string `json:"texts,omitempty"`
}

// Variable is the environment variable that holds a Program as JSON, for the process that runs it.
const Variable = "GITOPS_STAND_IN"

// Validate reports a wrong field.
func (p Program) Validate() error {
	if p.Port < 1 || p.Port > 65535 {
		return fmt.Errorf("port: must be from 1 to 65535, got %d", p.Port)
	}
	_, err := p.handler(nil)
	return err
}

// grace is how long open requests may go on after the pod is told to end.
const grace = 5 * time.Second

// Run serves on an address until ctx ends.
func (p Program) Run(ctx context.Context, host string) error {
	handler, err := p.handler(os.Getenv)
	if err != nil {
		return err
	}
	l, err := loopback.Listen(ctx, net.JoinHostPort(host, strconv.Itoa(p.Port)))
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	slog.Info("ready", "address", l.Addr().String())
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		_ = srv.Close()
	}
	return nil
}

// handler is the HTTP interface.
func (p Program) handler(getenv func(string) string) (handler http.Handler, err error) {
	has := newUses(getenv)
	all := template.New("").Funcs(p.functions(nil, getenv, has))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	for name, text := range p.Answers {
		if _, err := all.New(name).Parse(text); err != nil {
			return nil, fmt.Errorf("answers: %w", err)
		}
		if !strings.HasPrefix(name, "/") {
			continue
		}
		if err := route(mux, name, func(w http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			ours, err := all.Clone()
			if err == nil {
				err = ours.Funcs(p.functions(r, getenv, has)).ExecuteTemplate(&body, name, nil)
			}
			answer(w, body.Bytes(), err)
		}); err != nil {
			return nil, fmt.Errorf("answers: %q: %w", name, err)
		}
	}
	return mux, nil
}

// route adds a path; ServeMux panics at one that it cannot serve. What ends in a slash is that path alone.
func route(mux *http.ServeMux, path string, h http.HandlerFunc) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("%v", why)
		}
	}()
	if strings.HasSuffix(path, "/") {
		path += "{$}"
	}
	mux.HandleFunc("GET "+path, h)
	return nil
}

// functions are those of the templates, for one request.
func (p Program) functions(r *http.Request, getenv func(string) string, has *uses) template.FuncMap {
	return template.FuncMap{
		"path": func(name string) string { return r.PathValue(name) },
		"env":  func(name string) string { return getenv(name) },
		"need": func(name string) (string, error) {
			if value := getenv(name); value != "" {
				return value, nil
			}
			return "", &failure{http.StatusServiceUnavailable, name + " is empty: its Secret or ConfigMap did not arrive"}
		},
		"text": func(key string) (string, error) {
			if text, ok := p.Texts[key]; ok {
				return text, nil
			}
			return "", &failure{http.StatusNotFound, "there is no " + key + " here"}
		},
		"words": func(file string) ([]string, error) {
			raw, err := os.ReadFile(file)
			return strings.Fields(string(raw)), err
		},
		"get": func(url string) (any, error) { return get(r.Context(), url) },
		"row": func(statement string, more ...string) (string, error) {
			return has.row(r.Context(), append([]string{statement}, more...)...)
		},
		"object":  func(key, text string) (string, error) { return has.object(r.Context(), key, text) },
		"cached":  func(key, text string) (string, error) { return has.cached(r.Context(), key, text) },
		"message": func(text string) (string, error) { return has.message(r.Context(), text) },
		"json": func(value any) (string, error) {
			raw, err := json.Marshal(value)
			return string(raw), err
		},
	}
}

// failure is why there is no answer.
type failure struct {
	code int
	text string
}

func (e *failure) Error() string { return e.text }

// client takes the proxy of the environment, which is the pod network here.
var client = &http.Client{Timeout: 10 * time.Second}

// get asks a neighbour.
func get(ctx context.Context, url string) (any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		f := &failure{http.StatusBadGateway, fmt.Sprintf("%s: %s: %s", url, resp.Status, strings.TrimSpace(string(body)))}
		if resp.StatusCode == http.StatusNotFound {
			f.code = resp.StatusCode
		}
		return nil, f
	}
	var value any
	return value, json.Unmarshal(body, &value)
}

// answer writes JSON, or why there is none.
func answer(w http.ResponseWriter, body []byte, err error) {
	var no *failure
	switch {
	case errors.As(err, &no):
		http.Error(w, no.text, no.code)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadGateway)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(body, '\n'))
	}
}
