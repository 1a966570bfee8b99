// Package signature verifies who signed a commit, with OpenPGP and by the library that Flux uses: what passes here passes
// there. It knows nothing of Git: a commit is the text of its object.
package signature

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	openpgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// header is what a commit has its signature in, https://git-scm.com/docs/gitformat-signature.
const header = "gpgsig "

// Verify returns nil when the commit is signed by one of the keys. The error ends a sentence that begins with the commit.
func Verify(commit string, keys []Key) error {
	signed, signature, err := split(commit)
	if err != nil {
		return err
	}
	switch text := strings.TrimSpace(signature); {
	case text == "":
		return errors.New("is not signed; put a signed commit on top of it: git commit -S, or a merge on GitHub, which signs")
	case strings.HasPrefix(text, "-----BEGIN SSH SIGNATURE-----"):
		return otherKind("SSH")
	case strings.HasPrefix(text, "-----BEGIN SIGNED MESSAGE-----"):
		return otherKind("S/MIME")
	default:
		return verify(signed, text, keys)
	}
}

func otherKind(kind string) error {
	return fmt.Errorf("is signed with %s, must be signed with OpenPGP, whose keys repository.verify lists; git config gpg.format openpgp", kind)
}

// verify tries each key.
func verify(signed, signature string, keys []Key) error {
	ids, err := issuers(signature)
	if err != nil {
		return fmt.Errorf("has a signature that cannot be read: %w; sign it again", err)
	}
	var names []string
	var known error
	for _, k := range keys {
		for _, ring := range k.rings {
			_, err := openpgp.CheckArmoredDetachedSignature(ring, strings.NewReader(signed), strings.NewReader(signature), nil)
			switch {
			case err == nil:
				return nil
			case known == nil && !errors.Is(err, openpgperrors.ErrUnknownIssuer):
				known = refused(ids, k.File, err) // another file may have the key as it is now
			}
		}
		names = append(names, k.File)
	}
	if known != nil {
		return known
	}
	return fmt.Errorf("is signed by key %s, which signs in none of %s; let somebody sign whose key is there, or add this one to repository.verify by a commit that such a key signs", ids, strings.Join(names, ", "))
}

// refused says why a key that is known does not count.
func refused(ids, file string, err error) error {
	why, remedy := "does not fit the commit ("+err.Error()+")", "sign it again"
	switch {
	case errors.Is(err, openpgperrors.ErrKeyExpired), errors.Is(err, openpgperrors.ErrSignatureExpired):
		why, remedy = "has expired", "extend it and commit the new file, or sign with another"
	case errors.Is(err, openpgperrors.ErrKeyRevoked):
		why, remedy = "is revoked", "sign with another"
	}
	return fmt.Errorf("is signed by key %s of %s, which %s; %s", ids, file, why, remedy)
}

// issuers are the ids of the keys that a signature names, as Flux and gpg show them.
func issuers(signature string) (string, error) {
	block, err := armor.Decode(strings.NewReader(signature))
	if err != nil {
		return "", err
	}
	var ids []string
	for packets := packet.NewReader(block.Body); ; {
		p, err := packets.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		if s, ok := p.(*packet.Signature); ok && s.IssuerKeyId != nil {
			ids = append(ids, fmt.Sprintf("%016X", *s.IssuerKeyId))
		}
	}
	if len(ids) == 0 {
		return "", errors.New("it names no key")
	}
	return strings.Join(ids, ", "), nil
}

// split takes a commit apart: what was signed, and the signature.
func split(commit string) (signed, signature string, err error) {
	var rest, sig bytes.Buffer
	headers, message, _ := strings.Cut(commit, "\n\n")
	inside := false
	for line := range strings.Lines(headers + "\n") {
		switch first, found := strings.CutPrefix(line, header); {
		case found && sig.Len() > 0:
			return "", "", errors.New("has two signatures, and only one of them would be looked at; sign it again")
		case found:
			inside = true
			sig.WriteString(first)
		case inside && strings.HasPrefix(line, " "):
			sig.WriteString(line[1:])
		default:
			inside = false
			rest.WriteString(line)
		}
	}
	return rest.String() + "\n" + message, sig.String(), nil
}
