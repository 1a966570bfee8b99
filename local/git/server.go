package git

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"k8s-plus-aws-gitops/local/ca/loopback"
)

// grace is how long open requests may go on after Run's context ends.
const grace = 5 * time.Second

// Run serves until ctx ends. GET /healthz answers 200.
func Run(ctx context.Context, c Config) error {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if err := installed(ctx); err != nil {
		return err
	}
	s, err := newServer(ctx, c)
	if err != nil {
		return err
	}
	l, err := loopback.Listen(ctx, c.Listen)
	if err != nil {
		return fmt.Errorf("git server: %w", err)
	}
	if err := s.catchUp(); err != nil {
		l.Close()
		return err
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn)}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	c.Log.Info("git server ready", "address", l.Addr().String(), "repositories", c.Repositories)
	select {
	case err = <-done:
		s.announce.close()
		return fmt.Errorf("git server: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		_ = srv.Close()
	}
	s.announce.close()
	return nil
}

type server struct {
	Config
	git      string
	announce *announcer

	mu    sync.Mutex
	locks map[string]*sync.Mutex // repository name -> held while a receive-pack runs
}

func newServer(ctx context.Context, c Config) (*server, error) {
	bin, err := exec.LookPath("git")
	if err != nil {
		return nil, err
	}
	if c.Repositories, err = filepath.Abs(c.Repositories); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Repositories, 0o755); err != nil {
		return nil, fmt.Errorf("git server: %w", err)
	}
	return &server{Config: c, git: bin, announce: newAnnouncer(ctx, c.Repositories, c.OnPush, c.Log), locks: map[string]*sync.Mutex{}}, nil
}

// ServeHTTP routes by host and path. Only loopback names are served: most repositories ask for no login.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := loopback.Hostname(r.Host)
	switch {
	case !loopback.Name(host):
		http.Error(w, fmt.Sprintf("host %q is not served here; use git.localhost, charts.localhost or 127.0.0.1", host), http.StatusMisdirectedRequest)
	case host == "charts.localhost":
		s.charts(w, r, "")
	case r.URL.Path == "/healthz":
		io.WriteString(w, "ok\n")
	case strings.HasPrefix(r.URL.Path, "/charts/"):
		s.charts(w, r, "/charts")
	default:
		s.repository(w, r)
	}
}

// charts serves the static files. The directory is opened per request, since it may be made or replaced meanwhile, and
// as a root, so that no link leads out of it.
func (s *server) charts(w http.ResponseWriter, r *http.Request, prefix string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "charts are read-only", http.StatusMethodNotAllowed)
		return
	}
	root, err := os.OpenRoot(s.Charts)
	if err != nil {
		http.Error(w, "no charts have been published yet", http.StatusNotFound)
		return
	}
	defer func() { _ = root.Close() }()
	w.Header().Set("Cache-Control", "no-cache")
	http.StripPrefix(prefix, http.FileServerFS(root.FS())).ServeHTTP(w, r)
}

// repositoryPath matches what git clients ask for, dumb-protocol files left out.
var repositoryPath = regexp.MustCompile(`^/([A-Za-z0-9][A-Za-z0-9._-]*)\.git/(info/refs|git-upload-pack|git-receive-pack)$`)

// protocol matches a Git-Protocol header, which goes into an environment variable.
var protocol = regexp.MustCompile(`^[a-z0-9=.:-]{1,64}$`)

func (s *server) repository(w http.ResponseWriter, r *http.Request) {
	m := repositoryPath.FindStringSubmatch(r.URL.Path)
	if m == nil {
		http.NotFound(w, r)
		return
	}
	name := m[1]
	if _, err := os.Stat(filepath.Join(s.Repositories, name+".git", "HEAD")); err != nil {
		http.Error(w, "no repository "+name+".git", http.StatusNotFound)
		return
	}
	writes := m[2] == "git-receive-pack" || r.URL.Query().Get("service") == "git-receive-pack"
	if !s.signedIn(w, r, name, writes) {
		return
	}
	if m[2] == "git-receive-pack" {
		s.receive(w, r, name)
		return
	}
	s.backend(w, r)
}

// signedIn reports whether the request may go on, and answers it otherwise: 401 asks for a login, 403 refuses a push.
func (s *server) signedIn(w http.ResponseWriter, r *http.Request, name string, writes bool) bool {
	accounts, private := s.Private[name]
	if !private {
		return true
	}
	user, password, _ := r.BasicAuth()
	for _, a := range accounts {
		if a.User != user || subtle.ConstantTimeCompare([]byte(a.Password), []byte(password)) != 1 {
			continue
		}
		if writes && !a.Writes {
			http.Error(w, user+" may not push to "+name+".git", http.StatusForbidden)
			return false
		}
		return true
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="`+name+`.git"`)
	http.Error(w, name+".git is private: sign in", http.StatusUnauthorized)
	return false
}

// receive runs one push at a time per repository, so that the refs before and after tell what this push changed.
func (s *server) receive(w http.ResponseWriter, r *http.Request, name string) {
	lock := s.lock(name)
	lock.Lock()
	defer lock.Unlock()
	dir := filepath.Join(s.Repositories, name+".git")
	before, err := refs(r.Context(), dir)
	if err != nil {
		s.Log.Error("push refused", "repository", name, "error", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.backend(w, r)
	_ = http.NewResponseController(w).Flush() // the client has its answer before anybody acts on the push
	// The client may be gone by now; what it pushed is there all the same.
	after, err := refs(context.WithoutCancel(r.Context()), dir)
	if err != nil {
		s.Log.Error("push not announced", "repository", name, "error", err)
		return
	}
	for _, p := range changes(name, before, after) {
		s.Log.Info("push", "repository", p.Repository, "ref", p.Ref, "before", p.Before, "after", p.After)
		s.received(p)
	}
}

// received hands a change to whoever wants to know.
func (s *server) received(p Push) {
	if s.OnReceive != nil {
		s.OnReceive(p)
	}
	s.announce.push(p)
}

func (s *server) lock(name string) *sync.Mutex {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks[name] == nil {
		s.locks[name] = &sync.Mutex{}
	}
	return s.locks[name]
}

// backend hands the request to git http-backend (git-http-backend(1)).
func (s *server) backend(w http.ResponseWriter, r *http.Request) {
	env := append(environment(), "GIT_PROJECT_ROOT="+s.Repositories, "GIT_HTTP_EXPORT_ALL=1")
	if p := r.Header.Get("Git-Protocol"); protocol.MatchString(p) {
		env = append(env, "GIT_PROTOCOL="+p)
	}
	// net/http/cgi refuses chunked bodies, which git sends above http.postBuffer; http-backend reads them to the end
	// when it gets no CONTENT_LENGTH.
	in := r.Clone(r.Context())
	in.TransferEncoding = nil
	stderr := &logWriter{log: s.Log}
	(&cgi.Handler{
		Path: s.git, Args: []string{"http-backend"}, Env: env, Dir: s.Repositories,
		Logger: slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn), Stderr: stderr,
	}).ServeHTTP(w, in)
}

// logWriter turns what git writes to stderr into log records.
type logWriter struct{ log *slog.Logger }

func (l *logWriter) Write(p []byte) (int, error) {
	if line := strings.TrimSpace(string(p)); line != "" {
		l.log.Warn("git http-backend", "message", line)
	}
	return len(p), nil
}
