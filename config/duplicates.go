package config

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// duplicateKeys reports the keys that a JSON text gives twice in one object, with their lines. JSON parsers take the last
// one without a word, so that a merge which keeps both sides of a conflict would change an account.
func duplicateKeys(name string, content []byte) error {
	d := duplicates{name: name, content: content, decoder: json.NewDecoder(bytes.NewReader(content))}
	if err := d.value(""); err != nil {
		return fmt.Errorf("%s: %w%s", name, err, position(content, err))
	}
	return d.problems.Err()
}

// duplicates walks through the tokens of a JSON text.
type duplicates struct {
	name     string
	content  []byte
	decoder  *json.Decoder
	problems Problems
}

// value reads one value, at path.
func (d *duplicates) value(path string) error {
	token, err := d.decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		err = d.object(path)
	case json.Delim('['):
		for i := 0; err == nil && d.decoder.More(); i++ {
			err = d.value(fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		return nil
	}
	if err == nil {
		_, err = d.decoder.Token() // the closing one
	}
	return err
}

// object reads the keys and values of an object.
func (d *duplicates) object(path string) error {
	lines := map[string]int{}
	for d.decoder.More() {
		token, err := d.decoder.Token()
		if err != nil {
			return err
		}
		key := token.(string) // the decoder takes nothing else as a key
		at, line := key, lineOf(d.content, d.decoder.InputOffset())
		if path != "" {
			at = path + "." + key
		}
		if first, twice := lines[key]; twice {
			d.problems = append(d.problems, Problem{
				File: d.name, Line: line, Path: at, What: fmt.Sprintf("is also in line %d, and only the last would count", first), Remedy: "keep one of them",
			})
		} else {
			lines[key] = line
		}
		if err := d.value(at); err != nil {
			return err
		}
	}
	return nil
}

// lineOf returns the line of an offset.
func lineOf(content []byte, offset int64) int {
	return 1 + bytes.Count(content[:min(int(offset), len(content))], []byte("\n"))
}
