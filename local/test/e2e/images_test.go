//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/observe"
)

// ghostImages is where Ghost's own images are; the tag follows.
const ghostImages = "registry.localhost/local/ghost:"

// built is an image of the dockerbuild pipeline.
type built struct{ commit, tag, digest string }

// reference is the image as Flux writes it.
func (b built) reference() string { return ghostImages + b.tag + "@" + b.digest }

// images are the steps that prove the way of an image from its recipe to the
// pods, on the scenario's system.
func (s *system) images() {
	var b built
	s.step("5 the root is ready while image automation has no credentials", s.withoutGitWrite)
	s.step("5 an image gets its tag", func(ctx context.Context) (detail string, err error) {
		b, detail, err = s.imageTag(ctx)
		return detail, err
	})
	s.step("5 Flux commits tag and digest, and Ghost rolls out", func(ctx context.Context) (string, error) { return s.imageRollsOut(ctx, b) })
	s.step("5 a push keeps the image, which passed the gate as any commit", func(ctx context.Context) (string, error) { return s.imageStays(ctx, b) })
	s.step("5 a tag that nobody pushed", s.imageUnknown)
}

// imageTag changes the recipe, and finds the tag in ECR. Flux may have
// committed it by then, so the commit is taken from the execution.
func (s *system) imageTag(ctx context.Context) (built, string, error) {
	if err := s.edit("dockerbuild/Dockerfile", "EXPOSE 2368\n", "EXPOSE 2368\nLABEL scenario=1\n"); err != nil {
		return built{}, "", err
	}
	before, err := s.head(ctx)
	if err != nil {
		return built{}, "", err
	}
	if err := s.push(ctx, "Label the image"); err != nil {
		return built{}, "", err
	}
	commit, err := s.after(ctx, before)
	if err != nil {
		return built{}, "", err
	}
	all, err := s.executions(ctx, commit)
	if err == nil && (len(all) != 1 || all[0].Pipeline != "local-dockerbuild" || all[0].Status != pipelines.Succeeded) {
		err = fmt.Errorf("%.8s did not run dockerbuild alone: %s", commit, took(all))
	}
	if err != nil {
		return built{}, "", err
	}
	c, err := s.aws()
	if err != nil {
		return built{}, "", err
	}
	out, err := ecr.NewFromConfig(c).DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("local/ghost")})
	if err != nil {
		return built{}, "", err
	}
	for _, i := range out.ImageDetails {
		for _, tag := range i.ImageTags {
			if strings.HasSuffix(tag, "-"+commit[:12]) {
				return built{commit, tag, aws.ToString(i.ImageDigest)}, tag + ", " + took(all), nil
			}
		}
	}
	return built{}, "", errors.New("no image has a tag of the commit")
}

// head is the end of main in the local repository.
func (s *system) head(ctx context.Context) (string, error) {
	return s.git(ctx, s.dir.Repository(), "rev-parse", "refs/heads/main")
}

// after is the first commit of main after another.
func (s *system) after(ctx context.Context, commit string) (string, error) {
	list, err := s.git(ctx, s.dir.Repository(), "rev-list", "--reverse", commit+"..refs/heads/main")
	first, _, _ := strings.Cut(list, "\n")
	if err == nil && first == "" {
		err = fmt.Errorf("main has nothing after %.8s", commit)
	}
	return first, err
}

// ghostDeployment reads Ghost's Deployment.
func (s *system) ghostDeployment(ctx context.Context) (*appsv1.Deployment, error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return nil, err
	}
	return c.Kube.AppsV1().Deployments("ghost").Get(ctx, "ghost", metav1.GetOptions{})
}

// ghostRuns fails unless Ghost's Deployment has rolled out with the image.
func (s *system) ghostRuns(ctx context.Context, image string) error {
	d, err := s.ghostDeployment(ctx)
	if err != nil {
		return err
	}
	got := d.Spec.Template.Spec.Containers[0].Image
	if got != image {
		return fmt.Errorf("the Deployment has %s, want %s", got, image)
	}
	want := *d.Spec.Replicas
	if u := d.Status; u.ObservedGeneration != d.Generation || u.UpdatedReplicas != want || u.Replicas != want || u.AvailableReplicas != want {
		return fmt.Errorf("%d of %d pods run %s, %d in all", u.AvailableReplicas, want, got, u.Replicas)
	}
	return nil
}

func (s *system) imageRollsOut(ctx context.Context, b built) (string, error) {
	began := time.Now()
	load := s.startLoad(ctx)
	err := until(ctx, 15*time.Minute, "Ghost to run the new image", func() error { return s.ghostRuns(ctx, b.reference()) })
	total, failed := load()
	switch {
	case err != nil:
		return "", err
	case len(failed) > 0:
		return "", fmt.Errorf("%d of %d requests failed: %s", len(failed), total, failed[0])
	}
	took := time.Since(began)
	commit, err := s.after(ctx, b.commit)
	if err != nil {
		return "", err
	}
	shown, err := s.git(ctx, s.dir.Repository(), "show", "--format=%an <%ae>", "--name-only", commit)
	if err != nil {
		return "", err
	}
	if want := "Flux in local <flux@localhost>\n\nk8s/clusters/local/images.yaml"; shown != want {
		return "", fmt.Errorf("the commit is %q, want %q", shown, want)
	}
	if _, err := s.settled(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%.0f s after the pipeline, %d requests, none failed", took.Seconds(), total), s.hasPost(ctx)
}

// imageStays pushes from the checkout, which does not have Flux's commit.
func (s *system) imageStays(ctx context.Context, b built) (string, error) {
	flux, err := s.after(ctx, b.commit)
	if err != nil {
		return "", err
	}
	if _, err := s.add(history, 1); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Keep one revision more"); err != nil {
		return "", err
	}
	if err := s.ghostRuns(ctx, b.reference()); err != nil {
		return "", err
	}
	all, err := s.executions(ctx, flux)
	if err == nil && (len(all) != 1 || all[0].Pipeline != "local-deploy" || all[0].Status != pipelines.Succeeded) {
		err = fmt.Errorf("Flux's commit ran %s", shown(all))
	}
	return "", err
}

// imageUnknown runs a tag that no pipeline made, in a pod of its own: Flux
// would take it back where it writes tags.
func (s *system) imageUnknown(ctx context.Context) (string, error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	pods := c.Kube.CoreV1().Pods("default")
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "never-pushed"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "ghost", Image: ghostImages + "20990101000000-000000000000"}}},
	}
	if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return "", err
	}
	var message string
	err = until(ctx, 10*time.Minute, "the tag to be refused", func() error {
		got, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, st := range got.Status.ContainerStatuses {
			if w := st.State.Waiting; w != nil && w.Reason == "ImagePullBackOff" && strings.Contains(w.Message, "not found") {
				message = w.Message
				return nil
			}
		}
		return fmt.Errorf("the pod is %s: %+v", got.Status.Phase, got.Status.ContainerStatuses)
	})
	return message, errors.Join(err, pods.Delete(ctx, pod.Name, metav1.DeleteOptions{}))
}
