package resources

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
)

func kmsTag(k, v string) kmstypes.Tag {
	return kmstypes.Tag{TagKey: aws.String(k), TagValue: aws.String(v)}
}

func init() {
	Register(&Type{
		Name: "AWS::KMS::Key",
		Properties: []string{"BypassPolicyLockoutSafetyCheck", "Description", "EnableKeyRotation", "Enabled", "KeyPolicy", "KeySpec",
			"KeyUsage", "MultiRegion", "PendingWindowInDays", "RotationPeriodInDays", "Tags"},
		Immutable: []string{"KeySpec", "KeyUsage", "MultiRegion"},
		Create:    createKey, Update: updateKey, Delete: deleteKey,
	})
	Register(&Type{
		Name: "AWS::KMS::Alias", Properties: []string{"AliasName", "TargetKeyId"}, Immutable: []string{"AliasName"},
		Create: createAlias, Update: updateAlias,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			_, err := r.kms().DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: &id})
			return gone(err)
		},
	})
}

func createKey(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in kms.CreateKeyInput
	settings := p.pick("Description", "KeySpec", "KeyUsage", "MultiRegion", "KeyPolicy").rename("KeyPolicy", "Policy")
	if err := decode(settings, &in); err != nil {
		return Result{}, err
	}
	in.Tags = tagList(r.tags(p), kmsTag)
	out, err := r.kms().CreateKey(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	result := Result{ID: *out.KeyMetadata.KeyId, Attributes: map[string]any{"Arn": *out.KeyMetadata.Arn, "KeyId": *out.KeyMetadata.KeyId}}
	return result, setKeyState(ctx, r, result.ID, p)
}

// setKeyState sets rotation, and disables a key that the template disables.
func setKeyState(ctx context.Context, r *Request, id string, p Properties) error {
	if p.Bool("EnableKeyRotation") {
		in := &kms.EnableKeyRotationInput{KeyId: &id}
		if days, ok := p.Int("RotationPeriodInDays"); ok {
			in.RotationPeriodInDays = aws.Int32(int32(days))
		}
		if _, err := r.kms().EnableKeyRotation(ctx, in); err != nil {
			return err
		}
	} else if _, err := r.kms().DisableKeyRotation(ctx, &kms.DisableKeyRotationInput{KeyId: &id}); err != nil {
		return err
	}
	if p.Has("Enabled") && !p.Bool("Enabled") {
		_, err := r.kms().DisableKey(ctx, &kms.DisableKeyInput{KeyId: &id})
		return err
	}
	return nil
}

func updateKey(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	if changed(old, updated, "KeyPolicy") {
		in := &kms.PutKeyPolicyInput{KeyId: &id, PolicyName: aws.String("default"), Policy: aws.String(updated.String("KeyPolicy"))}
		if _, err := r.kms().PutKeyPolicy(ctx, in); err != nil {
			return Result{}, err
		}
	}
	if changed(old, updated, "Description") {
		in := &kms.UpdateKeyDescriptionInput{KeyId: &id, Description: aws.String(updated.String("Description"))}
		if _, err := r.kms().UpdateKeyDescription(ctx, in); err != nil {
			return Result{}, err
		}
	}
	if changed(old, updated, "Enabled") {
		if _, err := r.kms().EnableKey(ctx, &kms.EnableKeyInput{KeyId: &id}); err != nil {
			return Result{}, err
		}
	}
	if err := setKeyState(ctx, r, id, updated); err != nil {
		return Result{}, err
	}
	if drop := removed(r.tags(old), r.tags(updated)); len(drop) > 0 {
		if _, err := r.kms().UntagResource(ctx, &kms.UntagResourceInput{KeyId: &id, TagKeys: drop}); err != nil {
			return Result{}, err
		}
	}
	if tags := tagList(r.tags(updated), kmsTag); len(tags) > 0 {
		if _, err := r.kms().TagResource(ctx, &kms.TagResourceInput{KeyId: &id, Tags: tags}); err != nil {
			return Result{}, err
		}
	}
	out, err := r.kms().DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &id})
	if err != nil {
		return Result{}, err
	}
	return Result{ID: id, Attributes: map[string]any{"Arn": *out.KeyMetadata.Arn, "KeyId": id}}, nil
}

// deleteKey schedules the deletion, after 30 days unless the template says
// otherwise; a key cannot be deleted at once.
func deleteKey(ctx context.Context, r *Request, id string, p Properties) error {
	days, ok := p.Int("PendingWindowInDays")
	if !ok {
		days = 30
	}
	_, err := r.kms().ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: aws.Int32(int32(days))})
	if hasCode(err, "InvalidState") { // scheduled already
		return nil
	}
	return gone(err)
}

// keyID is the ID in a key's ARN, which aliases need.
func keyID(s string) string { return s[strings.LastIndex(s, "/")+1:] }

func createAlias(ctx context.Context, r *Request, p Properties) (Result, error) {
	name := p.String("AliasName")
	_, err := r.kms().CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &name, TargetKeyId: aws.String(keyID(p.String("TargetKeyId")))})
	if err != nil {
		return Result{}, err
	}
	return Result{ID: name, Attributes: map[string]any{"AliasName": name}}, nil
}

func updateAlias(ctx context.Context, r *Request, id string, _, updated Properties) (Result, error) {
	_, err := r.kms().UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: &id, TargetKeyId: aws.String(keyID(updated.String("TargetKeyId")))})
	return Result{ID: id, Attributes: map[string]any{"AliasName": id}}, err
}
