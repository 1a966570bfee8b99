package atomicfile

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

const size = 1 << 20

// TestMain makes this program the one that crashes: it dies with half of the file written.
func TestMain(m *testing.M) {
	name := os.Getenv("ATOMICFILE_WRITE")
	if name == "" {
		os.Exit(m.Run())
	}
	_ = replace(name, 0o600, func(f *os.File) error {
		if _, err := f.Write(make([]byte, size/2)); err != nil {
			return err
		}
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	})
	os.Exit(1)
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

// TestCrash replaces a file in a program that is killed in the middle of it: the file stays as it was.
func TestCrash(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "f")
	old := bytes.Repeat([]byte("o"), size)
	if err := Write(name, old, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "ATOMICFILE_WRITE="+name)
	if err := cmd.Run(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("the program must be killed, got %v", err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(name), ".f-*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("%v, %v: want the half that the program left", left, err)
	}
	if info, err := os.Stat(left[0]); err != nil || info.Size() != size/2 {
		t.Errorf("%v, %v: want half of the file", info, err)
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, old) {
		t.Errorf("%d bytes, %v: want the file as it was", len(got), err)
	}
}
