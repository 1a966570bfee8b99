package services

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"k8s-plus-aws-gitops/config"
)

// largest is more than any service file needs. The parser's memory grows with its input, and a fleet is read at once.
const largest = 64 << 10

// decoder fills a struct from YAML. It is strict about names and types, and complete: yaml.Unmarshal stops at the first
// mistake, takes the last of two equal keys, and makes the text "true" of a value that the writer meant as one.
type decoder struct {
	file     string
	lines    map[string]int
	problems config.Problems
}

// add notes a problem of the keys at path, which stand in a line.
func (d *decoder) add(path string, line int, remedy, format string, args ...any) {
	d.problems = append(d.problems, config.Problem{File: d.file, Line: line, Path: path, What: fmt.Sprintf(format, args...), Remedy: remedy})
}

// yamlLine is the line in an error of the YAML library.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// document decodes the only document of a file.
func (d *decoder) document(content []byte, out any) {
	if len(content) > largest {
		d.add("", 0, "keep what is long in a ConfigMap, by a Go escape hatch", "is larger than %d KiB", largest>>10)
		return
	}
	stream := yaml.NewDecoder(bytes.NewReader(content))
	var root yaml.Node
	err := decodeNode(stream, &root)
	switch {
	case errors.Is(err, io.EOF):
		d.add("", 1, "write at least image and port", "is empty")
		return
	case err != nil:
		d.syntax(err)
		return
	}
	var second yaml.Node
	if err := decodeNode(stream, &second); err == nil {
		d.add("", max(second.Line, 1), "make a file for each", "holds more than one document")
		return
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err)
		return
	}
	d.value("", root.Content[0], reflect.ValueOf(out).Elem())
}

// decodeNode turns the library's panics, of which fuzzing has found some, into errors.
func decodeNode(stream *yaml.Decoder, node *yaml.Node) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("yaml: %v", problem)
		}
	}()
	return stream.Decode(node)
}

// syntax reports what the YAML library refuses.
func (d *decoder) syntax(err error) {
	line, what := 1, err.Error()
	if match := yamlLine.FindStringSubmatch(what); match != nil {
		what = match[2]
		if n, err := strconv.Atoi(match[1]); err == nil {
			line = n
		}
	}
	d.add("", line, "correct the indentation or the quotes", "is not YAML: %s", what)
}

// value sets out from a node.
func (d *decoder) value(path string, node *yaml.Node, out reflect.Value) {
	d.lines[path] = node.Line
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		d.add(path, node.Line, "repeat the value", "must not use an anchor")
		return
	}
	switch out.Kind() {
	case reflect.Pointer:
		out.Set(reflect.New(out.Type().Elem()))
		d.value(path, node, out.Elem())
	case reflect.Struct:
		d.object(path, node, out)
	case reflect.Map:
		d.mapping(path, node, out)
	case reflect.Slice:
		d.list(path, node, out)
	default:
		d.scalar(path, node, out)
	}
}

// scalar sets a string, number or boolean. The library's tag tells what YAML makes of the text without quotes.
func (d *decoder) scalar(path string, node *yaml.Node, out reflect.Value) {
	want, remedy := "text", "write it in quotes"
	ok := node.Kind == yaml.ScalarNode
	switch out.Kind() {
	case reflect.String:
		if ok = ok && node.ShortTag() == "!!str"; ok {
			out.SetString(node.Value)
		}
	case reflect.Bool:
		want, remedy = "true or false", "write one of them without quotes"
		if ok = ok && node.ShortTag() == "!!bool"; ok {
			out.SetBool(strings.EqualFold(node.Value, "true"))
		}
	default:
		want, remedy = "a whole number", "write digits alone, without quotes"
		n, err := strconv.ParseInt(node.Value, 10, 32)
		if ok = ok && node.ShortTag() == "!!int" && err == nil; ok {
			out.SetInt(n)
		}
	}
	if !ok {
		d.add(path, node.Line, remedy, "must be %s, got %s", want, describe(node))
	}
}

// pairs lists a mapping's keys and values. Keys are texts, and each is there once.
func (d *decoder) pairs(path string, node *yaml.Node, each func(key, value *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		d.add(path, node.Line, "write them as key: value", "must be keys and values, got %s", describe(node))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		switch line, twice := seen[key.Value]; {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge":
			d.add(path, key.Line, "write a plain name", "must have names as keys")
		case twice:
			d.add(join(path, key.Value), key.Line, fmt.Sprintf("remove it here or in line %d", line), "is there twice")
		default:
			seen[key.Value] = key.Line
			each(key, node.Content[i+1])
		}
	}
}

// queueKey is how people ask for pods by the length of a queue, which nothing in the cluster reads.
var queueKey = regexp.MustCompile(`(?i)queue|message|sqs|backlog`)

const noQueueScaling = "pods are scaled by their CPU alone; use cpu, which a queue that fills raises in the pods that empty it, or replicas for the peak"

func (d *decoder) object(path string, node *yaml.Node, out reflect.Value) {
	known := fields(out)
	d.pairs(path, node, func(key, value *yaml.Node) {
		field, ok := known[key.Value]
		if !ok {
			remedy := config.Suggest(key.Value, slices.Sorted(maps.Keys(known)))
			if out.Type() == reflect.TypeFor[Autoscale]() && queueKey.MatchString(key.Value) {
				remedy = noQueueScaling
			}
			d.add(join(path, key.Value), key.Line, remedy, "is not a known key")
			return
		}
		d.value(join(path, key.Value), value, field)
	})
}

func (d *decoder) mapping(path string, node *yaml.Node, out reflect.Value) {
	out.Set(reflect.MakeMap(out.Type()))
	d.pairs(path, node, func(key, value *yaml.Node) {
		element := reflect.New(out.Type().Elem()).Elem()
		d.value(join(path, key.Value), value, element)
		out.SetMapIndex(reflect.ValueOf(key.Value), element)
	})
}

func (d *decoder) list(path string, node *yaml.Node, out reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		d.add(path, node.Line, "write it as [a, b]", "must be a list, got %s", describe(node))
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(node.Content), len(node.Content)))
	for i, item := range node.Content {
		d.value(fmt.Sprintf("%s[%d]", path, i), item, out.Index(i))
	}
}

// fields lists a struct's fields by key, embedded structs' among them.
func fields(out reflect.Value) map[string]reflect.Value {
	found := map[string]reflect.Value{}
	for i := range out.NumField() {
		field := out.Type().Field(i)
		switch {
		case field.Anonymous:
			maps.Copy(found, fields(out.Field(i)))
		case field.Tag.Get("yaml") != "":
			found[field.Tag.Get("yaml")] = out.Field(i)
		}
	}
	return found
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// describe says what a node is, for a message. Secrets do not belong into these files, but may be there by mistake: long
// texts are not repeated.
func describe(node *yaml.Node) string {
	switch {
	case node.Kind == yaml.MappingNode:
		return "a mapping"
	case node.Kind == yaml.SequenceNode:
		return "a list"
	case node.ShortTag() == "!!null":
		return "nothing"
	case len(node.Value) > 40:
		return "a text"
	case node.ShortTag() == "!!str":
		return strconv.Quote(node.Value)
	default:
		return strings.TrimSpace(node.Value)
	}
}
