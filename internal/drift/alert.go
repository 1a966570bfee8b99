package drift

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// Alert tells people of what is new.
type Alert struct {
	// Objects has the memory, in Bucket under Key.
	Objects interface {
		GetObject(ctx context.Context, in *s3.GetObjectInput, options ...func(*s3.Options)) (*s3.GetObjectOutput, error)
		PutObject(ctx context.Context, in *s3.PutObjectInput, options ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	}
	Bucket, Key string
	// Messages go to Topic, by its ARN.
	Messages interface {
		Publish(ctx context.Context, in *sns.PublishInput, options ...func(*sns.Options)) (*sns.PublishOutput, error)
	}
	Topic string
	Now   func() time.Time
}

// ParseMemory returns bucket and key of s3://BUCKET/KEY.
func ParseMemory(text string) (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(text, "s3://")
	bucket, key, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" || key == "" {
		return "", "", fmt.Errorf("must be s3://BUCKET/KEY, got %q", text)
	}
	return bucket, key, nil
}

// Tell publishes what is new since the last look, and remembers it. It returns the message's subject, empty when there was no
// news. A message is sent before it is remembered: when that fails, the next look sends it again.
func (a Alert) Tell(ctx context.Context, r *Report) (string, error) {
	before, err := a.recall(ctx)
	if err != nil {
		return "", fmt.Errorf("s3://%s/%s: %w", a.Bucket, a.Key, err)
	}
	news, after := r.Since(before, a.Now().UTC())
	subject := ""
	if news != nil {
		subject = news.Subject(r.Environment)
		if _, err := a.Messages.Publish(ctx, &sns.PublishInput{TopicArn: &a.Topic, Subject: &subject, Message: aws.String(news.Text(r.Environment))}); err != nil {
			return "", fmt.Errorf("%s: %w", a.Topic, err)
		}
	}
	text, err := json.Marshal(after)
	if err != nil {
		return subject, err
	}
	_, err = a.Objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &a.Bucket, Key: &a.Key, Body: strings.NewReader(string(text)), ContentType: aws.String("application/json"),
	})
	if err != nil {
		return subject, fmt.Errorf("s3://%s/%s: %w", a.Bucket, a.Key, err)
	}
	return subject, nil
}

// recall reads the memory; before the first look there is none. S3 says so to whoever may list the bucket.
func (a Alert) recall(ctx context.Context) (Memory, error) {
	var m Memory
	out, err := a.Objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &a.Bucket, Key: &a.Key})
	var none *s3types.NoSuchKey
	switch {
	case errors.As(err, &none):
		return m, nil
	case err != nil:
		return m, err
	}
	defer out.Body.Close()
	if err := json.NewDecoder(out.Body).Decode(&m); err != nil {
		return m, fmt.Errorf("must be the memory of earlier looks: %w; delete it, and the next look tells everything anew", err)
	}
	return m, nil
}
