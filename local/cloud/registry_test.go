package cloud

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"k8s-plus-aws-gitops/local/cloud/front"
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
	if code, body := get("/v2/local/ghost/manifests/never"); code != http.StatusNotFound || !strings.Contains(body, "MANIFEST_UNKNOWN") {
		t.Errorf("no such tag: %d %s", code, body)
	}
}
