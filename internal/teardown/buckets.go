package teardown

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	cbtypes "github.com/aws/aws-sdk-go-v2/service/codebuild/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// countedPages bounds the count before the question, at 1000 objects a page: a bucket may hold millions.
const countedPages = 10

// Bucket is a bucket that goes.
type Bucket struct {
	Name string
	// Objects counts every version and delete marker.
	Objects int
	// More tells that there are more than were counted.
	More bool
}

// versions pages through everything that a bucket holds. S3 counts versions and delete markers together, 1000 a page,
// which is also what it deletes in one request.
func (t *Teardown) versions(ctx context.Context, bucket string, page func([]s3types.ObjectIdentifier) (more bool, err error)) error {
	pages := s3.NewListObjectVersionsPaginator(s3.NewFromConfig(t.AWS), &s3.ListObjectVersionsInput{
		Bucket: &bucket, ExpectedBucketOwner: &t.Env.Account,
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return gone(err)
		}
		var ids []s3types.ObjectIdentifier
		for _, v := range out.Versions {
			ids = append(ids, s3types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range out.DeleteMarkers {
			ids = append(ids, s3types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		if more, err := page(ids); err != nil || !more {
			return err
		}
	}
	return nil
}

// count counts what a bucket holds.
func (t *Teardown) count(ctx context.Context, bucket string) (Bucket, error) {
	b, pages := Bucket{Name: bucket}, 0
	err := t.versions(ctx, bucket, func(ids []s3types.ObjectIdentifier) (bool, error) {
		b.Objects += len(ids)
		pages++
		b.More = pages == countedPages && len(ids) > 0
		return !b.More, nil
	})
	if err != nil {
		return b, fmt.Errorf("bucket %s: %w", bucket, err)
	}
	return b, nil
}

// empty removes everything from a bucket.
func (t *Teardown) empty(ctx context.Context, bucket string, r *Report) error {
	removed, client := 0, s3.NewFromConfig(t.AWS)
	err := t.versions(ctx, bucket, func(ids []s3types.ObjectIdentifier) (bool, error) {
		if len(ids) == 0 {
			return true, nil
		}
		if removed == 0 {
			t.Say("emptying bucket %s", bucket)
		}
		out, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &bucket, ExpectedBucketOwner: &t.Env.Account, Delete: &s3types.Delete{Objects: ids, Quiet: aws.Bool(true)},
		})
		switch {
		case err != nil:
			return false, err
		case len(out.Errors) > 0:
			e := out.Errors[0]
			return false, fmt.Errorf("%d objects stay, the first is %s: %s", len(out.Errors), aws.ToString(e.Key), aws.ToString(e.Message))
		}
		removed += len(ids)
		if removed > len(ids) {
			t.Say("bucket %s: %d objects removed", bucket, removed)
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("bucket %s: %w", bucket, err)
	}
	if removed > 0 {
		r.add(Removed, fmt.Sprintf("%d objects of bucket %s", removed, bucket), "")
	}
	return nil
}

// stopBuilds stops the builds of a project: they deploy, and write into the pipelines' bucket. CodeBuild lists the
// newest first, and a hundred is more than it runs at once for a pipeline.
func (t *Teardown) stopBuilds(ctx context.Context, project string) error {
	client := codebuild.NewFromConfig(t.AWS)
	list, err := client.ListBuildsForProject(ctx, &codebuild.ListBuildsForProjectInput{ProjectName: &project})
	if err != nil {
		return gone(err)
	}
	if len(list.Ids) == 0 {
		return nil
	}
	builds, err := client.BatchGetBuilds(ctx, &codebuild.BatchGetBuildsInput{Ids: list.Ids})
	if err != nil {
		return err
	}
	for _, b := range builds.Builds {
		if b.BuildStatus != cbtypes.StatusTypeInProgress {
			continue
		}
		t.Say("stopping build %s", aws.ToString(b.Id))
		if _, err := client.StopBuild(ctx, &codebuild.StopBuildInput{Id: b.Id}); gone(err) != nil {
			return fmt.Errorf("build %s: %w", aws.ToString(b.Id), err)
		}
	}
	return nil
}
