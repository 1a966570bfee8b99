package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
)

// set gives the build a variable. A value from Secrets Manager is masked in the
// log from here on.
func (b *build) set(ctx context.Context, v Variable) error {
	switch v.Type {
	case "", "PLAINTEXT":
		b.env[v.Name] = v.Value
		return nil
	case "SECRETS_MANAGER":
		value, err := b.secret(ctx, v.Value)
		if err != nil {
			return fmt.Errorf("secret for %s: %w", v.Name, err)
		}
		b.env[v.Name] = value
		b.out.hide(value)
		return nil
	}
	return fmt.Errorf("variable %s is of type %s: only PLAINTEXT and SECRETS_MANAGER are known here", v.Name, v.Type)
}

// secret reads <secret>[:<key>[:<stage>[:<version>]]]. Without a key the secret
// itself is the value. An ARN has colons of its own.
func (b *build) secret(ctx context.Context, reference string) (string, error) {
	id, rest := reference, ""
	if parts := strings.SplitN(reference, ":", 8); strings.HasPrefix(reference, "arn:") && len(parts) >= 7 {
		id = strings.Join(parts[:7], ":")
		if len(parts) == 8 {
			rest = parts[7]
		}
	} else {
		id, rest, _ = strings.Cut(reference, ":")
	}
	more := append(strings.Split(rest, ":"), "", "", "")
	in := &secretsmanager.GetSecretValueInput{SecretId: &id}
	if more[1] != "" {
		in.VersionStage = &more[1]
	}
	if more[2] != "" {
		in.VersionId = &more[2]
	}
	out, err := secretsmanager.NewFromConfig(b.AWS).GetSecretValue(ctx, in)
	var api smithy.APIError
	if errors.As(err, &api) {
		return "", fmt.Errorf("%s: %s", id, api.ErrorMessage())
	}
	if err != nil {
		return "", err
	}
	text := aws.ToString(out.SecretString)
	if more[0] == "" {
		return text, nil
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return "", fmt.Errorf("%s is no JSON object, so it has no key %s", id, more[0])
	}
	value, ok := values[more[0]]
	if !ok {
		return "", fmt.Errorf("%s has no key %s", id, more[0])
	}
	return fmt.Sprint(value), nil
}
