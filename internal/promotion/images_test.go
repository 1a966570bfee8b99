package promotion

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	digest   = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	official = "docker.io/library/ghost:6.65.0"
	tagged   = "20261120113000-0123456789ab"
	tested   = "222222222222.dkr.ecr.eu-west-1.amazonaws.com/integration/ghost:" + tagged + "@" + digest
	promoted = "333333333333.dkr.ecr.eu-west-1.amazonaws.com/production/ghost:" + tagged + "@" + digest
)

// What integration runs becomes what production runs: the same tag and digest, of its own registry, and nothing else in the
// file. A second time changes nothing.
func TestTakeImages(t *testing.T) {
	root, c := clone(t)
	p, err := Find(t.Context(), root, c, "integration", "production")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, imagesFile(p.To))
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := p.TakeImages(root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Change{{"GHOST_IMAGE", official, promoted}}, changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Replace(string(before), official, promoted, 1), string(after)); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
	if changes, err := p.TakeImages(root); err != nil || len(changes) > 0 {
		t.Errorf("the second time: %v, %v", changes, err)
	}
}

// The description says from which image to which the pull request goes, and is silent about --write when it is done.
func TestImagesOfThePullRequest(t *testing.T) {
	root, c := clone(t)
	p, err := Find(t.Context(), root, c, "integration", "production")
	if err != nil || !p.Behind {
		t.Fatalf("behind %v, %v", p, err)
	}
	if _, err := p.TakeImages(root); err != nil {
		t.Fatal(err)
	}
	run(t, root, "commit", "--quiet", "-am", "Promote the image")
	if p, err = Find(t.Context(), root, c, "integration", "production"); err != nil || p.Behind {
		t.Errorf("behind although it is written: %v", err)
	}
	if last := p.Images[len(p.Images)-1]; last != (Change{"GHOST_IMAGE of production", official, promoted}) {
		t.Errorf("images: %v", p.Images)
	}
	if files := p.Pipelines["deploy"]; len(files) == 0 || p.Pipelines["dockerbuild"] != nil {
		t.Errorf("pipelines: %v", p.Pipelines)
	}
}

func TestTakeImagesRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		edit func(*Promotion)
		want string
	}{
		"no digest":     {func(p *Promotion) { p.source["GHOST_IMAGE"] = strings.TrimSuffix(tested, "@"+digest) }, "has no digest; Flux adds it"},
		"no image":      {func(p *Promotion) { delete(p.source, "GHOST_IMAGE") }, "k8s/clusters/integration/images.yaml of branch main: has no GHOST_IMAGE"},
		"its own build": {func(p *Promotion) { p.To.ImageSource = nil }, "production builds its own images; set environments.production.delivery.imagesFrom"},
		"others":        {func(p *Promotion) { p.To.ImageSource = &p.To }, "production runs the images of production, and integration runs others"},
	} {
		t.Run(what, func(t *testing.T) {
			root, configured := clone(t)
			p, err := Find(t.Context(), root, configured, "integration", "production")
			if err != nil {
				t.Fatal(err)
			}
			c.edit(p)
			if changes, err := p.TakeImages(root); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v, want %q", changes, err, c.want)
			}
			if content, err := os.ReadFile(filepath.Join(root, "k8s/clusters/production/images.yaml")); err != nil || !strings.Contains(string(content), official) {
				t.Errorf("the file is changed (%v)", err)
			}
		})
	}
}

// Two environments that run the images of a third name the same ones.
func TestTakeImagesOfAThird(t *testing.T) {
	root, c := clone(t)
	p, err := Find(t.Context(), root, c, "integration", "production")
	if err != nil {
		t.Fatal(err)
	}
	dev := c.Environments["dev"]
	p.From.Delivery.ImagesFrom, p.From.ImageSource, p.To.ImageSource = "dev", &dev, &dev
	if changes, err := p.TakeImages(root); err != nil || len(changes) != 1 || changes[0].New != promoted {
		t.Errorf("%v, %v", changes, err)
	}
}
