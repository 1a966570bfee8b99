package drift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"k8s-plus-aws-gitops/functions/database/announce"
	"k8s-plus-aws-gitops/internal/audit"
	"k8s-plus-aws-gitops/internal/flux"
)

// fluxManager is the name under which Flux applies what a Kustomization holds.
const fluxManager = "kustomize-controller"

// Objects is what is asked of the API server for what Kustomizations have applied: metadata alone, so that no secret is read.
type Objects struct {
	Cluster  *flux.Cluster
	Metadata metadata.Interface
	// Resources lists the resources of a group and version, as the API server serves them.
	Resources func(groupVersion string) (*metav1.APIResourceList, error)
	// Audit knows who sent a request; nil where nothing keeps an audit log.
	Audit audit.Reader
	Now   func() time.Time
}

// applied is one object of a Kustomization's inventory.
type applied struct{ namespace, name string }

// owner is the Kustomization that applied an object.
type owner struct {
	flux.Item
	// interval is how often it is applied.
	interval time.Duration
}

// ByHand reports objects that a Kustomization applied and that somebody else has written to or removed since. Who writes what is
// in the objects' managedFields: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
func ByHand(from Objects) Check {
	return Check{"objects", func(ctx context.Context, found *Found) error {
		inventory := map[schema.GroupVersionKind]map[applied]owner{}
		_, err := from.Cluster.Items(ctx, kustomizations, func(o *unstructured.Unstructured, i *flux.Item) {
			of := owner{Item: *i, interval: interval(o)}
			for _, e := range flux.Inventory(o) {
				if inventory[e.Kind] == nil {
					inventory[e.Kind] = map[applied]owner{}
				}
				inventory[e.Kind][applied{e.Namespace, e.Name}] = of
			}
		})
		if err != nil {
			return err
		}
		for kind, objects := range inventory {
			if err := from.kind(ctx, found, kind, objects); err != nil {
				found.unseen(kind.Kind+" objects", err)
			}
		}
		return nil
	}}
}

// interval is how often a Kustomization is applied; zero when it does not say.
func interval(o *unstructured.Unstructured) time.Duration {
	text, _, _ := unstructured.NestedString(o.Object, "spec", "interval")
	d, _ := time.ParseDuration(text) // the API server has checked it
	return d
}

// pageSize is how many objects are listed at once.
const pageSize = 500

