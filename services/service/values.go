package service

import (
	"maps"
	"slices"

	"k8s-plus-aws-gitops/services/imports/k8s"
)

// The generated structs take pointers, as jsii tells a missing value from an empty one.
var (
	isTrue, isFalse = true, false
	yes, no         = &isTrue, &isFalse
)

func text(value string) *string { return &value }

func number(value int) *float64 {
	converted := float64(value)
	return &converted
}

func list(values ...string) *[]*string {
	pointers := make([]*string, len(values))
	for i := range values {
		pointers[i] = &values[i]
	}
	return &pointers
}

func texts(values map[string]string) *map[string]*string {
	if len(values) == 0 {
		return nil
	}
	pointers := make(map[string]*string, len(values))
	for key, value := range values {
		pointers[key] = &value
	}
	return &pointers
}

func sorted[V any](values map[string]V) []string { return slices.Sorted(maps.Keys(values)) }

func deref[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// metadata is that of every object: all live in the service's own namespace.
func (p Props) metadata(name string, annotations map[string]string) *k8s.ObjectMeta {
	return &k8s.ObjectMeta{Name: text(name), Namespace: text(p.Name), Labels: p.labels(), Annotations: texts(annotations)}
}

func (p Props) labels() *map[string]*string {
	return texts(map[string]string{"app.kubernetes.io/name": p.Name, "app.kubernetes.io/part-of": FleetLabel})
}

func (p Props) selector() *map[string]*string {
	return texts(map[string]string{"app.kubernetes.io/name": p.Name})
}

func (p Props) secretName() string { return p.Name + "-secrets" }
