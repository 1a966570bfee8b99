package snapshot

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
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// workers copy side by side: the time goes to reading and summing.
const workers = 4

// copyTree copies a folder and returns what it holds, and the bytes that the copy takes on the disk.
func copyTree(ctx context.Context, from, to string, leave func(path string) bool) ([]File, int64, error) {
	var files []File
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || rel == "." {
			return err
		}
		rel = filepath.ToSlash(rel)
		if leave(rel) {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		f := File{Path: rel, Mode: info.Mode()}
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			if f.Link, err = os.Readlink(path); err != nil {
				return err
			}
		case !info.IsDir() && !info.Mode().IsRegular():
			return nil // a socket or pipe of a process that has ended
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	err = each(ctx, files, to, func(f *File) error {
		var err error
		f.Sum, f.Size, err = copyFile(filepath.Join(from, f.Path), filepath.Join(to, f.Path), f.Mode)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return files, onDisk(to, files), nil
}

// restoreTree is the way back. A file that is not what the manifest says is an error.
func restoreTree(ctx context.Context, from, to string, files []File) error {
	files = slices.Clone(files)
	return each(ctx, files, to, func(f *File) error {
		sum, size, err := copyFile(filepath.Join(from, f.Path), filepath.Join(to, f.Path), f.Mode)
		if err == nil && (sum != f.Sum || size != f.Size) {
			err = fmt.Errorf("%s is damaged: it has %d bytes and the sum %.12s, must be %d and %.12s", f.Path, size, sum, f.Size, f.Sum)
		}
		return err
	})
}

// each makes the folders and links of the list below to, and calls do for the files. Folders get their mode in the end: one
// that cannot be written must be filled first.
func each(ctx context.Context, files []File, to string, do func(*File) error) error {
	for _, f := range files {
		if !filepath.IsLocal(f.Path) {
			return fmt.Errorf("%s is no path below the state directory", f.Path)
		}
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(workers)
	for i := range files {
		f := &files[i]
		switch target := filepath.Join(to, filepath.FromSlash(f.Path)); {
		case f.Mode.IsDir():
			if err := os.MkdirAll(target, 0o700); err != nil {
				return errors.Join(err, work.Wait())
			}
		case f.Link != "":
			if err := os.Symlink(f.Link, target); err != nil {
				return errors.Join(err, work.Wait())
			}
		default:
			work.Go(func() error {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return do(f)
			})
		}
	}
	if err := work.Wait(); err != nil {
		return err
	}
	for _, f := range slices.Backward(files) {
		if f.Mode.IsDir() {
			if err := os.Chmod(filepath.Join(to, f.Path), f.Mode.Perm()); err != nil {
				return err
			}
		}
	}
	return nil
}

// block is what is looked at for being empty: etcd's and MariaDB's logs are mostly that, and holes take no room.
const block = 64 << 10

var empty = make([]byte, block)

// copyFile copies a file without its empty blocks, and returns its sum and size.
func copyFile(from, to string, mode fs.FileMode) (sum string, size int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return "", 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
	}()
	h, buf := sha256.New(), make([]byte, block)
	for {
		n, rerr := io.ReadFull(in, buf)
		h.Write(buf[:n])
		if n > 0 && !bytes.Equal(buf[:n], empty[:n]) {
			if _, err := out.WriteAt(buf[:n], size); err != nil {
				return "", 0, err
			}
		}
		size += int64(n)
		if errors.Is(rerr, io.EOF) || errors.Is(rerr, io.ErrUnexpectedEOF) {
			break
		}
		if rerr != nil {
			return "", 0, rerr
		}
	}
	if err := out.Truncate(size); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, out.Chmod(mode.Perm())
}

// onDisk is the room that files take, without their holes.
func onDisk(root string, files []File) int64 {
	var total int64
	for _, f := range files {
		info, err := os.Lstat(filepath.Join(root, f.Path))
		if err != nil {
			continue
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			total += s.Blocks * 512 // the unit of st_blocks: https://man7.org/linux/man-pages/man3/stat.3type.html
		} else {
			total += f.Size
		}
	}
	return total
}