// kind looks at the objects of a kind.
func (from Objects) kind(ctx context.Context, found *Found, kind schema.GroupVersionKind, objects map[applied]owner) error {
	resource, err := from.resource(kind)
	if err != nil {
		return err
	}
	there := map[applied]bool{}
	options := metav1.ListOptions{Limit: pageSize}
	for {
		list, err := from.Metadata.Resource(resource).List(ctx, options)
		if err != nil {
			return err
		}
		for n := range list.Items {
			o := &list.Items[n]
			is := applied{o.Namespace, o.Name}
			if of, ours := objects[is]; ours {
				there[is] = true
				from.object(ctx, found, kind.Kind, resource.Resource, o, of)
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			break
		}
	}
	for is, of := range objects {
		if !there[is] {
			f := Finding{State: Deleted, Half: Kubernetes, Object: kind.Kind + " " + is.String(), Detail: "Kustomization " + itemName(of.Item) + " has applied it, and it is not there"}
			f.Do, f.PutBack = of.putsBack(from.Now(), time.Time{})
			found.add(f)
		}
	}
	return nil
}

func (a applied) String() string { return strings.TrimPrefix(a.namespace+"/"+a.name, "/") }

// resource finds under which name the API server serves a kind.
func (from Objects) resource(kind schema.GroupVersionKind) (schema.GroupVersionResource, error) {
	list, err := from.Resources(kind.GroupVersion().String())
	if apierrors.IsNotFound(err) {
		return schema.GroupVersionResource{}, fmt.Errorf("the cluster does not serve %s", kind.GroupVersion())
	}
	if err != nil {
		return schema.GroupVersionResource{}, err
	}
	for _, r := range list.APIResources {
		if r.Kind == kind.Kind && !strings.Contains(r.Name, "/") {
			return kind.GroupVersion().WithResource(r.Name), nil
		}
	}
	return schema.GroupVersionResource{}, fmt.Errorf("the cluster does not serve %s of %s", kind.Kind, kind.GroupVersion())
}

// object reports each manager but Flux that owns fields of an object.
func (from Objects) object(ctx context.Context, found *Found, kind, resource string, o *metav1.PartialObjectMetadata, of owner) {
	for _, entry := range o.ManagedFields {
		fields, err := foreign(entry)
		name := applied{o.Namespace, o.Name}
		if err != nil {
			found.unseen(kind+" "+name.String(), err)
			continue
		}
		if len(fields) == 0 {
			continue
		}
		f := Finding{
			State: Changed, Half: Kubernetes, Object: kind + " " + name.String(), Manager: entry.Manager, Fields: fields,
			Detail: entry.Manager + " wrote " + some(fields),
		}
		var at time.Time
		if entry.Time != nil {
			at = entry.Time.UTC()
			f.At, f.Detail = &at, f.Detail+" at "+at.Format("2006-01-02 15:04Z")
			from.asked(ctx, found, resource, o, &f)
		}
		f.Do, f.PutBack = of.putsBack(from.Now(), at)
		if annotation := keptAway(o.Annotations); annotation != "" {
			f.PutBack, f.Do = "", "the annotation "+annotation+" keeps Flux away: take it away, or write the change into the repository"
		}
		found.add(f)
	}
}

// asked adds who sent the request that wrote fields of an object. An event reaches the audit log minutes after the request.
func (from Objects) asked(ctx context.Context, found *Found, resource string, o *metav1.PartialObjectMetadata, f *Finding) {
	if from.Audit == nil {
		return
	}
	by, err := from.Audit.Writes(ctx, resource, o.Namespace, o.Name, *f.At)
	if err != nil {
		found.note("who wrote %s is not known: the audit log: %s", f.Object, reason(err))
		return
	}
	f.By = by
	var people []string
	for _, r := range by {
		if who := strings.TrimSuffix(r.User+" from "+strings.Join(r.From, ", "), " from "); !slices.Contains(people, who) {
			people = append(people, who)
		}
	}
	if len(people) > 0 {
		f.Detail += ", asked for by " + strings.Join(people, ", ")
	}
}

// foreign lists the fields that a manager owns, when it is a person or a program that writes what Flux should. Controllers write
// statuses, and metadata such as finalizers; an autoscaler scales. What kubectl writes was written by hand, whatever it is, but
// for the annotation that asks Flux to look again.
func foreign(entry metav1.ManagedFieldsEntry) ([]string, error) {
	if entry.Manager == fluxManager || entry.Subresource == "status" || entry.FieldsV1 == nil {
		return nil, nil
	}
	byHand := strings.HasPrefix(entry.Manager, "kubectl")
	if entry.Subresource != "" && !byHand {
		return nil, nil
	}
	var set fieldpath.Set
	if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
		return nil, errors.New("managedFields: " + err.Error())
	}
	var fields []string
	set.Leaves().Iterate(func(path fieldpath.Path) {
		text := path.String()
		if entry.Manager == announce.Manager && strings.HasSuffix(text, announce.Annotation) { // a new password, which pods were started for
			return
		}
		if strings.HasPrefix(text, ".status") || strings.Contains(text, "reconcile.fluxcd.io/") || strings.HasPrefix(text, ".metadata") && !byHand {
			return
		}
		fields = append(fields, text)
	})
	// kubectl apply notes here what it applied.
	if len(fields) == 1 && strings.HasSuffix(fields[0], "last-applied-configuration") {
		return nil, nil
	}
	return fields, nil
}

// some names up to three fields.
func some(fields []string) string {
	if len(fields) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(fields[:2], ", "), len(fields)-2)
	}
	return strings.Join(fields, ", ")
}

// putsBack says what happens with a change that was made at a time, and what puts it back when it is asked to. Flux applies after each
// interval; what it has left since is of no field that the repository sets.
func (o owner) putsBack(now, at time.Time) (do, by string) {
	name := itemName(o.Item)
	switch {
	case o.Suspended:
		return fmt.Sprintf("Kustomization %s is suspended: nothing puts it back before it is resumed", name), ""
	case o.Ready != "True":
		return fmt.Sprintf("Kustomization %s is not ready: correct that, then it puts this back", name), ""
	case at.IsZero() || now.Sub(at) <= o.interval:
		return fmt.Sprintf("none: Kustomization %s puts it back within %s", name, o.interval), "Kustomization " + o.Namespace + "/" + o.Name
	}
	return "the repository does not set this, so Flux leaves it: write it there, or take it away by hand", ""
}
