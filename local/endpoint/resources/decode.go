package resources

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// decode copies CloudFormation properties into an SDK input structure: both use
// the same names, in AWS's PascalCase on one side and Go's on the other. A
// property that the structure lacks is an error that names it, and so is a
// value of another kind. CloudFormation accepts "true" and "5" for true and 5;
// a JSON document where the API takes text (policies) becomes that text.
func decode(src any, dst any) error {
	return decodeValue(src, reflect.ValueOf(dst).Elem(), "")
}

func decodeValue(src any, dst reflect.Value, path string) error {
	if src == nil {
		return nil
	}
	switch dst.Kind() {
	case reflect.Pointer:
		if dst.IsNil() {
			dst.Set(reflect.New(dst.Type().Elem()))
		}
		return decodeValue(src, dst.Elem(), path)
	case reflect.Struct:
		return decodeStruct(src, dst, path)
	case reflect.Slice:
		return decodeSlice(src, dst, path)
	case reflect.Map:
		return decodeMap(src, dst, path)
	case reflect.String:
		s, err := text(src)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		dst.SetString(s)
		return nil
	default:
		return decodeScalar(src, dst, path)
	}
}

func decodeStruct(src any, dst reflect.Value, path string) error {
	m, ok := object(src)
	if !ok {
		return wrongKind(src, "an object", path)
	}
	for key, value := range m {
		field := dst.FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, key) })
		if !field.IsValid() {
			return fmt.Errorf("%s: the local AWS API does not support this property", join(path, key))
		}
		if err := decodeValue(value, field, join(path, key)); err != nil {
			return err
		}
	}
	return nil
}

func decodeSlice(src any, dst reflect.Value, path string) error {
	if dst.Type().Elem().Kind() == reflect.Uint8 {
		s, err := text(src)
		dst.SetBytes([]byte(s))
		return err
	}
	list, ok := src.([]any)
	if !ok {
		list = []any{src} // CloudFormation takes one value for a list of one
	}
	out := reflect.MakeSlice(dst.Type(), len(list), len(list))
	for i, v := range list {
		if err := decodeValue(v, out.Index(i), fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	dst.Set(out)
	return nil
}

func decodeMap(src any, dst reflect.Value, path string) error {
	m, ok := object(src)
	if !ok {
		return wrongKind(src, "an object", path)
	}
	out := reflect.MakeMapWithSize(dst.Type(), len(m))
	for key, value := range m {
		element := reflect.New(dst.Type().Elem()).Elem()
		if err := decodeValue(value, element, join(path, key)); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(key).Convert(dst.Type().Key()), element)
	}
	dst.Set(out)
	return nil
}

func decodeScalar(src any, dst reflect.Value, path string) error {
	s, err := text(src)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch dst.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return wrongKind(src, "true or false", path)
		}
		dst.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(strings.TrimSuffix(s, ".0"), 10, 64)
		if err != nil {
			return wrongKind(src, "a whole number", path)
		}
		dst.SetInt(n)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return wrongKind(src, "a number", path)
		}
		dst.SetFloat(f)
	default:
		return fmt.Errorf("%s: the local AWS API does not support this property", path)
	}
	return nil
}

// text returns a scalar as text, and an object or list as its JSON.
func text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		return v.String(), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case int:
		return strconv.Itoa(v), nil
	case map[string]any, []any, Properties:
		data, err := json.Marshal(v)
		return string(data), err
	}
	return "", fmt.Errorf("unexpected value %v (%T)", v, v)
}

func object(v any) (map[string]any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return v, true
	case Properties:
		return v, true
	}
	return nil, false
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func wrongKind(v any, want, path string) error {
	return fmt.Errorf("%s: got %v, want %s", path, v, want)
}
