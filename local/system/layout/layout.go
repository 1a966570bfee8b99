// Package layout knows what lies where in the state directory of a local
// system: its files, its ports and the locks that keep two commands from
// working on it at once.
package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// marker is the file that makes a directory ours. `reset` refuses a directory
// without it, so that a mistyped --state never removes somebody's files.
const marker = ".gitops-state"

// longestSocket is the longest Unix socket path the system takes: sun_path is
// 108 bytes on Linux and 104 on macOS, with the closing zero.
const longestSocket = 100

// Dir is the state directory of one local system and the checkout it serves.
type Dir struct {
	// Root is the absolute path of the state directory.
	Root string
	// Repo is the absolute path of the checkout, the folder with cdk.json.
	Repo string
}

// Open resolves the state directory (empty: <repo>/.local) without creating
// it. It fails when root is a file, a foreign directory that is not empty, or
// so deep that a Unix socket in it could not be opened.
func Open(root, repo string) (*Dir, error) {
	repo, err := filepath.Abs(repo)
	if err != nil {
		return nil, err
	}
	if root == "" {
		root = filepath.Join(repo, ".local")
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	d := &Dir{Root: root, Repo: repo}
	if n := len(d.GateSocket()); n > longestSocket {
		return nil, fmt.Errorf("state directory %s: its socket path has %d characters, the system takes %d: choose a shorter one with --state, for example --state %s",
			root, n, longestSocket, shortExample())
	}
	entries, err := os.ReadDir(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d, nil
	case err != nil:
		return nil, fmt.Errorf("state directory %s: %w: name a directory with --state", root, err)
	case len(entries) > 0 && !d.Ours():
		return nil, fmt.Errorf("state directory %s holds files but no %s: it is not a gitops state directory; name another with --state", root, marker)
	}
	return d, nil
}

func shortExample() string {
	if runtime.GOOS == "windows" {
		return `C:\gitops`
	}
	return "/tmp/gitops"
}

// Ours reports whether the directory was made by Create.
func (d *Dir) Ours() bool {
	info, err := os.Stat(d.Path(marker))
	return err == nil && info.Mode().IsRegular()
}

// Create makes the directory and its folders. It is private to the user
// because it holds keys and tokens, and ignored by git wherever it lies.
func (d *Dir) Create() error {
	if err := os.MkdirAll(d.Root, 0o700); err != nil {
		return fmt.Errorf("state directory %s: %w: name a writable directory with --state", d.Root, err)
	}
	for _, f := range []string{"log", "run", "tmp", "deployments", "pipelines", "git"} {
		if err := os.MkdirAll(d.Path(f), 0o700); err != nil {
			return fmt.Errorf("state directory: %w", err)
		}
	}
	if d.Ours() {
		return nil
	}
	if err := os.WriteFile(d.Path(".gitignore"), []byte("*\n"), 0o600); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	about, err := json.Marshal(map[string]string{"repository": d.Repo})
	if err != nil {
		return err
	}
	return atomicfile.Write(d.Path(marker), append(about, '\n'), 0o600)
}

// Remove deletes the directory and everything in it. A directory that Create
// did not make is refused.
func (d *Dir) Remove() error {
	if _, err := os.Lstat(d.Root); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !d.Ours() {
		return fmt.Errorf("%s has no %s: it is not a gitops state directory and is left alone", d.Root, marker)
	}
	// The module cache and npm write read-only folders.
	_ = filepath.WalkDir(d.Root, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			_ = os.Chmod(p, 0o700) //nolint:gosec // a directory needs its x bit
		}
		return nil
	})
	if err := os.RemoveAll(d.Root); err != nil {
		return fmt.Errorf("removing %s: %w", d.Root, err)
	}
	return nil
}

// Temp is the TMPDIR of every process of the system: what a killed one leaves
// there, such as the CDK's unpacked runtime, goes with `down`.
func (d *Dir) Temp() string { return d.Path("tmp") }

// ClearTemp empties Temp.
func (d *Dir) ClearTemp() error {
	entries, err := os.ReadDir(d.Temp())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(d.Temp(), e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Path joins elements to the state directory.
func (d *Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{d.Root}, elem...)...)
}

// Log is the log file of a process or of a step of `up`.
func (d *Dir) Log(name string) string { return d.Path("log", name+".log") }

// Kubeconfig is the admin kubeconfig, for people and for the daemons.
func (d *Dir) Kubeconfig() string { return d.Path("kubeconfig") }

// GateSocket is the Unix socket by which the apiserver reaches pods.
func (d *Dir) GateSocket() string { return d.Path("run", "gate.sock") }

// Mail is where the mail is that the local SES took.
func (d *Dir) Mail() string { return d.Path("mail") }

// Faults is where somebody says which requests to AWS fail.
func (d *Dir) Faults() string { return d.Path("faults.json") }

// Images is the image table of the process node.
func (d *Dir) Images() string { return d.Path("images.yaml") }

// Programs lists the programs that run, and where each came from.
func (d *Dir) Programs() string { return d.Path("programs.json") }

// Repository is the local Git repository that stands for the one on GitHub.
func (d *Dir) Repository() string { return d.Path("git", "platform.git") }

// Manifests is the local repository with a branch for each service, which
// stands for the manifests repository of k8s/fleet/fleet.yaml.
func (d *Dir) Manifests() string { return d.Path("git", "manifests.git") }

// NodeBin is the folder with the Node.js and the CDK CLI that package.json pins.
func (d *Dir) NodeBin() string { return filepath.Join(d.Repo, "node_modules", ".bin") }

// Logs lists the names that Log has files for.
func (d *Dir) Logs() []string {
	files, err := filepath.Glob(d.Path("log", "*.log"))
	if err != nil {
		return nil
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".log")
	}
	return files
}
