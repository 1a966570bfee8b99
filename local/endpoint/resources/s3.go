package resources

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func init() {
	Register(&Type{
		Name: "AWS::S3::Bucket",
		Properties: []string{"AccessControl", "BucketEncryption", "BucketName", "CorsConfiguration", "LifecycleConfiguration",
			"LoggingConfiguration", "ObjectLockEnabled", "OwnershipControls", "PublicAccessBlockConfiguration", "Tags", "VersioningConfiguration"},
		Immutable: []string{"ObjectLockEnabled"},
		Create:    createBucket, Update: updateBucket, Delete: deleteBucket,
	})
	Register(&Type{
		Name: "AWS::S3::BucketPolicy", Properties: []string{"Bucket", "PolicyDocument"},
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			return Result{ID: p.String("Bucket")}, putBucketPolicy(ctx, r, p)
		},
		Update: func(ctx context.Context, r *Request, id string, _, updated Properties) (Result, error) {
			return Result{ID: id}, putBucketPolicy(ctx, r, updated)
		},
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return deleted(r.s3().DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &id}))
		},
	})
}

func createBucket(ctx context.Context, r *Request, p Properties) (Result, error) {
	name := r.name(p, "BucketName", 63, true)
	in := &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: aws.Bool(p.Bool("ObjectLockEnabled"))}
	if r.Region != "us-east-1" { // the default location, which the API refuses to be told
		in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(r.Region)}
	}
	if err := r.made(done(r.s3().CreateBucket(ctx, in)), p.Has("BucketName"), "BucketAlreadyOwnedByYou"); err != nil {
		return Result{}, err
	}
	return bucketResult(r, name), configureBucket(ctx, r, name, nil, p)
}

func bucketResult(r *Request, name string) Result {
	regional := name + ".s3." + r.Region + ".amazonaws.com"
	return Result{ID: name, Attributes: map[string]any{
		"Arn": "arn:aws:s3:::" + name, "DomainName": name + ".s3.amazonaws.com", "RegionalDomainName": regional,
		"DualStackDomainName": name + ".s3.dualstack." + r.Region + ".amazonaws.com",
		"WebsiteURL":          "http://" + name + ".s3-website-" + r.Region + ".amazonaws.com",
	}}
}

func updateBucket(ctx context.Context, r *Request, name string, old, updated Properties) (Result, error) {
	return bucketResult(r, name), configureBucket(ctx, r, name, old, updated)
}

// configureBucket sets what the template states. What an update no longer
// states is removed where S3 has a call for it.
func configureBucket(ctx context.Context, r *Request, name string, old, updated Properties) error {
	steps := []func(context.Context, *Request, string, Properties, Properties) error{
		setBucketAccess, setBucketVersioning, setBucketEncryption, setBucketLifecycle, setBucketLogging, setBucketCORS, setBucketTags,
	}
	for _, step := range steps {
		if err := step(ctx, r, name, old, updated); err != nil {
			return err
		}
	}
	return nil
}

func setBucketAccess(ctx context.Context, r *Request, name string, old, updated Properties) error {
	if updated.Has("OwnershipControls") {
		in := s3.PutBucketOwnershipControlsInput{OwnershipControls: &s3types.OwnershipControls{}}
		if err := decode(updated.pick("OwnershipControls"), &in); err != nil {
			return err
		}
		in.Bucket = &name
		if _, err := r.s3().PutBucketOwnershipControls(ctx, &in); err != nil {
			return err
		}
	}
	if updated.Has("PublicAccessBlockConfiguration") {
		var in s3.PutPublicAccessBlockInput
		if err := decode(updated.pick("PublicAccessBlockConfiguration"), &in); err != nil {
			return err
		}
		in.Bucket = &name
		return done(r.s3().PutPublicAccessBlock(ctx, &in))
	}
	if old.Has("PublicAccessBlockConfiguration") {
		return done(r.s3().DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: &name}))
	}
	return nil
}

func setBucketVersioning(ctx context.Context, r *Request, name string, old, updated Properties) error {
	status := s3types.BucketVersioningStatus(updated.Object("VersioningConfiguration").String("Status"))
	if status == "" && !old.Has("VersioningConfiguration") {
		return nil
	}
	if status == "" { // once versioned, always at least suspended
		status = s3types.BucketVersioningStatusSuspended
	}
	_, err := r.s3().PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: &name, VersioningConfiguration: &s3types.VersioningConfiguration{Status: status},
	})
	return err
}

