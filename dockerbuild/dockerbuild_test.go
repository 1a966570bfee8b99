// Package dockerbuild tests what the image's recipe says. What publish.js does with a real AWS CLI, the tests in
// local/test/product/dockerbuild prove.
package dockerbuild

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestRecipe(t *testing.T) {
	recipe, err := os.ReadFile("Dockerfile")
	if err != nil || !strings.Contains(string(recipe), "\nUSER 1000:1000\n") {
		t.Errorf("Dockerfile: the image must not run as root, and by number, which runAsNonRoot can check (%v)", err)
	}
}

// A list that is broken would show when the next image is published.
func TestAcceptedIsAList(t *testing.T) {
	content, err := os.ReadFile("accepted.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ Name, Package, Reason, Until string }
	if err := json.Unmarshal(content, &list); err != nil {
		t.Fatalf("accepted.json: %v", err)
	}
	for i, entry := range list {
		if entry.Name == "" || entry.Package == "" || entry.Reason == "" || entry.Until == "" {
			t.Errorf("accepted.json: entry %d needs name, package, reason and until, got %+v", i+1, entry)
		}
	}
}

// Flux takes the tag with the highest time: k8s/platform/image-automation.
func TestPublishTagSorts(t *testing.T) {
	content, err := os.ReadFile("publish.yml")
	if err != nil || !strings.Contains(string(content), "date -u +%Y%m%d%H%M%S") {
		t.Errorf("publish.yml: the tag does not begin with the time, which Flux sorts by (%v)", err)
	}
}
