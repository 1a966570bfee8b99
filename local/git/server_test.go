package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s-plus-aws-gitops/local/internal/freeport"
)

// system is a running server with one repository and a clone of it.
type system struct {
	t                   *testing.T
	root, charts, clone string
	url                 string
	stop                func() error
	pushes              chan Push

	mu       sync.Mutex
	received []Push
	private  map[string][]Account
}

func (s *system) note(p Push) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, p)
}

func start(t *testing.T, s *system, onPush func(context.Context, Push)) *system {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	if s == nil {
		dir := t.TempDir()
		s = &system{t: t, root: filepath.Join(dir, "git"), charts: filepath.Join(dir, "charts"), clone: filepath.Join(dir, "clone"), pushes: make(chan Push, 100)}
		if err := Init(filepath.Join(s.root, "platform.git")); err != nil {
			t.Fatal(err)
		}
	}
	if onPush == nil {
		onPush = func(_ context.Context, p Push) { s.pushes <- p }
	}
	address := freeport.Address(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Config{Listen: address, Repositories: s.root, Charts: s.charts, Private: s.private, OnReceive: func(p Push) { s.note(p) }, OnPush: onPush, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	}()
	s.url = "http://" + address
	s.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if r, err := http.Get(s.url + "/healthz"); err == nil {
			r.Body.Close()
			return s
		}
	}
	t.Fatal("the server does not answer")
	return nil
}

// patience is for a machine on which much else runs.
const patience = 2 * time.Minute

// gitIn runs the real git as a user would, with the user's configuration left out.
func (s *system) gitIn(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@localhost", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@localhost")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (s *system) git(args ...string) string {
	s.t.Helper()
	out, err := s.gitIn(s.clone, args...)
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return out
}

func (s *system) checkout() *system {
	s.t.Helper()
	if out, err := s.gitIn(filepath.Dir(s.clone), "clone", "-q", s.url+"/platform.git", s.clone); err != nil {
		s.t.Fatalf("clone: %v\n%s", err, out)
	}
	return s
}

func (s *system) commit(name, content string) string {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.clone, name), []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.git("add", name)
	s.git("commit", "-q", "-m", name)
	return s.git("rev-parse", "HEAD")
}

func (s *system) next() Push {
	s.t.Helper()
	select {
	case p := <-s.pushes:
		return p
	case <-time.After(patience):
		s.t.Fatal("no push was announced")
		return Push{}
	}
}

func TestPushesAreAnnounced(t *testing.T) {
	s := start(t, nil, nil).checkout()
	first := s.commit("a", "1")
	s.git("push", "-q", "origin", "main")
	if got, want := s.next(), (Push{"platform", "refs/heads/main", zero, first}); got != want {
		t.Errorf("first push: %+v, want %+v", got, want)
	}
	second := s.commit("a", "2")
	s.git("tag", "v1")
	s.git("push", "-q", "origin", "main", "v1")
	got := map[string]Push{}
	for range 2 {
		p := s.next()
		got[p.Ref] = p
	}
	if want := (Push{"platform", "refs/heads/main", first, second}); got[want.Ref] != want {
		t.Errorf("second push: %+v, want %+v", got[want.Ref], want)
	}
	if p := got["refs/tags/v1"]; !p.Created() || p.After != second {
		t.Errorf("tag: %+v", p)
	}
	s.git("push", "-q", "origin", ":v1")
	if p := s.next(); !p.Deleted() || p.Ref != "refs/tags/v1" {
		t.Errorf("deleted tag: %+v", p)
	}
	s.git("push", "-q", "origin", "main") // nothing new
	s.git("reset", "-q", "--hard", first)
	if out, err := s.gitIn(s.clone, "push", "-q", "origin", "main"); err == nil {
		t.Errorf("a push that is not a fast-forward passed: %s", out)
	}
	s.git("push", "-q", "--force", "origin", "main")
	// Announced next, so the two pushes that changed nothing were not.
	if p := s.next(); p.Before != second || p.After != first {
		t.Errorf("forced push: %+v", p)
	}
}

func TestLargePushAndShallowFetch(t *testing.T) {
	s := start(t, nil, nil).checkout()
	big := make([]byte, 2<<20) // above http.postBuffer, so git sends chunks
	rand.New(rand.NewSource(1)).Read(big)
	first := s.commit("big", string(big))
	s.git("push", "-q", "origin", "main")
	s.next()
	s.commit("small", "x")
	s.git("push", "-q", "origin", "main")
	s.next()
	other := filepath.Join(t.TempDir(), "other")
	if out, err := s.gitIn(t.TempDir(), "clone", "-q", "--depth", "1", s.url+"/platform.git", other); err != nil {
		t.Fatalf("shallow clone: %v\n%s", err, out)
	}
	if out, _ := s.gitIn(other, "rev-list", "--count", "HEAD"); out != "1" {
		t.Errorf("shallow clone has %s commits", out)
	}
	if out, err := s.gitIn(other, "fetch", "-q", "--depth", "1", "origin", first); err != nil {
		t.Errorf("fetch of one commit: %v\n%s", err, out)
	}
}

