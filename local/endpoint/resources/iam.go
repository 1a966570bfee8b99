package resources

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
)

func iamTag(k, v string) iamtypes.Tag { return iamtypes.Tag{Key: aws.String(k), Value: aws.String(v)} }

func init() {
	Register(&Type{
		Name: "AWS::IAM::Role",
		Properties: []string{"AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration", "Path",
			"PermissionsBoundary", "Policies", "RoleName", "Tags"},
		Create: createRole, Update: updateRole, Delete: deleteRole,
	})
	Register(&Type{
		Name: "AWS::IAM::Policy", Properties: []string{"PolicyDocument", "PolicyName", "Roles"},
		Create: createInlinePolicy, Update: updateInlinePolicy, Delete: deleteInlinePolicy,
	})
	Register(&Type{
		Name:       "AWS::IAM::ManagedPolicy",
		Properties: []string{"Description", "ManagedPolicyName", "Path", "PolicyDocument", "Roles"},
		Immutable:  []string{"Description", "ManagedPolicyName", "Path"},
		Create:     createManagedPolicy, Update: updateManagedPolicy, Delete: deleteManagedPolicy,
	})
}

func createRole(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in iam.CreateRoleInput
	if err := decode(p.pick("AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "Path", "PermissionsBoundary"), &in); err != nil {
		return Result{}, err
	}
	name := r.name(p, "RoleName", 64, false)
	in.RoleName = &name
	in.Tags = tagList(r.tags(p), iamTag)
	if err := r.made(done(r.iam().CreateRole(ctx, &in)), p.Has("RoleName"), "EntityAlreadyExists"); err != nil {
		return Result{}, err
	}
	if err := setRolePolicies(ctx, r, name, nil, p); err != nil {
		return Result{ID: name}, err
	}
	return roleResult(ctx, r, name)
}

func roleResult(ctx context.Context, r *Request, name string) (Result, error) {
	out, err := r.iam().GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		return Result{ID: name}, err
	}
	return Result{ID: name, Attributes: map[string]any{"Arn": aws.ToString(out.Role.Arn), "RoleId": aws.ToString(out.Role.RoleId)}}, nil
}

// setRolePolicies brings a role's managed and inline policies from old to updated.
func setRolePolicies(ctx context.Context, r *Request, name string, old, updated Properties) error {
	gained, lost := delta(old, updated, "ManagedPolicyArns")
	for _, arn := range lost {
		if _, err := r.iam().DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &name, PolicyArn: &arn}); gone(err) != nil {
			return err
		}
	}
	for _, arn := range gained {
		if _, err := r.iam().AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: &arn}); err != nil {
			return err
		}
	}
	var kept []string
	for _, policy := range updated.Objects("Policies") {
		in := &iam.PutRolePolicyInput{RoleName: &name}
		if err := decode(policy, in); err != nil {
			return err
		}
		if _, err := r.iam().PutRolePolicy(ctx, in); err != nil {
			return err
		}
		kept = append(kept, policy.String("PolicyName"))
	}
	for _, policy := range old.Objects("Policies") {
		if n := policy.String("PolicyName"); !slices.Contains(kept, n) {
			if _, err := r.iam().DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: &n}); gone(err) != nil {
				return err
			}
		}
	}
	return nil
}

func updateRole(ctx context.Context, r *Request, name string, old, updated Properties) (Result, error) {
	trust := &iam.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: aws.String(updated.String("AssumeRolePolicyDocument"))}
	if _, err := r.iam().UpdateAssumeRolePolicy(ctx, trust); err != nil {
		return Result{}, err
	}
	if changed(old, updated, "Description", "MaxSessionDuration") {
		in := iam.UpdateRoleInput{Description: aws.String(updated.String("Description")), MaxSessionDuration: aws.Int32(3600)}
		if err := decode(updated.pick("MaxSessionDuration"), &in); err != nil {
			return Result{}, err
		}
		in.RoleName = &name
		if _, err := r.iam().UpdateRole(ctx, &in); err != nil {
			return Result{}, err
		}
	}
	if err := setRoleBoundary(ctx, r, name, old, updated); err != nil {
		return Result{}, err
	}
	if err := setRolePolicies(ctx, r, name, old, updated); err != nil {
		return Result{}, err
	}
	err := r.retag(old, updated, func(keys []string) error {
		return done(r.iam().UntagRole(ctx, &iam.UntagRoleInput{RoleName: &name, TagKeys: keys}))
	}, func(tags map[string]string) error {
		return done(r.iam().TagRole(ctx, &iam.TagRoleInput{RoleName: &name, Tags: tagList(tags, iamTag)}))
	})
	if err != nil {
		return Result{}, err
	}
	return roleResult(ctx, r, name)
}

func setRoleBoundary(ctx context.Context, r *Request, name string, old, updated Properties) error {
	if !changed(old, updated, "PermissionsBoundary") {
		return nil
	}
	if !updated.Has("PermissionsBoundary") {
		return deleted(r.iam().DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: &name}))
	}
	_, err := r.iam().PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{
		RoleName: &name, PermissionsBoundary: aws.String(updated.String("PermissionsBoundary")),
	})
	return err
}

func deleteRole(ctx context.Context, r *Request, name string, _ Properties) error {
	attached, err := r.iam().ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &name})
	if err != nil {
		return gone(err)
	}
	for _, policy := range attached.AttachedPolicies {
		if _, err := r.iam().DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &name, PolicyArn: policy.PolicyArn}); gone(err) != nil {
			return err
		}
	}
	inline, err := r.iam().ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &name})
	if err != nil {
		return gone(err)
	}
	for _, policy := range inline.PolicyNames {
		if _, err := r.iam().DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: &policy}); gone(err) != nil {
			return err
		}
	}
	return deleted(r.iam().DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &name}))
}

func createInlinePolicy(ctx context.Context, r *Request, p Properties) (Result, error) {
	id := r.Name(128, false)
	for _, role := range p.Strings("Roles") {
		in := &iam.PutRolePolicyInput{RoleName: &role}
		if err := decode(p.pick("PolicyName", "PolicyDocument"), in); err != nil {
			return Result{ID: id}, err
		}
		if _, err := r.iam().PutRolePolicy(ctx, in); err != nil {
			return Result{ID: id}, err
		}
	}
	return Result{ID: id, Attributes: map[string]any{"Id": id}}, nil
}

func updateInlinePolicy(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	if _, err := createInlinePolicy(ctx, r, updated); err != nil {
		return Result{}, err
	}
	_, lost := delta(old, updated, "Roles")
	if changed(old, updated, "PolicyName") {
		lost = old.Strings("Roles")
	}
	list := make([]any, len(lost))
	for i, role := range lost {
		list[i] = role
	}
	dropped := old.pick("PolicyName")
	dropped["Roles"] = list
	return Result{ID: id, Attributes: map[string]any{"Id": id}}, deleteInlinePolicy(ctx, r, id, dropped)
}

func deleteInlinePolicy(ctx context.Context, r *Request, _ string, p Properties) error {
	name := p.String("PolicyName")
	for _, role := range p.Strings("Roles") {
		if _, err := r.iam().DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &role, PolicyName: &name}); gone(err) != nil {
			return err
		}
	}
	return nil
}
