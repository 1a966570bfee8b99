package atomicfile

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// size is large enough that a write takes a while.
const size = 4 << 20

// TestMain makes this program the one that crashes: it replaces the named file for ever.
func TestMain(m *testing.M) {
	name := os.Getenv("ATOMICFILE_WRITE")
	if name == "" {
		os.Exit(m.Run())
	}
	for i := 0; ; i++ {
		if err := Write(name, bytes.Repeat([]byte{byte('a' + i%2)}, size), 0o600); err != nil {
			os.Exit(1)
		}
	}
}

func TestWrite(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	for content, mode := range map[string]os.FileMode{"one": 0o600, "the other": 0o644} {
		if err := Write(name, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || string(got) != content {
			t.Errorf("got %q, %v, want %q", got, err, content)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode %v, %v, want %v", info.Mode(), err, mode)
		}
	}
	alone(t, filepath.Dir(name))
}

func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	if err := Write(filepath.Join(dir, "none", "f"), nil, 0o600); err == nil {
		t.Error("a folder that is not there was written to")
	}
	if err := os.Mkdir(filepath.Join(dir, "f"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "f"), []byte("x"), 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	alone(t, dir)
}

// alone fails when there is more than one entry in a folder: a failed write leaves nothing behind.
func alone(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v, want one entry", entries, err)
	}
}

// TestCrash kills a program that writes: a reader sees a whole file while it runs, and after.
func TestCrash(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "f")
	cut := 0
	for round := range 20 {
		if err := Write(name, bytes.Repeat([]byte("o"), size), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "ATOMICFILE_WRITE="+name)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); whole(t, name) == 'o' && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(round) * 500 * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if whole(t, name) == 'o' {
			t.Fatal("nothing was written")
		}
		left, err := filepath.Glob(filepath.Join(filepath.Dir(name), ".f-*"))
		if err != nil {
			t.Fatal(err)
		}
		cut += len(left)
	}
	if cut == 0 {
		t.Error("no write was cut off: the test has not tried what it is for")
	}
}

// whole is the byte that the whole file consists of.
func whole(t *testing.T, name string) byte {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != size || bytes.Count(got, got[:1]) != size {
		t.Fatalf("%d bytes, %d of them %q: want a whole file", len(got), bytes.Count(got, got[:1]), got[:1])
	}
	return got[0]
}
