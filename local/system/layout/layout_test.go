package layout

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// tempDir is short enough for sockets wherever the tests run.
func tempDir(t *testing.T) string {
	t.Helper()
	d, err := os.MkdirTemp("", "gl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d) })
	return d
}

func TestOpen(t *testing.T) {
	tmp := tempDir(t)
	file := filepath.Join(tmp, "file")
	foreign := filepath.Join(tmp, "foreign")
	empty := filepath.Join(tmp, "empty")
	for _, f := range []string{foreign, empty} {
		if err := os.Mkdir(f, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{file, filepath.Join(foreign, "x")} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct{ root, err string }{
		"missing":  {filepath.Join(tmp, "new"), ""},
		"empty":    {empty, ""},
		"a file":   {file, "name a directory with --state"},
		"foreign":  {foreign, "not a gitops state directory"},
		"too deep": {filepath.Join(tmp, strings.Repeat("x", 100)), "shorter one with --state"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(c.root, tmp)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}

func TestRemoveRefusesForeign(t *testing.T) {
	tmp := tempDir(t)
	if err := (&Dir{Root: tmp}).Remove(); err == nil {
		t.Fatal("removed a directory that is not ours")
	}
	d, err := Open(filepath.Join(tmp, "s"), tmp)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Create(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(d.Path("ro"), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Root); !os.IsNotExist(err) {
		t.Errorf("%s is still there", d.Root)
	}
}

func TestPortsAreKeptAndOccupiedOnesNamed(t *testing.T) {
	tmp := tempDir(t)
	d, err := Open(filepath.Join(tmp, "s"), tmp)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Create(); err != nil {
		t.Fatal(err)
	}
	first, err := d.ChoosePorts()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]string{}
	for _, n := range portNames {
		if first[n] == 0 || seen[first[n]] != "" {
			t.Errorf("port %s = %d, also %s", n, first[n], seen[first[n]])
		}
		seen[first[n]] = n
	}
	l, err := net.Listen("tcp", first.Addr(AWS))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	again, err := d.ChoosePorts()
	if err != nil {
		t.Fatal(err)
	}
	if again[AWS] != first[AWS] {
		t.Errorf("aws moved from %d to %d", first[AWS], again[AWS])
	}
	err = d.CheckFree(again, AWS, Moto)
	if err == nil {
		t.Fatal("occupied port not found")
	}
	for _, want := range []string{strconv.Itoa(first[AWS]), "(aws)", "ports.json", "stop it"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "moto") {
		t.Errorf("%q names a free port", err)
	}
}

func TestLockNamesItsHolder(t *testing.T) {
	tmp := tempDir(t)
	d := &Dir{Root: filepath.Join(tmp, "s"), Repo: tmp}
	if err := d.Create(); err != nil {
		t.Fatal(err)
	}
	l, err := d.Acquire("up")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Acquire("down"); err == nil || !strings.Contains(err.Error(), "gitops local up") || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("got %v", err)
	}
	l.Release()
	l, err = d.Acquire("down")
	if err != nil {
		t.Fatal(err)
	}
	l.Release()
}
