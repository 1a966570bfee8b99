package front

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"k8s-plus-aws-gitops/internal/httpbody"
)

const index = "application/vnd.oci.image.index.v1+json"

// fakeECR has the repository local/ghost with the tags a to d on two pages, and
// fails for the repository local/broken.
func fakeECR(t *testing.T) *ecr.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			RepositoryName, NextToken string
			ImageIDs                  []struct{ ImageTag, ImageDigest string } `json:"imageIds"`
		}
		raw, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(raw, &in)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		switch {
		case in.RepositoryName == "local/broken":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type": "InvalidParameterException", "message": "no"}`)
		case in.RepositoryName == "local/empty":
			_, _ = io.WriteString(w, `{"imageIds": []}`)
		case in.RepositoryName != "local/ghost":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type": "RepositoryNotFoundException", "message": "no repository"}`)
		case action == "ListImages" && in.NextToken == "":
			_, _ = io.WriteString(w, `{"imageIds": [{"imageDigest": "sha256:2", "imageTag": "c"}, {"imageDigest": "sha256:1", "imageTag": "a"}, {"imageDigest": "sha256:3"}], "nextToken": "2"}`)
		case action == "ListImages":
			_, _ = io.WriteString(w, `{"imageIds": [{"imageDigest": "sha256:2", "imageTag": "d"}, {"imageDigest": "sha256:1", "imageTag": "b"}]}`)
		case action == "BatchGetImage" && (in.ImageIDs[0].ImageTag == "a" || in.ImageIDs[0].ImageDigest == "sha256:1"):
			_, _ = fmt.Fprintf(w, `{"images": [{"imageId": {"imageDigest": "sha256:1"}, "imageManifest": "{\"mediaType\":\"%s\"}"}]}`, index)
		default:
			_, _ = io.WriteString(w, `{"images": [], "failures": [{"failureCode": "ImageNotFound"}]}`)
		}
	}))
	t.Cleanup(s.Close)
	return ecr.New(ecr.Options{Region: "eu-west-1", BaseEndpoint: aws.String(s.URL), Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), HTTPClient: httpbody.Client()})
}

func TestRegistry(t *testing.T) {
	f, err := New(Options{Moto: "http://127.0.0.1:1", Dir: t.TempDir(), ECR: fakeECR(t)})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		method, path string
		status       int
		want         string // in the body
		header       string // "Name: value"
	}{
		"version":            {"GET", "/v2/", 200, "{}", "Docker-Distribution-Api-Version: registry/2.0"},
		"all tags":           {"GET", "/v2/local/ghost/tags/list?n=1000", 200, `{"name":"local/ghost","tags":["a","b","c","d"]}`, "Link: "},
		"first page":         {"GET", "/v2/local/ghost/tags/list?n=3", 200, `["a","b","c"]`, `Link: </v2/local/ghost/tags/list?last=c&n=3>; rel="next"`},
		"second page":        {"GET", "/v2/local/ghost/tags/list?last=c&n=3", 200, `["d"]`, "Link: "},
		"after a lost tag":   {"GET", "/v2/local/ghost/tags/list?last=bb", 200, `["c","d"]`, ""},
		"no tag":             {"GET", "/v2/local/empty/tags/list", 200, `"tags":[]`, ""},
		"bad number":         {"GET", "/v2/local/ghost/tags/list?n=x", 400, "PAGINATION_NUMBER_INVALID", ""},
		"no repository":      {"GET", "/v2/local/other/tags/list", 404, "NAME_UNKNOWN", ""},
		"ECR fails":          {"GET", "/v2/local/broken/tags/list", 503, "UNAVAILABLE", ""},
		"manifest by tag":    {"GET", "/v2/local/ghost/manifests/a", 200, `{"mediaType":"` + index + `"}`, "Content-Type: " + index},
		"manifest by digest": {"GET", "/v2/local/ghost/manifests/sha256:1", 200, index, "Docker-Content-Digest: sha256:1"},
		"head":               {"HEAD", "/v2/local/ghost/manifests/a", 200, "", "Content-Length: 55"},
		"no tag of it":       {"GET", "/v2/local/ghost/manifests/z", 404, "MANIFEST_UNKNOWN", ""},
		"layer":              {"GET", "/v2/local/ghost/blobs/sha256:1", 404, "UNSUPPORTED", ""},
		"push":               {"POST", "/v2/local/ghost/blobs/uploads/", 405, "UNSUPPORTED", "Allow: GET, HEAD"},
		"elsewhere":          {"GET", "/healthz", 404, "NOT_FOUND", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "http://"+RegistryHost+":4566"+tt.path, nil)
			w := httptest.NewRecorder()
			f.ServeHTTP(w, r)
			key, value, _ := strings.Cut(tt.header, ": ")
			body := w.Body.String()
			if w.Code != tt.status || !strings.Contains(body, tt.want) || tt.header != "" && w.Header().Get(key) != value {
				t.Errorf("%d %s %v, want %d %s with %q", w.Code, body, w.Header(), tt.status, tt.want, tt.header)
			}
			if tt.method == "HEAD" && body != "" {
				t.Errorf("HEAD has a body: %s", body)
			}
		})
	}
}