func TestConcurrentPushes(t *testing.T) {
	s := start(t, nil, nil).checkout()
	s.commit("a", "1")
	s.git("push", "-q", "origin", "main")
	s.next()
	const n = 5
	var wg sync.WaitGroup
	for i := range n {
		s.git("branch", fmt.Sprint("b", i))
		wg.Go(func() {
			if out, err := s.gitIn(s.clone, "push", "-q", "origin", fmt.Sprint("b", i)); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for range n {
		seen[s.next().Ref]++
	}
	if len(seen) != n {
		t.Errorf("each branch once, got %v", seen)
	}
}

func TestNewerPushCancelsTheOlderCall(t *testing.T) {
	causes := make(chan error, 1)
	calls := make(chan string, 10)
	s := start(t, nil, func(ctx context.Context, p Push) {
		calls <- p.After
		if p.Created() {
			<-ctx.Done()
			causes <- context.Cause(ctx)
		}
	}).checkout()
	first := s.commit("a", "1")
	s.git("push", "-q", "origin", "main")
	if got := <-calls; got != first {
		t.Fatalf("first call for %s", got)
	}
	second := s.commit("a", "2")
	s.git("push", "-q", "origin", "main")
	if err := <-causes; !errors.Is(err, ErrSuperseded) {
		t.Errorf("cause %v", err)
	}
	if got := <-calls; got != second {
		t.Errorf("second call for %s, want %s", got, second)
	}
	// A superseded push is received all the same.
	s.mu.Lock()
	defer s.mu.Unlock()
	if want := []Push{{"platform", "refs/heads/main", zero, first}, {"platform", "refs/heads/main", first, second}}; !slices.Equal(s.received, want) {
		t.Errorf("received %+v, want %+v", s.received, want)
	}
}

func TestStartAnnouncesWhatWasMissed(t *testing.T) {
	s := start(t, nil, func(ctx context.Context, p Push) { <-ctx.Done() }).checkout()
	first := s.commit("a", "1")
	s.git("push", "-q", "origin", "main")
	if err := s.stop(); err != nil { // cuts the call off
		t.Fatal(err)
	}
	second := s.commit("a", "2")
	s.git("push", "-q", filepath.Join(s.root, "platform.git"), "main") // past the server
	start(t, s, nil)
	if got, want := s.next(), (Push{"platform", "refs/heads/main", zero, second}); got != want {
		t.Errorf("%+v, want %+v (first was %s)", got, want, first)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	start(t, s, nil)
	s.git("remote", "set-url", "origin", s.url+"/platform.git") // each start has a port of its own
	third := s.commit("a", "3")
	s.git("push", "-q", "origin", "main")
	// Announced next, so the second was not announced twice.
	if got, want := s.next(), (Push{"platform", "refs/heads/main", second, third}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestInitKeepsARepository(t *testing.T) {
	s := start(t, nil, nil).checkout()
	id := s.commit("a", "1")
	s.git("push", "-q", "origin", "main")
	if err := Init(filepath.Join(s.root, "platform.git")); err != nil {
		t.Fatal(err)
	}
	if out := s.git("ls-remote", "origin", "main"); !strings.HasPrefix(out, id) {
		t.Errorf("the branch is gone: %q", out)
	}
}

func TestRoutes(t *testing.T) {
	s := start(t, nil, nil)
	if r := request(t, "GET", s.url+"/", "charts.localhost"); r.StatusCode != 404 {
		t.Errorf("charts before they exist: %s", r.Status)
	}
	if err := os.MkdirAll(s.charts, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"index.yaml": "apiVersion: v1\n", "x-1.0.0.tgz": "x"} {
		if err := os.WriteFile(filepath.Join(s.charts, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/hosts", filepath.Join(s.charts, "link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, host, path string
		want               int
	}{
		{"GET", "charts.localhost", "/index.yaml", 200},
		{"HEAD", "charts.localhost:80", "/x-1.0.0.tgz", 200},
		{"GET", "git.localhost", "/charts/index.yaml", 200},
		{"GET", "", "/charts/x-1.0.0.tgz", 200},
		{"POST", "charts.localhost", "/index.yaml", 405},
		{"GET", "charts.localhost", "/link", 500},
		{"GET", "charts.localhost", "/../platform.git/HEAD", 404},
		{"GET", "git.localhost", "/platform.git/info/refs?service=git-upload-pack", 200},
		{"GET", "git.localhost", "/platform.git/info/refs?service=git-receive-pack", 200},
		{"GET", "", "/platform.git/info/refs?service=git-upload-pack", 200},
		{"GET", "git.localhost", "/other.git/info/refs?service=git-upload-pack", 404},
		{"GET", "git.localhost", "/platform.git/HEAD", 404},
		{"GET", "git.localhost", "/platform.git/announced.json", 404},
		{"GET", "git.localhost", "/../platform.git/info/refs", 404},
		{"GET", "evil.example", "/platform.git/info/refs?service=git-upload-pack", 421},
		{"GET", "evil.example", "/charts/index.yaml", 421},
	} {
		r := request(t, c.method, s.url+c.path, c.host)
		if r.StatusCode != c.want {
			t.Errorf("%s %s%s: %s, want %d", c.method, c.host, c.path, r.Status, c.want)
		}
	}
}

func request(t *testing.T, method, url, host string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	r, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	return r
}

func TestErrorsNameTheRemedy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := Run(t.Context(), Config{Listen: l.Addr().String(), Repositories: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "choose another port") {
		t.Errorf("occupied port: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := Init(filepath.Join(t.TempDir(), "x.git")); err == nil || !strings.Contains(err.Error(), "apt-get install git") {
		t.Errorf("without git: %v", err)
	}
}