func setBucketEncryption(ctx context.Context, r *Request, name string, _, updated Properties) error {
	var rules []any
	for _, rule := range updated.Object("BucketEncryption").Objects("ServerSideEncryptionConfiguration") {
		rules = append(rules, map[string]any(rule.rename("ServerSideEncryptionByDefault", "ApplyServerSideEncryptionByDefault")))
	}
	if len(rules) == 0 {
		return nil
	}
	var in s3.PutBucketEncryptionInput
	if err := decode(Properties{"ServerSideEncryptionConfiguration": map[string]any{"Rules": rules}}, &in); err != nil {
		return err
	}
	in.Bucket = &name
	return done(r.s3().PutBucketEncryption(ctx, &in))
}

func setBucketLogging(ctx context.Context, r *Request, name string, old, updated Properties) error {
	if !updated.Has("LoggingConfiguration") && !old.Has("LoggingConfiguration") {
		return nil
	}
	in := &s3.PutBucketLoggingInput{Bucket: &name, BucketLoggingStatus: &s3types.BucketLoggingStatus{}}
	if c := updated.Object("LoggingConfiguration"); c != nil {
		target := c.String("DestinationBucketName")
		if target == "" {
			target = name
		}
		in.BucketLoggingStatus.LoggingEnabled = &s3types.LoggingEnabled{TargetBucket: &target, TargetPrefix: aws.String(c.String("LogFilePrefix"))}
	}
	return done(r.s3().PutBucketLogging(ctx, in))
}

func setBucketCORS(ctx context.Context, r *Request, name string, old, updated Properties) error {
	var rules []any
	for _, rule := range updated.Object("CorsConfiguration").Objects("CorsRules") {
		rule = rule.rename("MaxAge", "MaxAgeSeconds").rename("ExposedHeaders", "ExposeHeaders").rename("Id", "ID")
		rules = append(rules, map[string]any(rule))
	}
	if len(rules) == 0 {
		if !old.Has("CorsConfiguration") {
			return nil
		}
		return deleted(r.s3().DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &name}))
	}
	var in s3.PutBucketCorsInput
	if err := decode(Properties{"CORSConfiguration": map[string]any{"CORSRules": rules}}, &in); err != nil {
		return err
	}
	in.Bucket = &name
	return done(r.s3().PutBucketCors(ctx, &in))
}

func setBucketTags(ctx context.Context, r *Request, name string, _, updated Properties) error {
	tags := tagList(r.tags(updated), func(k, v string) s3types.Tag { return s3types.Tag{Key: aws.String(k), Value: aws.String(v)} })
	if len(tags) == 0 {
		return deleted(r.s3().DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: &name}))
	}
	return done(r.s3().PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: &name, Tagging: &s3types.Tagging{TagSet: tags}}))
}

// deleteBucket fails for a bucket with objects, as on AWS.
func deleteBucket(ctx context.Context, r *Request, name string, _ Properties) error {
	return deleted(r.s3().DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name}))
}

// putBucketPolicy stores a bucket policy without the statements that deny
// requests without TLS. moto evaluates bucket policies but ignores their
// conditions: such a statement would deny every request, and the local
// endpoint is plain HTTP on the loopback interface.
func putBucketPolicy(ctx context.Context, r *Request, p Properties) error {
	document := p.Object("PolicyDocument")
	var kept []any
	for _, statement := range document.Objects("Statement") {
		condition, err := json.Marshal(statement["Condition"])
		if err != nil {
			return err
		}
		if statement.String("Effect") == "Deny" && strings.Contains(string(condition), "aws:SecureTransport") {
			continue
		}
		kept = append(kept, map[string]any(statement))
	}
	bucket := p.String("Bucket")
	if len(kept) == 0 {
		return done(r.s3().DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &bucket}))
	}
	stored := document.without("Statement")
	stored["Statement"] = kept
	policy, err := text(stored)
	if err != nil {
		return err
	}
	return done(r.s3().PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &policy}))
}
