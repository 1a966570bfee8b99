// Package gomodule finds what Go modules carry beside code, such as charts and CustomResourceDefinitions, in the module
// cache.
package gomodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// Required returns the modules that the go.mod in a folder requires, by path. One that it replaces is what it is replaced
// by.
func Required(folder string) (map[string]module.Version, error) {
	name := filepath.Join(folder, "go.mod")
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	parsed, err := modfile.Parse(name, content, nil)
	if err != nil {
		return nil, err
	}
	required := map[string]module.Version{}
	for _, r := range parsed.Require {
		required[r.Mod.Path] = r.Mod
	}
	for _, r := range parsed.Replace {
		if old, ok := required[r.Old.Path]; ok && (r.Old.Version == "" || r.Old.Version == old.Version) {
			required[r.Old.Path] = r.New
		}
	}
	return required, nil
}

// Module is a module in the module cache, which is read-only.
type Module struct {
	Path, Version string
	// Dir is its source, GoMod its go.mod.
	Dir, GoMod string
	// Sum and GoModSum are the checksums of both, as go.sum has them.
	Sum, GoModSum string
}

// Download returns a module. The go command downloads it if it is missing; it runs in a folder with a go.mod, whose go.sum
// it checks the module against, with variables (NAME=value) beside the environment's.
func Download(ctx context.Context, folder, path, version string, variables ...string) (Module, error) {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", path+"@"+version)
	command.Dir, command.Env = folder, append(os.Environ(), variables...)
	output, err := command.Output()
	var answer struct {
		Module
		Error string
	}
	decodeErr := json.Unmarshal(output, &answer)
	var exit *exec.ExitError
	switch {
	case decodeErr == nil && answer.Error != "":
		err = errors.New(answer.Error)
	case errors.As(err, &exit) && len(exit.Stderr) > 0:
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	case err == nil && answer.Dir == "":
		err = errors.New("the go command named no folder")
	}
	if err != nil {
		return Module{}, fmt.Errorf("go mod download %s@%s: %w", path, version, err)
	}
	return answer.Module, nil
}

// Find returns a module that the go.mod in a folder requires, as Download does.
func Find(ctx context.Context, folder, path string, variables ...string) (Module, error) {
	required, err := Required(folder)
	if err != nil {
		return Module{}, err
	}
	m, ok := required[path]
	if !ok {
		return Module{}, fmt.Errorf("%s does not require %s", filepath.Join(folder, "go.mod"), path)
	}
	return Download(ctx, folder, m.Path, m.Version, variables...)
}
