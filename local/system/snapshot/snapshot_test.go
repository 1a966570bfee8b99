package snapshot

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// state makes a directory as a stopped system leaves one: a log that is mostly empty, read-only objects, a link.
func state(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, text string, mode fs.FileMode) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("ports.json", "{}", 0o600)
	put("ca/ca.key", "secret", 0o400)
	put("git/objects/ab/cd", "object", 0o444)
	put("control/etcd/wal", "begin"+strings.Repeat("\x00", 5<<20)+"end", 0o600)
	put("log/moto.log", "noise", 0o600)
	if err := os.Chmod(filepath.Join(dir, "git", "objects", "ab"), 0o500); err != nil { //nolint:gosec // read-only on purpose
		t.Fatal(err)
	}
	if err := os.Symlink("ports.json", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = removeAll(dir) })
	return dir
}

func noLogs(name string) bool { return name == "log" }

func save(t *testing.T, s *Store, from, key string) Manifest {
	t.Helper()
	m, err := s.Save(t.Context(), from, noLogs, Manifest{Key: key, Commit: "c", State: from, Ports: map[string]int{"aws": 1}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRestoreIsWhatWasSaved(t *testing.T) {
	from, s := state(t), &Store{Dir: filepath.Join(t.TempDir(), "s")}
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Fatalf("an empty store lists %v, %v", all, err)
	}
	made := save(t, s, from, "aaaa")
	if made.Bytes > 1<<20 {
		t.Errorf("the snapshot takes %d bytes: the empty blocks of the log are written out", made.Bytes)
	}
	m, err := s.Find("aa")
	if err != nil || m.Commit != "c" || m.Ports["aws"] != 1 || m.State != from {
		t.Fatalf("found %+v, %v", m, err)
	}
	to := filepath.Join(t.TempDir(), "new")
	t.Cleanup(func() { _ = removeAll(to) })
	if err := s.Restore(t.Context(), m, to); err != nil {
		t.Fatal(err)
	}
	want, got := content(t, from), content(t, to)
	delete(want, "log")
	delete(want, "log/moto.log")
	if !maps.Equal(want, got) {
		t.Errorf("restored %v\nwant %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// content is the mode and the text of each file, by its path.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		if info.Mode().IsRegular() {
			raw, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text += string(raw)
		}
		rel, err := filepath.Rel(dir, name)
		all[rel] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDamageIsFound(t *testing.T) {
	for name, damage := range map[string]func(file string) error{
		"another content": func(f string) error { return os.WriteFile(f, []byte("public"), 0o600) },
		"shorter":         func(f string) error { return os.Truncate(f, 2) },
		"gone":            os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			s := &Store{Dir: t.TempDir()}
			m := save(t, s, state(t), "aaaa")
			file := s.path("aaaa", "files", "ca", "ca.key")
			if err := os.Chmod(file, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := damage(file); err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(t.TempDir(), "new")
			t.Cleanup(func() { _ = removeAll(to) })
			err := s.Restore(t.Context(), m, to)
			if err == nil || !strings.Contains(err.Error(), "ca.key") || !strings.Contains(err.Error(), "snapshot remove aaaa") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAManifestThatLeadsOutIsRefused(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	m := save(t, s, state(t), "aaaa")
	m.Files = append(m.Files, File{Path: "../out", Link: "x"})
	to := filepath.Join(t.TempDir(), "new")
	t.Cleanup(func() { _ = removeAll(to) })
	if err := s.Restore(t.Context(), m, to); err == nil || !strings.Contains(err.Error(), "../out") {
		t.Errorf("got %v", err)
	}
}

func TestOldSnapshotsGo(t *testing.T) {
	s, from := &Store{Dir: t.TempDir(), Keep: 2}, state(t)
	age := func(key string, hours int) {
		t.Helper()
		when := time.Now().Add(-time.Duration(hours) * time.Hour)
		if err := os.Chtimes(s.path(key, "manifest.json"), when, when); err != nil {
			t.Fatal(err)
		}
	}
	save(t, s, from, "aaaa")
	age("aaaa", 3)
	b := save(t, s, from, "bbbb")
	age("bbbb", 2)
	// A use makes it new again, so that b goes.
	a, err := s.Find("aaaa")
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "new")
	t.Cleanup(func() { _ = removeAll(to) })
	if err := s.Restore(t.Context(), a, to); err != nil {
		t.Fatal(err)
	}
	save(t, s, from, "cccc")
	if got := keys(t, s); !slices.Equal(got, []string{"cccc", "aaaa"}) {
		t.Errorf("kept %v", got)
	}
	if _, err := s.Find(b.Key); !errors.Is(err, ErrNone) {
		t.Errorf("bbbb: %v", err)
	}
	age("cccc", 1)
	s.Most = 1 // the newest stays, however large
	save(t, s, from, "dddd")
	if got := keys(t, s); !slices.Equal(got, []string{"dddd"}) {
		t.Errorf("kept %v", got)
	}
	if err := s.Remove("dd"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove("dd"); !errors.Is(err, ErrNone) {
		t.Errorf("removed twice: %v", err)
	}
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) != 1 { // the lock
		t.Errorf("left %v, %v", left, err)
	}
}

func keys(t *testing.T, s *Store) []string {
	t.Helper()
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range all {
		out = append(out, m.Key)
	}
	return out
}

func TestKey(t *testing.T) {
	content := func() Content {
		return Content{
			Tree:  map[string]string{"main.go": "100644 blob a", "k8s/x.yaml": "100644 blob b", "k8s/images.yaml": "100644 blob c"},
			Parts: map[string]string{"moto": "1"},
		}
	}
	base := Key(content(), "k8s/images.yaml")
	for name, change := range map[string]func(Content){
		"another file":        func(c Content) { c.Tree["k8s/y.yaml"] = "100644 blob d" },
		"another content":     func(c Content) { c.Tree["main.go"] = "100644 blob d" },
		"a file less":         func(c Content) { delete(c.Tree, "main.go") },
		"another moto":        func(c Content) { c.Parts["moto"] = "2" },
		"a program more":      func(c Content) { c.Parts["program x"] = "1" },
		"the tool's own code": func(c Content) { c.Tree["local/system/up.go"] = "100644 blob d" },
	} {
		c := content()
		if change(c); Key(c, "k8s/images.yaml") == base {
			t.Errorf("%s: the same key", name)
		}
	}
	for _, name := range []string{"docs/a.svg", "README.md", "main_test.go", "testdata/fixture/x.json", "local/test/e2e/x.go", "k8s/images.yaml"} {
		c := content()
		if c.Tree[name] = "100644 blob d"; Key(c, "k8s/images.yaml") != base {
			t.Errorf("%s: another key", name)
		}
	}
}
