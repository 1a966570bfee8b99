package drift

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/status"
)

var (
	kustomizations = schema.GroupVersionResource{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}
	helmReleases   = schema.GroupVersionResource{Group: "helm.toolkit.fluxcd.io", Version: "v2", Resource: "helmreleases"}
	imagePolicies  = schema.GroupVersionResource{Group: "image.toolkit.fluxcd.io", Version: "v1", Resource: "imagepolicies"}
)

// Flux reports what Flux has not brought to the released commit: its own objects, and those of the services.
func Flux(from status.Source) Check {
	return Check{"Flux", func(ctx context.Context, found *Found) error {
		from.Stacks, from.Pipeline = nil, nil
		now, err := from.Read(ctx)
		if err != nil {
			return err
		}
		services, err := from.Cluster.Services(ctx)
		if err != nil {
			return err
		}
		if len(now.Objects) == 0 {
			return fmt.Errorf("the cluster of %s has no objects of Flux; see that its stack is deployed", from.Environment)
		}
		for _, s := range services {
			// Each follows a branch of another repository.
			now.Objects = append(now.Objects, status.Object{Kind: "Kustomization", Item: s, At: true})
		}
		for _, o := range now.Objects {
			fluxObject(found, o, now)
		}
		return nil
	}}
}

// fluxObject reports one of Flux's objects that is not well.
func fluxObject(found *Found, o status.Object, now *status.Status) {
	f := Finding{Half: Kubernetes, Object: o.Kind + " " + itemName(o.Item)}
	object := strings.ToLower(o.Kind) + "/" + o.Name
	switch {
	case o.Suspended:
		f.State, f.Detail = Suspended, "Flux does not look at it"
		f.Do = fmt.Sprintf(`kubectl -n %s patch %s --type merge -p '{"spec":{"suspend":false}}'`, o.Namespace, object)
	case o.Failed():
		f.State, f.Detail = Failing, oneLine(strings.TrimSuffix(o.Reason+": "+o.Message, ": "))
		f.Do = fmt.Sprintf("correct the cause: kubectl -n %s describe %s", o.Namespace, object)
	case o.Ready != "True" && !o.Optional:
		f.State, f.Detail = Behind, oneLine("is not ready: "+o.Message)
		f.Do = "wait: bin/gitops status " + now.Environment + " --wait"
	case !o.At:
		f.State, f.Detail = Behind, fmt.Sprintf("is at %.12s, the released commit is %.12s", o.Revision[strings.LastIndex(o.Revision, ":")+1:], now.Commit)
		f.Do = "wait: bin/gitops status " + now.Environment + " --wait"
	default:
		return
	}
	found.add(f)
}

// itemName leaves the namespace of Flux out.
func itemName(i flux.Item) string {
	if i.Namespace == flux.Root {
		return i.Name
	}
	return i.Namespace + "/" + i.Name
}

// Releases reports what helm-controller found: objects of charts that somebody changed.
func Releases(cluster *flux.Cluster) Check {
	return Check{"charts", func(ctx context.Context, found *Found) error {
		_, err := cluster.Items(ctx, helmReleases, func(o *unstructured.Unstructured, i *flux.Item) {
			_, message, drifted := flux.Condition(o, "Drifted", "True")
			if !drifted {
				return
			}
			mode, _, _ := unstructured.NestedString(o.Object, "spec", "driftDetection", "mode")
			f := Finding{State: Changed, Half: Kubernetes, Object: "HelmRelease " + itemName(*i), Detail: oneLine(message)}
			f.Do = "set spec.driftDetection.mode to enabled, or write the change into the release's values"
			if mode == "enabled" {
				f.Do, f.PutBack = "none: helm-controller puts it back", "HelmRelease "+i.Namespace+"/"+i.Name
			}
			found.add(f)
		})
		return err
	}}
}

// Images reports images that Kustomizations substitute and for which an ImagePolicy knows a newer one. Without image automation
// there are no policies.
func Images(cluster *flux.Cluster) Check {
	return Check{"images", func(ctx context.Context, found *Found) error {
		newest := map[string]string{} // by repository
		_, err := cluster.Items(ctx, imagePolicies, func(o *unstructured.Unstructured, _ *flux.Item) {
			latest, _, _ := unstructured.NestedStringMap(o.Object, "status", "latestRef")
			if latest["name"] != "" && latest["tag"] != "" {
				newest[latest["name"]] = latest["tag"]
			}
		})
		if err != nil || len(newest) == 0 {
			return err
		}
		_, err = cluster.Items(ctx, kustomizations, func(o *unstructured.Unstructured, i *flux.Item) {
			used, _, _ := unstructured.NestedStringMap(o.Object, "spec", "postBuild", "substitute")
			for variable, image := range used {
				for repository, tag := range newest {
					rest, of := strings.CutPrefix(image, repository+":")
					if applied, _, _ := strings.Cut(rest, "@"); of && applied != tag {
						found.add(Finding{
							State: Behind, Half: Kubernetes, Object: "Kustomization " + itemName(*i),
							Detail: fmt.Sprintf("%s is %s of %s, the newest is %s", variable, applied, repository, tag),
							Do:     "merge what Flux proposes, or see why it commits nothing: kubectl -n flux-system describe imageupdateautomation",
						})
					}
				}
			}
		})
		return err
	}}
}

// keptAway returns the annotation that keeps Flux away from an object, if there is one:
// https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources
func keptAway(annotations map[string]string) string {
	for key, values := range map[string][]string{
		"kustomize.toolkit.fluxcd.io/reconcile": {"disabled"}, "kustomize.toolkit.fluxcd.io/ssa": {"ignore", "ifnotpresent", "merge"},
	} {
		if slices.Contains(values, strings.ToLower(annotations[key])) {
			return key + ": " + annotations[key]
		}
	}
	return ""
}
