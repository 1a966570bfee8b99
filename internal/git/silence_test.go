package git

import (
	"net"
	"strings"
	"testing"
	"time"
)

// A host that takes a connection and says nothing is given up, after the user's own time where they have set one.
func TestSilentHost(t *testing.T) {
	for _, name := range []string{"GIT_HTTP_LOW_SPEED_LIMIT", "GIT_HTTP_LOW_SPEED_TIME"} {
		t.Setenv(name, "")
	}
	if env := strings.Join(Environ(), "\n"); !strings.Contains(env, "GIT_HTTP_LOW_SPEED_LIMIT=1\n") || !strings.Contains(env, "GIT_HTTP_LOW_SPEED_TIME="+silence) {
		t.Error("git waits for ever")
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	t.Setenv("GIT_HTTP_LOW_SPEED_LIMIT", "1")
	t.Setenv("GIT_HTTP_LOW_SPEED_TIME", "1")
	if strings.Contains(strings.Join(Environ(), "\n"), "TIME="+silence) {
		t.Error("the user's time is not kept")
	}
	began := time.Now()
	_, err = Run(t.Context(), t.TempDir(), nil, "ls-remote", "http://"+silent.Addr().String()+"/x.git")
	if err == nil || !strings.Contains(err.Error(), "Operation too slow") || time.Since(began) > 20*time.Second {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
}
