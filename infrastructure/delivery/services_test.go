package delivery

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/policy"
)

// A tag starts the build, which has a clone, and may write below services/ of the assets' bucket alone.
func TestServices(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	NewServices(s.stack, "Services", &ServicesProps{Env: s.env, Store: s.store, Notifications: s.told})
	template := cdktest.Synthesize(t, s.stack)
	template.Has("AWS::CodePipeline::Pipeline", map[string]any{
		"Name": "dev-services", "Triggers": []any{object(map[string]any{"GitConfiguration": object(map[string]any{
			"Push": []any{map[string]any{"Tags": map[string]any{"Includes": []any{releaseTags}}}},
		})})},
	})
	bucket := "arn:aws:s3:::" + s.env.AssetsBucket()
	want := []string{
		"Allow s3:DeleteObject " + bucket + "/services/* null",
		"Allow s3:ListBucket " + bucket + ` {"StringLike":{"s3:prefix":"services/*"}}`,
		"Allow s3:PutObject " + bucket + "/services/* null",
		"Allow secretsmanager:GetSecretValue " + s.env.ARN("secretsmanager", "secret:/dev/gitops/manifests-token-??????") + " null",
	}
	if diff := cmp.Diff(want, policy.Of(publishRights(s.env)...).Permissions()); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
}
