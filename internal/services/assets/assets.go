// Package assets reads the static files of a service: everything below k8s/services/<service>/assets.
//
// Together they are a release, named by the hash of what is in it. A release is never changed: other files are another
// release, at another place. So files can be put in place before the manifests that name them, a proposal that waits for
// its merge changes nothing that is live, and pods of two versions each find their own.
package assets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Variables by which a service learns where its files are.
const (
	// BucketVariable holds the name of the bucket.
	BucketVariable = "ASSETS_BUCKET"
	// PrefixVariable holds what their keys start with, without a slash at the end.
	PrefixVariable = "ASSETS_PREFIX"
)

// Folder has the files of a service, beside its own.
const Folder = "assets"

// digestLength is the length of a release's name in hexadecimal digits: 80 bits tell the releases of one service apart.
const digestLength = 20

// File is one of a release.
type File struct {
	// Path below the folder, with slashes.
	Path string
	// Local is where it is on this machine.
	Local string
	// Type is its media type.
	Type string
	// Size in bytes and SHA256 of the content.
	Size   int64
	SHA256 [sha256.Size]byte
}

// Release is the static files of a service as they are in a checkout.
type Release struct {
	Service string
	// Digest names the release; empty if the service has no files.
	Digest string
	Files  []File
}

// Prefix is where all releases of a service are below root, with a slash at the end.
func Prefix(root, service string) string { return root + service + "/" }

// Prefix is where the release is below root, without a slash at the end.
func (r Release) Prefix(root string) string { return Prefix(root, r.Service) + r.Digest }

// Named finds the releases of a service that a text names, as a manifest does.
func Named(root, service string, text []byte) []string {
	pattern := regexp.MustCompile(regexp.QuoteMeta(Prefix(root, service)) + fmt.Sprintf(`([0-9a-f]{%d})\b`, digestLength))
	var digests []string
	for _, match := range pattern.FindAllSubmatch(text, -1) {
		digests = append(digests, string(match[1]))
	}
	return digests
}

// IsDigest reports whether a text can be the name of a release.
func IsDigest(text string) bool {
	return len(text) == digestLength && strings.Trim(text, "0123456789abcdef") == ""
}

// Read reads the files of a service, whose folder is dir. What git ignores is left out: a release must be the same on
// every machine. An export without a repository has what was committed, and nothing else.
func Read(ctx context.Context, service, dir string) (Release, error) {
	r := Release{Service: service}
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return r, nil
	case err != nil:
		return r, err
	case !info.IsDir():
		return r, fmt.Errorf("%s of %s must be a folder; make it one, or remove it", Folder, service)
	}
	names, err := list(ctx, dir)
	if err != nil {
		return r, fmt.Errorf("%s of %s: %w", Folder, service, err)
	}
	whole := sha256.New()
	for _, name := range names {
		f, err := read(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, and not committed yet
		}
		if err != nil {
			return r, fmt.Errorf("%s of %s: %w", Folder, service, err)
		}
		r.Files = append(r.Files, f)
		// The type is part of what a browser gets. Neither holds a zero byte.
		fmt.Fprintf(whole, "%s\x00%s\x00%x\x00", f.Path, f.Type, f.SHA256)
	}
	if len(r.Files) > 0 {
		r.Digest = hex.EncodeToString(whole.Sum(nil))[:digestLength]
	}
	return r, nil
}

// list names the files below dir that git has, or would take, in order; all of them where there is no repository.
func list(ctx context.Context, dir string) ([]string, error) {
	if !inRepository(dir) {
		return everything(dir)
	}
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = dir
	// Variables by which a hook points git elsewhere.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "GIT_DIR=") || strings.HasPrefix(e, "GIT_WORK_TREE=") || strings.HasPrefix(e, "GIT_INDEX_FILE=") || strings.HasPrefix(e, "GIT_PREFIX=")
	})
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w: %s; run in a checkout", err, strings.TrimSpace(errs.String()))
	}
	names := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if names[0] == "" {
		return nil, nil
	}
	slices.Sort(names)
	return slices.Compact(names), nil // a file in conflict is listed for each side
}

// inRepository reports whether git has a repository that dir is in.
func inRepository(dir string) bool {
	at, err := filepath.Abs(dir)
	for ; err == nil; at = filepath.Dir(at) {
		if _, found := os.Lstat(filepath.Join(at, ".git")); found == nil {
			return true
		}
		if at == filepath.Dir(at) {
			return false
		}
	}
	return true // git says what is wrong
}

// everything names the files below dir, in order.
func everything(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	slices.Sort(names)
	return names, err
}

// read hashes a file. A link is refused: it may lead out of the folder, and S3 has none.
func read(dir, name string) (File, error) {
	f := File{Path: name, Local: filepath.Join(dir, filepath.FromSlash(name)), Type: Type(name)}
	info, err := os.Lstat(f.Local)
	if err != nil {
		return f, err
	}
	if !info.Mode().IsRegular() {
		return f, fmt.Errorf("%s must be a regular file; put the file itself there", name)
	}
	content, err := os.Open(f.Local)
	if err != nil {
		return f, err
	}
	defer content.Close()
	hash := sha256.New()
	f.Size, err = io.Copy(hash, content)
	f.SHA256 = [sha256.Size]byte(hash.Sum(nil))
	return f, err
}

// types by extension. The table of the machine would not do: it differs from one to the next, and with it the release.
var types = map[string]string{
	".avif": "image/avif", ".bmp": "image/bmp", ".gif": "image/gif", ".ico": "image/x-icon", ".jpeg": "image/jpeg",
	".jpg": "image/jpeg", ".png": "image/png", ".svg": "image/svg+xml", ".webp": "image/webp",
	".css": "text/css; charset=utf-8", ".csv": "text/csv; charset=utf-8", ".htm": "text/html; charset=utf-8",
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".md": "text/markdown; charset=utf-8",
	".mjs": "text/javascript; charset=utf-8", ".txt": "text/plain; charset=utf-8", ".xml": "text/xml; charset=utf-8",
	".json": "application/json", ".map": "application/json", ".webmanifest": "application/manifest+json",
	".gz": "application/gzip", ".pdf": "application/pdf", ".wasm": "application/wasm", ".zip": "application/zip",
	".otf": "font/otf", ".ttf": "font/ttf", ".woff": "font/woff", ".woff2": "font/woff2",
	".mp3": "audio/mpeg", ".mp4": "video/mp4", ".ogg": "audio/ogg", ".wav": "audio/wav", ".webm": "video/webm",
}

// Type is the media type of a file, by its extension.
func Type(name string) string {
	if known, ok := types[strings.ToLower(path.Ext(name))]; ok {
		return known
	}
	return "application/octet-stream"
}
