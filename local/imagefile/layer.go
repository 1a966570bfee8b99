package imagefile

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
)

// Limits of an image: some times what the largest of a real controller has. More is an accident or an attack.
var (
	maxLayer   int64 = 1 << 30 // bytes of a layer as it is downloaded
	maxContent int64 = 4 << 30 // bytes of a layer as it is unpacked
	maxFile    int64 = 1 << 30 // bytes of the file
	maxEntries       = 500_000 // files of a layer
)

// Names that mark what a layer removes of those below it:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// entry is a file of a layer.
type entry struct {
	kind   byte   // of the tar format
	link   string // where a symbolic or hard link leads
	number int    // in the layer's tar file
}

// layer is a layer that has been downloaded and listed.
type layer struct {
	v1.Layer
	ctx     context.Context
	entries map[string]entry // by the path in the image, /usr/bin/x
	removed map[string]bool  // of the layers below
	emptied map[string]bool  // folders, of what the layers below have in them
}

// stored is a layer whose bytes are in a file.
type stored struct {
	v1.Layer
	file string
}

func (s stored) Compressed() (io.ReadCloser, error) { return os.Open(s.file) }

// download stores a layer in a folder when its bytes are those of its digest, and lists it.
func (i *Image) download(from v1.Layer, folder string) (*layer, error) {
	size, err := from.Size()
	if err != nil {
		return nil, err
	}
	if size > maxLayer {
		return nil, fmt.Errorf("has %d bytes, at most %d are read", size, maxLayer)
	}
	compressed, err := from.Compressed()
	if err != nil {
		return nil, err
	}
	defer compressed.Close()
	file, err := os.CreateTemp(folder, "layer-")
	if err != nil {
		return nil, err
	}
	moving := time.AfterFunc(i.stall, func() { i.end(errStalled) })
	defer moving.Stop()
	_, err = io.Copy(file, reading{compressed, i.ctx, func() { moving.Reset(i.stall) }})
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	unpacked, err := partial.CompressedToLayer(stored{from, file.Name()})
	if err != nil {
		return nil, err
	}
	l := &layer{Layer: unpacked, ctx: i.ctx}
	return l, l.list()
}

// reading ends with a context, and tells of what is read.
type reading struct {
	io.Reader
	ctx  context.Context
	tell func()
}

func (r reading) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	n, err := r.Reader.Read(b)
	if n > 0 {
		r.tell()
	}
	return n, err
}

// list reads the names in the layer.
func (l *layer) list() error {
	l.entries, l.removed, l.emptied = map[string]entry{}, map[string]bool{}, map[string]bool{}
	return l.each(func(number int, h *tar.Header, _ io.Reader) (bool, error) {
		if slices.Contains(strings.Split(h.Name, "/"), "..") {
			return false, fmt.Errorf("holds %q, a path that leaves the image", h.Name)
		}
		at := path.Clean("/" + h.Name)
		folder, base := path.Split(at)
		switch {
		case base == opaque:
			l.emptied[path.Clean(folder)] = true
		case strings.HasPrefix(base, whiteout):
			l.removed[folder+strings.TrimPrefix(base, whiteout)] = true
		default:
			l.entries[at] = entry{h.Typeflag, h.Linkname, number}
		}
		return true, nil
	})
}

// copy writes the content of an entry.
func (l *layer) copy(e entry, to io.Writer) error {
	return l.each(func(number int, h *tar.Header, content io.Reader) (bool, error) {
		if number != e.number {
			return true, nil
		}
		if h.Size > maxFile {
			return false, fmt.Errorf("the file has %d bytes, at most %d are read", h.Size, maxFile)
		}
		_, err := io.Copy(to, content)
		return false, err
	})
}

// each calls visit for the files of the layer until it returns false.
func (l *layer) each(visit func(number int, h *tar.Header, content io.Reader) (bool, error)) error {
	unpacked, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer unpacked.Close()
	limited := &io.LimitedReader{R: reading{unpacked, l.ctx, func() {}}, N: maxContent}
	files := tar.NewReader(limited)
	for number := 0; ; number++ {
		h, err := files.Next()
		switch {
		case limited.N == 0:
			return fmt.Errorf("unpacks to more than %d bytes", maxContent)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("is no tar file: %w", err)
		case number >= maxEntries:
			return fmt.Errorf("holds more than %d files", maxEntries)
		}
		if more, err := visit(number, h, files); err != nil || !more {
			return err
		}
	}
}
