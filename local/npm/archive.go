package npm

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const integrityPrefix = "sha512-"

// verify compares a file with a Subresource Integrity value, the form that npm's registry and lock files use.
func verify(file, integrity string) error {
	want, ok := strings.CutPrefix(integrity, integrityPrefix)
	if !ok {
		return fmt.Errorf("integrity: must be %s…, got %q", integrityPrefix, integrity)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha512.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%s has integrity %s%s, pinned is %s: the npm registry serves another package", filepath.Base(file), integrityPrefix, got, integrity)
	}
	return nil
}

// unpack writes the content of an npm package, whose files are all below one directory, into dir.
func unpack(tarball, dir string) error {
	f, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, name, ok := strings.Cut(h.Name, "/")
		if !ok || h.Typeflag != tar.TypeReg {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%q leaves the package", h.Name)
		}
		if err := writeEntry(filepath.Join(dir, name), t, h.FileInfo().Mode().Perm()); err != nil {
			return err
		}
	}
}

func writeEntry(name string, r io.Reader, perm os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, perm|0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
