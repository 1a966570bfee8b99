package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Values reads what templates refer to in other services.
type Values interface {
	// Parameter returns the value of an SSM parameter.
	Parameter(ctx context.Context, name string) (string, error)
	// Secret returns the secret string of a Secrets Manager secret; stage
	// and version may be empty.
	Secret(ctx context.Context, id, stage, version string) (string, error)
	// Object returns an object of a bucket: a template by URL.
	Object(ctx context.Context, bucket, key string) (string, error)
}

var dynamicReference = regexp.MustCompile(`\{\{resolve:([^}]+)\}\}`)

// resolveDynamic returns a copy of v with every {{resolve:service:…}} replaced.
// Resources keep the reference as written: as in the service, a secret's new
// value alone is no change, and the engine's files hold no secret.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
func resolveDynamic(ctx context.Context, values Values, v any) (any, error) {
	switch v := v.(type) {
	case string:
		return resolveText(ctx, values, v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			r, err := resolveDynamic(ctx, values, e)
			if err != nil {
				return nil, err
			}
			out[i] = r
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			r, err := resolveDynamic(ctx, values, e)
			if err != nil {
				return nil, err
			}
			out[k] = r
		}
		return out, nil
	}
	return v, nil
}

func resolveText(ctx context.Context, values Values, s string) (string, error) {
	var first error
	out := dynamicReference.ReplaceAllStringFunc(s, func(match string) string {
		value, err := resolveReference(ctx, values, dynamicReference.FindStringSubmatch(match)[1])
		if err != nil && first == nil {
			first = fmt.Errorf("dynamic reference %s: %w", match, err)
		}
		return value
	})
	return out, first
}

func resolveReference(ctx context.Context, values Values, ref string) (string, error) {
	service, rest, _ := strings.Cut(ref, ":")
	switch service {
	case "ssm", "ssm-secure":
		return values.Parameter(ctx, rest) // name or name:version, as GetParameter takes it
	case "secretsmanager":
		return resolveSecret(ctx, values, rest)
	}
	return "", fmt.Errorf("service %q is not supported", service)
}

// resolveSecret reads id:SecretString:key:stage:version, where id may be an
// ARN, which has seven parts.
func resolveSecret(ctx context.Context, values Values, rest string) (string, error) {
	parts := strings.Split(rest, ":")
	n := 1
	if parts[0] == "arn" {
		n = min(7, len(parts))
	}
	id := strings.Join(parts[:n], ":")
	options := append(parts[n:], "", "", "", "")
	if options[0] != "" && options[0] != "SecretString" {
		return "", fmt.Errorf("%q is not supported, only SecretString", options[0])
	}
	secret, err := values.Secret(ctx, id, options[2], options[3])
	if err != nil || options[1] == "" {
		return secret, err
	}
	var fields map[string]any
	d := json.NewDecoder(strings.NewReader(secret))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		return "", fmt.Errorf("the secret is not a JSON object, so it has no key %q", options[1])
	}
	v, there := fields[options[1]]
	if !there {
		return "", fmt.Errorf("the secret has no key %q", options[1])
	}
	return text(v), nil
}
