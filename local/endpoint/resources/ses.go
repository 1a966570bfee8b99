package resources

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	sestypes "github.com/aws/aws-sdk-go-v2/service/sesv2/types"
)

func init() {
	Register(&Type{
		Name: "AWS::SES::EmailIdentity", Properties: []string{"EmailIdentity", "Tags"},
		Create: createIdentity, Update: updateIdentity,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return deleted(r.ses().DeleteEmailIdentity(ctx, &sesv2.DeleteEmailIdentityInput{EmailIdentity: &id}))
		},
	})
}

func sesTag(k, v string) sestypes.Tag { return sestypes.Tag{Key: aws.String(k), Value: aws.String(v)} }

func createIdentity(ctx context.Context, r *Request, p Properties) (Result, error) {
	name := p.String("EmailIdentity")
	in := &sesv2.CreateEmailIdentityInput{EmailIdentity: &name, Tags: tagList(r.tags(p), sesTag)}
	return identityResult(name), r.made(done(r.ses().CreateEmailIdentity(ctx, in)), true, "AlreadyExists")
}

// identityResult has the DKIM records, of which moto knows nothing.
func identityResult(name string) Result {
	attributes := map[string]any{}
	for i := 1; i <= 3; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", name, i))
		token := hex.EncodeToString(sum[:16])
		attributes[fmt.Sprintf("DkimDNSTokenName%d", i)] = token + "._domainkey." + name
		attributes[fmt.Sprintf("DkimDNSTokenValue%d", i)] = token + ".dkim.amazonses.com"
	}
	return Result{ID: name, Attributes: attributes}
}

// updateIdentity changes the tags; another name is another identity.
func updateIdentity(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	arn := "arn:aws:ses:" + r.Region + ":" + r.Account + ":identity/" + id
	return identityResult(id), r.retag(old, updated, func(keys []string) error {
		return done(r.ses().UntagResource(ctx, &sesv2.UntagResourceInput{ResourceArn: &arn, TagKeys: keys}))
	}, func(tags map[string]string) error {
		return done(r.ses().TagResource(ctx, &sesv2.TagResourceInput{ResourceArn: &arn, Tags: tagList(tags, sesTag)}))
	})
}
