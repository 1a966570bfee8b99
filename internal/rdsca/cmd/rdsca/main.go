// Rdsca writes internal/rdsca/certificates.pem: the root certificates of Amazon RDS, for every region in the files that it
// is given.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/rdsca"
)

func main() {
	var from, out string
	flag.StringVar(&from, "from", "", "what to write down as the origin of the files, with its version; required")
	flag.StringVar(&out, "out", "internal/rdsca/certificates.pem", "file to write")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: go run ./internal/rdsca/cmd/rdsca --from ORIGIN FILE…\n"+
			"example: curl -fsSO https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem &&\n"+
			"  go run ./internal/rdsca/cmd/rdsca --from global-bundle.pem global-bundle.pem")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(from, out, flag.Args(), time.Now().UTC()); err != nil {
		fmt.Fprintln(os.Stderr, "rdsca:", err)
		os.Exit(1)
	}
}

func run(from, out string, files []string, now time.Time) error {
	if from == "" || len(files) == 0 {
		return fmt.Errorf("--from and a file must be given: --help has an example")
	}
	var all []byte
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		all = append(append(all, content...), '\n')
	}
	roots, err := rdsca.Parse(plain(all))
	if err != nil {
		return err
	}
	if len(roots) == 0 {
		return fmt.Errorf("%s: no root certificate of Amazon RDS in it", strings.Join(files, ", "))
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "# The root certificates of Amazon RDS by region, from %s.\n", from)
	fmt.Fprintf(&text, "# Generated on %s by go run ./internal/rdsca/cmd/rdsca; do not edit. Renewing it: docs/guides/your-application.md.\n", now.Format(time.DateOnly))
	for _, r := range roots {
		name, until := r.Certificate.Subject.CommonName, r.Certificate.NotAfter
		if now.After(until) {
			continue
		}
		if err := r.Certificate.CheckSignatureFrom(r.Certificate); err != nil {
			return fmt.Errorf("%s: must sign itself: %w", name, err)
		}
		fmt.Fprintf(&text, "# %s, until %s\n%s", name, until.Format(time.DateOnly), rdsca.Encode([]rdsca.Root{r}))
	}
	return os.WriteFile(out, text.Bytes(), 0o644) //nolint:gosec // a file of the repository
}

// In program text PEM is in strings: '-----BEGIN CERTIFICATE-----\n' + and the next line.
var (
	endOfString   = regexp.MustCompile(`\\n['"]?[ \t]*\+?[ \t]*\n?[ \t]*['"]?`)
	startOfString = regexp.MustCompile(`(?m)^[ \t]*['"]-----BEGIN`)
)

// plain returns the PEM in a file, which may be program text.
func plain(text []byte) []byte {
	return startOfString.ReplaceAll(endOfString.ReplaceAll(text, []byte("\n")), []byte("-----BEGIN"))
}
