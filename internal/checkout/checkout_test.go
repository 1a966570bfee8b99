package checkout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	deep := filepath.Join(root, "k8s", "clusters", "dev")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(deep); err == nil || !strings.Contains(err.Error(), "not inside a checkout") {
		t.Errorf("without cdk.json: %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, "cdk.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(deep)
	if got, err := Root(); err != nil || got != root {
		t.Errorf("got %q, %v, want %q", got, err, root)
	}
}
