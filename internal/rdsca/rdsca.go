// Package rdsca has the certificates by which clients of Amazon RDS know its servers: the root authorities of each region.
//
// certificates.pem is generated; its first lines name source, date and command.
package rdsca

import (
	"bytes"
	"cmp"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed certificates.pem
var content []byte

// root matches the name of a root authority that signs the certificates of instances: one of each kind in a region. Other
// names are of authorities that have expired, of previews and betas.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
var root = regexp.MustCompile(`^Amazon RDS ([a-z0-9-]+) Root CA (RSA2048|RSA4096|ECC384) G[0-9]+$`)

// Root is a root authority of a region.
type Root struct {
	Region string
	// Certificate is self-signed.
	Certificate *x509.Certificate
}

// Parse returns the roots in PEM, by name. Other certificates in it are left out.
func Parse(text []byte) ([]Root, error) {
	var roots []Root
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the certificate after %d others: %w", len(roots), err)
		}
		if name := root.FindStringSubmatch(c.Subject.CommonName); name != nil {
			roots = append(roots, Root{Region: name[1], Certificate: c})
		}
	}
	slices.SortFunc(roots, func(a, b Root) int {
		return cmp.Or(strings.Compare(a.Certificate.Subject.CommonName, b.Certificate.Subject.CommonName), bytes.Compare(a.Certificate.Raw, b.Certificate.Raw))
	})
	return slices.CompactFunc(roots, func(a, b Root) bool { return a.Certificate.Equal(b.Certificate) }), nil
}

// Encode writes roots as PEM.
func Encode(roots []Root) []byte {
	var out bytes.Buffer
	for _, r := range roots {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate.Raw}))
	}
	return out.Bytes()
}

var byRegion = sync.OnceValue(func() map[string][]Root {
	roots, err := Parse(content)
	if err != nil {
		panic("internal/rdsca/certificates.pem: " + err.Error()) //nolint:forbidigo // the file is compiled in; only its generator can break it
	}
	regions := map[string][]Root{}
	for _, r := range roots {
		regions[r.Region] = append(regions[r.Region], r)
	}
	return regions
})

// Bundle returns the root certificates of a region as PEM; nothing for a region that certificates.pem lacks.
func Bundle(region string) []byte { return Encode(byRegion()[region]) }
