package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// secrets answers as Secrets Manager does.
type secrets struct {
	value string
	err   error
}

func (s secrets) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if aws.ToString(in.SecretId) != "/dev/gitops/review-token" {
		return nil, fmt.Errorf("asked for %s", aws.ToString(in.SecretId))
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(s.value)}, s.err
}

func TestToken(t *testing.T) {
	for name, c := range map[string]struct {
		answer    secrets
		want      Token
		wantError string
	}{
		"object":      {secrets{value: `{"token": "ghp_x"}`}, "ghp_x", ""},
		"plain":       {secrets{value: "ghp_x\n"}, "ghp_x", ""},
		"missing":     {secrets{err: &types.ResourceNotFoundException{}}, "", ""},
		"not allowed": {secrets{err: errors.New("AccessDeniedException")}, "", "grant secretsmanager:GetSecretValue"},
		"broken":      {secrets{value: `{"token": ghp_x}`}, "", `has no "token"`},
		"other key":   {secrets{value: `{"password": "ghp_x"}`}, "", `has no "token"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := FromSecret(t.Context(), c.answer, SecretName("dev"))
			if got != c.want || (err == nil) != (c.wantError == "") || err != nil && !strings.Contains(err.Error(), c.wantError) {
				t.Errorf("got %q, %v", string(got), err)
			}
			if err != nil && strings.Contains(err.Error(), "ghp_") {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
	env := func(values map[string]string) func(string) (string, bool) {
		return func(name string) (string, bool) { value, ok := values[name]; return value, ok }
	}
	if got := FromEnvironment(env(map[string]string{"GITHUB_TOKEN": "b", "GITOPS_REVIEW_TOKEN": " a\n"})); got != "a" {
		t.Errorf("got %q", string(got))
	}
	if got := FromEnvironment(env(map[string]string{"GITOPS_REVIEW_TOKEN": " "})); got != "" {
		t.Errorf("got %q", string(got))
	}
}

func TestTokenDoesNotPrint(t *testing.T) {
	token := Token("ghp_thisIsTheToken")
	encoded, err := json.Marshal(struct{ Token Token }{token})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(token), fmt.Sprintf("%v %s %q %#v %+v", token, token, token, token, Client{Token: token}), token.LogValue().String(), string(encoded)} {
		if strings.Contains(text, "ghp_") {
			t.Error(text)
		}
	}
}
