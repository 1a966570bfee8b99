package kubediff

import (
	"fmt"
	"reflect"
	"strconv"

	"k8s-plus-aws-gitops/internal/manifests"
)

// release compares a HelmRelease; one side may be nil.
func release(old, now *manifests.Object) *Release {
	change := &Release{}
	var before, after *manifests.Release
	if old != nil && old.Release != nil {
		before = old.Release
		change.Chart, change.OldVersion = before.Chart, before.Version
	}
	if now != nil && now.Release != nil {
		after = now.Release
		change.Chart, change.NewVersion = after.Chart, after.Version
	}
	one, err := stable(before)
	if err != nil {
		change.Note = fmt.Sprintf("what version %s of the chart makes is not known here: %v", before.Version, err)
		return change
	}
	two, err := stable(after)
	if err != nil {
		change.Note = fmt.Sprintf("what version %s of the chart makes is not known here: %v", after.Version, err)
		return change
	}
	change.before, change.after, change.Objects = one, two, diff(one, two)
	if before != nil && after != nil && before.Version != after.Version && sameSource(before, after) {
		change.Note = "the charts of the two versions are not known here: the objects below are of one version's templates"
	}
	return change
}

// sameSource tells whether two versions of a chart come from one folder.
func sameSource(a, b *manifests.Release) bool {
	x, err1 := a.Source()
	y, err2 := b.Source()
	return err1 == nil && err2 == nil && x == y
}

// anew stands for a value that a chart makes up at each rendering, such as a certificate.
const anew = "(made anew at each rendering)"

// stable renders a chart twice, and puts anew where the two differ.
func stable(r *manifests.Release) ([]manifests.Object, error) {
	if r == nil {
		return nil, nil
	}
	first, err := r.Objects()
	if err != nil {
		return nil, err
	}
	second, err := r.Objects()
	if err != nil {
		return nil, err
	}
	other := index(second)
	for i := range first {
		if twin := other[identity(first[i], first[i].Name)]; twin != nil {
			first[i].Values, _ = settle(first[i].Values, twin.Values).(map[string]any)
		}
	}
	return first, nil
}

// settle returns a with anew where b differs.
func settle(a, b any) any {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			return anew
		}
		settled := make(map[string]any, len(x))
		for key, value := range x {
			settled[key] = settle(value, y[key])
		}
		return settled
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return anew
		}
		settled := make([]any, len(x))
		for i := range x {
			settled[i] = settle(x[i], y[i])
		}
		return settled
	default:
		if reflect.DeepEqual(a, b) {
			return a
		}
		return anew
	}
}

// hidden returns the values of both sides without what Secrets hold: a review is readable by whoever may read the pull
// request. A value that differs is numbered, so that the change shows.
func hidden(old, now *manifests.Object) (a, b map[string]any) {
	if old != nil {
		a = old.Values
	}
	if now != nil {
		b = now.Values
	}
	if (old == nil || !isSecret(old)) && (now == nil || !isSecret(now)) {
		return a, b
	}
	a, b = clone(a), clone(b)
	for _, field := range []string{"data", "stringData"} {
		x, _ := a[field].(map[string]any)
		y, _ := b[field].(map[string]any)
		for key := range x {
			changed := y != nil && y[key] != nil && !reflect.DeepEqual(x[key], y[key])
			if y != nil && y[key] != nil {
				y[key] = placeholder(changed, 2)
			}
			x[key] = placeholder(changed, 1)
		}
		for key := range y {
			if x == nil || x[key] == nil {
				y[key] = placeholder(false, 2)
			}
		}
	}
	return a, b
}

func isSecret(o *manifests.Object) bool { return o.Kind == "Secret" && o.APIVersion == "v1" }

func placeholder(changed bool, side int) string {
	if changed {
		return "(hidden, value " + strconv.Itoa(side) + ")"
	}
	return "(hidden)"
}

// clone copies an object as deep as hidden writes.
func clone(values map[string]any) map[string]any {
	if values == nil {
		return nil
	}
	copied := map[string]any{}
	for key, value := range values {
		if inner, ok := value.(map[string]any); ok {
			value = clone(inner)
		}
		copied[key] = value
	}
	return copied
}
