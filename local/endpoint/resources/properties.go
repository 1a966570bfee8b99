package resources

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// String returns a property as text; "" when it is absent. A document comes as
// its JSON.
func (p Properties) String(key string) string {
	s, _ := text(p[key])
	return s
}

// Strings returns a list property; a single value counts as a list of one.
func (p Properties) Strings(key string) []string {
	var out []string
	for _, v := range p.List(key) {
		if s, err := text(v); err == nil {
			out = append(out, s)
		}
	}
	return out
}

// List returns a list property, nil when it is absent.
func (p Properties) List(key string) []any {
	switch v := p[key].(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// Objects returns the objects of a list property.
func (p Properties) Objects(key string) []Properties {
	var out []Properties
	for _, v := range p.List(key) {
		if m, ok := object(v); ok {
			out = append(out, m)
		}
	}
	return out
}

// Object returns an object property; an empty one when it is absent.
func (p Properties) Object(key string) Properties {
	m, _ := object(p[key])
	return m
}

// Bool reports whether a property is true or "true".
func (p Properties) Bool(key string) bool {
	b, _ := strconv.ParseBool(p.String(key))
	return b
}

// Int returns a whole number and whether it is there.
func (p Properties) Int(key string) (int, bool) {
	n, err := strconv.Atoi(p.String(key))
	return n, err == nil
}

// Has reports whether the property is given.
func (p Properties) Has(key string) bool { return p[key] != nil }

// pick returns the named properties.
func (p Properties) pick(keys ...string) Properties {
	out := Properties{}
	for _, k := range keys {
		if v, ok := p[k]; ok {
			out[k] = v
		}
	}
	return out
}

// without returns all properties but the named ones.
func (p Properties) without(keys ...string) Properties {
	out := maps.Clone(p)
	for _, k := range keys {
		delete(out, k)
	}
	return out
}

// rename returns p with one key renamed.
func (p Properties) rename(from, to string) Properties {
	v, ok := p[from]
	if !ok {
		return p
	}
	out := p.without(from)
	out[to] = v
	return out
}

// changed reports whether one of the named properties differs.
func changed(old, updated Properties, keys ...string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { return !reflect.DeepEqual(old[k], updated[k]) })
}

// tags returns the resource's tags: the stack's, overridden by its own. The
// keys that start with aws: are CloudFormation's; services refuse them from
// callers, so they are left out.
func (r *Request) tags(p Properties) map[string]string {
	out := map[string]string{}
	for k, v := range r.Tags {
		if !strings.HasPrefix(k, "aws:") {
			out[k] = v
		}
	}
	if m, ok := object(p["Tags"]); ok { // EKS and SSM take a map
		for k, v := range m {
			out[k], _ = text(v)
		}
	}
	for _, t := range p.Objects("Tags") {
		if t.Has("Key") {
			out[t.String("Key")] = t.String("Value")
		}
	}
	return out
}

// retag brings a resource's tags from old to updated, by the two calls that its service has.
func (r *Request) retag(old, updated Properties, drop func(keys []string) error, set func(tags map[string]string) error) error {
	if keys := removed(r.tags(old), r.tags(updated)); len(keys) > 0 {
		if err := drop(keys); err != nil {
			return err
		}
	}
	if tags := r.tags(updated); len(tags) > 0 {
		return set(tags)
	}
	return nil
}

// tagList returns the tags as the list of some service's tag structure, in the
// order of their keys.
func tagList[T any](tags map[string]string, tag func(key, value string) T) []T {
	out := make([]T, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, tag(k, tags[k]))
	}
	return out
}

// delta returns what a list of strings gains and loses.
func delta(old, updated Properties, key string) (gained, lost []string) {
	before, after := old.Strings(key), updated.Strings(key)
	missing := func(from, in []string) (out []string) {
		for _, s := range from {
			if !slices.Contains(in, s) {
				out = append(out, s)
			}
		}
		return out
	}
	return missing(after, before), missing(before, after)
}

// removed returns the keys of old that updated lacks.
func removed(old, updated map[string]string) []string {
	var out []string
	for k := range old {
		if _, ok := updated[k]; !ok {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// name returns the property that names the resource, or a generated name.
func (r *Request) name(p Properties, key string, limit int, lower bool) string {
	if s := p.String(key); s != "" {
		return s
	}
	return r.Name(limit, lower)
}
