package why

import (
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"k8s-plus-aws-gitops/internal/audit"
	"k8s-plus-aws-gitops/internal/flux"
)

// Field is one that was asked about, or one below it, and who wrote it last.
type Field struct {
	// Path as managedFields have it: .spec.template.spec.containers[name="ghost"].image
	Path    string `json:"path"`
	Manager string `json:"manager"`
	// Operation is Apply or Update.
	Operation string `json:"operation"`
	// Time at which the manager wrote any of its fields last; nil where the API server does not say.
	Time *time.Time `json:"time,omitempty"`
	// Hand is true where neither Flux nor a controller wrote it.
	Hand bool `json:"hand,omitempty"`
	// By is who sent the request, as the audit log has it.
	By []audit.Request `json:"by,omitempty"`
}

// field finds who wrote a field: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
func (s *Source) field(ctx context.Context, a *Answer, o *unstructured.Unstructured, asked string) {
	for _, m := range o.GetManagedFields() {
		if m.FieldsV1 == nil {
			continue
		}
		var set fieldpath.Set
		if err := set.FromJSON(m.FieldsV1.GetRawReader()); err != nil {
			a.unknown("field "+asked, "managedFields of %s: %v", m.Manager, err)
			continue
		}
		for _, path := range below(&set, asked) {
			f := Field{Path: path, Manager: m.Manager, Operation: string(m.Operation), Hand: byHand(m.Manager)}
			if m.Time != nil {
				at := m.Time.UTC()
				f.Time = &at
			}
			a.Fields = append(a.Fields, f)
		}
	}
	if len(a.Fields) == 0 {
		a.unknown("field "+asked, "no manager owns it: the API server gave it its default, or it is not set")
		return
	}
	s.audited(ctx, a, o)
}

// audited asks the audit log who it was, once for each manager that is no part of the platform.
func (s *Source) audited(ctx context.Context, a *Answer, o *unstructured.Unstructured) {
	asked := map[string][]audit.Request{}
	for i := range a.Fields {
		f := &a.Fields[i]
		if !f.Hand {
			continue
		}
		switch {
		case s.AWS.Audit == nil:
			a.unknown("who wrote "+f.Path, "%s keeps no audit log", s.Outside)
			return
		case f.Time == nil:
			a.unknown("who wrote "+f.Path, "its managedFields have no time to look for in the audit log")
			continue
		}
		found, known := asked[f.Manager]
		if !known {
			mapping, err := s.Kubernetes.Kinds.RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
			if err == nil {
				found, err = s.AWS.Audit.Writes(ctx, mapping.Resource.Resource, o.GetNamespace(), o.GetName(), *f.Time)
			}
			if err != nil {
				a.unknown("who wrote "+f.Path, "the audit log: %s", reason(err))
			} else if len(found) == 0 {
				a.unknown("who wrote "+f.Path, "the audit log has no request of that time; its days are cluster.logDays")
			}
			asked[f.Manager] = found
		}
		f.By = found
	}
}

// byHand reports whether a manager is a person's program: what kubectl writes, somebody has written.
func byHand(manager string) bool {
	return !strings.HasSuffix(manager, "-controller") && !strings.HasSuffix(manager, "-operator") && !strings.HasPrefix(manager, "kube-") && manager != flux.Root && manager != "kubelet"
}

// below lists the members of a set that are the field, or the nearest below it.
func below(set *fieldpath.Set, asked string) []string {
	want := plain(asked)
	var all []string
	set.Iterate(func(path fieldpath.Path) {
		text := path.String()
		has := plain(text)
		if has == want || strings.HasPrefix(has, want+".") || strings.HasPrefix(has, want+"[") {
			all = append(all, text)
		}
	})
	if slices.ContainsFunc(all, func(path string) bool { return plain(path) == want }) {
		return slices.DeleteFunc(all, func(path string) bool { return plain(path) != want })
	}
	slices.Sort(all)
	return all
}

// plain is a path without what people leave out: its first dot, and quotes.
func plain(path string) string {
	return strings.NewReplacer(`"`, "", `'`, "").Replace(strings.TrimPrefix(path, "."))
}
