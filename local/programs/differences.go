package programs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// DifferencesFile is where [Tidy] writes how the programs differ from the released ones, below local/programs.
const DifferencesFile = "differences.md"

const differencesHead = `# Differences to the released programs

Made by ` + "`go -C local generate ./programs`" + ` from table.go, set/go.mod and the go.mod of each release. What is not here is as
released.

## Sources

Edited before they are built, in a copy.

| Program | File | Reason |
| --- | --- | --- |
`

const imagesHead = `
## Released images

With the digests of images.lock, a program is the file of its released image, and none of the differences here is its. The
others are always compiled.

| Program | Image | File, or why it is compiled |
| --- | --- | --- |
`

const modulesHead = `
## Versions of modules

All programs are built from one set of versions: the highest that one of them asks for, where set/go.mod does not say
why not. A row is a module that the go.mod of a release names in another version, its own replace lines applied.
Modules that no program here needs are left out.

| Module | Here | Released with |
| --- | --- | --- |
`

// differences is the text of [DifferencesFile].
func differences(ctx context.Context, dir string) (string, error) {
	f, err := readGoMod(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", err
	}
	here := selected(f, "", nil)
	text := strings.Builder{}
	text.WriteString(differencesHead)
	other := map[string][]string{}
	for _, p := range table {
		for _, e := range p.edits {
			fmt.Fprintf(&text, "| %s | %s | %s |\n", p.name, e.file, e.why)
		}
		m, err := downloadModule(ctx, dir, p.module, p.version)
		if err != nil {
			return "", err
		}
		released, err := readGoMod(m.GoMod)
		if err != nil {
			return "", err
		}
		for path, version := range selected(released, p.version, here) {
			if version != here[path] {
				other[path] = append(other[path], p.name+" "+version)
			}
		}
	}
	text.WriteString(imagesHead)
	for _, p := range table {
		fmt.Fprintf(&text, "| %s | %s | %s |\n", p.name, cmp.Or(p.image.repository, "-"), cmp.Or(p.image.file, p.image.why))
	}
	text.WriteString(modulesHead)
	for _, path := range slices.Sorted(maps.Keys(other)) {
		fmt.Fprintf(&text, "| %s | %s | %s |\n", path, here[path], strings.Join(other[path], ", "))
	}
	return text.String(), nil
}

// selected are the versions that go.mod names, after its replace lines, of all modules or of those in among. own is
// the version of the module itself, whose repository also holds the modules that are replaced by a directory.
func selected(f *modfile.File, own string, among map[string]string) map[string]string {
	all := map[string]string{}
	for _, r := range f.Require {
		if _, ok := among[r.Mod.Path]; ok || among == nil {
			all[r.Mod.Path] = r.Mod.Version
		}
	}
	for _, r := range f.Replace {
		switch _, ok := all[r.Old.Path]; {
		case !ok:
		case strings.HasPrefix(r.New.Path, "./staging/"): // Kubernetes publishes these as v0
			all[r.Old.Path] = strings.Replace(own, "v1.", "v0.", 1)
		case r.New.Version == "":
			all[r.Old.Path] = own
		case r.New.Path == r.Old.Path:
			all[r.Old.Path] = r.New.Version
		default:
			all[r.Old.Path] = r.New.Path + " " + r.New.Version
		}
	}
	return all
}
