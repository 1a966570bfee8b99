package procnode

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// serviceAccountDir is where admission mounts a pod's own token, CA and namespace.
const serviceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// tokens are the ServiceAccount tokens of one pod: bound to it, and renewed when four fifths of their life are over, as a
// kubelet does (https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken).
type tokens struct {
	client kubernetes.Interface

	mu   sync.Mutex
	held map[string]heldToken
}

type heldToken struct {
	token []byte
	renew time.Time
}

func (t *tokens) get(ctx context.Context, pod *corev1.Pod, s *corev1.ServiceAccountTokenProjection) ([]byte, error) {
	seconds := int64(3600)
	if s.ExpirationSeconds != nil {
		seconds = *s.ExpirationSeconds
	}
	key := fmt.Sprintf("%s\x00%d", s.Audience, seconds)
	t.mu.Lock()
	defer t.mu.Unlock()
	if h, ok := t.held[key]; ok && time.Now().Before(h.renew) {
		return h.token, nil
	}
	r := &authv1.TokenRequest{Spec: authv1.TokenRequestSpec{
		ExpirationSeconds: &seconds,
		BoundObjectRef:    &authv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}}
	if s.Audience != "" {
		r.Spec.Audiences = []string{s.Audience}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	now := time.Now()
	out, err := t.client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, pod.Spec.ServiceAccountName, r, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("token of ServiceAccount %s/%s: %w", pod.Namespace, pod.Spec.ServiceAccountName, err)
	}
	life := min(out.Status.ExpirationTimestamp.Sub(now), 24*time.Hour)
	if t.held == nil {
		t.held = map[string]heldToken{}
	}
	t.held[key] = heldToken{[]byte(out.Status.Token), now.Add(life * 4 / 5)}
	return t.held[key].token, nil
}

// kubeconfigPath is where the pod's kubeconfig lies.
func (x *pod) kubeconfigPath() string { return filepath.Join(x.dir, "kubeconfig") }

// writeKubeconfig writes a kubeconfig for the pod's own ServiceAccount. In-cluster configuration reads fixed paths below /var,
// which no process has here. The token is read from its file again and again by client-go, so renewal needs nothing.
func (x *pod) writeKubeconfig(dir string) error {
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: cluster, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: pod, user: {tokenFile: %q}}]
contexts: [{name: pod, context: {cluster: cluster, user: pod, namespace: %q}}]
current-context: pod
`, x.node.apiServer, filepath.Join(dir, "ca.crt"), filepath.Join(dir, "token"), x.namespace)
	if err := os.MkdirAll(x.dir, 0o755); err != nil {
		return err
	}
	return writeFile(x.kubeconfigPath(), file{[]byte(text), 0o600})
}
