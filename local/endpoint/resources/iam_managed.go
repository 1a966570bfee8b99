package resources

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

func createManagedPolicy(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in iam.CreatePolicyInput
	if err := decode(p.pick("Description", "Path", "PolicyDocument"), &in); err != nil {
		return Result{}, err
	}
	in.PolicyName = aws.String(r.name(p, "ManagedPolicyName", 128, false))
	if err := r.made(done(r.iam().CreatePolicy(ctx, &in)), p.Has("ManagedPolicyName"), "EntityAlreadyExists"); err != nil {
		return Result{}, err
	}
	arn := "arn:aws:iam::" + r.Account + ":policy" + cmp.Or(p.String("Path"), "/") + *in.PolicyName
	return managedPolicyResult(arn), attachToRoles(ctx, r, arn, nil, p)
}

func managedPolicyResult(arn string) Result {
	return Result{ID: arn, Attributes: map[string]any{"PolicyArn": arn}}
}

func attachToRoles(ctx context.Context, r *Request, arn string, old, updated Properties) error {
	gained, lost := delta(old, updated, "Roles")
	for _, role := range gained {
		if _, err := r.iam().AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &role, PolicyArn: &arn}); err != nil {
			return err
		}
	}
	for _, role := range lost {
		if _, err := r.iam().DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &role, PolicyArn: &arn}); gone(err) != nil {
			return err
		}
	}
	return nil
}

func updateManagedPolicy(ctx context.Context, r *Request, arn string, old, updated Properties) (Result, error) {
	if changed(old, updated, "PolicyDocument") {
		if err := replaceDefaultVersion(ctx, r, arn, updated.String("PolicyDocument")); err != nil {
			return Result{}, err
		}
	}
	return managedPolicyResult(arn), attachToRoles(ctx, r, arn, old, updated)
}

// replaceDefaultVersion adds a version and drops the others: IAM keeps five.
func replaceDefaultVersion(ctx context.Context, r *Request, arn, document string) error {
	if err := dropOldVersions(ctx, r, arn); err != nil {
		return err
	}
	return done(r.iam().CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: &document, SetAsDefault: true}))
}

func dropOldVersions(ctx context.Context, r *Request, arn string) error {
	versions, err := r.iam().ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: &arn})
	if err != nil {
		return err
	}
	for _, v := range versions.Versions {
		if v.IsDefaultVersion {
			continue
		}
		if _, err := r.iam().DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: &arn, VersionId: v.VersionId}); gone(err) != nil {
			return err
		}
	}
	return nil
}

func deleteManagedPolicy(ctx context.Context, r *Request, arn string, p Properties) error {
	if err := attachToRoles(ctx, r, arn, p, nil); err != nil {
		return err
	}
	if err := dropOldVersions(ctx, r, arn); gone(err) != nil {
		return err
	}
	return deleted(r.iam().DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: &arn}))
}
