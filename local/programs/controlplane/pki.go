package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"time"
)

const (
	authorityAge   = 10 * 365 * 24 * time.Hour
	certificateAge = 2 * 365 * 24 * time.Hour
	// renewBefore is the rest of a certificate's life below which a start makes a new one.
	renewBefore = 30 * 24 * time.Hour
)

// certificate is a certificate that the control plane needs, named as its files below pki/.
type certificate struct {
	name    string
	subject pkix.Name
	dns     []string
	ips     []net.IP
	usage   []x509.ExtKeyUsage
}

// certificates are the serving certificate of kube-apiserver, the one that etcd serves with and its clients
// show, and the one that kube-apiserver shows to kubelets.
func certificates(o options) ([]certificate, error) {
	first, err := firstAddress(o.serviceCIDR)
	if err != nil {
		return nil, err
	}
	local := net.IPv4(127, 0, 0, 1)
	server, client := x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth
	return []certificate{
		{
			name: "apiserver", subject: pkix.Name{CommonName: "kube-apiserver"},
			dns: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			ips: []net.IP{local, first}, usage: []x509.ExtKeyUsage{server},
		},
		{
			name: "etcd", subject: pkix.Name{CommonName: "etcd"}, dns: []string{"localhost"},
			ips: []net.IP{local}, usage: []x509.ExtKeyUsage{server, client},
		},
		{
			name: "kubelet-client", subject: pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}},
			usage: []x509.ExtKeyUsage{client},
		},
	}, nil
}

// firstAddress is the ClusterIP of the Service `kubernetes`: the first address of the range.
func firstAddress(cidr string) (net.IP, error) {
	_, n, err := net.ParseCIDR(cidr)
	if err != nil {
		return nil, fmt.Errorf("--service-cidr %q: %w", cidr, err)
	}
	ip := append(net.IP(nil), n.IP...)
	ip[len(ip)-1]++
	return ip, nil
}

// ensurePKI makes the authority, the certificates and the key of ServiceAccount tokens, or keeps those of an
// earlier start that are still good, and returns the authority's certificate.
func ensurePKI(o options) (*x509.Certificate, error) {
	certs, err := certificates(o)
	if err != nil {
		return nil, err
	}
	ca, caKey, err := ensureAuthority(o)
	if err != nil {
		return nil, err
	}
	for _, c := range certs {
		if good(o, c, ca) {
			continue
		}
		if err := issue(o, c, ca, caKey); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return ca, ensureServiceAccountKey(o)
}

func ensureAuthority(o options) (*x509.Certificate, crypto.Signer, error) {
	crt, key := o.path("pki", "ca.crt"), o.path("pki", "ca.key")
	ca, err := readCertificate(crt)
	if err == nil && time.Until(ca.NotAfter) > renewBefore {
		k, err := readKey(key)
		if err == nil {
			return ca, k, nil
		}
		return nil, nil, fmt.Errorf("%w: remove %s to have a new authority made", err, crt)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: remove the file to have a new authority made", err)
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t, err := template(pkix.Name{CommonName: "k8s-plus-aws-gitops local control plane"}, authorityAge)
	if err != nil {
		return nil, nil, err
	}
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	if err := sign(t, t, k, k, crt, key); err != nil {
		return nil, nil, err
	}
	ca, err = readCertificate(crt)
	return ca, k, err
}

func issue(o options, c certificate, ca *x509.Certificate, caKey crypto.Signer) error {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t, err := template(c.subject, certificateAge)
	if err != nil {
		return err
	}
	t.DNSNames, t.IPAddresses, t.ExtKeyUsage = c.dns, c.ips, c.usage
	t.KeyUsage = x509.KeyUsageDigitalSignature
	return sign(t, ca, k, caKey, o.path("pki", c.name+".crt"), o.path("pki", c.name+".key"))
}

// good tells whether the certificate on disk is signed by ca, covers the names and lives long enough.
func good(o options, c certificate, ca *x509.Certificate) bool {
	have, err := readCertificate(o.path("pki", c.name+".crt"))
	if err != nil || time.Until(have.NotAfter) < renewBefore || have.CheckSignatureFrom(ca) != nil {
		return false
	}
	for _, name := range c.dns {
		if have.VerifyHostname(name) != nil {
			return false
		}
	}
	for _, ip := range c.ips {
		if have.VerifyHostname(ip.String()) != nil {
			return false
		}
	}
	_, err = readKey(o.path("pki", c.name+".key"))
	return err == nil
}

// ensureServiceAccountKey makes the key pair that signs ServiceAccount tokens; a new one would invalidate
// the tokens of every running pod, so it is made once.
func ensureServiceAccountKey(o options) error {
	private, public := o.path("pki", "sa.key"), o.path("pki", "sa.pub")
	if _, err := readKey(private); err == nil {
		if _, err := os.Stat(public); err == nil {
			return nil
		}
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	pub, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		return err
	}
	if err := writePEM(public, "PUBLIC KEY", pub); err != nil {
		return err
	}
	return writeKey(private, k)
}

func template(subject pkix.Name, age time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: subject,
		NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(age),
	}, nil
}

func sign(t, parent *x509.Certificate, key, parentKey crypto.Signer, crtFile, keyFile string) error {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), parentKey)
	if err != nil {
		return err
	}
	if err := writeKey(keyFile, key); err != nil {
		return err
	}
	return writePEM(crtFile, "CERTIFICATE", der)
}

func writeKey(file string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(file, "PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return writeFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func readCertificate(file string) (*x509.Certificate, error) {
	der, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func readKey(file string) (crypto.Signer, error) {
	der, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	s, ok := k.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, which cannot sign", file, k)
	}
	return s, nil
}

func readPEM(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p, _ := pem.Decode(b)
	if p == nil {
		return nil, fmt.Errorf("%s is not in PEM form", file)
	}
	return p.Bytes, nil
}
