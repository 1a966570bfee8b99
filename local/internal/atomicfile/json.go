package atomicfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ReadJSON reads a file into v, numbers as json.Number where v leaves their type open. A missing file leaves v as it is.
func ReadJSON(name string, v any) error {
	raw, err := os.ReadFile(name) //nolint:gosec // files of our own
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%s is damaged (%w): remove the file, or run `make local-reset`", name, err)
	}
	return nil
}

// WriteJSON replaces a file, for its owner alone, and makes its directory.
func WriteJSON(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	return Write(name, raw, 0o600)
}
