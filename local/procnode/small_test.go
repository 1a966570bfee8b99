package procnode

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/virtual-kubelet/virtual-kubelet/node/api"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestBackoff(t *testing.T) {
	for name, tt := range map[string]struct {
		b    *backoff
		ran  []time.Duration
		want []time.Duration
	}{
		"crash":          {crashBackoff(), make([]time.Duration, 8), []time.Duration{0, 1, 2, 4, 8, 16, 30, 30}},
		"after good run": {crashBackoff(), []time.Duration{0, 0, 0, 2 * time.Minute, 0}, []time.Duration{0, 1, 2, 0, 1}},
		"pull":           {pullBackoff(), make([]time.Duration, 6), []time.Duration{2, 4, 8, 16, 30, 30}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []time.Duration
			for _, ran := range tt.ran {
				got = append(got, tt.b.next(ran)/time.Second)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestThreshold(t *testing.T) {
	for name, tt := range map[string]struct {
		probe   corev1.Probe
		results string // + success, - failure
		want    string // . undecided, ! decided
	}{
		"defaults":        {corev1.Probe{}, "+--+---+", "!..!..!!"},
		"liveness of one": {corev1.Probe{FailureThreshold: 1}, "+-+", "!!!"},
		"two successes":   {corev1.Probe{SuccessThreshold: 2, FailureThreshold: 2}, "+-++--", "...!.!"},
	} {
		t.Run(name, func(t *testing.T) {
			th, got := newThreshold(&tt.probe), ""
			for _, r := range tt.results {
				if th.observe(r == '+') {
					got += "!"
				} else {
					got += "."
				}
			}
			if got != tt.want {
				t.Errorf("%s gave %s, want %s", tt.results, got, tt.want)
			}
		})
	}
}

func TestPortNumber(t *testing.T) {
	c := &corev1.Container{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 2368}}}
	for _, tt := range []struct {
		in   intstr.IntOrString
		want string
	}{{intstr.FromInt32(80), "80"}, {intstr.FromString("http"), "2368"}, {intstr.FromString("81"), "81"}, {intstr.FromString("none"), ""}} {
		got, err := portNumber(c, tt.in)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: %q, %v", tt.in.String(), got, err)
		}
	}
}

