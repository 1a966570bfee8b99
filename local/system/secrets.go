package system

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"k8s-plus-aws-gitops/local/git"
	"k8s-plus-aws-gitops/local/platform"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
)

// storeSecrets makes the secrets of the declaration, which on AWS people make.
func (u *up) storeSecrets(ctx context.Context) error {
	accounts, err := u.accounts()
	if err != nil {
		return err
	}
	client := secretsmanager.NewFromConfig(deploy.Config(u.ports.URL(layout.AWS)))
	for _, s := range u.platform.Secrets {
		value := randomSecret(s.Random)
		if s.Git != "" {
			value = login(accounts, s.Git == platform.GitWrite)
		}
		if _, err := createSecret(ctx, client, s.Name, value, "Made by gitops local up"); err != nil {
			return err
		}
	}
	return nil
}

// login is the name and the password of the account that may write, or that may only read.
func login(accounts []git.Account, writes bool) string {
	a := accounts[slices.IndexFunc(accounts, func(a git.Account) bool { return a.Writes == writes })]
	return object(map[string]string{"username": a.User, "password": a.Password})
}

// createSecret makes a secret, and reports whether it was not there yet.
func createSecret(ctx context.Context, client *secretsmanager.Client, name, value, description string) (bool, error) {
	_, err := client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(name), SecretString: aws.String(value), Description: aws.String(description),
	})
	var there *types.ResourceExistsException
	if errors.As(err, &there) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("secret %s: %w", name, err)
	}
	return true, nil
}

// randomSecret is a JSON object with the keys, or one value if it is read as a whole.
func randomSecret(keys []string) string {
	if slices.Contains(keys, "") {
		return rand.Text()
	}
	values := map[string]string{}
	for _, k := range keys {
		values[k] = rand.Text()
	}
	return object(values)
}

// object is a JSON object.
func object(values map[string]string) string {
	raw, err := json.Marshal(values)
	if err != nil { // of strings: it cannot be
		return ""
	}
	return string(raw)
}
