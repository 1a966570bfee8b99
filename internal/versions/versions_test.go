package versions

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/golden"
)

const root = "../.."

func TestDocument(t *testing.T) {
	got, err := Document(root)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, filepath.Join(root, "docs", "versions.md"), got)
}

// The version of a component was supported on the day when its support was looked up. A later day needs a look at
// the source, not a clock in a test.
func TestSupported(t *testing.T) {
	ends, err := loadLives()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, c := range Components() {
		if c.Product == "" {
			continue
		}
		used[c.Product] = true
		version, _, _, err := c.Pin.Find(root)
		if err != nil {
			t.Error(err)
			continue
		}
		l, known := of(ends[c.Product], dotted(version))
		switch {
		case !known:
			t.Errorf("%s %s: internal/versions/end-of-life.yaml has no entry of %s for it; add when its support ends, and the source", c.Name, version, c.Product)
		case l.Date != "" && l.Date <= l.Seen:
			t.Errorf("%s %s has had no support since %s (%s): pin a newer version", c.Name, version, l.Date, l.Source)
		}
	}
	for product, all := range ends {
		if !used[product] {
			t.Errorf("internal/versions/end-of-life.yaml: no component has product %s; remove it", product)
		}
		for _, l := range all {
			if !strings.HasPrefix(l.Source, "https://") || (l.Date == "") == (l.Says == "") && l.Date == "" {
				t.Errorf("internal/versions/end-of-life.yaml: %s %s needs a source, and a date or what the source says", product, l.Cycle)
			}
			for _, day := range []string{l.Seen, l.Date} {
				if _, err := time.Parse(time.DateOnly, day); err != nil && day != "" || l.Seen == "" {
					t.Errorf("internal/versions/end-of-life.yaml: %s %s: %q must be a day, YYYY-MM-DD", product, l.Cycle, day)
				}
			}
		}
	}
}

func TestEndedSupportIsFound(t *testing.T) {
	ends, err := loadLives()
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{"v0.20.4": "2025-11-07", "2.12.0": ""} {
		if l, known := of(ends["external-secrets"], version); !known || l.Date != want {
			t.Errorf("External Secrets %s: %+v, want an end on %q", version, l, want)
		}
	}
	if l, known := of(ends["external-secrets"], "2.1.0"); known {
		t.Errorf("2.1.0 is not of the cycle %+v", l)
	}
}

// What is pinned is in the table: releases of the platform, programs, packages, arguments of the image.
func TestEveryPinIsInTheTable(t *testing.T) {
	var listed []string // "file\nmatched text"
	for _, c := range Components() {
		_, start, end, err := c.Pin.Find(root)
		if err != nil {
			t.Error(err)
			continue
		}
		listed = append(listed, at(t, c.Pin.File, start, end))
	}
	expect := func(file, pattern string) {
		t.Helper()
		found := regexp.MustCompile(pattern).FindAllSubmatchIndex(read(t, file), -1)
		if len(found) == 0 {
			t.Errorf("%s has no match of %q: correct this test", file, pattern)
		}
		for _, m := range found {
			if where := at(t, file, m[2], m[3]); !slices.Contains(listed, where) {
				t.Errorf("%s pins a version that docs/versions.md lacks: add it to internal/versions/components.go", where)
			}
		}
	}
	releases, err := filepath.Glob(root + "/k8s/platform/controllers/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range releases {
		if name := filepath.Base(file); name != "kustomization.yaml" {
			expect("k8s/platform/controllers/"+name, `\n {6}(?:version|tag): (\S+)`)
		}
	}
	expect("dockerbuild/Dockerfile", `ARG [A-Z]+_VERSION=(\S+)`)
	var packages struct{ DevDependencies map[string]string }
	if err := json.Unmarshal(read(t, "package.json"), &packages); err != nil {
		t.Fatal(err)
	}
	for name := range packages.DevDependencies {
		expect("package.json", `"`+regexp.QuoteMeta(name)+`": "([0-9.]+)"`)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// at names a place of a file: its line, and the text there.
func at(t *testing.T, file string, start, end int) string {
	t.Helper()
	content := string(read(t, file))
	first := strings.LastIndex(content[:start], "\n") + 1
	return file + ":" + content[first:end]
}
