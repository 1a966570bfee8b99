package manifests

import (
	"bytes"
)

// Validator holds manifests that are no files of this repository to the schemas of their kinds.
type Validator struct{ schemas *schemaValidator }

// NewValidator loads the schemas. Close removes what it wrote to disk.
func NewValidator() (*Validator, error) {
	loaded, err := newValidator()
	if err != nil {
		return nil, err
	}
	return &Validator{loaded}, nil
}

// Close frees the validator.
func (v *Validator) Close() { v.schemas.close() }

// Documents checks YAML documents. file names them in problems.
func (v *Validator) Documents(file string, content []byte) []Problem {
	c := &check{validator: v.schemas, path: file}
	for _, document := range bytes.Split(content, []byte("\n---\n")) {
		o, err := parse(document)
		switch {
		case err != nil:
			c.report(nil, err.Error(), "correct the YAML")
		case o != nil:
			c.validate(o)
		}
	}
	return c.problems
}

// ParseObjects reads the documents of a file.
func ParseObjects(content []byte) ([]Object, error) {
	var all []Object
	for _, document := range bytes.Split(content, []byte("\n---\n")) {
		o, err := parse(document)
		if err != nil {
			return nil, err
		}
		if o != nil {
			all = append(all, export(o))
		}
	}
	return all, nil
}
