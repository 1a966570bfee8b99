// Package eks reaches the Kubernetes API of an EKS cluster with the AWS credentials of whoever runs the command, as `aws eks
// get-token` does: no kubeconfig, no AWS CLI.
package eks

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"k8s.io/client-go/rest"
)

const (
	// tokenPrefix, clusterHeader and presigned are EKS' own:
	// https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
	tokenPrefix   = "k8s-aws-v1."
	clusterHeader = "x-k8s-aws-id"
	presigned     = "60"
	// lifetime of a token is 15 minutes from when it was signed; it is renewed well before.
	lifetime = 10 * time.Minute
)

// Config finds the cluster's endpoint and returns a configuration that signs in with a new token when the last one ends.
func Config(ctx context.Context, c aws.Config, cluster string) (*rest.Config, error) {
	out, err := eks.NewFromConfig(c).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &cluster})
	if err != nil {
		return nil, fmt.Errorf("EKS cluster %s: %w", cluster, err)
	}
	if out.Cluster.Endpoint == nil || out.Cluster.CertificateAuthority == nil {
		return nil, fmt.Errorf("EKS cluster %s is %s and has no endpoint yet", cluster, out.Cluster.Status)
	}
	authority, err := base64.StdEncoding.DecodeString(aws.ToString(out.Cluster.CertificateAuthority.Data))
	if err != nil {
		return nil, fmt.Errorf("EKS cluster %s: certificate authority: %w", cluster, err)
	}
	tokens := &tokens{sign: sts.NewPresignClient(sts.NewFromConfig(c)), cluster: cluster}
	return &rest.Config{
		Host:            *out.Cluster.Endpoint,
		TLSClientConfig: rest.TLSClientConfig{CAData: authority},
		QPS:             100, Burst: 200, // one person's command, not a controller
		WrapTransport: func(next http.RoundTripper) http.RoundTripper { return &signed{tokens, next} },
	}, nil
}

// tokens keeps a token while it is valid.
type tokens struct {
	sign    *sts.PresignClient
	cluster string

	mu    sync.Mutex
	token string
	until time.Time
}

// get returns a token: the address of a signed question "who am I", which EKS asks in our name.
func (t *tokens) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Now().Before(t.until) {
		return t.token, nil
	}
	request, err := t.sign.PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, sts.WithAPIOptions(
			smithyhttp.AddHeaderValue(clusterHeader, t.cluster), smithyhttp.AddHeaderValue("X-Amz-Expires", presigned)))
	})
	if err != nil {
		return "", fmt.Errorf("sign in to EKS cluster %s: %w", t.cluster, err)
	}
	t.token = tokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(request.URL))
	t.until = time.Now().Add(lifetime)
	return t.token, nil
}

// signed adds the token to each request.
type signed struct {
	tokens *tokens
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (s *signed) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := s.tokens.get(r.Context())
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return s.next.RoundTrip(r)
}
