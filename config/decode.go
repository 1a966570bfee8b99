package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
)

// decode fills the struct out from in: strict about names and types, and complete, so that one run
// shows every mistake. encoding/json stops at the first and cannot name the path of an unknown key.
//
// Tags: `json` names the key ("-" skips the field), `default` is a JSON value (a bare word for strings),
// `required` is the remedy when the key is absent.
func (r *report) decode(path string, in map[string]any, out reflect.Value) {
	keys := fieldKeys(out.Type())
	for _, key := range slices.Sorted(maps.Keys(in)) {
		if !slices.Contains(keys, key) {
			r.add(path+"."+key, suggest(key, keys), "is not a known key")
		}
	}
	for i := range out.NumField() {
		field := out.Type().Field(i)
		key := field.Tag.Get("json")
		if key == "-" {
			continue
		}
		at := path + "." + key
		value, present := in[key]
		switch remedy := field.Tag.Get("required"); {
		case present:
			r.value(at, value, out.Field(i))
		case remedy != "":
			r.add(at, remedy, "is missing")
		default:
			r.absent(at, field.Tag, out.Field(i))
		}
	}
}

// absent sets a field whose key is not in the file to its default.
func (r *report) absent(path string, tag reflect.StructTag, out reflect.Value) {
	if out.Kind() == reflect.Struct {
		r.decode(path, nil, out)
		return
	}
	text, ok := tag.Lookup("default")
	if !ok {
		return
	}
	if out.Kind() == reflect.String {
		out.SetString(text)
		return
	}
	if err := json.Unmarshal([]byte(text), out.Addr().Interface()); err != nil {
		panic(fmt.Sprintf("default of %s: %v", path, err)) //nolint:forbidigo // a mistake in this package, found by any test
	}
}

// value sets out from a value of the file.
func (r *report) value(path string, in any, out reflect.Value) {
	switch out.Kind() {
	case reflect.Pointer:
		out.Set(reflect.New(out.Type().Elem()))
		r.value(path, in, out.Elem())
	case reflect.Struct:
		if object, ok := in.(map[string]any); ok {
			r.decode(path, object, out)
			return
		}
		r.mistyped(path, "an object", in)
	case reflect.Map:
		r.mapping(path, in, out)
	case reflect.Slice:
		r.list(path, in, out)
	case reflect.String:
		if text, ok := in.(string); ok {
			out.SetString(text)
			return
		}
		r.mistyped(path, "a string in quotes", in)
	case reflect.Bool:
		if flag, ok := in.(bool); ok {
			out.SetBool(flag)
			return
		}
		r.mistyped(path, "true or false without quotes", in)
	case reflect.Int:
		if number, ok := in.(float64); ok && number == math.Trunc(number) && math.Abs(number) < 1e9 {
			out.SetInt(int64(number))
			return
		}
		r.mistyped(path, "a whole number without quotes", in)
	default:
		panic("config: no decoder for " + out.Type().String()) //nolint:forbidigo // a mistake in this package, found by any test
	}
}

// mapping sets a map with string keys.
func (r *report) mapping(path string, in any, out reflect.Value) {
	object, ok := in.(map[string]any)
	if !ok {
		r.mistyped(path, "an object", in)
		return
	}
	out.Set(reflect.MakeMap(out.Type()))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		element := reflect.New(out.Type().Elem()).Elem()
		r.value(path+"."+key, object[key], element)
		out.SetMapIndex(reflect.ValueOf(key), element)
	}
}

// list sets a slice.
func (r *report) list(path string, in any, out reflect.Value) {
	items, ok := in.([]any)
	if !ok {
		r.mistyped(path, "a list in brackets", in)
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(items), len(items)))
	for i, item := range items {
		r.value(fmt.Sprintf("%s[%d]", path, i), item, out.Index(i))
	}
}

// mistyped notes a value of the wrong JSON type.
func (r *report) mistyped(path, want string, in any) {
	text, err := json.Marshal(in)
	if err != nil || len(text) > 40 {
		text = []byte(kindOf(in))
	}
	r.add(path, "write "+want, "is %s", text)
}

// kindOf names the JSON type of a value that is too long to quote.
func kindOf(in any) string {
	switch in.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	default:
		return "a number"
	}
}

// fieldKeys lists the keys that the struct type knows, in order of declaration.
func fieldKeys(t reflect.Type) []string {
	var keys []string
	for field := range t.NumField() {
		if key := t.Field(field).Tag.Get("json"); key != "-" {
			keys = append(keys, strings.TrimSpace(key))
		}
	}
	return keys
}
