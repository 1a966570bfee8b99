// Package images brings the images that an environment runs from the registry of the environment that built them: the same
// bytes, by their digests.
package images

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"k8s-plus-aws-gitops/config"
)

// Image is an image of an environment's own registry.
type Image struct {
	// Application is the end of the repository's name, which is <environment>/<application>.
	Application string
	Tag, Digest string
}

// Parse returns the image that a reference names in an environment's registry, and whether it is one.
func Parse(env config.Environment, reference string) (Image, bool) {
	rest, ours := strings.CutPrefix(reference, env.Registry()+"/"+env.RepositoryName(""))
	if !ours {
		return Image{}, false
	}
	rest, digest, _ := strings.Cut(rest, "@")
	application, tag, _ := strings.Cut(rest, ":")
	return Image{Application: application, Tag: tag, Digest: digest}, true
}

// In is the reference of the image in an environment's registry.
func (i Image) In(env config.Environment) string {
	reference := env.Registry() + "/" + env.RepositoryName(i.Application)
	if i.Tag != "" {
		reference += ":" + i.Tag
	}
	if i.Digest != "" {
		reference += "@" + i.Digest
	}
	return reference
}

// Named lists the images that the environment's folder below k8s/clusters names in its own registry. Each must have a tag,
// which people read, and a digest, which says what runs. Images of other registries are not ours to copy.
func Named(root string, env config.Environment) ([]Image, error) {
	folder := "k8s/clusters/" + env.Name
	files, err := filepath.Glob(filepath.Join(root, folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: has no manifests; make them with: make generate", folder)
	}
	var found []Image
	var problems []error
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		texts, err := leaves(content)
		if err != nil {
			return nil, fmt.Errorf("%s/%s: %w", folder, filepath.Base(path), err)
		}
		for _, text := range texts {
			image, ours, err := judge(env, text)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s/%s: %w", folder, filepath.Base(path), err))
			}
			if ours && !slices.Contains(found, image) {
				found = append(found, image)
			}
		}
	}
	return found, errors.Join(problems...)
}

// judge returns the image that a text of a manifest names in the environment's registry, if it does.
func judge(env config.Environment, text string) (image Image, ours bool, err error) {
	write := fmt.Sprintf("write what was tested with: bin/gitops promotion %s %s --write", env.ImageSource.Name, env.Name)
	if _, theirs := Parse(*env.ImageSource, text); theirs {
		return image, false, fmt.Errorf("%s is in the registry of %s, from which pods of %s cannot pull; %s", text, env.ImageSource.Name, env.Name, write)
	}
	image, ours = Parse(env, text)
	if ours && (image.Tag == "" || !isDigest(image.Digest)) {
		return image, false, fmt.Errorf("%s must have a tag and a digest, so that what runs is what was tested; %s", text, write)
	}
	return image, ours, nil
}

// isDigest reports whether text is a digest as ECR has them.
func isDigest(text string) bool {
	hex, ok := strings.CutPrefix(text, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// leaves are the texts in YAML documents.
func leaves(content []byte) ([]string, error) {
	var texts []string
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			texts = append(texts, n.Value)
		}
		for _, inner := range n.Content {
			walk(inner)
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			return texts, nil
		case err != nil:
			return nil, err
		}
		walk(&document)
	}
}
