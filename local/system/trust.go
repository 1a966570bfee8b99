package system

import (
	"bytes"
	"os"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// roots are where systems have the authorities that all programs trust, the first that is there: Debian, Fedora, Alpine and macOS.
var roots = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}

// trust are the variables by which pods trust the local authority beside the system's: on AWS, caches have certificates of an
// authority that every system trusts (https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/in-transit-encryption.html).
// OpenSSL, Go and Python read the first one, Node.js the second.
func (s *System) trust() (map[string]string, error) {
	ours, err := os.ReadFile(s.Dir.Path("ca", "ca.crt"))
	if err != nil {
		return nil, err
	}
	env := map[string]string{"NODE_EXTRA_CA_CERTS": s.Dir.Path("ca", "ca.crt")}
	candidates := roots
	if own := os.Getenv("SSL_CERT_FILE"); own != "" {
		candidates = []string{own}
	}
	for _, file := range candidates {
		theirs, err := os.ReadFile(file)
		if err != nil {
			continue // another system's
		}
		env["SSL_CERT_FILE"] = s.Dir.Path("ca", "bundle.crt")
		return env, atomicfile.Write(env["SSL_CERT_FILE"], bytes.Join([][]byte{theirs, ours}, []byte("\n")), 0o600)
	}
	return env, nil
}
