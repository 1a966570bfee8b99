package front

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"k8s-plus-aws-gitops/local/ca/loopback"
)

// RegistryHost is the name by which pods reach the registry: image references
// begin with it, and a request that names it as its host gets there.
const RegistryHost = "registry.localhost"

// registry stands in for <account>.dkr.ecr.<region>.amazonaws.com: the part of
// the OCI distribution API that lists tags and gives manifests
// (https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md),
// read from the images that the ECR API holds. It asks for no login. Layers
// were never made, and what pushes uses the ECR API; both are refused by name.
type registry struct{ ecr *ecr.Client }

// registryError is an error of the distribution API.
type registryError struct {
	status        int
	code, message string
}

func (e *registryError) Error() string { return e.message }

func isRegistry(r *http.Request) bool { return loopback.Hostname(r.Host) == RegistryHost }

func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	err := g.serve(w, r)
	if err == nil {
		return
	}
	e := &registryError{http.StatusServiceUnavailable, "UNAVAILABLE", err.Error()}
	errors.As(err, &e)
	writeJSON(w, e.status, object{"errors": []object{{"code": e.code, "message": e.message}}})
}

func (g *registry) serve(w http.ResponseWriter, r *http.Request) error {
	path, ok := strings.CutPrefix(r.URL.Path, "/v2/")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		return &registryError{http.StatusMethodNotAllowed, "UNSUPPORTED", "the local registry is read here and written through the ECR API: push with a pipeline's docker"}
	case !ok:
		return &registryError{http.StatusNotFound, "NOT_FOUND", r.URL.Path + ": only /v2/ is served here"}
	case path == "":
		writeJSON(w, http.StatusOK, object{})
		return nil
	}
	if name, ok := strings.CutSuffix(path, "/tags/list"); ok {
		return g.tags(w, r, name)
	}
	if i := strings.LastIndex(path, "/manifests/"); i > 0 {
		return g.manifest(w, r, path[:i], path[i+len("/manifests/"):])
	}
	return &registryError{http.StatusNotFound, "UNSUPPORTED", r.URL.Path + ": tags and manifests are here; layers were never made, see local/README.md"}
}

// tags lists the tags in lexical order, at most n of those after last.
func (g *registry) tags(w http.ResponseWriter, r *http.Request, name string) error {
	tags, err := g.all(r.Context(), name)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	if last := query.Get("last"); last != "" {
		at, found := slices.BinarySearch(tags, last)
		if found {
			at++
		}
		tags = tags[at:]
	}
	if text := query.Get("n"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return &registryError{http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", fmt.Sprintf("n=%s: give a number", text)}
		}
		if n > 0 && len(tags) > n {
			next := url.Values{"n": {text}, "last": {tags[n-1]}}
			w.Header().Set("Link", fmt.Sprintf(`</v2/%s/tags/list?%s>; rel="next"`, name, next.Encode()))
		}
		tags = tags[:min(n, len(tags))]
	}
	writeJSON(w, http.StatusOK, object{"name": name, "tags": tags})
	return nil
}

// all are the tags of a repository; never nil, which would be null in JSON.
func (g *registry) all(ctx context.Context, name string) ([]string, error) {
	tags := []string{}
	pages := ecr.NewListImagesPaginator(g.ecr, &ecr.ListImagesInput{
		RepositoryName: &name, Filter: &types.ListImagesFilter{TagStatus: types.TagStatusTagged},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, registryFailure(err)
		}
		for _, id := range page.ImageIds {
			if id.ImageTag != nil {
				tags = append(tags, *id.ImageTag)
			}
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// manifest answers with the manifest of a tag or a digest.
func (g *registry) manifest(w http.ResponseWriter, r *http.Request, name, reference string) error {
	id := types.ImageIdentifier{ImageTag: &reference}
	if strings.Contains(reference, ":") {
		id = types.ImageIdentifier{ImageDigest: &reference}
	}
	got, err := g.ecr.BatchGetImage(r.Context(), &ecr.BatchGetImageInput{RepositoryName: &name, ImageIds: []types.ImageIdentifier{id}})
	if err != nil {
		return registryFailure(err)
	}
	if len(got.Images) == 0 {
		return &registryError{http.StatusNotFound, "MANIFEST_UNKNOWN", fmt.Sprintf("%s has no image %s", name, reference)}
	}
	image := got.Images[0]
	body := []byte(aws.ToString(image.ImageManifest))
	w.Header().Set("Content-Type", mediaType(image, body))
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if image.ImageId != nil {
		w.Header().Set("Docker-Content-Digest", aws.ToString(image.ImageId.ImageDigest))
	}
	if r.Method == http.MethodGet {
		_, _ = w.Write(body)
	}
	return nil
}

// mediaType is what the manifest calls itself where ECR does not say it.
func mediaType(image types.Image, manifest []byte) string {
	if image.ImageManifestMediaType != nil {
		return *image.ImageManifestMediaType
	}
	var m struct{ MediaType string }
	if json.Unmarshal(manifest, &m) != nil || m.MediaType == "" {
		return "application/vnd.oci.image.manifest.v1+json"
	}
	return m.MediaType
}

func registryFailure(err error) error {
	var unknown *types.RepositoryNotFoundException
	if errors.As(err, &unknown) {
		return &registryError{http.StatusNotFound, "NAME_UNKNOWN", unknown.ErrorMessage()}
	}
	return fmt.Errorf("the local ECR does not answer: %w", err)
}
