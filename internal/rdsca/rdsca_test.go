package rdsca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"maps"
	"math/big"
	"net"
	"slices"
	"testing"
	"time"
)

// Each region has one root of each kind, which signs itself and is good for longer than RDS' certificates for servers, which
// RDS replaces by itself: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html.
func TestRegions(t *testing.T) {
	regions := byRegion()
	if len(regions) < 27 {
		t.Errorf("%d regions; the file lost some", len(regions))
	}
	for _, region := range slices.Sorted(maps.Keys(regions)) {
		kinds := map[string]bool{}
		for _, r := range regions[region] {
			c := r.Certificate
			kinds[root.FindStringSubmatch(c.Subject.CommonName)[2]] = true
			if err := c.CheckSignatureFrom(c); err != nil || !c.IsCA {
				t.Errorf("%s: %v, authority %v", c.Subject.CommonName, err, c.IsCA)
			}
			if c.NotAfter.Year() < 2061 {
				t.Errorf("%s ends on %s", c.Subject.CommonName, c.NotAfter)
			}
		}
		if !maps.Equal(kinds, map[string]bool{"RSA2048": true, "RSA4096": true, "ECC384": true}) {
			t.Errorf("%s has %v", region, kinds)
		}
	}
}

func TestBundleIsOfOneRegion(t *testing.T) {
	roots, err := Parse(Bundle("eu-west-1"))
	if err != nil || len(roots) != 3 {
		t.Fatalf("%d roots, %v", len(roots), err)
	}
	for _, r := range roots {
		if r.Region != "eu-west-1" {
			t.Errorf("a root of %s", r.Region)
		}
	}
	if got := Bundle("mars-north-1"); len(got) != 0 {
		t.Errorf("a region that is not there has %s", got)
	}
}

func TestParseLeavesOutOthers(t *testing.T) {
	now := time.Now()
	beta, _ := authority(t, "Amazon RDS Beta us-east-1 Root CA RSA2048 G1", now)
	old, _ := authority(t, "Amazon RDS eu-west-1 2019 CA", now)
	good, _ := authority(t, "Amazon RDS xx-new-1 Root CA ECC384 G2", now)
	var all []Root
	for _, c := range []*x509.Certificate{beta, old, good, good} {
		all = append(all, Root{Certificate: c})
	}
	roots, err := Parse(Encode(all))
	if err != nil || len(roots) != 1 || roots[0].Region != "xx-new-1" {
		t.Errorf("%v, %v", roots, err)
	}
	if _, err := Parse([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")); err == nil {
		t.Error("a broken certificate was taken")
	}
}

// authority makes a root with a name of its own, or of Amazon's.
func authority(t *testing.T, name string, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	return sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
}

func sign(t *testing.T, template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

// Amazon's keys are not here, so no server can show a certificate that the bundle accepts. What it must refuse can be shown:
// a server whose authority has the name of Amazon's and another key. The same handshake succeeds with that authority.
func TestHandshake(t *testing.T) {
	now, name := time.Now(), byRegion()["eu-west-1"][0].Certificate.Subject.CommonName
	forged, key := authority(t, name, now)
	leaf, leafKey := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "db"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, forged, key)
	server := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: leafKey}}, MinVersion: tls.VersionTLS12}
	if err := handshake(t, server, Bundle("eu-west-1")); !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("the certificates of eu-west-1 and a forged authority: %v", err)
	}
	if err := handshake(t, server, Encode([]Root{{Certificate: forged}})); err != nil {
		t.Errorf("the server's own authority: %v", err)
	}
}

func handshake(t *testing.T, server *tls.Config, bundle []byte) error {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		t.Fatal("no certificate in the bundle")
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = c.(*tls.Conn).HandshakeContext(t.Context())
			_ = c.Close()
		}
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}) //nolint:noctx // of this test
	if err == nil {
		_ = c.Close()
	}
	return err
}
