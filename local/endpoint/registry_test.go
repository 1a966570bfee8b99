package endpoint

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"k8s-plus-aws-gitops/local/endpoint/front"
)

// TestRegistryShowsMotosImages pushes as the pipeline does, and reads as Flux and the process node do.
func TestRegistryShowsMotosImages(t *testing.T) {
	at := endpoint(t)
	get := func(path string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = front.RegistryHost
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if at := res.Header.Get("Docker-Content-Digest"); res.StatusCode == http.StatusOK && strings.Contains(path, "/manifests/") && at != fmt.Sprintf("sha256:%x", sha256.Sum256(body)) {
			t.Errorf("%s: the registry says %s of a manifest with another digest", path, at)
		}
		return res.StatusCode, string(body)
	}
	if code, body := get("/v2/local/ghost/tags/list"); code != http.StatusNotFound || !strings.Contains(body, "NAME_UNKNOWN") {
		t.Errorf("no repository yet: %d %s", code, body)
	}
	client := ecr.NewFromConfig(awsConfig(at, "eu-west-1"))
	name := aws.String("local/ghost")
	if _, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: name}); err != nil {
		t.Fatal(err)
	}
	if code, body := get("/v2/local/ghost/tags/list"); code != http.StatusOK || !strings.Contains(body, `"tags":[]`) {
		t.Errorf("no image yet: %d %s", code, body)
	}
	const kind = "application/vnd.oci.image.index.v1+json"
	manifest := `{"schemaVersion":2,"mediaType":"` + kind + `","manifests":[]}`
	// A recipe that is taken back gives the same image under a second tag.
	for _, tag := range []string{"20261120113000-0123456789ab", "20261120114500-ba9876543210"} {
		if _, err := client.PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: name, ImageTag: &tag, ImageManifest: &manifest, ImageManifestMediaType: aws.String(kind)}); err != nil {
			t.Fatal(err)
		}
	}
	if code, body := get("/v2/local/ghost/tags/list?n=1000"); code != http.StatusOK || !strings.Contains(body, `["20261120113000-0123456789ab","20261120114500-ba9876543210"]`) {
		t.Errorf("two tags: %d %s", code, body)
	}
	if code, body := get("/v2/local/ghost/manifests/20261120114500-ba9876543210"); code != http.StatusOK || body != manifest {
		t.Errorf("the manifest: %d %s", code, body)
	}
	// Another index under another tag, which moto alone could give the same digest.
	digest := func(of string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(of))) }
	other := `{"schemaVersion":2,"mediaType":"` + kind + `","manifests":[],"annotations":{"other":"one"}}`
	in := &ecr.PutImageInput{RepositoryName: name, ImageTag: aws.String("other"), ImageManifest: &other, ImageManifestMediaType: aws.String(kind)}
	if out, err := client.PutImage(t.Context(), in); err != nil || aws.ToString(out.Image.ImageId.ImageDigest) != digest(other) {
		t.Errorf("the digest that ECR answers: %v, %v", out, err)
	}
	in.ImageTag, in.ImageDigest = aws.String("lie"), aws.String(digest(manifest))
	var mismatch *types.ImageDigestDoesNotMatchException
	if _, err := client.PutImage(t.Context(), in); !errors.As(err, &mismatch) {
		t.Errorf("a digest of another manifest: %v", err)
	}
	for _, of := range []string{manifest, other} {
		if code, body := get("/v2/local/ghost/manifests/" + digest(of)); code != http.StatusOK || body != of {
			t.Errorf("the manifest by its digest: %d %s", code, body)
		}
	}
	if code, body := get("/v2/local/ghost/manifests/never"); code != http.StatusNotFound || !strings.Contains(body, "MANIFEST_UNKNOWN") {
		t.Errorf("no such tag: %d %s", code, body)
	}
}
