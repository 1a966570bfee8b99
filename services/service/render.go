package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2"
	"go.yaml.in/yaml/v3"

	"k8s-plus-aws-gitops/services/imports"
)

// Render returns the manifest of a service: its objects as YAML documents. Only a hatch starts the jsii kernel.
func Render(p Props, hatch Hatch) ([]byte, error) {
	if hatch != nil {
		return Synth(p, hatch)
	}
	objects := p.objects()
	documents := make([]any, len(objects))
	for i, o := range objects {
		document, err := plain(reflect.ValueOf(o.props))
		if err != nil {
			return nil, fmt.Errorf("service %s: %s: %w", p.Name, o.id, err)
		}
		fields := document.(map[string]any)
		fields["apiVersion"], fields["kind"] = o.apiVersion, o.kind
		documents[i] = fields
	}
	return encode(documents)
}

// Synth renders through cdk8s: an app, a chart and the construct, changed by the hatch, which may be nil. What jsii
// refuses arrives as a panic; it is returned as an error.
func Synth(p Props, hatch Hatch) (manifest []byte, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("service %s: %s; correct its escape hatch", p.Name, firstLine(fmt.Sprint(problem)))
		}
	}()
	chart := cdk8s.NewChart(cdk8s.NewApp(nil), jsii.String(p.Name), nil)
	s := NewService(chart, "service", p)
	if hatch != nil {
		hatch(s, p)
	}
	return encode(*chart.ToJson())
}

// encode prints documents with keys in order, so that equal objects give equal bytes.
func encode(documents []any) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	for _, document := range documents {
		if err := encoder.Encode(integers(document)); err != nil {
			return nil, err
		}
	}
	if err := encoder.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// integers turns whole floats, the only number that jsii knows, into integers.
func integers(node any) any {
	switch node := node.(type) {
	case map[string]any:
		for key, child := range node {
			node[key] = integers(child)
		}
	case []any:
		for i, child := range node {
			node[i] = integers(child)
		}
	case json.Number:
		if whole, err := strconv.ParseInt(node.String(), 10, 64); err == nil {
			return whole
		}
	case float64:
		if whole := int64(node); float64(whole) == node {
			return whole
		}
	}
	return node
}

// plain turns a generated struct into maps and lists under Kubernetes' names, as cdk8s does on the other side of the
// pipe. Fields that are nil are left out.
func plain(value reflect.Value) (any, error) {
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface:
		return plain(value.Elem())
	case reflect.Struct:
		return plainStruct(value)
	case reflect.Slice:
		items := make([]any, value.Len())
		for i := range items {
			item, err := plain(value.Index(i))
			if err != nil {
				return nil, err
			}
			items[i] = item
		}
		return items, nil
	case reflect.Map:
		entries := make(map[string]any, value.Len())
		for iterator := value.MapRange(); iterator.Next(); {
			entry, err := plain(iterator.Value())
			if err != nil {
				return nil, err
			}
			entries[iterator.Key().String()] = entry
		}
		return entries, nil
	case reflect.String:
		return constant(value)
	default:
		return value.Interface(), nil
	}
}

func plainStruct(value reflect.Value) (any, error) {
	kind := value.Type()
	fields := make(map[string]any, 4)
	for i := range kind.NumField() {
		field := value.Field(i)
		if absent(field) {
			continue
		}
		tag := kind.Field(i).Tag.Get("json")
		if wire, differs := imports.Names[tag]; differs {
			tag = wire
		}
		child, err := plain(field)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", tag, err)
		}
		fields[tag] = child
	}
	return fields, nil
}

// absent is a nil pointer or interface, or a constant that was not chosen.
func absent(field reflect.Value) bool {
	switch field.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return field.IsNil()
	case reflect.String:
		return field.Len() == 0
	default:
		return false
	}
}

// constant returns a text, or the value that Kubernetes knows for a constant of a generated type.
func constant(value reflect.Value) (any, error) {
	if value.Type().PkgPath() == "" {
		return value.String(), nil
	}
	name := value.Type().Name() + "." + value.String()
	wire, known := imports.Values[name]
	if !known {
		return nil, fmt.Errorf("%s is no constant; run make imports", name)
	}
	return wire, nil
}

// firstLine is the message of a jsii error without its JavaScript stack trace.
func firstLine(message string) string {
	for line := range bytes.Lines([]byte(message)) {
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
			return string(trimmed)
		}
	}
	return message
}
