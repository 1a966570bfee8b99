package procnode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// identityAudience and the file name below are those of the EKS Pod Identity webhook
	// (https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html).
	identityAudience = "pods.eks.amazonaws.com"
	identityVolume   = "eks-pod-identity-token"
)

// identity is what EKS Pod Identity decided for one pod.
type identity struct {
	RoleARN        string `json:"roleArn"`
	CredentialsURL string `json:"credentialsURL"`
}

// podIdentity asks whether a ServiceAccount has a Pod Identity association.
type podIdentity struct {
	base   string
	client *http.Client
}

func newPodIdentity(base string) *podIdentity {
	return &podIdentity{base: base, client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
}

// ask returns nil when there is no association.
func (p *podIdentity) ask(ctx context.Context, namespace, serviceAccount string) (*identity, error) {
	q := url.Values{"namespace": {namespace}, "serviceaccount": {serviceAccount}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/_local/pod-identity?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("pod identity: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNotFound:
		return nil, nil
	case http.StatusOK:
	default:
		return nil, fmt.Errorf("pod identity: %s answered %s", p.base, resp.Status)
	}
	var out identity
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return nil, fmt.Errorf("pod identity: %w", err)
	}
	if out.CredentialsURL == "" {
		return nil, errors.New("pod identity: the answer has no credentialsURL")
	}
	return &out, nil
}

// decideIdentity finds out once in a pod's life whether it has an association: EKS decides when the pod is made, so that an
// association that comes later reaches only later pods. The decision is kept across restarts of the node.
func (x *pod) decideIdentity(ctx context.Context) error {
	if x.node.identity == nil {
		return nil
	}
	kept := filepath.Join(x.dir, "identity.json")
	if b, err := os.ReadFile(kept); err == nil {
		return json.Unmarshal(b, &x.identity)
	}
	account := x.object().Spec.ServiceAccountName
	id, err := x.node.identity.ask(ctx, x.namespace, account)
	if err != nil {
		return err
	}
	b, err := json.Marshal(id)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(x.dir, 0o755); err != nil {
		return err
	}
	x.identity = id
	return writeFile(kept, file{b, 0o600})
}

// writeIdentityToken keeps the token that the credentials endpoint trades for credentials.
func (x *pod) writeIdentityToken(ctx context.Context) error {
	if x.identity == nil {
		return nil
	}
	day := int64(86400)
	token, err := x.tokens.get(ctx, x.object(), &corev1.ServiceAccountTokenProjection{Audience: identityAudience, ExpirationSeconds: &day})
	if err != nil {
		return err
	}
	return writeFile(x.identityTokenPath(), file{token, 0o600})
}

func (x *pod) identityTokenPath() string {
	return filepath.Join(x.dir, "identity", identityVolume)
}

// identityEnv are the variables that the Pod Identity webhook of EKS injects.
func (x *pod) identityEnv() map[string]string {
	if x.identity == nil {
		return nil
	}
	return map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI":     x.identity.CredentialsURL,
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": x.identityTokenPath(),
		"AWS_STS_REGIONAL_ENDPOINTS":             "regional",
		"AWS_REGION":                             x.node.cfg.Region,
		"AWS_DEFAULT_REGION":                     x.node.cfg.Region,
	}
}
