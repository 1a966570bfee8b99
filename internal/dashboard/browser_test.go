package dashboard

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/fixture"
)

var update = flag.Bool("update", false, "take the picture of docs/pictures again")

// axeRun runs axe over the whole page, and leaves what it found in the document. The page's script has run by then.
const axeRun = `axe.run(document, {resultTypes: ["violations"]}).then((found) => {
	const out = document.createElement("pre");
	out.id = "axe";
	out.textContent = JSON.stringify({dark: matchMedia("(prefers-color-scheme: dark)").matches, passes: found.passes.length, violations: found.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ") + " " + n.failureSummary).join("; "))});
	document.body.append(out);
});`

// chromium is the browser, or the test is skipped.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium on the PATH: install it to test the page in a browser (Debian: apt-get install chromium)")
	return ""
}

// browse runs Chromium without a window. Its profile is the test's own, and virtual time ends the page's timers.
func browse(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{
		"--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--hide-scrollbars",
		"--no-proxy-server", "--user-data-dir=" + t.TempDir(), "--virtual-time-budget=4000",
	}, args...)
	if os.Geteuid() == 0 { // Chromium's sandbox is not for root
		args = append([]string{"--no-sandbox"}, args...)
	}
	cmd := exec.CommandContext(t.Context(), chromium(t), args...)
	cmd.WaitDelay = 10 * time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, said.String())
	}
	return string(out)
}

// inspected serves the pages with axe in them: their policy lets scripts of their own address run.
func inspected(t *testing.T, axe []byte, s *Server) *httptest.Server {
	t.Helper()
	return start(t, func(at net.Addr) http.Handler {
		inner := s.Handler(t.Context(), at)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/axe.js":
				w.Header().Set("Content-Type", "text/javascript")
				w.Write(axe)
				return
			case "/run.js":
				w.Header().Set("Content-Type", "text/javascript")
				w.Write([]byte(axeRun))
				return
			}
			answer := httptest.NewRecorder()
			inner.ServeHTTP(answer, r)
			for name := range answer.Header() {
				w.Header().Set(name, answer.Header().Get(name))
			}
			w.WriteHeader(answer.Code)
			fmt.Fprint(w, strings.Replace(answer.Body.String(), "</body>", `<script src="/axe.js"></script><script src="/run.js"></script></body>`, 1))
		})
	})
}

var axeFound = regexp.MustCompile(`(?s)<pre id="axe">(.*?)</pre>`)

// The pages have no violation that axe knows of, in light and dark, on a screen and on a phone; and their own script has run.
func TestAccessibility(t *testing.T) {
	chromium(t)
	axe, err := os.ReadFile(filepath.Join(fixture.Root(t), "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Skip("node_modules/axe-core is not installed: run make node_modules/.package-lock.json to test the page for accessibility")
	}
	s := troubled()
	for _, path := range []string{"/", "/environments/dev/orders", "/environments/far/orders"} {
		for name, args := range map[string][]string{
			"light": {"--window-size=1280,900"}, "dark": {"--window-size=1280,900", "--force-dark-mode", "--blink-settings=preferredColorScheme=0"}, "phone": {"--window-size=500,900"},
		} {
			t.Run(name+path, func(t *testing.T) {
				server := inspected(t, axe, s)
				dom := browse(t, append(args, "--dump-dom", server.URL+path)...)
				match := axeFound.FindStringSubmatch(dom)
				if match == nil {
					t.Fatalf("axe has not run: %s", dom)
				}
				var found struct {
					Dark       bool
					Passes     int
					Violations []string
				}
				if err := json.Unmarshal([]byte(html.UnescapeString(match[1])), &found); err != nil {
					t.Fatal(err)
				}
				if found.Dark != (name == "dark") {
					t.Errorf("the page is dark: %t", found.Dark)
				}
				if len(found.Violations) > 0 || found.Passes == 0 {
					t.Errorf("%d rules pass; violations:\n%s", found.Passes, strings.Join(found.Violations, "\n"))
				}
			})
		}
	}
}

// troubled is a server of environments with every kind of trouble.
func troubled() *Server {
	s := &Server{First: 5 * time.Second}
	for _, e := range []*Environment{failed("dev"), waiting("integration"), well("production"), unread("far")} {
		s.Watches = append(s.Watches, &Watch{Name: e.Name, Look: fixed(e), Pace: pace})
	}
	return s
}

// The script brings what changes, and keeps what a person has opened.
func TestLive(t *testing.T) {
	watch := &Watch{Name: "dev", Look: fixed(well("dev")), Pace: pace}
	s := &Server{First: 5 * time.Second, Watches: []*Watch{watch}}
	asked := 0
	server := start(t, func(at net.Addr) http.Handler {
		inner := s.Handler(t.Context(), at)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/open.js" {
				w.Header().Set("Content-Type", "text/javascript")
				fmt.Fprint(w, `document.querySelector("#stacks-dev summary").click(); document.querySelector("#stacks-dev summary").focus()`)
				return
			}
			if asked++; r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
				watch.mu.Lock()
				watch.seen.Environment = failed("dev")
				watch.mu.Unlock()
			}
			answer := httptest.NewRecorder()
			inner.ServeHTTP(answer, r)
			for name := range answer.Header() {
				w.Header().Set(name, answer.Header().Get(name))
			}
			w.WriteHeader(answer.Code)
			fmt.Fprint(w, strings.Replace(answer.Body.String(), "</body>", `<script src="/open.js" defer></script></body>`, 1))
		})
	})
	dom := strings.Join(strings.Fields(browse(t, "--dump-dom", server.URL+"/")), " ")
	for _, want := range []string{"Changed: dev failed", "ReplicaSet has timed out", `<details id="stacks-dev" open="" data-mine="">`} {
		if !strings.Contains(dom, want) {
			t.Errorf("lacks %q after %d requests: %s", want, asked, dom)
		}
	}
}

// The picture of the guide, with -update.
func TestPicture(t *testing.T) {
	if !*update {
		t.Skip("the picture is taken with -update")
	}
	s := troubled()
	s.Watches = s.Watches[:3]
	server := start(t, func(at net.Addr) http.Handler { return s.Handler(t.Context(), at) })
	file := filepath.Join(fixture.Root(t), "docs", "pictures", "dashboard.png")
	browse(t, "--window-size=1200,1040", "--force-device-scale-factor=1", "--screenshot="+file, server.URL+"/")
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Errorf("%s: %v", file, err)
	}
}