func TestGRPCHealth(t *testing.T) {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/grpc.health.v1.Health/Check" || len(b) < 5 || int(binary.BigEndian.Uint32(b[1:])) != len(b)-5 {
			t.Errorf("request %s %q", r.URL.Path, b)
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		serving := byte(1)
		if strings.Contains(string(b), "down") {
			serving = 2
		}
		w.Write([]byte{0, 0, 0, 0, 2, 8, serving})
		w.Header().Set("Grpc-Status", "0")
	}))
	s.Config.Protocols = &p
	s.Start()
	defer s.Close()
	if err := grpcHealth(t.Context(), s.Listener.Addr().String(), ""); err != nil {
		t.Error(err)
	}
	if err := grpcHealth(t.Context(), s.Listener.Addr().String(), "down"); err == nil || !strings.Contains(err.Error(), "not SERVING") {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	good := Config{Kubeconfig: "k", Root: "pods", Listen: "127.0.0.1:1", Gate: "127.0.0.1:2"}
	c, err := good.complete()
	if err != nil || c.NodeName != "local" || c.PodPrefix != "10.10." || c.Zone != "eu-west-1a" || !filepath.IsAbs(c.Root) || c.Log == nil {
		t.Errorf("%+v, %v", c, err)
	}
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"kubeconfig":  {func(c *Config) { c.Kubeconfig = "" }, "Kubeconfig is empty"},
		"root":        {func(c *Config) { c.Root = "" }, "Root is empty"},
		"listen":      {func(c *Config) { c.Listen = "0.0.0.0:1" }, "not a loopback address"},
		"gate":        {func(c *Config) { c.Gate = "3128" }, "127.0.0.1:PORT"},
		"gate host":   {func(c *Config) { c.Gate = "example.com:3128" }, "not a loopback address"},
		"prefix":      {func(c *Config) { c.PodPrefix = "10.10" }, "two octets"},
		"podIdentity": {func(c *Config) { c.PodIdentity = "127.0.0.1:1" }, "PodIdentity"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			tt.change(&c)
			if _, err := c.complete(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	a := newAddresses("10.10.")
	a.lowest = false
	old := &corev1.Pod{Status: corev1.PodStatus{PodIP: "10.10.0.2"}}
	a.keep([]*corev1.Pod{old})
	if got := []string{a.take(&corev1.Pod{}), a.take(&corev1.Pod{}), a.take(old)}; cmp.Diff([]string{"10.10.0.1", "10.10.0.3", "10.10.0.2"}, got) != "" {
		t.Error(got)
	}
	a.leave("10.10.0.1")
	a.free("10.10.0.1")
	if got := a.take(&corev1.Pod{}); got != "10.10.0.4" || !a.leaving("10.10.0.1") {
		t.Errorf("an address came back at once: %s", got)
	}
	a.lowest = true
	if got := a.take(&corev1.Pod{}); got != "10.10.0.1" || a.leaving("10.10.0.1") {
		t.Errorf("lowest free address: %s", got)
	}
	for range 600 {
		ip := a.take(&corev1.Pod{})
		if strings.HasSuffix(ip, ".0") || strings.HasSuffix(ip, ".255") {
			t.Fatal(ip)
		}
	}
}

func TestBindAddress(t *testing.T) {
	for in, want := range map[string]string{"10.10.3.4": "127.10.3.4", "10.11.3.4": "10.11.3.4", "10.10.example": "10.10.example", "": ""} {
		if got := bindAddress("10.10.", "127.10.", in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c", "0.log")
	l, err := createLog(path)
	if err != nil {
		t.Fatal(err)
	}
	l.max = 2000 // turned over on the way
	var all []string
	for i := range 50 {
		all = append(all, fmt.Sprintf("line %d", i))
	}
	l.copy("stdout", strings.NewReader(strings.Join(all, "\n")+"\nno end"))
	l.close()
	if _, err := os.Stat(olderPart(path)); err != nil {
		t.Fatal("not turned over:", err)
	}
	read := func(o api.ContainerLogOpts) string {
		t.Helper()
		r, err := readLog(t.Context(), path, o, func() bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := read(api.ContainerLogOpts{Tail: 2}); got != "line 49\nno end" {
		t.Errorf("tail: %q", got)
	}
	if got := read(api.ContainerLogOpts{}); !strings.HasSuffix(got, "line 48\nline 49\nno end") || len(strings.Split(got, "\n")) < 30 {
		t.Errorf("all: %q", got)
	}
	if got := read(api.ContainerLogOpts{Tail: 2, LimitBytes: 4}); got != "line" {
		t.Errorf("limit: %q", got)
	}
	if got := read(api.ContainerLogOpts{SinceTime: time.Now().Add(time.Hour)}); got != "" {
		t.Errorf("since: %q", got)
	}
	stamp, text, ok := strings.Cut(read(api.ContainerLogOpts{Tail: 2, Timestamps: true}), " ")
	if _, err := time.Parse(time.RFC3339Nano, stamp); err != nil || !ok || !strings.HasPrefix(text, "line 49") {
		t.Errorf("timestamps: %q %q", stamp, text)
	}
	if got := lastLines(path); !strings.HasSuffix(got, "no end") {
		t.Errorf("last lines: %q", got)
	}
}

func TestLogFollowsOverTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c", "0.log")
	l, err := createLog(path)
	if err != nil {
		t.Fatal(err)
	}
	l.max = 300
	live := make(chan struct{})
	l.write("stdout", []byte("first\n"))
	r, err := readLog(t.Context(), path, api.ContainerLogOpts{Follow: true}, func() bool {
		select {
		case <-live:
			return false
		default:
			return true
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	// Each line is written once the one before it has been read: only one older part is kept, so a reader that falls behind by
	// two turn-overs loses lines, as with kubectl.
	lines := bufio.NewReader(r)
	for i := range 12 {
		want := "first\n"
		if i > 0 {
			want = fmt.Sprintf("later %d\n", i)
			l.write("stderr", []byte(want))
		}
		if got, err := lines.ReadString('\n'); got != want || err != nil {
			t.Fatalf("read %q, %v, want %q", got, err, want)
		}
	}
	l.close()
	close(live)
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
		t.Errorf("after the end: %q, %v", rest, err)
	}
	if _, err := os.Stat(olderPart(path)); err != nil {
		t.Error("the log was not turned over:", err)
	}
}

func TestSyncDir(t *testing.T) {
	dir := t.TempDir()
	for _, files := range []map[string]file{
		{"a": {[]byte("1"), 0o600}, "sub/b": {[]byte("2"), 0o700}},
		{"a": {[]byte("3"), 0o600}},
	} {
		if err := syncDir(dir, files); err != nil {
			t.Fatal(err)
		}
		for name, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, name))
			st, _ := os.Stat(filepath.Join(dir, name))
			if err != nil || string(b) != string(f.data) || st.Mode().Perm() != f.mode {
				t.Errorf("%s: %q, %v, %v", name, b, st.Mode(), err)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "sub/b")); err == nil {
		t.Error("a key that is gone is still there")
	}
	if err := syncDir(dir, map[string]file{"../x": {}}); err == nil {
		t.Error("a path outside the volume was written")
	}
}

func TestTwoNodesHaveTwoNetworks(t *testing.T) {
	if !wholeLoopback {
		t.Skip("this system has single loopback addresses only")
	}
	first, claim, err := claimNetwork("10.10.")
	if err != nil {
		t.Fatal(err)
	}
	second, other, err := claimNetwork("10.10.")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if first == second {
		t.Fatalf("both nodes have %s", first)
	}
	claim.Close()
	again, claim, err := claimNetwork("10.10.")
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Close()
	if again != first {
		t.Errorf("after its node has ended, %s is not given out again: %s", first, again)
	}
}
