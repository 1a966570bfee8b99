package manifests

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSignedImageUpdates holds the components of image automation to what Flux needs: with a signature the key's name, and
// the secret that it comes from; without, neither.
func TestSignedImageUpdates(t *testing.T) {
	validator, err := newValidator()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(validator.close)
	const folder = "k8s/platform/image-automation"
	variables := map[string]string{
		"ENVIRONMENT": "dev", "DOMAIN": "dev.example.com", "GIT_BRANCH": "main", "GIT_PROVIDER": "generic", "GIT_URL": "https://github.com/me/platform.git",
		"IMAGE_REGISTRY": "111111111111.dkr.ecr.eu-west-1.amazonaws.com", "IMAGE_UPDATE_BRANCH": "main",
	}
	for component, want := range map[string]struct{ key, secret string }{"signed": {"flux-signing-key", "flux-signing-key of /dev/flux/signing-key"}, "unsigned": {}} {
		t.Run(component, func(t *testing.T) {
			run := &check{ctx: t.Context(), root: root, validator: validator}
			run.enter(folder)
			found := run.folder(folder, overlay{Components: []any{"commits/" + component}}, variables)
			run.content(found)
			for _, problem := range run.problems {
				t.Error(problem)
			}
			key, secret := "", ""
			for _, o := range found {
				switch o.String() {
				case "ImageUpdateAutomation flux-system/images":
					key = text(o, "spec", "git", "commit", "signingKey", "secretRef", "name")
				case "ExternalSecret flux-system/flux-signing-key":
					secret = text(o, "spec", "target", "name") + " of " + text(value(o, "spec", "dataFrom").([]any)[0].(map[string]any), "extract", "key")
				}
			}
			if key != want.key || secret != want.secret {
				t.Errorf("signs with %q, and %q is made; want %q, %q", key, secret, want.key, want.secret)
			}
		})
	}
	if folders, err := os.ReadDir(filepath.Join(root, folder, "commits")); err != nil || len(folders) != 2 {
		t.Errorf("%s/commits has %d folders, want one for each value of the fact (%v)", folder, len(folders), err)
	}
}
