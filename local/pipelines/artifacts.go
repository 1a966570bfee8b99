package pipelines

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/bmatcuk/doublestar/v4"

	"k8s-plus-aws-gitops/internal/buildspec"
)

// artifactFile is where an artifact of an execution lies.
func artifactFile(root string, e *Execution, name string) string {
	return filepath.Join(folderOf(root, e), "artifacts", name+".zip")
}

// primary is the input artifact in which the commands run.
func (b *build) primary() string {
	if name := b.action.text("PrimarySource"); name != "" {
		return name
	}
	return b.action.InputArtifacts[0].Name
}

// inputDir is where an input artifact is laid out.
func (b *build) inputDir(name string) string {
	if name == b.primary() {
		return b.src
	}
	return filepath.Join(b.dir, "inputs", name)
}

// inputs lays out the input artifacts, each in its own folder.
func (b *build) inputs(ctx context.Context) error {
	for _, dir := range []string{b.scratch(), filepath.Join(b.dir, "inputs")} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	for _, in := range b.action.InputArtifacts {
		var err error
		if from := b.sourceOf(in.Name); from != nil {
			err = b.checkout(ctx, from, b.inputDir(in.Name))
		} else {
			err = b.unpack(in.Name, b.inputDir(in.Name))
		}
		if err != nil {
			return fmt.Errorf("input artifact %s: %w", in.Name, err)
		}
	}
	return nil
}

func (b *build) unpack(name, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	archive, err := zip.OpenReader(artifactFile(b.root, b.maker(name), name))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("does not exist: the stage whose action makes it was skipped")
	}
	if err != nil {
		return err
	}
	defer archive.Close()
	return os.CopyFS(dir, archive)
}

// upload packs the output artifacts as the buildspec says: its own definition
// for one, a secondary one of the same name for each of several.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
func (b *build) upload() error {
	outputs := b.action.OutputArtifacts
	for _, out := range outputs {
		definition, section := b.spec.Artifacts, "artifacts"
		if len(outputs) > 1 {
			definition, section = b.spec.SecondaryArtifacts[out.Name], "artifacts.secondary-artifacts."+out.Name
		}
		err := fmt.Errorf("the buildspec has no %s, but the action makes the artifact %s", section, out.Name)
		if definition != nil {
			err = b.pack(*definition, artifactFile(b.root, b.execution, out.Name))
		}
		if err != nil {
			b.say("Phase complete: UPLOAD_ARTIFACTS State: FAILED")
			return fmt.Errorf("phase UPLOAD_ARTIFACTS: %w", err)
		}
	}
	if len(outputs) > 0 {
		b.say("Phase complete: UPLOAD_ARTIFACTS State: SUCCEEDED")
	}
	return nil
}

// pack writes the files that a definition names into an archive. It takes its
// place when it is complete.
func (b *build) pack(a buildspec.Artifacts, file string) error {
	files, err := b.files(a)
	if err != nil {
		return err
	}
	b.say("Found %d files", len(files))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(file), "*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	archive := zip.NewWriter(out)
	// bin/gitops is in one of them, and the next stage waits for it: speed counts, not the last tenth of the size.
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := add(archive, name, files[name]); err != nil {
			return err
		}
	}
	if err := errors.Join(archive.Close(), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), file)
}

// files finds what a definition names: the files by their names in the archive.
func (b *build) files(a buildspec.Artifacts) (map[string]string, error) {
	source := os.DirFS(b.src)
	b.say("Expanding base directory path: %s", a.BaseDirectory)
	bases, err := doublestar.Glob(source, a.BaseDirectory, doublestar.WithFailOnIOErrors())
	if err != nil {
		return nil, fmt.Errorf("base-directory %q: %w", a.BaseDirectory, err)
	}
	bases = slices.DeleteFunc(bases, func(name string) bool {
		info, err := fs.Stat(source, name)
		return err != nil || !info.IsDir()
	})
	if len(bases) == 0 {
		return nil, fmt.Errorf("no matching base directory path found for %s", a.BaseDirectory)
	}
	files := map[string]string{}
	for _, base := range bases {
		for _, pattern := range a.Files {
			b.say("Expanding %s", pattern)
			dir := filepath.Join(b.src, base)
			found, err := doublestar.Glob(os.DirFS(dir), pattern, doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors())
			if err != nil {
				return nil, fmt.Errorf("files %q: %w", pattern, err)
			}
			for _, name := range found {
				if err := take(files, a, name, filepath.Join(dir, name)); err != nil {
					return nil, err
				}
			}
		}
	}
	if len(files) == 0 {
		return nil, errors.New("no matching artifact paths found")
	}
	return files, nil
}

// take adds a file unless it is excluded.
func take(files map[string]string, a buildspec.Artifacts, name, file string) error {
	for _, pattern := range a.Exclude {
		if out, err := doublestar.Match(pattern, name); err != nil || out {
			return err
		}
	}
	if a.DiscardPaths {
		name = path.Base(name)
	}
	if other, twice := files[name]; twice && other != file {
		return fmt.Errorf("%s is in the artifact twice, as %s and %s: narrow files or base-directory, or keep the paths", name, other, file)
	}
	files[name] = file
	return nil
}

// add copies a file, and what a link leads to, into an archive.
func add(archive *zip.Writer, name, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	header, err := zip.FileInfoHeader(info)
	if err != nil {
		return err
	}
	header.Name, header.Method = name, zip.Deflate
	out, err := archive.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}
