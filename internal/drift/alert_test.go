package drift

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// desk is a bucket and a topic, each of which may be out of order.
type desk struct {
	object           string
	unread, unkept   error
	unsent           error
	subjects, bodies []string
}

func (d *desk) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	switch {
	case d.unread != nil:
		return nil, d.unread
	case d.object == "":
		return nil, &s3types.NoSuchKey{}
	case aws.ToString(in.Bucket) != "bucket" || aws.ToString(in.Key) != "drift/dev.json":
		return nil, errors.New("another object")
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(strings.NewReader(d.object))}, nil
}

func (d *desk) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if d.unkept != nil {
		return nil, d.unkept
	}
	text, err := io.ReadAll(in.Body)
	d.object = string(text)
	return &s3.PutObjectOutput{}, err
}

func (d *desk) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	if d.unsent != nil {
		return nil, d.unsent
	}
	d.subjects, d.bodies = append(d.subjects, aws.ToString(in.Subject)), append(d.bodies, aws.ToString(in.Message))
	return &sns.PublishOutput{}, nil
}

// What could not be sent, or not be remembered, is sent by the next look; nothing is sent without a memory that can be read.
func TestTell(t *testing.T) {
	d := &desk{}
	a := Alert{Objects: d, Bucket: "bucket", Key: "drift/dev.json", Messages: d, Topic: "arn:aws:sns:eu-west-1:111111111111:dev-delivery", Now: time.Now}
	tell := func(r *Report, want string, failed error) {
		t.Helper()
		if got, err := a.Tell(t.Context(), r); got != want || !errors.Is(err, failed) {
			t.Errorf("told %q, %v; want %q, %v", got, err, want, failed)
		}
	}
	const one, well = "dev: 1 new difference from the repository", "dev: well again, no difference from the repository"
	down := errors.New("down")
	d.unsent = down
	tell(saw(nil, vpc), "", down)
	d.unsent, d.unkept = nil, down
	tell(saw(nil, vpc), one, down)
	d.unkept = nil
	tell(saw(nil, vpc), one, nil)
	tell(saw(nil, vpc), "", nil)
	d.unread = down
	tell(saw(nil, vpc, log), "", down)
	d.unread = nil
	tell(saw(nil), well, nil)
	tell(saw(nil), "", nil)
	if want := []string{one, one, well}; !slices.Equal(d.subjects, want) {
		t.Errorf("sent %q, want %q", d.subjects, want)
	}
	d.object = "no memory"
	if _, err := a.Tell(t.Context(), saw(nil, vpc)); err == nil || !strings.Contains(err.Error(), "s3://bucket/drift/dev.json: must be the memory of earlier looks") {
		t.Errorf("a broken memory: %v", err)
	}
}

// What Flux cannot apply reaches the topic, as the looks of the schedule find it, and so does its end. Without
// alerts.sns this is the way.
func TestTellOfFlux(t *testing.T) {
	d := &desk{}
	a := Alert{Objects: d, Bucket: "bucket", Key: "drift/dev.json", Messages: d, Topic: "arn:aws:sns:eu-west-1:111111111111:dev-delivery", Now: time.Now}
	tell := func(apps, chart string) {
		t.Helper()
		c := cluster(t,
			object("GitRepository", "flux-system", commit, "True", "", ""), object("Kustomization", "flux-system", commit, "True", "", ""),
			object("Kustomization", "apps", commit, apps, "", ""), object("HelmRelease", "kube-system/lbc", "", chart, "", ""))
		if _, err := a.Tell(t.Context(), look(t, Flux(source(c)))); err != nil {
			t.Fatal(err)
		}
	}
	tell("True", "True")
	tell("False HealthCheckFailed", "False UpgradeFailed")
	tell("False HealthCheckFailed", "False UpgradeFailed")
	tell("True", "True")
	if want := []string{"dev: 2 new differences from the repository", "dev: well again, no difference from the repository"}; !slices.Equal(d.subjects, want) {
		t.Fatalf("sent %q, want %q", d.subjects, want)
	}
	for _, object := range []string{"failing    Kustomization apps", "HealthCheckFailed: because", "failing    HelmRelease kube-system/lbc", "UpgradeFailed: because"} {
		if !strings.Contains(d.bodies[0], object) {
			t.Errorf("the message has no %q:\n%s", object, d.bodies[0])
		}
	}
}
