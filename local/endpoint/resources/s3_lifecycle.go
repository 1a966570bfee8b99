package resources

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

var lifecycleProperties = []string{"AbortIncompleteMultipartUpload", "ExpirationInDays", "ExpiredObjectDeleteMarker", "Id",
	"NoncurrentVersionExpiration", "NoncurrentVersionTransitions", "Prefix", "Status", "Transitions"}

func setBucketLifecycle(ctx context.Context, r *Request, name string, old, updated Properties) error {
	var rules []s3types.LifecycleRule
	for i, rule := range updated.Object("LifecycleConfiguration").Objects("Rules") {
		translated, err := lifecycleRule(rule)
		if err != nil {
			return fmt.Errorf("LifecycleConfiguration.Rules[%d].%w", i, err)
		}
		rules = append(rules, translated)
	}
	if len(rules) == 0 {
		if !old.Has("LifecycleConfiguration") {
			return nil
		}
		return deleted(r.s3().DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: &name}))
	}
	_, err := r.s3().PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &name, LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: rules},
	})
	return err
}

// lifecycleRule translates a rule: CloudFormation names its parts differently
// from the S3 API.
func lifecycleRule(rule Properties) (s3types.LifecycleRule, error) {
	var out s3types.LifecycleRule
	for key := range rule {
		if !slices.Contains(lifecycleProperties, key) {
			return out, fmt.Errorf("%s: the local AWS API does not support this property", key)
		}
	}
	out.Filter = &s3types.LifecycleRuleFilter{Prefix: aws.String(rule.String("Prefix"))}
	if err := decode(rule.pick("AbortIncompleteMultipartUpload", "Status", "NoncurrentVersionExpiration"), &out); err != nil {
		return out, err
	}
	if rule.Has("Id") {
		out.ID = aws.String(rule.String("Id"))
	}
	if days, ok := rule.Int("ExpirationInDays"); ok {
		out.Expiration = &s3types.LifecycleExpiration{Days: aws.Int32(int32(days))}
	} else if rule.Bool("ExpiredObjectDeleteMarker") {
		out.Expiration = &s3types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)}
	}
	for _, t := range rule.Objects("Transitions") {
		var transition s3types.Transition
		if err := decode(t.rename("TransitionInDays", "Days").rename("TransitionDate", "Date"), &transition); err != nil {
			return out, err
		}
		out.Transitions = append(out.Transitions, transition)
	}
	for _, t := range rule.Objects("NoncurrentVersionTransitions") {
		var transition s3types.NoncurrentVersionTransition
		if err := decode(t.rename("TransitionInDays", "NoncurrentDays"), &transition); err != nil {
			return out, err
		}
		out.NoncurrentVersionTransitions = append(out.NoncurrentVersionTransitions, transition)
	}
	return out, nil
}
