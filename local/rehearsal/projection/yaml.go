package projection

import (
	"bytes"
	"errors"
	"os"

	"go.yaml.in/yaml/v3"
)

// parse reads a file of one document, an object.
func parse(text []byte) (document, root *yaml.Node, err error) {
	document = &yaml.Node{}
	if err := yaml.Unmarshal(text, document); err != nil {
		return nil, nil, err
	}
	if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
		return nil, nil, errors.New("must be an object")
	}
	return document, document.Content[0], nil
}

// write writes a document with its comments.
func (p *projection) write(name string, document *yaml.Node) error {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(document); err != nil {
		return err
	}
	return os.WriteFile(p.path(name), out.Bytes(), 0o644) //nolint:gosec // a file of the repository
}

// value is what an object has at a key, or nil.
func value(in *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(in.Content); i += 2 {
		if in.Content[i].Value == key {
			return in.Content[i+1]
		}
	}
	return nil
}

// entry is the object at a key, which is made where it is missing.
func entry(in *yaml.Node, key string) *yaml.Node {
	found := value(in, key)
	switch {
	case found == nil:
		found = &yaml.Node{Kind: yaml.MappingNode}
		in.Content = append(in.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, found)
	case found.Kind != yaml.MappingNode: // such as null
		*found = yaml.Node{Kind: yaml.MappingNode}
	}
	return found
}

// put writes a text at a key; an empty one removes it.
func put(in *yaml.Node, key, text string) {
	for i := 0; i+1 < len(in.Content); i += 2 {
		if in.Content[i].Value == key {
			in.Content = append(in.Content[:i], in.Content[i+2:]...)
			break
		}
	}
	if text != "" {
		in.Content = append(in.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, &yaml.Node{Kind: yaml.ScalarNode, Value: text})
	}
}
