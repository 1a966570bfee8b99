//go:build e2e

package e2e

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/local/system/observe"
)

// second is the namespace in which production runs: there is one control plane here.
const second = "production"

// scope is Flux's part of the second environment.
//
//go:embed testdata/second.yaml
var scope string

// trespass would change the first environment's application.
const trespass = `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: trespass, namespace: production}
spec:
  interval: 10m
  path: ./k8s/apps/ghost
  postBuild: {substituteFrom: [{kind: ConfigMap, name: cluster-facts}, {kind: ConfigMap, name: local-facts}]}
  prune: true
  serviceAccountName: flux
  sourceRef: {kind: GitRepository, name: production}
`

// openScope makes the scope, with what production's controllers would give it: the facts of its bootstrap and the secret of its
// database. The login to the repository is the first environment's.
func (s *system) openScope(ctx context.Context, production *system) error {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return err
	}
	loaded, err := config.LoadDir(production.repo)
	if err != nil {
		return err
	}
	facts := loaded.Environments[second].ClusterFacts(config.Placeholders)
	if err := c.ApplyConfigMap(ctx, second, config.ClusterFactsName, facts); err != nil {
		return err
	}
	machine, err := c.Kube.CoreV1().ConfigMaps("flux-system").Get(ctx, config.LocalFactsName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := c.ApplyConfigMap(ctx, second, config.LocalFactsName, machine.Data); err != nil {
		return err
	}
	login, err := c.Kube.CoreV1().Secrets("flux-system").Get(ctx, "flux-git", metav1.GetOptions{})
	if err != nil {
		return err
	}
	settings, err := s.aws()
	if err != nil {
		return err
	}
	value, err := secretsmanager.NewFromConfig(settings).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("/production/ghost/database-user")})
	if err != nil {
		return err
	}
	var database map[string]any
	if err := json.Unmarshal([]byte(aws.ToString(value.SecretString)), &database); err != nil {
		return err
	}
	keys := map[string]string{}
	for key, v := range database {
		keys[key] = fmt.Sprint(v)
	}
	for _, secret := range []*corev1.Secret{
		{ObjectMeta: metav1.ObjectMeta{Name: "flux-git"}, Data: login.Data},
		{ObjectMeta: metav1.ObjectMeta{Name: "ghost-database"}, StringData: keys},
	} {
		if _, err := c.Kube.CoreV1().Secrets(second).Create(ctx, secret, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return apply(ctx, c, scope)
}

// apply applies objects as kubectl does on the server's side.
func apply(ctx context.Context, c *observe.Cluster, text string) error {
	for decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096); ; {
		o := &unstructured.Unstructured{}
		if err := decoder.Decode(o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if _, err := resourceOf(c, o).Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: "scenario", Force: true}); err != nil {
			return fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
}

func resourceOf(c *observe.Cluster, o *unstructured.Unstructured) dynamic.ResourceInterface {
	plural, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
	if o.GetNamespace() == "" {
		return c.Dynamic.Resource(plural)
	}
	return c.Dynamic.Resource(plural).Namespace(o.GetNamespace())
}

// takeImage writes the image that local has built into production's file, as the promotion's author does, and returns it.
func (s *system) takeImage(ctx context.Context) (built, error) {
	if _, err := s.command(ctx, nil, "make", "--silent", "bin/gitops"); err != nil {
		return built{}, err
	}
	said, err := s.command(ctx, nil, filepath.Join(s.repo, "bin", "gitops"), "promotion", "local", "production", "--write")
	if err != nil {
		return built{}, err
	}
	ours, err := s.git(ctx, s.dir.Repository(), "show", "refs/heads/main:k8s/clusters/local/images.yaml")
	if err != nil {
		return built{}, err
	}
	_, ours, _ = strings.Cut(ours, ghostImages)
	reference, _, _ := strings.Cut(ours, " ")
	tag, digest, found := strings.Cut(reference, "@")
	if !found || !strings.Contains(said, "registry.localhost/production/ghost:"+reference) {
		return built{}, fmt.Errorf("local runs %q, and the promotion says: %s", reference, lastText(said))
	}
	return built{tag: tag, digest: digest}, nil
}

// inProduction is the image as production's manifests name it.
func (b built) inProduction() string {
	return "registry.localhost/production/ghost:" + b.tag + "@" + b.digest
}

// copyImage stands for the stage Images: there are no layers here, so the bytes are those of the manifest.
func (s *system) copyImage(ctx context.Context, b built) error {
	settings, err := s.aws()
	if err != nil {
		return err
	}
	client := ecr.NewFromConfig(settings)
	got, err := client.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: aws.String("local/ghost"), ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: &b.digest}}})
	if err != nil {
		return err
	}
	if len(got.Images) == 0 {
		return fmt.Errorf("local/ghost has no %s", b.digest)
	}
	put, err := client.PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: aws.String("production/ghost"), ImageTag: &b.tag, ImageDigest: &b.digest,
		ImageManifest: got.Images[0].ImageManifest, ImageManifestMediaType: got.Images[0].ImageManifestMediaType,
	})
	if err == nil && aws.ToString(put.Image.ImageId.ImageDigest) != b.digest {
		err = fmt.Errorf("production/ghost has %s, want %s", aws.ToString(put.Image.ImageId.ImageDigest), b.digest)
	}
	return err
}

