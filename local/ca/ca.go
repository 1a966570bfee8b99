// Package ca keeps the certificate authority of one local system. The authority can vouch for loopback names only
// (name constraints, RFC 5280 section 4.2.1.10), so that trusting it in a browser opens nothing else.
package ca

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"k8s-plus-aws-gitops/local/ca/loopback"
)

const (
	// authorityLife is how long the authority itself is good for: longer than any local system lives.
	authorityLife = 10 * 365 * 24 * time.Hour
	// leafLife stays below the 398 days that browsers accept (CA/Browser Forum ballot SC-031, Apple HT211025).
	leafLife = 365 * 24 * time.Hour
	// renewBefore is the rest of life at which a certificate is replaced.
	renewBefore = 30 * 24 * time.Hour
)

// CA is a certificate authority in a directory: ca.crt and ca.key, and tls.crt and tls.key for the servers of the
// local system. It is safe for concurrent use.
type CA struct {
	dir    string
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	pem    []byte
	server *tls.Certificate
	now    func() time.Time

	mu     sync.Mutex
	minted map[string]*tls.Certificate
}

// Ensure returns the authority in dir. It creates what is missing and renews what has less than 30 days to live, does
// not belong to the authority, or lacks a name. The server certificate always carries localhost, *.localhost,
// 127.0.0.1 and ::1; hosts are added to them and must be loopback names too.
func Ensure(dir string, hosts ...string) (*CA, error) {
	return ensure(dir, time.Now, hosts)
}

func ensure(dir string, now func() time.Time, hosts []string) (*CA, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	// Several processes of one system call Ensure; two of them must not make two authorities.
	lock := flock.New(filepath.Join(dir, ".lock"))
	if err := lock.Lock(); err != nil {
		return nil, fmt.Errorf("certificate authority: lock %s: %w", lock.Path(), err)
	}
	defer func() { _ = lock.Unlock() }() // the kernel lets go at exit at the latest
	c := &CA{dir: dir, now: now, minted: map[string]*tls.Certificate{}}
	if err := c.authority(); err != nil {
		return nil, err
	}
	pair, err := c.issue("tls", append([]string{"localhost", "*.localhost", "127.0.0.1", "::1"}, hosts...))
	if err != nil {
		return nil, err
	}
	c.server = pair
	return c, nil
}

// authority loads ca.crt and ca.key, or makes them when they are missing or about to expire.
func (c *CA) authority() error {
	pair, err := load(c.CertFile(), c.file("ca.key"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("certificate authority: %w; remove %s to make a new one", err, c.dir)
	case !pair.Leaf.IsCA:
		return fmt.Errorf("certificate authority: %s is not an authority's certificate; remove %s to make a new one", c.CertFile(), c.dir)
	case c.now().Add(renewBefore).Before(pair.Leaf.NotAfter):
		return c.use(pair)
	}
	pair, err = newAuthority(c.now())
	if err != nil {
		return fmt.Errorf("certificate authority: %w", err)
	}
	if err := save(pair, c.CertFile(), c.file("ca.key")); err != nil {
		return fmt.Errorf("certificate authority: %w", err)
	}
	return c.use(pair)
}

func (c *CA) use(pair *tls.Certificate) error {
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return fmt.Errorf("certificate authority: %s holds no ECDSA key; remove %s to make a new one", c.file("ca.key"), c.dir)
	}
	c.key, c.cert, c.pem = key, pair.Leaf, encodeCerts(pair.Certificate)
	return nil
}

// Issue returns a certificate for hosts, kept as <name>.crt and <name>.key (mode 0600) in the authority's directory
// and renewed by the rules of Ensure. It is for servers that read files, such as a database.
func (c *CA) Issue(name string, hosts ...string) (certFile, keyFile string, err error) {
	if name == "" || name == "ca" || filepath.Base(name) != name {
		return "", "", fmt.Errorf("certificate %q: not a usable file name; choose a plain name other than ca", name)
	}
	if _, err := c.issue(name, hosts); err != nil {
		return "", "", err
	}
	return c.file(name + ".crt"), c.file(name + ".key"), nil
}

func (c *CA) issue(name string, hosts []string) (*tls.Certificate, error) {
	for _, h := range hosts {
		if !loopback.Name(h) {
			return nil, fmt.Errorf("certificate %s: host %q is not a loopback name; use a name below localhost, or 127.0.0.1", name, h)
		}
	}
	crt, key := c.file(name+".crt"), c.file(name+".key")
	if pair, err := load(crt, key); err == nil && c.good(pair.Leaf, hosts) {
		return pair, nil
	}
	pair, err := c.sign(hosts)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", name, err)
	}
	if err := save(pair, crt, key); err != nil {
		return nil, fmt.Errorf("certificate %s: %w", name, err)
	}
	return pair, nil
}

// good reports whether a stored certificate still serves: signed by this authority, long enough to live, every host.
func (c *CA) good(leaf *x509.Certificate, hosts []string) bool {
	if leaf.CheckSignatureFrom(c.cert) != nil || !c.now().Add(renewBefore).Before(leaf.NotAfter) {
		return false
	}
	have := map[string]bool{}
	for _, n := range leaf.DNSNames {
		have[n] = true
	}
	for _, ip := range leaf.IPAddresses {
		have[ip.String()] = true
	}
	for _, h := range hosts {
		if !have[h] {
			return false
		}
	}
	return true
}

// GetCertificate answers a TLS handshake. A name below localhost gets a certificate of its own, made on first use:
// OpenSSL, Node.js and Chrome refuse the wildcard *.localhost because it has one dot only. Everything else gets the
// server certificate.
func (c *CA) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host := loopback.Hostname(hello.ServerName)
	if host == "" || host == "localhost" || !validName(host) || !loopback.Name(host) {
		return c.server, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if pair := c.minted[host]; pair != nil && c.now().Add(renewBefore).Before(pair.Leaf.NotAfter) {
		return pair, nil
	}
	pair, err := c.sign([]string{host})
	if err != nil {
		return nil, err
	}
	if len(c.minted) >= maxMinted {
		clear(c.minted) // names come from the client: keep what a client can make us store small
	}
	c.minted[host] = pair
	return pair, nil
}

// maxMinted bounds the certificates kept in memory.
const maxMinted = 256

// CertFile is the path of the authority's certificate, the file to trust.
func (c *CA) CertFile() string { return c.file("ca.crt") }

// PEM is the authority's certificate.
func (c *CA) PEM() []byte { return append([]byte(nil), c.pem...) }

// Pool holds the authority's certificate alone.
func (c *CA) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.cert)
	return p
}

// Client returns an HTTP client that trusts this authority and no other, takes names below localhost to 127.0.0.1,
// and ignores the environment's proxies. It sets no timeout of its own: give requests a context.
func (c *CA) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:         loopback.DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: c.Pool(), MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     30 * time.Second,
		ForceAttemptHTTP2:   true,
	}}
}

func (c *CA) file(name string) string { return filepath.Join(c.dir, name) }
