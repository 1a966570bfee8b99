package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAssembly(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "assembly-dev"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"network.template.json":      `{"Resources": {"A": {}, "B": {}}, "Outputs": {"O": {"Value": 1, "Export": {"Name": "n"}}, "P": {"Value": 2}}}`,
		"dev/orders.template.json":   `{"Resources": {"A": {}}, "Metadata": "` + strings.Repeat("x", 3<<10) + `"}`,
		"dev/manifest.json":          `{"Resources": {"A": {}}}`,
		"dev/billing.template.json.": `{"Resources": {"A": {}}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, strings.Replace(name, "dev/", "assembly-dev/", 1)), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := assembly(dir)
	if want := (made{stacks: 2, resources: 3, exports: 1, largest: 2, bytes: got.bytes}); err != nil || got != want || got.bytes>>10 != 3 {
		t.Errorf("got %+v, %v, want %+v and 3 KiB", got, err, want)
	}
}