// secondRuns fails unless Ghost's pods in production run the image.
func (s *system) secondRuns(ctx context.Context, c *observe.Cluster, image string) error {
	d, err := c.Kube.AppsV1().Deployments(second).Get(ctx, "ghost", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if got := d.Spec.Template.Spec.Containers[0].Image; got != image {
		return fmt.Errorf("production's Deployment has %s, want %s", got, image)
	}
	if u := d.Status; u.ObservedGeneration != d.Generation || u.UpdatedReplicas != *d.Spec.Replicas || u.AvailableReplicas != u.Replicas || u.AvailableReplicas < 1 {
		return fmt.Errorf("%d of %d pods of production run %s", u.AvailableReplicas, u.Replicas, image)
	}
	return nil
}

// promotedArrives proves that production's pods pull the promoted image from production's own registry: they wait until it is there.
func (s *system) promotedArrives(ctx context.Context, b built) (string, error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	if err := until(ctx, 5*time.Minute, "production's pods to miss the image in their registry", func() error {
		pods, err := c.Kube.CoreV1().Pods(second).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, p := range pods.Items {
			for _, status := range p.Status.ContainerStatuses {
				if w := status.State.Waiting; w != nil && p.Spec.Containers[0].Image == b.inProduction() && strings.Contains(w.Message, b.digest+": not found") {
					return nil
				}
			}
		}
		return fmt.Errorf("%d pods, none of which waits for %s", len(pods.Items), b.inProduction())
	}); err != nil {
		return "", err
	}
	if err := s.copyImage(ctx, b); err != nil {
		return "", err
	}
	began := time.Now()
	err = until(ctx, 10*time.Minute, "production to run the promoted image", func() error { return s.secondRuns(ctx, c, b.inProduction()) })
	return fmt.Sprintf("%.19s runs in production %.0f s after its copy", b.digest, time.Since(began).Seconds()), err
}

// secondConfined fails unless the second scope is kept out of the first: by Flux, and by every question to the API server.
func (s *system) secondConfined(ctx context.Context) error {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return err
	}
	before, err := s.ghostDeployment(ctx)
	if err != nil {
		return err
	}
	if err := apply(ctx, c, trespass); err != nil {
		return err
	}
	if err := until(ctx, 2*time.Minute, "the trespass to be refused", func() error {
		o, err := c.Dynamic.Resource(roots).Namespace(second).Get(ctx, "trespass", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if _, says, _ := flux.Condition(o, "Ready", "False"); !strings.Contains(says, "forbidden") || !strings.Contains(says, "system:serviceaccount:production:flux") {
			return fmt.Errorf("it says %q", says)
		}
		return nil
	}); err != nil {
		return err
	}
	if now, err := s.ghostDeployment(ctx); err != nil || now.Generation != before.Generation {
		return fmt.Errorf("the first environment's Deployment was changed: %w", err)
	}
	if err := apply(ctx, c, strings.Replace(trespass, "  serviceAccountName: flux\n", "", 1)); err == nil || !strings.Contains(err.Error(), "must run as its ServiceAccount flux") {
		return fmt.Errorf("a Kustomization with the controller's rights is not refused: %w", err)
	}
	for _, ask := range []authorizationv1.ResourceAttributes{
		{Namespace: "ghost", Verb: "patch", Group: "apps", Resource: "deployments"},
		{Namespace: "ghost", Verb: "get", Resource: "secrets"},
		{Namespace: "flux-system", Verb: "get", Resource: "secrets"},
		{Namespace: "flux-system", Verb: "create", Group: "kustomize.toolkit.fluxcd.io", Resource: "kustomizations"},
		{Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"},
		{Verb: "patch", Resource: "namespaces"},
	} {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: "system:serviceaccount:production:flux", ResourceAttributes: &ask}}
		answer, err := c.Kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		if answer.Status.Allowed {
			return fmt.Errorf("production's Flux may %s %s in %q", ask.Verb, ask.Resource, ask.Namespace)
		}
	}
	return nil
}

// closeScope removes the scope: first what Flux has applied, then what it is made of.
func (s *system) closeScope(ctx context.Context) error {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return err
	}
	all := c.Dynamic.Resource(roots).Namespace(second)
	for _, name := range []string{"trespass", "production"} {
		if err := all.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	if err := until(ctx, 5*time.Minute, "production's Kustomizations to go", func() error {
		left, err := all.List(ctx, metav1.ListOptions{})
		if err == nil && len(left.Items) > 0 {
			err = fmt.Errorf("%s is left", left.Items[0].GetName())
		}
		return err
	}); err != nil {
		return err
	}
	for decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(scope), 4096); ; {
		o := &unstructured.Unstructured{}
		if err := decoder.Decode(o); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if err := resourceOf(c, o).Delete(ctx, o.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	err = c.Kube.CoreV1().Namespaces().Delete(ctx, second, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return until(ctx, 3*time.Minute, "production's namespace to go", func() error {
		_, err := c.Kube.CoreV1().Namespaces().Get(ctx, second, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there, %w", err)
	})
}
