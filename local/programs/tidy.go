package programs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Tidy makes the go.mod and go.sum of the set hold what the programs need, after a version or an edit has changed, and
// writes [DifferencesFile].
// `go mod tidy` would also ask for what the tests of each dependency need, and not all of that can be downloaded.
func Tidy(ctx context.Context) error {
	dir, err := setDir()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "programs-tidy-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	gomod, err := editedModules(ctx, table, dir, work)
	if err != nil {
		return err
	}
	tools, err := readGoMod(filepath.Join(dir, "..", "..", "go.mod"))
	if err != nil {
		return err
	}
	sum := filepath.Join(work, "go.sum")
	change := func(f *modfile.File) error {
		higher := newer(f, tools)
		return errors.Join(dropIndirect(f), require(f, higher))
	}
	if err := errors.Join(rewrite(gomod, change), os.Remove(sum)); err != nil {
		return err
	}
	args := []string{"list", "-mod=mod", "-modfile", gomod, "-deps"}
	for _, p := range table {
		args = append(args, p.pkg)
	}
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.Env, c.Stderr = dir, buildEnv(), os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("go %s in %s: %w", strings.Join(args, " "), dir, err)
	}
	if err := rewrite(gomod, dropCopies); err != nil {
		return err
	}
	if err := publishedSums(ctx, dir, sum); err != nil {
		return err
	}
	if err := errors.Join(copyFile(gomod, filepath.Join(dir, "go.mod")), copyFile(sum, filepath.Join(dir, "go.sum"))); err != nil {
		return err
	}
	text, err := differences(ctx, dir)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "..", DifferencesFile), []byte(text), 0o644)
}

func rewrite(gomod string, change func(*modfile.File) error) error {
	f, err := readGoMod(gomod)
	if err != nil {
		return err
	}
	if err := change(f); err != nil {
		return err
	}
	f.Cleanup()
	return os.WriteFile(gomod, modfile.Format(f.Syntax), 0o644)
}

// newer returns the modules of one go.mod that another has in a newer version, with that version. What both compile in one
// version, the go command compiles once: the laboratory's own program and the programs of the set share most modules.
func newer(f, than *modfile.File) []module.Version {
	have := map[string]string{}
	for _, r := range f.Require {
		have[r.Mod.Path] = r.Mod.Version
	}
	var found []module.Version
	for _, r := range than.Require {
		if v := have[r.Mod.Path]; v != "" && semver.Compare(v, r.Mod.Version) < 0 {
			found = append(found, r.Mod)
		}
	}
	return found
}

// require adds requirements that nothing in the set names.
func require(f *modfile.File, modules []module.Version) error {
	var problems []error
	for _, m := range modules {
		problems = append(problems, f.AddRequire(m.Path, m.Version))
	}
	return errors.Join(problems...)
}

// dropIndirect leaves the modules that the set names: the programs, and what is held at another version.
func dropIndirect(f *modfile.File) error {
	for _, r := range slices.Clone(f.Require) {
		if r.Indirect {
			if err := f.DropRequire(r.Mod.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropCopies undoes what [editedModules] did.
func dropCopies(f *modfile.File) error {
	for _, p := range table {
		if len(p.edits) > 0 {
			if err := f.DropReplace(p.module, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// publishedSums adds the checksums of the modules that are edited.
func publishedSums(ctx context.Context, dir, sum string) error {
	b, err := os.ReadFile(sum)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	for _, p := range table {
		if len(p.edits) == 0 {
			continue
		}
		m, err := downloadModule(ctx, dir, p.module, p.version)
		if err != nil {
			return err
		}
		lines = append(lines, p.module+" "+p.version+" "+m.Sum, p.module+" "+p.version+"/go.mod "+m.GoModSum)
	}
	slices.Sort(lines)
	return os.WriteFile(sum, []byte(strings.Join(slices.Compact(lines), "\n")+"\n"), 0o644)
}
