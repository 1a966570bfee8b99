package setup

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/awsclient"
)

// Account reads secrets with the caller's credentials, which are of one account: only of its environments it can tell
// whether a secret is there.
type Account struct {
	// asked is set once the account of the credentials is known, or why it is not.
	asked bool
	id    string
	why   error
}

// Secret reads a secret of an environment, for Options.
func (a *Account) Secret(ctx context.Context, e config.Environment, name string) (string, error) {
	c, err := awsclient.Load(ctx, awsconfig.WithRegion(e.Region))
	if err != nil {
		return "", err
	}
	if !a.asked {
		who, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		a.asked, a.why = true, err
		if err == nil {
			a.id = aws.ToString(who.Account)
		}
	}
	switch {
	case a.why != nil:
		return "", UnreadableError{fmt.Sprintf("%s is not readable without credentials of account %s (AWS_PROFILE)", name, e.Account)}
	case a.id != e.Account:
		return "", UnreadableError{fmt.Sprintf("%s is in account %s and the credentials are of %s: run it again with others (AWS_PROFILE)", name, e.Account, a.id)}
	}
	answer, err := secretsmanager.NewFromConfig(c).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(name)})
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return "", nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", UnreadableError{fmt.Sprintf("%s: %v; grant secretsmanager:GetSecretValue on it", name, err)}
	}
	return aws.ToString(answer.SecretString), nil
}
