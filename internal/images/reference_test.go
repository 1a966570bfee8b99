package images

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/fixture"
)

// digest is one as ECR has them.
var digest = "sha256:" + strings.Repeat("0123456789abcdef", 4)

// production is the fixture with an image in production's folder.
func production(t *testing.T, image string) (root string, env config.Environment) {
	t.Helper()
	root = fixture.Tree(t)
	c, err := config.LoadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "k8s/clusters/production/images.yaml")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(content), "GHOST_IMAGE: ")
	if !found {
		t.Fatalf("%s has no image", file)
	}
	if err := os.WriteFile(file, []byte(before+"GHOST_IMAGE: "+image+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return root, c.Environments["production"]
}

func TestNamed(t *testing.T) {
	const ours, theirs = "333333333333.dkr.ecr.eu-west-1.amazonaws.com/production/ghost", "222222222222.dkr.ecr.eu-west-1.amazonaws.com/integration/ghost"
	for reference, c := range map[string]struct {
		want []Image
		err  string
	}{
		ours + ":" + tag + "@" + digest:         {want: []Image{{"ghost", tag, digest}}},
		"docker.io/library/ghost:6.65.0":        {},
		ours + "-else:1 # not production/ghost": {err: "must have a tag and a digest"},
		ours + ":" + tag:                        {err: "k8s/clusters/production/images.yaml: " + ours + ":" + tag + " must have a tag and a digest, so that what runs is what was tested; write what was tested with: bin/gitops promotion integration production --write"},
		ours + "@" + digest:                     {err: "must have a tag"},
		ours + ":" + tag + "@sha256:0":          {err: "must have a tag and a digest"},
		theirs + ":" + tag + "@" + digest:       {err: "is in the registry of integration, from which pods of production cannot pull"},
	} {
		root, env := production(t, reference)
		got, err := Named(root, env)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", reference, err, c.err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", reference, diff)
		}
	}
}

// A reference that is read is written as it was.
func TestParse(t *testing.T) {
	_, env := production(t, "x")
	for _, rest := range []string{"ghost", "ghost:1", "ghost@" + digest, "ghost:1@" + digest, "shop/web:1"} {
		reference := env.Registry() + "/production/" + rest
		if image, ours := Parse(env, reference); !ours || image.In(env) != reference {
			t.Errorf("%s: got %+v, %t", reference, image, ours)
		}
	}
	if _, ours := Parse(env, env.Registry()+"/productions/ghost:1"); ours {
		t.Error("a repository of another name is taken for one of production")
	}
}

// Broken YAML, and a folder without manifests, are not taken for a folder without images.
func TestNamedNeedsManifests(t *testing.T) {
	root, env := production(t, "x: [")
	if _, err := Named(root, env); err == nil || !strings.HasPrefix(err.Error(), "k8s/clusters/production/images.yaml: ") {
		t.Errorf("broken: %v", err)
	}
	if _, err := Named(t.TempDir(), env); err == nil || !strings.Contains(err.Error(), "make generate") {
		t.Errorf("missing: %v", err)
	}
}
