package handler

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// pause is between two reads of the secret because of wrong signatures: whoever sends many must not make a call of each.
const pause = time.Minute

// token is the key that signs, of the secret's key "token".
type token struct {
	secrets *secretsmanager.Client
	secret  string
	now     func() time.Time

	key  []byte // nil: not read yet
	read time.Time
}

// signed reports whether a signature, sha256=<hex>, is that of a body. One that does not match may be by a newer key than the one
// that was read, so it is read once more.
func (t *token) signed(ctx context.Context, body []byte, signature string) (bool, error) {
	given := digest(signature)
	if len(given) != sha256.Size {
		return false, nil
	}
	if t.key != nil {
		if t.made(body, given) {
			return true, nil
		}
		if t.now().Sub(t.read) < pause {
			return false, nil
		}
	}
	if err := t.load(ctx); err != nil {
		return false, err
	}
	return t.made(body, given), nil
}

// digest is what a signature holds; nil where it is none.
func digest(signature string) []byte {
	digits, prefixed := strings.CutPrefix(signature, "sha256=")
	given, err := hex.DecodeString(digits)
	if !prefixed || err != nil {
		return nil
	}
	return given
}

// made compares in constant time.
func (t *token) made(body, given []byte) bool {
	sum := hmac.New(sha256.New, t.key)
	sum.Write(body)
	return hmac.Equal(sum.Sum(nil), given)
}

// load reads the secret. No error holds what is in it.
func (t *token) load(ctx context.Context) error {
	out, err := t.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &t.secret})
	if err != nil {
		return fmt.Errorf("reading %s: %w", t.secret, err)
	}
	var value struct{ Token string }
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &value) != nil || value.Token == "" {
		return fmt.Errorf("%s: must be JSON with the key token, and a value that is not empty", t.secret)
	}
	t.key, t.read = []byte(value.Token), t.now()
	return nil
}
