// Package signtest signs commits in tests, on machines without gpg.
package signtest

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Person has a key.
type Person struct {
	t      testing.TB
	Entity *openpgp.Entity
}

// New makes a key that does not expire.
func New(t testing.TB, name string) *Person { return With(t, name, &packet.Config{}) }

// With makes a key as the settings say, for instance of another time.
func With(t testing.TB, name string, settings *packet.Config) *Person {
	t.Helper()
	settings.Algorithm = packet.PubKeyAlgoEdDSA
	e, err := openpgp.NewEntity(name, "", name+"@example.com", settings)
	if err != nil {
		t.Fatal(err)
	}
	return &Person{t, e}
}

// Public is the armored public key.
func (p *Person) Public() string { return p.armored(openpgp.PublicKeyType, p.Entity.Serialize) }

// Private is the armored private key.
func (p *Person) Private() string {
	return p.armored(openpgp.PrivateKeyType, func(w io.Writer) error { return p.Entity.SerializePrivate(w, nil) })
}

// Sign returns a commit with a signature; its text comes from `git cat-file commit`. A time of zero is now.
func (p *Person) Sign(commit string, at time.Time) string {
	p.t.Helper()
	settings := &packet.Config{}
	if !at.IsZero() {
		settings.Time = func() time.Time { return at }
	}
	var signature bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&signature, p.Entity, strings.NewReader(commit), settings); err != nil {
		p.t.Fatal(err)
	}
	return Signed(commit, signature.String())
}

// Signed puts a signature into a commit.
func Signed(commit, signature string) string {
	headers, message, _ := strings.Cut(commit, "\n\n")
	return headers + "\ngpgsig " + strings.ReplaceAll(strings.TrimSpace(signature), "\n", "\n ") + "\n\n" + message
}

func (p *Person) armored(kind string, serialize func(io.Writer) error) string {
	p.t.Helper()
	var text bytes.Buffer
	w, err := armor.Encode(&text, kind, nil)
	if err == nil {
		err = serialize(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return text.String() + "\n"
}
