package ca

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEnsureMakesOnceAndKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	first, err := Ensure(dir, "flux.localhost")
	if err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	second, err := Ensure(dir, "flux.localhost")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files(t, dir) {
		if data != before[name] {
			t.Errorf("%s changed on the second call", name)
		}
	}
	if string(first.PEM()) != string(second.PEM()) {
		t.Error("the authority changed on the second call")
	}
	for name, want := range map[string]os.FileMode{"ca.key": 0o600, "tls.key": 0o600, "ca.crt": 0o644, "tls.crt": 0o644} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", name, st.Mode().Perm(), want)
		}
	}
}

func TestRenewal(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		name              string
		later             time.Duration
		hosts             []string
		caNew, serverKept bool
	}{
		{"young", 300 * day, nil, false, true},
		{"server certificate nearly over", 340 * day, nil, false, false},
		{"another name", 0, []string{"x.localhost"}, false, false},
		{"authority nearly over", 3640 * day, nil, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			start := time.Now()
			if _, err := ensure(dir, func() time.Time { return start }, nil); err != nil {
				t.Fatal(err)
			}
			before := files(t, dir)
			if _, err := ensure(dir, func() time.Time { return start.Add(c.later) }, c.hosts); err != nil {
				t.Fatal(err)
			}
			after := files(t, dir)
			if (after["ca.crt"] != before["ca.crt"]) != c.caNew {
				t.Errorf("authority renewed: %v, want %v", !c.caNew, c.caNew)
			}
			if (after["tls.crt"] == before["tls.crt"]) != c.serverKept {
				t.Errorf("server certificate kept: %v, want %v", !c.serverKept, c.serverKept)
			}
		})
	}
}

func TestConcurrentEnsureAgrees(t *testing.T) {
	dir := t.TempDir()
	pems := make([]string, 8)
	var wg sync.WaitGroup
	for i := range pems {
		wg.Go(func() {
			c, err := Ensure(dir)
			if err != nil {
				t.Error(err)
				return
			}
			pems[i] = string(c.PEM())
		})
	}
	wg.Wait()
	for _, p := range pems {
		if p != pems[0] {
			t.Fatal("two callers hold two authorities")
		}
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Ensure(dir, "example.com"); err == nil || !strings.Contains(err.Error(), "not a loopback name") {
		t.Errorf("example.com: %v", err)
	}
	c, err := Ensure(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "ca", "../x"} {
		if _, _, err := c.Issue(name, "localhost"); err == nil || !strings.Contains(err.Error(), "plain name") {
			t.Errorf("Issue(%q): %v", name, err)
		}
	}
	if err := os.WriteFile(c.CertFile(), []byte("garbage"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(dir); err == nil || !strings.Contains(err.Error(), "remove "+dir) {
		t.Errorf("damaged certificate: %v", err)
	}
}

func TestClientAndServer(t *testing.T) {
	c, err := Ensure(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Host+" "+r.Proto)
	}))
	s.TLS = &tls.Config{GetCertificate: c.GetCertificate}
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	s.TLS.Certificates = nil // httptest's own
	port := s.URL[strings.LastIndex(s.URL, ":")+1:]
	for _, host := range []string{"ghost.localhost", "a.b.localhost", "localhost", "127.0.0.1"} {
		r, err := c.Client().Get("https://" + host + ":" + port)
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if want := host + ":" + port + " HTTP/2.0"; string(body) != want {
			t.Errorf("%s: %q, want %q", host, body, want)
		}
	}
	if _, err := http.Get(s.URL); err == nil {
		t.Error("a client without the authority was satisfied")
	}
}

func TestEachNameGetsItsOwnCertificate(t *testing.T) {
	c, err := Ensure(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"ghost.localhost": "ghost.localhost", "GHOST.localhost": "ghost.localhost", "": "localhost", "localhost": "localhost",
		"example.com": "localhost", "a..localhost": "localhost", "a b.localhost": "localhost",
	} {
		p, err := c.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if p.Leaf.DNSNames[0] != want {
			t.Errorf("%q: certificate for %v, want %s", name, p.Leaf.DNSNames, want)
		}
		if _, err := p.Leaf.Verify(x509.VerifyOptions{Roots: c.Pool(), DNSName: want}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for i := range 2 * maxMinted {
		if _, err := c.GetCertificate(&tls.ClientHelloInfo{ServerName: strings.Repeat("x", i%60+1) + string(rune('a'+i%26)) + ".localhost"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.minted) > maxMinted {
		t.Errorf("%d certificates kept", len(c.minted))
	}
}

func TestAuthorityCannotVouchForOtherNames(t *testing.T) {
	c, err := Ensure(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"example.com", "10.0.0.1"} {
		p, err := c.sign([]string{host}) // past the checks of Issue
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Leaf.Verify(x509.VerifyOptions{Roots: c.Pool()}); err == nil {
			t.Errorf("a certificate for %s verifies", host)
		}
	}
}

func TestIssue(t *testing.T) {
	c, err := Ensure(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	crt, key, err := c.Issue("database", "localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	p, err := tls.LoadX509KeyPair(crt, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(p.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: c.Pool(), DNSName: "127.0.0.1"}); err != nil {
		t.Error(err)
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}
