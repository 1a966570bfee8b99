// Package store keeps releases of static files in S3, below one prefix for each service.
package store

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"k8s-plus-aws-gitops/internal/services/assets"
)

const (
	// keep is how many releases of a service stay besides those that its branches name, for who goes back by git revert.
	keep = 5
	// atOnce bounds the uploads that run at a time.
	atOnce = 8
	// deletions is how many objects S3 takes in one request.
	deletions = 1000
	// forever is for files that never change at their address.
	forever = "public, max-age=31536000, immutable"
)

// Store is a bucket and the part of it that is the services'.
type Store struct {
	Client *s3.Client
	Bucket string
	// Account owns the bucket. A bucket of that name in another account, which somebody may have taken first, is refused.
	Account string
	// Root starts all keys; with a slash at the end.
	Root string
}

// URL names a key for people and for the AWS CLI.
func (s Store) URL(key string) string { return "s3://" + s.Bucket + "/" + key }

// Missing lists the files of a release that are not there. A release is at the hash of its content and a file arrives
// whole or not at all, so one that is there with its size is there.
func (s Store) Missing(ctx context.Context, r assets.Release) ([]assets.File, error) {
	prefix := r.Prefix(s.Root) + "/"
	there, err := s.list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	size := map[string]int64{}
	for _, o := range there {
		size[aws.ToString(o.Key)] = aws.ToInt64(o.Size)
	}
	var missing []assets.File
	for _, f := range r.Files {
		if got, ok := size[prefix+f.Path]; !ok || got != f.Size {
			missing = append(missing, f)
		}
	}
	return missing, nil
}

// Upload puts the missing files of a release in place and returns them.
func (s Store) Upload(ctx context.Context, r assets.Release) ([]assets.File, error) {
	missing, err := s.Missing(ctx, r)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, f := range missing {
		group.Go(func() error { return s.put(ctx, r.Prefix(s.Root)+"/"+f.Path, f) })
	}
	return missing, group.Wait()
}

// put uploads a file. S3 compares the content with the hash that the release is named by.
func (s Store) put(ctx context.Context, key string, f assets.File) error {
	content, err := os.Open(f.Local)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = s.Client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.Bucket, ExpectedBucketOwner: &s.Account, Key: &key, Body: content,
		ContentType: &f.Type, CacheControl: aws.String(forever),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(f.SHA256[:])),
	})
	return s.explain(err, "write "+key)
}

// Stale lists the objects of a service's releases that are neither among the named ones nor among the newest. What does
// not look like a release is not ours and is never listed.
func (s Store) Stale(ctx context.Context, service string, named []string) ([]string, error) {
	prefix := assets.Prefix(s.Root, service)
	all, err := s.list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	return stale(all, prefix, named), nil
}

func stale(all []types.Object, prefix string, named []string) []string {
	keys, newest := map[string][]string{}, map[string]time.Time{}
	for _, o := range all {
		key := aws.ToString(o.Key)
		digest, _, below := strings.Cut(strings.TrimPrefix(key, prefix), "/")
		if !below || !assets.IsDigest(digest) {
			continue
		}
		keys[digest] = append(keys[digest], key)
		if at := aws.ToTime(o.LastModified); at.After(newest[digest]) {
			newest[digest] = at
		}
	}
	for _, digest := range named {
		delete(keys, digest)
	}
	rest := slices.SortedFunc(maps.Keys(keys), func(a, b string) int {
		return cmp.Or(newest[b].Compare(newest[a]), strings.Compare(a, b))
	})
	var found []string
	for _, digest := range rest[min(keep, len(rest)):] {
		found = append(found, keys[digest]...)
	}
	slices.Sort(found)
	return found
}

// Remove removes objects. Earlier versions stay in the bucket until its lifecycle ends them.
func (s Store) Remove(ctx context.Context, keys []string) error {
	for part := range slices.Chunk(keys, deletions) {
		objects := make([]types.ObjectIdentifier, len(part))
		for i := range part {
			objects[i] = types.ObjectIdentifier{Key: &part[i]}
		}
		out, err := s.Client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &s.Bucket, ExpectedBucketOwner: &s.Account, Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return s.explain(err, "remove files")
		}
		if len(out.Errors) > 0 {
			e := out.Errors[0]
			return fmt.Errorf("%s: %s (%s); grant s3:DeleteObject there", s.URL(aws.ToString(e.Key)), aws.ToString(e.Message), aws.ToString(e.Code))
		}
	}
	return nil
}

func (s Store) list(ctx context.Context, prefix string) ([]types.Object, error) {
	var all []types.Object
	pages := s3.NewListObjectsV2Paginator(s.Client, &s3.ListObjectsV2Input{Bucket: &s.Bucket, ExpectedBucketOwner: &s.Account, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.explain(err, "list "+prefix)
		}
		all = append(all, page.Contents...)
	}
	return all, nil
}

// explain adds the remedy to an error of S3.
func (s Store) explain(err error, what string) error {
	var api smithy.APIError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &api):
		return fmt.Errorf("bucket %s: cannot %s: %w", s.Bucket, what, err)
	case api.ErrorCode() == "NoSuchBucket":
		return fmt.Errorf("bucket %s does not exist; deploy <environment>-delivery, which makes it", s.Bucket)
	case api.ErrorCode() == "AccessDenied":
		return fmt.Errorf("bucket %s: cannot %s: access is denied; use credentials of account %s that may", s.Bucket, what, s.Account)
	}
	return fmt.Errorf("bucket %s: cannot %s: %s: %s", s.Bucket, what, api.ErrorCode(), api.ErrorMessage())
}
