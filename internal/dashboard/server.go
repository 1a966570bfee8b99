package dashboard

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Listen opens an address of this machine's loopback: a port, or a host and a port. Port 0 takes a free one.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = "127.0.0.1", address
	}
	if host == "localhost" { // whatever the machine resolves it to
		host = "127.0.0.1"
	}
	ip := net.ParseIP(host)
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("must be a port, or an address of this machine's loopback such as 127.0.0.1:8765, got %q", address)
	}
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", net.JoinHostPort(host, port))
}

// Server serves the pages of environments.
type Server struct {
	// Watches by environment, in the order of the page.
	Watches []*Watch
	// First is how long a page waits for the first look; the script, or a reload, brings the rest.
	First time.Duration

	looks context.Context
}

// Serve serves until the context is done.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: s.Handler(ctx, l.Addr()), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	stopped := context.AfterFunc(ctx, func() { server.Close() })
	defer stopped()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	for _, w := range s.Watches { // a look ends what it has started
		w.runs.Wait()
	}
	return nil
}

//go:embed page
var files embed.FS

// policy lets a page load its own style and script, and nothing else from anywhere.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler answers at the address. The looks end with the context.
func (s *Server) Handler(ctx context.Context, at net.Addr) http.Handler {
	s.looks = ctx
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", s.overview)
	mux.HandleFunc("/environments/{environment}/{application}", s.application)
	for path, kind := range map[string]string{"style.css": "text/css", "script.js": "text/javascript"} {
		mux.HandleFunc("/"+path, func(w http.ResponseWriter, r *http.Request) {
			content, _ := files.ReadFile("page/" + path)
			send(w, r, kind, content, content)
		})
	}
	return guard(hosts(at), mux)
}

// hosts are the names by which a browser on this machine calls the address.
func hosts(at net.Addr) []string {
	_, port, _ := net.SplitHostPort(at.String())
	names := []string{at.String(), net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port), "localhost:" + port}
	if port == "80" { // browsers leave HTTP's own out
		for _, name := range names {
			names = append(names, strings.TrimSuffix(name, ":80"))
		}
	}
	return names
}

// guard refuses what would change something, and requests under another name: with one that it has made to lead to this machine,
// a page of the internet would read this one.
func guard(hosts []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		switch {
		case !slices.Contains(hosts, strings.ToLower(r.Host)):
			http.Error(w, fmt.Sprintf("This page is at %s; it is not served as %q.", hosts[0], r.Host), http.StatusMisdirectedRequest)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "This page is for reading.", http.StatusMethodNotAllowed)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Server) overview(w http.ResponseWriter, r *http.Request) {
	all := s.seen(r, s.Watches, "")
	s.page(w, r, "overview", overviewPage{all}, all...)
}

func (s *Server) application(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("application")
	at := slices.IndexFunc(s.Watches, func(watch *Watch) bool { return watch.Name == r.PathValue("environment") })
	if at < 0 {
		http.NotFound(w, r)
		return
	}
	watch := s.Watches[at : at+1]
	v := s.seen(r, watch, "")[0]
	page := applicationPage{Environment: v, Application: application{Name: name}}
	if v.Environment != nil {
		if _, known := v.application(name); !known { // it is not asked for
			http.Error(w, fmt.Sprintf("%s has no application %q.", v.Name, name), http.StatusNotFound)
			return
		}
		page.Environment = s.seen(r, watch, name)[0]
		page.Application, _ = page.Environment.application(name)
	}
	s.page(w, r, "application", page, page.Environment)
}

// seen waits a little where nothing is known yet, for all environments together.
func (s *Server) seen(r *http.Request, watches []*Watch, application string) []view {
	ctx, cancel := context.WithTimeout(r.Context(), s.First)
	defer cancel()
	all := make([]view, len(watches))
	for _, w := range watches { // all of them begin
		w.Get(s.looks, application)
	}
	for i, w := range watches {
		all[i] = view{w.Name, w.Wait(ctx, s.looks, application)}
	}
	return all
}

// page renders a page. Its tag is of what it shows; when that was read is in the header Read, in seconds since 1970, so that a
// page that has not changed can say so without being sent again.
func (s *Server) page(w http.ResponseWriter, r *http.Request, name string, data any, shown ...view) {
	var content bytes.Buffer
	if err := pages.ExecuteTemplate(&content, name, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var read []string
	whole := content.String()
	for _, v := range shown {
		at := time.Time{}
		if v.Environment != nil {
			at = v.Environment.Read
		}
		read = append(read, strconv.FormatInt(max(0, at.Unix()), 10))
		whole = strings.Replace(whole, readMark, clock(at), 1)
	}
	w.Header().Set("Read", strings.Join(read, ","))
	send(w, r, "text/html", content.Bytes(), []byte(whole))
}

// readMark stands for the time in a page until its tag is made.
var readMark = rand.Text() // which no commit can have in its subject

// clock is a time as a page shows it.
func clock(at time.Time) string {
	if at.IsZero() {
		return "not yet"
	}
	return at.Local().Format("15:04:05")
}

// send sends a text, or says that the client has it.
func send(w http.ResponseWriter, r *http.Request, kind string, tagged, content []byte) {
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(tagged))
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Content-Type", kind+"; charset=utf-8")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(content)
}

// path of an application's page.
func path(environment, application string) string {
	return "/environments/" + url.PathEscape(environment) + "/" + url.PathEscape(application)
}
