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
		Name: "AWS::KMS::Alias", Properties: []string{"AliasName", "TargetKeyId"},
		Create: createAlias, Update: updateAlias,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return deleted(r.kms().DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: &id}))
		},
	})
}

func createKey(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in kms.CreateKeyInput
	settings := p.pick("Description", "KeySpec", "KeyUsage", "MultiRegion", "KeyPolicy").rename("KeyPolicy", "Policy")
	if err := decode(settings, &in); err != nil {
		return Result{}, err
	}
	tags := r.tags(p)
	tags[ownTag] = r.Name(255, false)
	in.Tags = tagList(tags, kmsTag)
	id, err := findKey(ctx, r, tags[ownTag])
	if err != nil {
		return Result{}, err
	}
	if id == "" {
		out, err := r.kms().CreateKey(ctx, &in)
		if err != nil {
			return Result{}, err
		}
		id = *out.KeyMetadata.KeyId
	}
	arn := "arn:aws:kms:" + r.Region + ":" + r.Account + ":key/" + id
	return Result{ID: id, Attributes: map[string]any{"Arn": arn, "KeyId": id}}, setKeyState(ctx, r, id, p)
}

// findKey finds the key that a cut-off attempt made: keys have no names.
func findKey(ctx context.Context, r *Request, own string) (string, error) {
	if !r.Resumed {
		return "", nil
	}
	for pages := kms.NewListKeysPaginator(r.kms(), &kms.ListKeysInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, key := range page.Keys {
			found, err := r.kms().ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: key.KeyId})
			if err != nil {
				return "", err
			}
			for _, tag := range found.Tags {
				if aws.ToString(tag.TagKey) == ownTag && aws.ToString(tag.TagValue) == own {
					return *key.KeyId, nil
				}
			}
		}
	}
	return "", nil
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
		return done(r.kms().DisableKey(ctx, &kms.DisableKeyInput{KeyId: &id}))
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
	err := r.retag(old, updated, func(keys []string) error {
		return done(r.kms().UntagResource(ctx, &kms.UntagResourceInput{KeyId: &id, TagKeys: keys}))
	}, func(tags map[string]string) error {
		return done(r.kms().TagResource(ctx, &kms.TagResourceInput{KeyId: &id, Tags: tagList(tags, kmsTag)}))
	})
	if err != nil {
		return Result{}, err
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
	in := &kms.CreateAliasInput{AliasName: &name, TargetKeyId: aws.String(keyID(p.String("TargetKeyId")))}
	if err := r.made(done(r.kms().CreateAlias(ctx, in)), true, "AlreadyExists"); err != nil {
		return Result{}, err
	}
	return Result{ID: name, Attributes: map[string]any{"AliasName": name}}, nil
}

func updateAlias(ctx context.Context, r *Request, id string, _, updated Properties) (Result, error) {
	_, err := r.kms().UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: &id, TargetKeyId: aws.String(keyID(updated.String("TargetKeyId")))})
	return Result{ID: id, Attributes: map[string]any{"AliasName": id}}, err
}
