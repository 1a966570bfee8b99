package promotion

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/images"
)

// imagesFile is the file with the images of an environment.
func imagesFile(env config.Environment) string { return "k8s/clusters/" + env.Name + "/images.yaml" }

// named is a line with an image, by the variable that the manifests know it by.
var named = regexp.MustCompile(`(?m)^(\s+([A-Z][A-Z0-9_]*):[ \t]+)(\S+)`)

// imagesIn are the images of such a file by variable.
func imagesIn(text string) map[string]string {
	found := map[string]string{}
	for _, line := range named.FindAllStringSubmatch(text, -1) {
		found[line[2]] = line[3]
	}
	return found
}

// images says what runs in To after the merge and before, and what From's branch runs.
func (p *Promotion) images(r repository) {
	p.source = imagesIn(r.file(p.Head, imagesFile(p.From)))
	before, after := imagesIn(r.file(p.Base, imagesFile(p.To))), r.file(p.Head, imagesFile(p.To))
	if p.To.CopiesImages() {
		for _, c := range difference(before, imagesIn(after)) {
			p.Images = append(p.Images, Change{c.Name + " of " + p.To.Name, c.Old, c.New})
		}
		if _, changes, err := p.takeOver(after); err != nil || len(changes) > 0 {
			p.Behind = true
		}
		return
	}
	for _, e := range []struct {
		name   string
		images map[string]string
	}{{p.To.Name, before}, {p.From.Name, p.source}} {
		for _, c := range difference(map[string]string{}, e.images) {
			p.Images = append(p.Images, Change{Name: c.Name + " of " + e.name, New: c.New})
		}
	}
}

// TakeImages writes the images that From's branch runs into To's file in the checkout at root, as images of To's registry with the
// same tag and digest, and returns what it changed.
func (p *Promotion) TakeImages(root string) ([]Change, error) {
	path := filepath.Join(root, imagesFile(p.To))
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text, changes, err := p.takeOver(string(content))
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	return changes, os.WriteFile(path, []byte(text), 0o644)
}

// takeOver puts From's images into a text.
func (p *Promotion) takeOver(text string) (string, []Change, error) {
	if err := p.shares(); err != nil {
		return "", nil, err
	}
	var changes []Change
	var problems []error
	text = named.ReplaceAllStringFunc(text, func(line string) string {
		m := named.FindStringSubmatch(line)
		taken, err := p.inTo(m[2], p.source[m[2]])
		if err != nil {
			problems = append(problems, err)
		}
		if err != nil || taken == m[3] {
			return line
		}
		changes = append(changes, Change{m[2], m[3], taken})
		return m[1] + taken
	})
	if len(named.FindString(text)) == 0 {
		problems = append(problems, fmt.Errorf("%s: names no image; make it anew: remove the folder, and run make generate", imagesFile(p.To)))
	}
	return text, changes, errors.Join(problems...)
}

// shares fails unless To runs the images that From runs.
func (p *Promotion) shares() error {
	if !p.To.CopiesImages() {
		return fmt.Errorf("%s builds its own images; set environments.%s.delivery.imagesFrom in cdk.json to run those of %s", p.To.Name, p.To.Name, p.From.Name)
	}
	source := p.To.ImageSource.Name
	if source != p.From.Name && (!p.From.CopiesImages() || p.From.ImageSource.Name != source) {
		return fmt.Errorf("%s runs the images of %s, and %s runs others; promote from %s", p.To.Name, source, p.From.Name, source)
	}
	return nil
}

// inTo is From's image as To's registry has it once it is copied. An image of another registry is one everywhere.
func (p *Promotion) inTo(variable, reference string) (string, error) {
	file := imagesFile(p.From)
	if reference == "" {
		return "", fmt.Errorf("%s of branch %s: has no %s; add it, or remove it from %s", file, p.From.Branch, variable, imagesFile(p.To))
	}
	image, built := images.Parse(p.From, reference)
	switch {
	case !built:
		return reference, nil
	case image.Tag == "" || !strings.HasPrefix(image.Digest, "sha256:"):
		return "", fmt.Errorf("%s of branch %s: %s has no digest; Flux adds it some minutes after it runs this version of k8s/platform/image-automation, then run git fetch and this again", file, p.From.Branch, reference)
	}
	return image.In(p.To), nil
}
