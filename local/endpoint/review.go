package endpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// podIdentityAudience is the audience of the tokens that EKS projects for Pod
// Identity.
const podIdentityAudience = "pods.eks.amazonaws.com"

// reviewer asks the API server whose ServiceAccount token it is. The client is
// made per call: the kubeconfig may be written after this process started.
type reviewer struct{ kubeconfig string }

func (r reviewer) review(ctx context.Context, token string) (namespace, serviceAccount string, err error) {
	c, err := clientcmd.BuildConfigFromFlags("", r.kubeconfig)
	if err != nil {
		return "", "", fmt.Errorf("kubeconfig %s: %w", r.kubeconfig, err)
	}
	client, err := kubernetes.NewForConfig(c)
	if err != nil {
		return "", "", err
	}
	for _, audiences := range [][]string{{podIdentityAudience}, nil} {
		out, err := client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
			Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences},
		}, metav1.CreateOptions{})
		if err != nil {
			return "", "", fmt.Errorf("the token cannot be reviewed: %w", err)
		}
		if out.Status.Authenticated {
			return serviceAccountOf(out.Status.User.Username)
		}
	}
	return "", "", errors.New("the token is not valid for this cluster and the audience " + podIdentityAudience)
}

// serviceAccountOf splits system:serviceaccount:<namespace>:<name>.
func serviceAccountOf(user string) (namespace, name string, err error) {
	rest, ok := strings.CutPrefix(user, "system:serviceaccount:")
	namespace, name, found := strings.Cut(rest, ":")
	if !ok || !found {
		return "", "", fmt.Errorf("the token is not a ServiceAccount's but of user %s", user)
	}
	return namespace, name, nil
}
