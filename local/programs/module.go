package programs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/mod/modfile"
)

// ModuleDir is the directory of a module's source in the module cache, at the version that the program's
// go.mod requires. The go command downloads it if it is missing and checks it against go.sum. It carries what
// a module ships beside code: charts, CRDs, IAM policies, rendered manifests. The directory is read-only.
func ModuleDir(ctx context.Context, program, modulePath string) (string, error) {
	p, err := lookup(program)
	if err != nil {
		return "", err
	}
	dir, err := programDir(p)
	if err != nil {
		return "", err
	}
	path, version, err := requirement(filepath.Join(dir, "go.mod"), modulePath)
	if err != nil {
		return "", err
	}
	return download(ctx, dir, path, version)
}

func programDir(p program) (string, error) {
	root, err := Sources()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, p.name), nil
}

// requirement is the path and version that go.mod selects for a module, after its replace lines.
func requirement(gomod, modulePath string) (path, version string, err error) {
	f, err := readGoMod(gomod)
	if err != nil {
		return "", "", err
	}
	for _, r := range f.Require {
		if r.Mod.Path == modulePath {
			path, version = r.Mod.Path, r.Mod.Version
		}
	}
	for _, r := range f.Replace {
		if r.Old.Path == modulePath && (r.Old.Version == "" || r.Old.Version == version) {
			path, version = r.New.Path, r.New.Version
		}
	}
	if version == "" {
		return "", "", fmt.Errorf("%s does not require %s", gomod, modulePath)
	}
	return path, version, nil
}

func readGoMod(file string) (*modfile.File, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return modfile.Parse(file, b, nil)
}

// download asks the go command for one module's source. It runs in dir for the sake of its go.sum.
func download(ctx context.Context, dir, path, version string) (string, error) {
	c := exec.CommandContext(ctx, "go", "mod", "download", "-json", path+"@"+version)
	c.Dir, c.Env = dir, buildEnv()
	out, err := c.Output()
	var m struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &m); jsonErr == nil && m.Error != "" {
		return "", fmt.Errorf("download %s@%s: %w", path, version, explain(m.Error))
	}
	if err != nil {
		return "", fmt.Errorf("download %s@%s: %w", path, version, goCommandError(err))
	}
	if m.Dir == "" {
		return "", errors.New("download " + path + "@" + version + ": the go command named no directory")
	}
	return m.Dir, nil
}
