package resources

import (
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
	out, err := r.iam().CreatePolicy(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	arn := *out.Policy.Arn
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
	_, err := r.iam().CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: &document, SetAsDefault: true})
	return err
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
	_, err := r.iam().DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: &arn})
	return gone(err)
}

func createInstanceProfile(ctx context.Context, r *Request, p Properties) (Result, error) {
	name := r.name(p, "InstanceProfileName", 128, false)
	in := &iam.CreateInstanceProfileInput{InstanceProfileName: &name}
	if p.Has("Path") {
		in.Path = aws.String(p.String("Path"))
	}
	out, err := r.iam().CreateInstanceProfile(ctx, in)
	if err != nil {
		return Result{}, err
	}
	result := Result{ID: name, Attributes: map[string]any{"Arn": aws.ToString(out.InstanceProfile.Arn)}}
	return result, setProfileRoles(ctx, r, name, nil, p)
}

func setProfileRoles(ctx context.Context, r *Request, name string, old, updated Properties) error {
	gained, lost := delta(old, updated, "Roles")
	for _, role := range lost {
		in := &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: &name, RoleName: &role}
		if _, err := r.iam().RemoveRoleFromInstanceProfile(ctx, in); gone(err) != nil {
			return err
		}
	}
	for _, role := range gained {
		in := &iam.AddRoleToInstanceProfileInput{InstanceProfileName: &name, RoleName: &role}
		if _, err := r.iam().AddRoleToInstanceProfile(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

func updateInstanceProfile(ctx context.Context, r *Request, name string, old, updated Properties) (Result, error) {
	if err := setProfileRoles(ctx, r, name, old, updated); err != nil {
		return Result{}, err
	}
	out, err := r.iam().GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: &name})
	if err != nil {
		return Result{}, err
	}
	return Result{ID: name, Attributes: map[string]any{"Arn": aws.ToString(out.InstanceProfile.Arn)}}, nil
}

func deleteInstanceProfile(ctx context.Context, r *Request, name string, p Properties) error {
	if err := setProfileRoles(ctx, r, name, p, nil); err != nil {
		return err
	}
	_, err := r.iam().DeleteInstanceProfile(ctx, &iam.DeleteInstanceProfileInput{InstanceProfileName: &name})
	return gone(err)
}

func createOIDCProvider(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in iam.CreateOpenIDConnectProviderInput
	if err := decode(p.without("Tags"), &in); err != nil {
		return Result{}, err
	}
	in.Tags = tagList(r.tags(p), iamTag)
	out, err := r.iam().CreateOpenIDConnectProvider(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	arn := *out.OpenIDConnectProviderArn
	return Result{ID: arn, Attributes: map[string]any{"Arn": arn}}, nil
}
