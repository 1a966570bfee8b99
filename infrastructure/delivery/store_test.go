package delivery

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// The store encrypts, forgets, later where a rollback may need it, and is kept where the environment is protected.
func TestStore(t *testing.T) {
	for _, protected := range []bool{false, true} {
		env := cdktest.Environment(t)
		env.DeletionProtection, env.Delivery.Rollback = protected, protected
		stack := cdktest.Stack(t, env)
		NewStore(stack, "Store", &StoreProps{Env: env})
		template := cdktest.Synthesize(t, stack)
		template.Has("AWS::KMS::Alias", map[string]any{"AliasName": "alias/dev/delivery"})
		template.Has("AWS::KMS::Key", map[string]any{
			"EnableKeyRotation": true, "KeyPolicy": object(map[string]any{"Statement": list(object(map[string]any{"Sid": "EncryptLogGroups"}))}),
		})
		template.Has("AWS::S3::Bucket", map[string]any{
			"LifecycleConfiguration": object(map[string]any{"Rules": list(object(map[string]any{"ExpirationInDays": map[bool]int{false: 30, true: 365}[protected]}))}),
		})
		template.Keeps("AWS::S3::Bucket", protected)
	}
}
