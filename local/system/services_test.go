package system

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/git"
	"k8s-plus-aws-gitops/local/internal/freeport"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/source"
)

const id = "0123456789abcdef0123456789abcdef01234567"

var none = strings.Repeat("0", 40)

func TestConcernsFlux(t *testing.T) {
	for name, c := range map[string]struct {
		push git.Push
		want bool
	}{
		"platform":            {git.Push{Repository: platformRepository, Ref: "refs/heads/main", Before: id, After: id}, true},
		"the seed":            {git.Push{Repository: platformRepository, Ref: "refs/heads/main", Before: none, After: id}, false},
		"a pull request":      {git.Push{Repository: platformRepository, Ref: "refs/heads/feature", Before: id, After: id}, false},
		"a service":           {git.Push{Repository: manifestsRepository, Ref: "refs/heads/local/npm", Before: id, After: id}, true},
		"a new service":       {git.Push{Repository: manifestsRepository, Ref: "refs/heads/local/npm", Before: none, After: id}, true},
		"a service that left": {git.Push{Repository: manifestsRepository, Ref: "refs/heads/local/npm", Before: id, After: none}, false},
		"a tag":               {git.Push{Repository: manifestsRepository, Ref: "refs/tags/v1", Before: none, After: id}, false},
		"another repository":  {git.Push{Repository: "other", Ref: "refs/heads/main", Before: id, After: id}, false},
	} {
		if got := concernsFlux(c.push); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// TestAnnouncer pushes a fleet at once: every branch is announced, no more than a few at a time, and the address is not
// asked for each.
func TestAnnouncer(t *testing.T) {
	var asked, now, most atomic.Int32
	var mu sync.Mutex
	told := map[string]bool{}
	flux := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		var body struct{ Ref string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		mu.Lock()
		told[body.Ref] = true
		mu.Unlock()
		time.Sleep(time.Millisecond)
	}))
	defer flux.Close()
	tell := announcer(git.Webhook{
		URL:   briefly(func(context.Context) (string, error) { asked.Add(1); return flux.URL, nil }),
		Token: func(context.Context) (string, error) { return "t", nil },
	}, slog.New(slog.DiscardHandler))
	const branches = 100
	var wg sync.WaitGroup
	for n := range branches {
		wg.Go(func() {
			tell(t.Context(), git.Push{Repository: manifestsRepository, Ref: "refs/heads/local/s" + strconv.Itoa(n), Before: none, After: id})
		})
	}
	wg.Wait()
	if len(told) != branches || most.Load() > deliveries || asked.Load() > branches/2 {
		t.Errorf("%d branches announced, %d at once, the address asked for %d times", len(told), most.Load(), asked.Load())
	}
}

// TestAnnouncerWithoutReceiver is a publication before Flux is there: nobody is told and nothing is wrong.
func TestAnnouncerWithoutReceiver(t *testing.T) {
	var log bytes.Buffer
	gone := apierrors.NewNotFound(schema.GroupResource{Resource: "receivers"}, "github")
	for _, c := range []struct {
		repository string
		err        error
		says       string
	}{{manifestsRepository, gone, ""}, {manifestsRepository, errors.New("refused"), "refused"}, {platformRepository, gone, "not found"}} {
		log.Reset()
		tell := announcer(git.Webhook{
			URL:      func(context.Context) (string, error) { return "", c.err },
			Patience: time.Millisecond,
		}, slog.New(slog.NewTextHandler(&log, nil)))
		tell(t.Context(), git.Push{Repository: c.repository, Ref: "refs/heads/main", Before: id, After: id})
		if (c.says == "") != (log.Len() == 0) || !strings.Contains(log.String(), c.says) {
			t.Errorf("%s: %v: log %q", c.repository, c.err, log.String())
		}
	}
}

func TestRandomSecret(t *testing.T) {
	var got map[string]string
	if err := json.Unmarshal([]byte(randomSecret([]string{"a", "b"})), &got); err != nil || len(got["a"]) < 20 || got["a"] == got["b"] {
		t.Errorf("got %q, %v", got, err)
	}
	if whole := randomSecret([]string{"a", ""}); strings.HasPrefix(whole, "{") || len(whole) < 20 {
		t.Errorf("got %q", whole)
	}
}

// world is a state directory with the checkout's services, a Git server and a Secrets Manager.
type world struct {
	up      *up
	secrets sync.Map // path -> value
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	s := newSystem(t)
	w := &world{up: &up{System: s, ports: layout.Ports{}}}
	aws := httptest.NewServer(http.HandlerFunc(w.secretsManager))
	t.Cleanup(aws.Close)
	w.up.ports[layout.AWS] = port(t, aws.URL)
	fixture.Write(t, s.Dir.Repo)
	if err := os.Remove(filepath.Join(s.Dir.Repo, "k8s/services/info.yaml")); err != nil {
		t.Fatal(err)
	}
	w.commit(t)
	for _, r := range []string{s.Dir.Repository(), s.Dir.Manifests()} {
		if err := git.Init(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := source.Seed(t.Context(), s.Dir.Repo, s.Dir.Repository()); err != nil {
		t.Fatal(err)
	}
	w.follow(t)
	w.serve(t)
	return w
}

// serve runs the Git server.
func (w *world) serve(t *testing.T) {
	t.Helper()
	ports := layout.Ports{layout.Git: freeport.Port(t)}
	w.up.ports[layout.Git] = ports[layout.Git]
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- git.Run(ctx, git.Config{Listen: ports.Addr(layout.Git), Repositories: w.up.Dir.Path("git"), Log: slog.New(slog.DiscardHandler)})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	// Asked by a connection: to look whether the port is free would mean to listen on it, in the server's way.
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", ports.Addr(layout.Git))
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the Git server does not listen: %v", err)
		}
	}
}

