package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Token is a GitHub token. It does not print itself.
type Token string

// String hides the token from fmt.
func (Token) String() string { return "(hidden)" }

// GoString hides the token from %#v.
func (Token) GoString() string { return "(hidden)" }

// LogValue hides the token from log/slog.
func (Token) LogValue() slog.Value { return slog.StringValue("(hidden)") }

// MarshalJSON hides the token from JSON.
func (Token) MarshalJSON() ([]byte, error) { return []byte(`"(hidden)"`), nil }

// Variables that may hold the token, the first that is set wins.
var Variables = []string{"GITOPS_REVIEW_TOKEN", "GITHUB_TOKEN"}

// FromEnvironment returns the token of the first variable that is set.
func FromEnvironment(lookup func(string) (string, bool)) Token {
	for _, name := range Variables {
		if value, ok := lookup(name); ok && strings.TrimSpace(value) != "" {
			return Token(strings.TrimSpace(value))
		}
	}
	return ""
}

// SecretName is the agreed name of an environment's token in Secrets Manager.
func SecretName(environment string) string { return "/" + environment + "/gitops/review-token" }

// Secrets is what is used of Secrets Manager.
type Secrets interface {
	GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// FromSecret reads a token from Secrets Manager: {"token": "…"}, or the token alone. A secret that is not there gives no
// token and no error.
func FromSecret(ctx context.Context, secrets Secrets, name string) (Token, error) {
	answer, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(name)})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("secret %s: %w; grant secretsmanager:GetSecretValue on it", name, err)
	}
	token, err := ParseToken(aws.ToString(answer.SecretString))
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", name, err)
	}
	return token, nil
}

// ParseToken reads a token from what a secret holds: {"token": "…"}, or the token alone.
func ParseToken(value string) (Token, error) {
	value = strings.TrimSpace(value)
	if !strings.HasPrefix(value, "{") {
		return Token(value), nil
	}
	var object struct {
		Token string `json:"token"`
	}
	// The error of encoding/json may quote the value.
	if json.Unmarshal([]byte(value), &object) != nil || object.Token == "" {
		return "", errors.New(`has no "token"; store {"token": "…"}`)
	}
	return Token(object.Token), nil
}
