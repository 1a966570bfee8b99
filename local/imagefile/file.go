package imagefile

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// maxLinks is how many links a path may lead over, as on Linux.
const maxLinks = 40

// File writes the file at a path of the image to a new file, executable for everyone. Layers are downloaded from the top until
// the file is found, below the folder of the new file, which the caller removes. Nothing is there after an error.
func (i *Image) File(at, to string) error {
	err := i.file(at, to)
	switch cause := context.Cause(i.ctx); {
	case err == nil:
		return nil
	case errors.Is(cause, errStalled):
		err = cause
	case cause != nil:
		return cause
	}
	// The library's errors may have several lines.
	return fmt.Errorf("%s: %s", i.name, strings.Join(strings.Fields(err.Error()), " "))
}

func (i *Image) file(at, to string) error {
	layers, err := i.image.Layers()
	if err != nil {
		return err
	}
	slices.Reverse(layers)
	s := &stack{image: i, remote: layers, read: make([]*layer, len(layers)), folder: filepath.Dir(to)}
	from, found, err := s.find(path.Clean("/"+at), 0, maxLinks)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if err := errors.Join(s.read[from].copy(found, file), file.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// stack are the layers of an image, the uppermost first, each read when it is needed.
type stack struct {
	image  *Image
	remote []v1.Layer
	read   []*layer
	folder string
}

func (s *stack) layer(n int) (*layer, error) {
	if s.read[n] != nil {
		return s.read[n], nil
	}
	l, err := s.image.download(s.remote[n], s.folder)
	if err != nil {
		digest, _ := s.remote[n].Digest()
		return nil, fmt.Errorf("layer %s: %w", digest, err)
	}
	s.read[n] = l
	return l, nil
}

// find looks for a file as it is when the layers from the given one downwards lie upon each other.
func (s *stack) find(at string, from, links int) (int, entry, error) {
	missing := fmt.Errorf("has no file %s", at)
	if links == 0 {
		return 0, entry{}, fmt.Errorf("%s: leads over more than %d links", at, maxLinks)
	}
	steps := ancestors(at)
	folders := map[string]bool{} // of the layers above: what lies below a file of that name is hidden
	for n := from; n < len(s.remote); n++ {
		l, err := s.layer(n)
		if err != nil {
			return 0, entry{}, err
		}
		for _, step := range steps {
			e, ok := l.entries[step]
			rest := strings.TrimPrefix(at, step)
			switch {
			case !ok:
			case e.kind == tar.TypeDir:
				folders[step] = true
			case folders[step]:
				return 0, entry{}, missing
			case e.kind == tar.TypeSymlink:
				target := e.link
				if !path.IsAbs(target) {
					target = path.Join(path.Dir(step), target)
				}
				return s.find(path.Clean("/"+target+rest), 0, links-1) // .. does not lead out of the image
			case rest != "":
				return 0, entry{}, missing
			case e.kind == tar.TypeLink: // to a file of this layer or one below
				return s.find(path.Clean("/"+e.link), n, links-1)
			case e.kind == tar.TypeReg:
				return n, e, nil
			default:
				return 0, entry{}, fmt.Errorf("%s is no file", at)
			}
		}
		if l.hides(steps) {
			return 0, entry{}, missing
		}
	}
	return 0, entry{}, missing
}

// ancestors are the folders above a path, the uppermost first, and the path.
func ancestors(at string) []string {
	var all []string
	for ; at != "/"; at = path.Dir(at) {
		all = append(all, at)
	}
	slices.Reverse(all)
	return all
}

// hides reports whether a layer removes what those below it have at the last of the steps.
func (l *layer) hides(steps []string) bool {
	for n, step := range steps {
		if l.removed[step] || l.emptied[step] && n < len(steps)-1 {
			return true
		}
	}
	return l.emptied["/"]
}
