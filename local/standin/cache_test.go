package standin

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/database/valkey"
	"k8s-plus-aws-gitops/local/internal/freeport"
	"k8s-plus-aws-gitops/local/internal/spawn"
)

// The stand-in finds its cache by the variable of a pod, and by the authorities that pods trust.
func TestCached(t *testing.T) {
	if err := valkey.Install(t.Context(), os.Stderr); err != nil {
		t.Skip(err)
	}
	root := t.TempDir()
	authority, err := ca.Ensure(filepath.Join(root, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := authority.Issue("cache", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", authority.CertFile()) // which Go reads once, and no other test of this package needs
	const password = "0123456789abcdef"
	port := freeport.Port(t)
	c, err := valkey.Prepare(filepath.Join(root, "cache"), port, password, database.TLS{Cert: cert, Key: key, CA: authority.CertFile()})
	if err != nil {
		t.Fatal(err)
	}
	if err := spawn.Start(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	p := Program{Answers: map[string]string{"/": `{{cached "a" "a cup\r\nof tea"}}`}}
	answer := func(address string) string {
		t.Helper()
		_, text := ask(t, serve(t, p, map[string]string{"CACHE_URL": address})+"/")
		return strings.TrimSpace(text)
	}
	good := fmt.Sprintf("rediss://:%s@127.0.0.1:%d", password, port)
	for deadline := time.Now().Add(time.Minute); answer(good) != "a cup\r\nof tea"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(answer(good))
		}
	}
	for address, want := range map[string]string{
		fmt.Sprintf("rediss://:wrong@127.0.0.1:%d", port):          "cache: AUTH: WRONGPASS",
		fmt.Sprintf("redis://:%s@127.0.0.1:%d", password, port):    "CACHE_URL: must be rediss://",
		fmt.Sprintf("rediss://:%s@localhost.x:%d", password, port): "cache: ",
	} {
		if got := answer(address); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}
