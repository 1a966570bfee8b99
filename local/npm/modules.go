package npm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Modules are packages that are used as they are, pinned by a package.json and its package-lock.json.
type Modules struct {
	// Name is that of the folder in the cache.
	Name string
	// Manifest and Lock are the content of the two files.
	Manifest, Lock []byte
	// Has is a file that there is after the installation, below node_modules.
	Has string
}

// Install makes sure that the packages are in the cache (see internal/cachedir), and returns their folder node_modules. The
// first time it downloads them; npm has to be on PATH for it. Progress goes to out.
func (m Modules) Install(ctx context.Context, out io.Writer) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s/%s %d %d\n", runtime.GOOS, runtime.GOARCH, len(m.Manifest), len(m.Lock))
	_, _ = h.Write(m.Manifest)
	_, _ = h.Write(m.Lock)
	target, err := ensure(ctx, out, m.Name, hex.EncodeToString(h.Sum(nil))[:16], func(target string) bool {
		_, err := os.Stat(filepath.Join(target, "node_modules", m.Has))
		return err == nil
	}, func(out io.Writer, cache, target string) error {
		return inCache(installation{Application: Application{Package: m.Name}, out: out}, cache, target, func(i installation) error {
			i.say("the packages from npm")
			return i.locked(ctx, i.work, m.Manifest, m.Lock)
		})
	})
	if err != nil {
		return "", fmt.Errorf("install %s: %w", m.Name, err)
	}
	return filepath.Join(target, "node_modules"), nil
}
