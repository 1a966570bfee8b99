package eks_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"k8s.io/client-go/rest"

	"k8s-plus-aws-gitops/internal/eks"
)

// The API server gets a bearer token that is a presigned GetCallerIdentity with the cluster's name among the signed headers:
// without it EKS refuses a token that was made for another cluster.
func TestConfig(t *testing.T) {
	var token string
	kubernetes := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	}))
	defer kubernetes.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: kubernetes.Certificate().Raw})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/clusters/dev" {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"cluster": map[string]any{
			"name": "dev", "endpoint": kubernetes.URL, "certificateAuthority": map[string]any{"data": base64.StdEncoding.EncodeToString(authority)},
		}})
	}))
	defer api.Close()
	config, err := eks.Config(t.Context(), aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(api.URL), Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
	}, "dev")
	if err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Get(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	encoded, prefixed := strings.CutPrefix(token, "k8s-aws-v1.")
	signed, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || !prefixed {
		t.Fatalf("token %q: %v", token, err)
	}
	address, err := url.Parse(string(signed))
	if err != nil {
		t.Fatal(err)
	}
	q := address.Query()
	if q.Get("Action") != "GetCallerIdentity" || q.Get("X-Amz-Expires") != "60" || !strings.Contains(q.Get("X-Amz-SignedHeaders"), "x-k8s-aws-id") {
		t.Errorf("signed %s", address)
	}
}

func TestConfigOfAClusterThatIsNotThere(t *testing.T) {
	api := httptest.NewServer(http.NotFoundHandler())
	defer api.Close()
	_, err := eks.Config(t.Context(), aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(api.URL), Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
		RetryMaxAttempts: 1,
	}, "dev")
	if err == nil || !strings.Contains(err.Error(), "EKS cluster dev") {
		t.Errorf("got %v", err)
	}
}
