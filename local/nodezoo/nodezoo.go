// Package nodezoo stands in for the images of the three example services on one machine: npm and github describe
// packages, info puts together what they say. What they would ask the internet for is a short list here; all else is as on
// AWS: the ports, the variables, the Secret, the mounted file, and the calls from one service to another.
package nodezoo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/ca/loopback"
)

// Names are the services that Run knows.
func Names() []string { return []string{"github", "info", "npm"} }

// Config is one service's process.
type Config struct {
	// Service is one of Names.
	Service string
	// Listen is the pod's loopback address with the port, for example 127.10.0.7:8080.
	Listen string
	// Featured is the file with the packages of info's front page, one a line.
	Featured string
	// Env reads a variable of the container; default os.Getenv.
	Env func(string) string
	// Log defaults to slog.Default().
	Log *slog.Logger
}

// grace is how long open requests may go on after the pod is told to end.
const grace = 5 * time.Second

// Run serves until ctx ends.
func Run(ctx context.Context, c Config) error {
	handler, err := c.handler()
	if err != nil {
		return err
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	l, err := loopback.Listen(ctx, c.Listen)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Service, err)
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	c.Log.Info("ready", "service", c.Service, "address", l.Addr().String())
	select {
	case err := <-done:
		return fmt.Errorf("%s: %w", c.Service, err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		_ = srv.Close()
	}
	return nil
}

// handler is the service's HTTP interface. /healthz speaks of this process alone: a service whose neighbour is away is
// still well.
func (c Config) handler() (http.Handler, error) {
	if c.Env == nil {
		c.Env = os.Getenv
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	switch c.Service {
	case "npm":
		mux.HandleFunc("GET /packages/{name}", func(w http.ResponseWriter, r *http.Request) { c.known(w, r, descriptions) })
	case "github":
		mux.HandleFunc("GET /packages/{name}", func(w http.ResponseWriter, r *http.Request) {
			if c.Env("GITHUB_TOKEN") == "" {
				http.Error(w, "GITHUB_TOKEN is empty: the secret did not arrive", http.StatusServiceUnavailable)
				return
			}
			c.known(w, r, repositories)
		})
	case "info":
		mux.HandleFunc("GET /{$}", c.front)
		mux.HandleFunc("GET /packages/{name}", func(w http.ResponseWriter, r *http.Request) {
			p, err := c.ask(r.Context(), r.PathValue("name"))
			answer(w, p, err)
		})
	default:
		return nil, fmt.Errorf("no service %q: it is one of %s", c.Service, strings.Join(Names(), ", "))
	}
	return mux, nil
}

// What the two services would learn from the package registry and from GitHub.
var (
	descriptions = map[string]string{
		"express": "Fast, unopinionated, minimalist web framework",
		"lodash":  "Lodash modular utilities.",
		"react":   "React is a JavaScript library for building user interfaces.",
	}
	repositories = map[string]string{"express": "expressjs/express", "lodash": "lodash/lodash", "react": "facebook/react"}
)

// known answers from a list.
func (c Config) known(w http.ResponseWriter, r *http.Request, list map[string]string) {
	name := r.PathValue("name")
	text, ok := list[name]
	if !ok {
		http.Error(w, c.Service+" knows no package "+name, http.StatusNotFound)
		return
	}
	answer(w, fact{text}, nil)
}

// fact is the answer of npm and of github.
type fact struct {
	Text string `json:"text"`
}

// item is a package as info shows it.
type item struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Repository  string `json:"repository"`
}

// page is info's front page.
type page struct {
	Title    string `json:"title"`
	Packages []item `json:"packages"`
}

func (c Config) front(w http.ResponseWriter, r *http.Request) {
	raw, err := os.ReadFile(c.Featured)
	if err != nil {
		answer(w, nil, err)
		return
	}
	p := page{Title: cmp.Or(c.Env("TITLE"), "nodezoo")}
	for _, name := range strings.Fields(string(raw)) {
		x, err := c.ask(r.Context(), name)
		if err != nil {
			answer(w, nil, err)
			return
		}
		p.Packages = append(p.Packages, x)
	}
	answer(w, p, nil)
}

// ask asks both neighbours about a package, by the addresses in the container's variables.
func (c Config) ask(ctx context.Context, name string) (item, error) {
	x := item{Name: name}
	var err error
	if x.Description, err = get(ctx, c.Env("NPM_URL"), name); err != nil {
		return x, err
	}
	x.Repository, err = get(ctx, c.Env("GITHUB_URL"), name)
	return x, err
}

// client takes the proxy of the environment, which is the pod network here.
var client = &http.Client{Timeout: 10 * time.Second}

// refused is what a neighbour said instead of an answer.
type refused struct {
	code int
	text string
}

func (e *refused) Error() string { return e.text }

func get(ctx context.Context, base, name string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/packages/"+name, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", &refused{resp.StatusCode, fmt.Sprintf("%s: %s: %s", base, resp.Status, strings.TrimSpace(string(body)))}
	}
	var f fact
	return f.Text, json.Unmarshal(body, &f)
}

// answer writes JSON, or why there is none.
func answer(w http.ResponseWriter, value any, err error) {
	var no *refused
	switch {
	case errors.As(err, &no) && no.code == http.StatusNotFound:
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadGateway)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value)
	}
}
