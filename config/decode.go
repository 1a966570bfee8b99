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
func (f field) decode(in map[string]any, out reflect.Value) {
	keys := fieldKeys(out.Type())
	for _, key := range slices.Sorted(maps.Keys(in)) {
		if !slices.Contains(keys, key) {
			f.key(key).add(Suggest(key, keys), "is not a known key")
		}
	}
	for i := range out.NumField() {
		tag := out.Type().Field(i).Tag
		key := tag.Get("json")
		if key == "-" {
			continue
		}
		value, present := in[key]
		switch remedy := tag.Get("required"); {
		case present:
			f.key(key).value(value, out.Field(i))
		case remedy != "":
			f.key(key).reject(remedy, "is missing")
		default:
			f.key(key).byDefault(tag, out.Field(i))
		}
	}
}

// byDefault sets a field whose key is not in the file.
func (f field) byDefault(tag reflect.StructTag, out reflect.Value) {
	if out.Kind() == reflect.Struct {
		f.decode(nil, out)
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
		panic(fmt.Sprintf("default of %s: %v", f.path, err)) //nolint:forbidigo // a mistake in this package, found by any test
	}
}

// value sets out from a value of the file.
func (f field) value(in any, out reflect.Value) {
	switch out.Kind() {
	case reflect.Pointer:
		out.Set(reflect.New(out.Type().Elem()))
		f.value(in, out.Elem())
	case reflect.Struct:
		if object, ok := in.(map[string]any); ok {
			f.decode(object, out)
			return
		}
		f.mistyped("an object", "write keys and values in braces", in)
	case reflect.Map:
		f.mapping(in, out)
	case reflect.Slice:
		f.list(in, out)
	case reflect.String:
		if text, ok := in.(string); ok {
			out.SetString(text)
			return
		}
		f.mistyped("a string", "write it in quotes", in)
	case reflect.Bool:
		if flag, ok := in.(bool); ok {
			out.SetBool(flag)
			return
		}
		f.mistyped("true or false", "write one of them without quotes", in)
	case reflect.Int:
		if number, ok := in.(float64); ok && number == math.Trunc(number) && math.Abs(number) < 1e9 {
			out.SetInt(int64(number))
			return
		}
		f.mistyped("a whole number", "write digits alone, without quotes", in)
	default:
		panic("config: no decoder for " + out.Type().String()) //nolint:forbidigo // a mistake in this package, found by any test
	}
}

// mapping sets a map with string keys.
func (f field) mapping(in any, out reflect.Value) {
	object, ok := in.(map[string]any)
	if !ok {
		f.mistyped("an object", "write keys and values in braces", in)
		return
	}
	out.Set(reflect.MakeMap(out.Type()))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		element := reflect.New(out.Type().Elem()).Elem()
		f.key(key).value(object[key], element)
		out.SetMapIndex(reflect.ValueOf(key), element)
	}
}

// list sets a slice.
func (f field) list(in any, out reflect.Value) {
	items, ok := in.([]any)
	if !ok {
		f.mistyped("a list", "write it in brackets", in)
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(items), len(items)))
	for i, item := range items {
		f.index(i).value(item, out.Index(i))
	}
}

// mistyped rejects a value of the wrong JSON type.
func (f field) mistyped(want, remedy string, in any) {
	text, err := json.Marshal(in)
	if err != nil || len(text) > 40 {
		text = []byte(kindOf(in))
	}
	f.reject(remedy, "must be %s, got %s", want, text)
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
