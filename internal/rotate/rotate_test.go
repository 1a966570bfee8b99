package rotate_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/functions/database/announce"
	"k8s-plus-aws-gitops/internal/rotate"
)

// secrets stands in for Secrets Manager: the version is in use after some looks.
type secrets struct {
	missing bool
	looks   int
}

func (s *secrets) RotateSecret(context.Context, *secretsmanager.RotateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.RotateSecretOutput, error) {
	if s.missing {
		return nil, &smtypes.ResourceNotFoundException{}
	}
	return &secretsmanager.RotateSecretOutput{VersionId: aws.String("v2")}, nil
}

func (s *secrets) DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	labels := map[string][]string{"v1": {"AWSCURRENT"}, "v2": {"AWSPENDING"}}
	if s.looks--; s.looks < 0 {
		labels = map[string][]string{"v1": {"AWSPREVIOUS"}, "v2": {"AWSCURRENT"}}
	}
	return &secretsmanager.DescribeSecretOutput{VersionIdsToStages: labels}, nil
}

// rollout stands in for Deployments: one that uses the secret is started anew, and one pod of two is new until some looks.
type rollout struct{ looks int }

func (r *rollout) List(context.Context, metav1.ListOptions) (*appsv1.DeploymentList, error) {
	of := func(name, version string) appsv1.Deployment {
		return appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 3},
			Spec: appsv1.DeploymentSpec{Replicas: aws.Int32(2), Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{announce.Annotation: version}}}},
			Status: appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2},
		}
	}
	orders := of("orders", "v2")
	if r.looks--; r.looks >= 0 {
		orders.Status.UpdatedReplicas = 1
	}
	return &appsv1.DeploymentList{Items: []appsv1.Deployment{of("other", "v1"), orders}}, nil
}

// It ends when the version is in use and all pods that use it are new.
func TestRun(t *testing.T) {
	versions, pods := &secrets{looks: 3}, &rollout{looks: 2}
	var said []string
	r := rotate.Rotation{Secrets: versions, Deployments: pods, Secret: "/dev/orders/database-user", Every: time.Millisecond, Say: func(s string) { said = append(said, s) }}
	got, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != "v2" || strings.Join(got.Deployments, " ") != "orders" || versions.looks >= 0 || pods.looks >= 0 || len(said) != 2 {
		t.Errorf("got %+v after %q; %d and %d looks are left", got, said, versions.looks, pods.looks)
	}
	if want := "/dev/orders/database-user: a new password after 0 s, with which orders runs after 0 s"; got.String() != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What does not end says which password works.
func TestRunThatDoesNotEnd(t *testing.T) {
	for _, c := range []struct {
		secrets secrets
		pods    rollout
		want    string
	}{
		{secrets{missing: true}, rollout{}, "there is no such secret"},
		{secrets{looks: 1 << 30}, rollout{}, "the password is as before, and works"},
		{secrets{}, rollout{looks: 1 << 30}, "the former one works until the next rotation"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := rotate.Rotation{Secrets: &c.secrets, Deployments: &c.pods, Secret: "/dev/orders/database-user", Every: time.Millisecond}.Run(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}
