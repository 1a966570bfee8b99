package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseTree reads a template body, JSON or YAML with CloudFormation's short
// tags, into maps, slices, strings, bools and json.Numbers.
func parseTree(body string) (map[string]any, error) {
	if strings.HasPrefix(strings.TrimSpace(body), "{") {
		return parseJSON(body)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(body), &doc); err != nil {
		return nil, invalid("Template format error: YAML not well-formed. (%v)", err)
	}
	if len(doc.Content) == 0 {
		return nil, invalid("Template format error: the template is empty")
	}
	v, err := fromNode(doc.Content[0])
	if err != nil {
		return nil, invalid("Template format error: YAML not well-formed. (%v)", err)
	}
	tree, ok := v.(map[string]any)
	if !ok {
		return nil, invalid("Template format error: the template is not an object")
	}
	return tree, nil
}

func parseJSON(body string) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(body)))
	d.UseNumber()
	var tree map[string]any
	if err := d.Decode(&tree); err != nil {
		return nil, invalid("Template format error: JSON not well-formed. (%v)", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, invalid("Template format error: JSON not well-formed. (text after the end of the template)")
	}
	return tree, nil
}

func fromNode(n *yaml.Node) (any, error) {
	if n.Kind == yaml.AliasNode {
		return nil, fmt.Errorf("line %d: aliases are not supported", n.Line)
	}
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		return fromTag(n)
	}
	return fromPlain(n)
}

// fromTag turns the short form !Name value into {"Fn::Name": value}.
func fromTag(n *yaml.Node) (any, error) {
	name := strings.TrimPrefix(n.Tag, "!")
	plain := *n
	plain.Tag = ""
	if n.Kind == yaml.ScalarNode {
		plain.Tag = "!!str"
	}
	v, err := fromPlain(&plain)
	if err != nil {
		return nil, err
	}
	switch name {
	case "Ref", "Condition":
		return map[string]any{name: v}, nil
	case "GetAtt":
		if s, ok := v.(string); ok {
			id, attr, _ := strings.Cut(s, ".")
			v = []any{id, attr}
		}
	}
	if !functions["Fn::"+name] {
		return nil, fmt.Errorf("line %d: unknown tag %s", n.Line, n.Tag)
	}
	return map[string]any{"Fn::" + name: v}, nil
}

func fromPlain(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		return fromMapping(n)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := fromNode(c)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	default:
		return fromScalar(n)
	}
}

func fromMapping(n *yaml.Node) (any, error) {
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			return nil, fmt.Errorf("line %d: merge keys and keys that are not text are not supported", k.Line)
		}
		if _, twice := m[k.Value]; twice {
			return nil, fmt.Errorf("line %d: duplicate key %q", k.Line, k.Value)
		}
		v, err := fromNode(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		m[k.Value] = v
	}
	return m, nil
}

// fromScalar keeps dates as text: "2012-10-17" is a policy version.
func fromScalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err
	case "!!int":
		var i int64
		if err := n.Decode(&i); err != nil {
			return n.Value, nil //nolint:nilerr // larger than 64 bits: an account-like number, text
		}
		return json.Number(strconv.FormatInt(i, 10)), nil
	case "!!float":
		var f float64
		if err := n.Decode(&f); err != nil {
			return nil, err
		}
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value), nil
		}
		return n.Value, nil
	}
	return n.Value, nil
}