func port(t *testing.T, address string) int {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (w *world) secretsManager(rw http.ResponseWriter, r *http.Request) {
	var in struct{ Name, SecretString string }
	raw, _ := io.ReadAll(r.Body)
	if json.Unmarshal(raw, &in) != nil || r.Header.Get("X-Amz-Target") != "secretsmanager.CreateSecret" {
		http.Error(rw, "not known here", http.StatusBadRequest)
		return
	}
	rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if _, there := w.secrets.LoadOrStore(in.Name, in.SecretString); there {
		rw.Header().Set("X-Amzn-ErrorType", "ResourceExistsException")
		rw.WriteHeader(http.StatusBadRequest)
	}
	_, _ = io.WriteString(rw, "{}")
}

func (w *world) put(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(w.up.Dir.Repo, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o700); err != nil { //nolint:gosec // one of them is a program
		t.Fatal(err)
	}
}

func (w *world) git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) commit(t *testing.T) {
	t.Helper()
	dir := w.up.Dir.Repo
	w.git(t, dir, "init", "-q")
	w.git(t, dir, "add", "cdk.json", "k8s")
	w.git(t, dir, "commit", "-q", "--allow-empty", "-m", "one")
}

// follow reads the commit that Flux follows.
func (w *world) follow(t *testing.T) {
	t.Helper()
	var err error
	if w.up.commit, err = source.Head(t.Context(), w.up.Dir.Repository()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) branches(t *testing.T) string {
	t.Helper()
	return strings.ReplaceAll(w.git(t, w.up.Dir.Manifests(), "for-each-ref", "--format=%(refname:lstrip=2)@%(objectname)"), "\n", " ")
}

// app stands for the cdk8s app.
const app = `#!/usr/bin/env python3
import json, sys
for s in json.load(sys.stdin)["services"]:
    print(json.dumps({"name": s["name"], "manifest": "kind: ConfigMap\n"}))
`

func TestPublishServices(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	publish := func() error {
		log.Reset()
		return w.up.publishServices(t.Context(), &progress.Output{Writer: &log})
	}
	if err := publish(); err == nil || !strings.Contains(err.Error(), "make bin/services") {
		t.Errorf("without the cdk8s app: %v", err)
	}
	w.put(t, "bin/services", app)
	if err := publish(); err != nil {
		t.Fatal(err)
	}
	first := w.branches(t)
	if !strings.Contains(first, "local/github@") || !strings.Contains(first, "local/npm@") {
		t.Fatalf("branches: %s", first)
	}
	message := w.git(t, w.up.Dir.Manifests(), "log", "-1", "--format=%an %B", "local/npm")
	if !strings.Contains(message, "Ada Publish npm to local") || !strings.Contains(message, "Source-Commit: "+w.up.commit) {
		t.Errorf("message: %s", message)
	}
	value, made := w.secrets.Load("/local/github/api")
	if text, _ := value.(string); !made || !strings.Contains(text, `"token":`) || strings.Contains(log.String(), text) {
		t.Errorf("secret: %v, log: %s", value, log.String())
	}
	if err := publish(); err != nil || w.branches(t) != first {
		t.Errorf("a second time: %v, %s", err, w.branches(t))
	}

	// What is there is left as it is, what is missing is made again; the secret keeps its value.
	w.git(t, w.up.Dir.Manifests(), "update-ref", "refs/heads/local/npm", strings.Fields(strings.ReplaceAll(first, "@", " "))[1])
	w.git(t, w.up.Dir.Manifests(), "update-ref", "-d", "refs/heads/local/github")
	changed := strings.Fields(w.branches(t))
	err := publish()
	if now := strings.Fields(w.branches(t)); err != nil || len(now) != len(changed)+1 || slices.ContainsFunc(changed, func(b string) bool { return !slices.Contains(now, b) }) {
		t.Errorf("one is missing: %v, %s", err, now)
	}
	if again, _ := w.secrets.Load("/local/github/api"); again != value {
		t.Error("the secret was changed")
	}

	// A mistake in a service's file does not keep the platform from coming up.
	w.put(t, "k8s/services/web.yaml", "image: web\n")
	w.commit(t)
	w.git(t, w.up.Dir.Repo, "push", "-q", w.up.Dir.Repository(), "HEAD:main")
	w.follow(t)
	before := w.branches(t)
	if err := publish(); err != nil || w.branches(t) != before {
		t.Errorf("a mistake: %v, %s", err, w.branches(t))
	}
}
