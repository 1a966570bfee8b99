package drift

import (
	"context"
	"errors"

	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/bootstrap"
)

// Execution compares the policies of what CloudFormation may do with the files of the checkout.
func Execution(client bootstrap.API, root string, env config.Environment) Check {
	return Check{"rights of CloudFormation", func(ctx context.Context, found *Found) error {
		policies, err := bootstrap.Policies(root, env)
		if err != nil {
			return err
		}
		var missing, old []bootstrap.Policy
		for _, p := range policies {
			current, err := p.Current(ctx, client)
			var none *iamtypes.NoSuchEntityException
			switch {
			case errors.As(err, &none):
				missing = append(missing, p)
			case err != nil:
				return err
			case !current:
				old = append(old, p)
			}
		}
		if len(missing) == len(policies) {
			found.note("account %s has none of the policies that `make bootstrap` makes: what CloudFormation may do there is not of this repository.", env.Account)
			return nil
		}
		add := func(state State, policies []bootstrap.Policy, detail string) {
			for _, p := range policies {
				found.add(Finding{State: state, Half: AWS, Object: "policy " + p.Name, Detail: detail + p.File, Do: "make bootstrap ENV=" + env.Name})
			}
		}
		add(Deleted, missing, "is not in the account; it is made of ")
		add(Behind, old, "is otherwise than ")
		return nil
	}}
}
