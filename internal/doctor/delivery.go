package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeconnections"
	"github.com/aws/aws-sdk-go-v2/service/codeconnections/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"k8s-plus-aws-gitops/config"
)

// connection looks whether the pipelines can read the repository.
func (d *Doctor) connection(ctx context.Context) Line {
	if !d.Env.Delivers() {
		return ok("none: %s has no pipelines", d.Env.Name)
	}
	in := d.AWS.Copy()
	in.Region = strings.Split(d.Env.Delivery.ConnectionARN, ":")[3] // which may be another than the environment's
	out, err := codeconnections.NewFromConfig(in).GetConnection(ctx, &codeconnections.GetConnectionInput{ConnectionArn: &d.Env.Delivery.ConnectionARN})
	create := "aws codeconnections create-connection --region " + d.Env.Region + " --provider-type GitHub --connection-name platform, then put its ARN into cdk.json"
	switch {
	case code(err) == "ResourceNotFoundException":
		return missing(create, "there is no connection %s", short(d.Env.Delivery.ConnectionARN))
	case err != nil:
		return unread(err)
	case out.Connection == nil:
		return unknown("codeconnections:GetConnection answered without a connection")
	}
	switch got := out.Connection.ConnectionStatus; got {
	case types.ConnectionStatusAvailable:
		return ok("%s is available", aws.ToString(out.Connection.ConnectionName))
	case types.ConnectionStatusPending:
		return missing(fmt.Sprintf("press 'Update pending connection' at https://%s.console.aws.amazon.com/codesuite/settings/connections", in.Region),
			"%s waits for a person to complete it", aws.ToString(out.Connection.ConnectionName))
	default:
		return missing(create, "%s is %s", aws.ToString(out.Connection.ConnectionName), got)
	}
}

// gitCredentials looks for the secret with which Flux reads the repository.
func (d *Doctor) gitCredentials(ctx context.Context) Line {
	if d.Env.GitCredentials == config.CredentialsNone {
		return ok("none: the repository is public")
	}
	return d.secret(ctx, d.Env.SecretName("flux", "git-read"), "git-read.json # docs/guides/private.md")
}

// releaseToken looks for the secret with which the pipeline moves the branch that Flux follows: the first merge needs it.
func (d *Doctor) releaseToken(ctx context.Context) Line {
	if !d.Env.Gated() {
		return ok("none: Flux follows branch %s itself", d.Env.Branch)
	}
	return d.secret(ctx, d.Env.SecretName("gitops", config.ReleaseToken), "token.json # docs/guides/releases.md, The token")
}

// gitWrite looks for the secret with which Flux writes image tags.
func (d *Doctor) gitWrite(ctx context.Context) Line {
	if !d.Env.UpdatesImages() {
		return ok("none: Flux writes no image tags")
	}
	return d.secret(ctx, d.Env.SecretName("flux", "git-write"), "git-write.json # docs/guides/bootstrap.md, 5. Secrets")
}

// secret looks for a secret that a person makes of a file, and never at what it holds.
func (d *Doctor) secret(ctx context.Context, name, file string) Line {
	at, value := " --region "+d.Env.Region, " --secret-string file://"+file
	out, err := secretsmanager.NewFromConfig(d.AWS).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name})
	switch {
	case code(err) == "ResourceNotFoundException":
		return missing("aws secretsmanager create-secret"+at+" --name "+name+value, "there is no secret %s", name)
	case err != nil:
		return unread(err)
	case out.DeletedDate != nil:
		return missing("aws secretsmanager restore-secret"+at+" --secret-id "+name, "%s is about to be deleted", name)
	}
	for _, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, "AWSCURRENT") {
			return ok("%s has a value", name)
		}
	}
	return missing("aws secretsmanager put-secret-value"+at+" --secret-id "+name+value, "%s has no value", name)
}

// branch looks for the branch that Flux follows.
func (d *Doctor) branch(ctx context.Context) Line {
	name := d.Env.FluxBranch()
	tip, err := d.Tip(ctx)
	switch {
	case err != nil:
		return unread(err)
	case tip == "" && d.Env.Gated():
		return missing("bin/gitops release "+d.Env.Name+" --first", "%s does not exist", name)
	case tip == "":
		return missing("git push origin HEAD:refs/heads/"+name, "%s does not exist", name)
	}
	return ok("%s is at %.12s", name, tip)
}
