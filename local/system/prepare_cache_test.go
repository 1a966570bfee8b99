package system

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/local/database/valkey"
	"k8s-plus-aws-gitops/local/system/supervise"
)

// Each replication group has a server of its own, which is supervised, takes another password, is the same after the next up,
// and leaves nothing.
func TestCaches(t *testing.T) {
	if err := valkey.Install(t.Context(), os.Stderr); err != nil {
		t.Skip(err)
	}
	s := newSystem(t)
	ports, authority, run := planned(t, s)
	start(t, s, run)
	all := &caches{system: s, ports: ports, out: os.Stderr, starting: &sync.Mutex{}}
	begin := func(group, password string) int {
		t.Helper()
		port, err := all.Start(t.Context(), group, password)
		if err != nil {
			t.Fatal(err)
		}
		return port
	}
	const first, second = "first password 1", "second password 2"
	orders, billing := begin("local-orders", first), begin("local-billing", second)
	if orders == billing || begin("local-orders", first) != orders {
		t.Errorf("ports %d, %d", orders, billing)
	}
	ask := func(port int, password string, words ...string) string {
		t.Helper()
		client := "redis-cli"
		if path, err := exec.LookPath("valkey-cli"); err == nil {
			client = path
		}
		c := exec.CommandContext(t.Context(), client, append([]string{"-p", strconv.Itoa(port), "--tls", "--cacert", authority.CertFile()}, words...)...)
		c.Env = append(os.Environ(), "REDISCLI_AUTH="+password)
		out, _ := c.CombinedOutput() // the words of an error count
		return strings.TrimSpace(string(out))
	}
	for _, c := range []struct{ got, want string }{
		{ask(orders, first, "SET", "a", "1"), "OK"},
		{ask(billing, second, "GET", "a"), ""},
		{ask(billing, first, "GET", "a"), "WRONGPASS"},
	} {
		if !strings.Contains(c.got, c.want) || c.want == "" && c.got != "" {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if port := begin("local-orders", second); port != orders || !strings.Contains(ask(port, second, "PING"), "PONG") || !strings.Contains(ask(port, first, "PING"), "WRONGPASS") {
		t.Errorf("after another password, port %d", port)
	}

	running, err := supervise.LoadPlan(run)
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.madeCaches(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.plan(ports, parts{controlPlane: "/c", moto: exec.Command("/bin/true"), database: exec.Command("/bin/true"), caches: made})
	if err != nil {
		t.Fatal(err)
	}
	byName := func(all []supervise.Process) map[string]supervise.Process {
		found := map[string]supervise.Process{}
		for _, p := range all {
			if strings.HasPrefix(p.Name, cachePrefix) {
				found[p.Name] = p
			}
		}
		return found
	}
	if diff := cmp.Diff(byName(running.Processes), byName(next.Processes)); diff != "" || len(made) != 2 {
		t.Errorf("the next up would replace them (-running +next):\n%s", diff)
	}
	for _, group := range []string{"local-orders", "local-billing", "local-billing"} {
		if err := all.Remove(t.Context(), group); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(s.cacheDir("*")); err != nil || len(left) > 0 || supervise.Read(run, cachePrefix+"local-orders").Running {
		t.Errorf("left: %v, %v", left, err)
	}
}
