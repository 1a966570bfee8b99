package signature

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/pathfilter"
)

// Key is a file of public keys.
type Key struct {
	// File is its path in the repository.
	File string

	blocks []string
	rings  []openpgp.EntityList
}

// armored is one block of a file; a file has several when keys were put one after the other, as GitHub's own are.
var armored = regexp.MustCompile(`(?ms)^-----BEGIN ([A-Z ]+)-----.*?^-----END [A-Z ]+-----`)

// Parse reads the content of a file of public keys.
func Parse(file, content string) (Key, error) {
	k := Key{File: file}
	found := armored.FindAllStringSubmatch(content, -1)
	if len(found) == 0 {
		return k, errors.New("must be an armored OpenPGP public key; write it with: gpg --armor --export ADDRESS")
	}
	for _, block := range found {
		if strings.Contains(block[1], "PRIVATE KEY") {
			return k, errPrivate
		}
		ring, err := openpgp.ReadArmoredKeyRing(strings.NewReader(block[0]))
		if err != nil {
			return k, fmt.Errorf("must be an armored OpenPGP public key, got a block %q: %w; write it with: gpg --armor --export ADDRESS", block[1], err)
		}
		for _, e := range ring {
			if err := checkEntity(e); err != nil {
				return k, err
			}
		}
		k.blocks, k.rings = append(k.blocks, block[0]+"\n"), append(k.rings, ring)
	}
	return k, nil
}

var errPrivate = errors.New("must be a public key, got a private one; write the public one with: gpg --armor --export ADDRESS, and revoke this key if it was committed")

// checkEntity checks a key with its subkeys. One that has expired is none of it: a deployment must not fail for it on the
// day after while others sign.
func checkEntity(e *openpgp.Entity) error {
	signs := false
	ids := []uint64{e.PrimaryKey.KeyId}
	private := e.PrivateKey != nil
	for _, sub := range e.Subkeys {
		ids = append(ids, sub.PublicKey.KeyId)
		private = private || sub.PrivateKey != nil
	}
	for _, id := range ids {
		signs = signs || len(openpgp.EntityList{e}.KeysByIdUsage(id, packet.KeyFlagSign)) > 0
	}
	switch {
	case private:
		return errPrivate
	case !signs:
		return fmt.Errorf("must hold keys that sign, got key %s, which may not; export another", e.PrimaryKey.KeyIdString())
	}
	return nil
}

// Read reads the files of repository.verify below the repository's root. Its error is config.Problems with every mistake.
func Read(root string, r config.Repository) ([]Key, error) {
	var problems config.Problems
	var keys []Key
	for i, file := range r.Verify {
		add := func(what string) {
			problems = append(problems, config.Problem{Path: fmt.Sprintf("%s.repository.verify[%d]", config.Root, i), What: fmt.Sprintf("%s: %s", file, what)})
		}
		starts, err := pathfilter.Any(r.Paths.Deploy, file)
		if err != nil {
			return nil, err // the configuration's rules have compiled them
		}
		if !starts {
			add("must be a file whose change starts a deployment; move it to keys, or add its folder to repository.paths.deploy")
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if errors.Is(err, fs.ErrNotExist) {
			add("must be a file of the repository; commit it, or correct the path")
			continue
		}
		if err != nil {
			return nil, err
		}
		key, err := Parse(file, string(content))
		if err != nil {
			add(err.Error())
		}
		keys = append(keys, key)
	}
	return keys, problems.Err()
}

// Secret is the content of the Secret by which Flux verifies. An entry has one block, for Flux reads the first and no more.
func Secret(keys []Key) map[string]string {
	entries := map[string]string{}
	for _, k := range keys {
		name := path.Base(k.File)
		for i, block := range k.blocks {
			if i > 0 {
				name = fmt.Sprintf("%s.%d.asc", path.Base(k.File), i+1)
			}
			entries[name] = block
		}
	}
	return entries
}
