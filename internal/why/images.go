package why

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"k8s-plus-aws-gitops/internal/images"
)

// Registry is what is used of ECR.
type Registry interface {
	DescribeImages(ctx context.Context, in *ecr.DescribeImagesInput, options ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error)
}

// Image is one that the pods run.
type Image struct {
	Container string `json:"container"`
	// Reference as the pods' template has it.
	Reference string `json:"reference"`
	// Digests that run; several while a rollout goes on.
	Digests []string `json:"digests,omitempty"`
	// Pushed is when it came into the environment's registry.
	Pushed *time.Time `json:"pushed,omitempty"`
	// Commit that it was built from, as its tag says: the first 12 digits.
	Commit string `json:"commit,omitempty"`
	// Build is the execution that built it.
	Build *Execution `json:"build,omitempty"`
}

// images finds what the pods of a workload run; what has no pods has no images. asked is what was asked about: a pod runs one of
// those that its workload may run.
func (s *Source) images(ctx context.Context, a *Answer, top, asked *unstructured.Unstructured) {
	template, there := podTemplate(top)
	if asked.GetKind() == "Pod" {
		template, there, _ = unstructured.NestedMap(asked.Object, "spec")
	}
	var spec corev1.PodSpec
	if !there || runtime.DefaultUnstructuredConverter.FromUnstructured(template, &spec) != nil {
		return
	}
	running, err := s.running(ctx, top, asked)
	if err != nil {
		a.unknown("digests that run", "%s", reason(err))
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		i := Image{Container: c.Name, Reference: c.Image, Digests: running[c.Name]}
		if _, digest, pinned := strings.Cut(c.Image, "@"); pinned && len(i.Digests) == 0 {
			i.Digests = []string{digest}
		}
		s.built(ctx, a, &i)
		a.Images = append(a.Images, i)
	}
}

// podTemplate is the specification of a workload's pods.
func podTemplate(o *unstructured.Unstructured) (map[string]any, bool) {
	for _, path := range [][]string{{"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}} {
		if spec, there, _ := unstructured.NestedMap(o.Object, path...); there && spec["containers"] != nil {
			return spec, true
		}
	}
	return nil, false
}

// running are the digests of the containers by their names, as the kubelets tell them.
func (s *Source) running(ctx context.Context, top, asked *unstructured.Unstructured) (map[string][]string, error) {
	var pods []unstructured.Unstructured
	if asked.GetKind() == "Pod" {
		pods = append(pods, *asked)
	} else {
		text, there, _ := unstructured.NestedMap(top.Object, "spec", "selector")
		var labels metav1.LabelSelector
		if !there {
			return map[string][]string{}, nil
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(text, &labels); err != nil {
			return nil, err
		}
		list, err := s.Kubernetes.Cluster.Dynamic.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(top.GetNamespace()).
			List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(&labels)})
		if err != nil {
			return nil, err
		}
		pods = list.Items
	}
	found := map[string][]string{}
	for _, o := range pods {
		var pod corev1.Pod
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &pod); err != nil {
			return nil, err
		}
		for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			_, digest, is := strings.Cut(c.ImageID, "@")
			if is && !slices.Contains(found[c.Name], digest) {
				found[c.Name] = append(found[c.Name], digest)
			}
		}
	}
	return found, nil
}

// built finds when an image of the environment's own registry was pushed, and its build. Its tag is <UTC time>-<commit>, see
// dockerbuild/publish.yml.
func (s *Source) built(ctx context.Context, a *Answer, i *Image) {
	if len(i.Digests) == 0 {
		a.unknown("digest of "+i.Container, "no running pod tells it, and the reference has none")
	}
	own, ours := images.Parse(s.Env, i.Reference)
	if !ours {
		a.unknown("build of "+i.Container, "the image is of another registry than the environment's, %s", s.Env.Registry())
		return
	}
	s.pushed(ctx, a, i, own)
	if _, commit, ok := strings.Cut(own.Tag, "-"); ok && len(commit) == 12 {
		i.Commit = commit
	}
	switch {
	case i.Commit == "":
		a.unknown("build of "+i.Container, "the tag %q names no commit", own.Tag)
	case s.Builds == "":
		a.unknown("build of "+i.Container, "%s builds no images: see the environment that it copies from (delivery.imagesFrom)", s.Env.Name)
	default:
		build, err := s.build(ctx, i.Commit)
		switch {
		case err != nil:
			a.unknown("build of "+i.Container, "%s: %s", s.Builds, reason(err))
		case build == nil:
			a.unknown("build of "+i.Container, "no execution of %s that succeeded is of commit %s", s.Builds, i.Commit)
		}
		i.Build = build
	}
}

// pushed asks the registry.
func (s *Source) pushed(ctx context.Context, a *Answer, i *Image, own images.Image) {
	id := types.ImageIdentifier{}
	switch {
	case own.Digest != "":
		id.ImageDigest = &own.Digest
	default:
		id.ImageTag = &own.Tag
	}
	out, err := s.AWS.Registry.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RegistryId: &s.Env.Account, RepositoryName: aws.String(s.Env.RepositoryName(own.Application)), ImageIds: []types.ImageIdentifier{id},
	})
	if err != nil || len(out.ImageDetails) == 0 {
		if err == nil {
			err = fmt.Errorf("the registry does not have it")
		}
		a.unknown("push of "+i.Container, "%s", reason(err))
		return
	}
	at := aws.ToTime(out.ImageDetails[0].ImagePushedAt).UTC()
	i.Pushed = &at
}

// build is the last execution that succeeded in building a commit.
func (s *Source) build(ctx context.Context, commit string) (*Execution, error) {
	for pages := codepipeline.NewListPipelineExecutionsPaginator(s.AWS.Pipelines, &codepipeline.ListPipelineExecutionsInput{PipelineName: &s.Builds}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, x := range page.PipelineExecutionSummaries {
			if e := execution(s.Builds, x); strings.HasPrefix(e.Commit, commit) && e.Status == "Succeeded" {
				return &e, nil
			}
		}
	}
	return nil, nil
}
