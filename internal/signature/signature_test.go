package signature

import (
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/signtest"
)

const commit = `tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904
parent 0123456789012345678901234567890123456789
author Alice <alice@example.com> 1790000000 +0000
committer Alice <alice@example.com> 1790000000 +0000

Change something

gpgsig this line is the message's
`

// keysOf are files of keys.
func keysOf(t *testing.T, files map[string]string) []Key {
	t.Helper()
	var keys []Key
	for _, name := range slices.Sorted(maps.Keys(files)) {
		k, err := Parse(name, files[name])
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return keys
}

// then is when keys that have expired were good.
var then = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// settings of a key that was made then, for some time.
func settings(life time.Duration) *packet.Config {
	return &packet.Config{Time: func() time.Time { return then }, KeyLifetimeSecs: uint32(life.Seconds())}
}

func TestVerify(t *testing.T) {
	alice, bob, mallory := signtest.New(t, "alice"), signtest.New(t, "bob"), signtest.New(t, "mallory")
	byASubkey := signtest.New(t, "subkey")
	if err := byASubkey.Entity.AddSigningSubkey(nil); err != nil {
		t.Fatal(err)
	}
	if key, ok := byASubkey.Entity.SigningKey(time.Now()); !ok || key.PublicKey.KeyId == byASubkey.Entity.PrimaryKey.KeyId {
		t.Fatal("the subkey does not sign")
	}
	expired := signtest.With(t, "expired", settings(24*time.Hour))
	revoked := signtest.New(t, "revoked")
	beforeItWas, byRevoked := revoked.Public(), revoked.Sign(commit, time.Time{})
	if err := revoked.Entity.RevokeKey(packet.NoReason, "", nil); err != nil {
		t.Fatal(err)
	}
	keys := keysOf(t, map[string]string{
		"keys/alice.asc": alice.Public(), "keys/github.asc": bob.Public() + "\n" + byASubkey.Public(),
		"keys/old.asc": expired.Public(), "keys/revoked.asc": revoked.Public(),
	})
	id := mallory.Entity.PrimaryKey.KeyIdString()
	for name, c := range map[string]struct{ commit, want string }{
		"by the first":          {alice.Sign(commit, time.Time{}), ""},
		"by a second of a file": {bob.Sign(commit, time.Time{}), ""},
		"by a subkey":           {byASubkey.Sign(commit, time.Time{}), ""},
		"not at all":            {commit, "is not signed"},
		"by somebody else":      {mallory.Sign(commit, time.Time{}), "is signed by key " + id + ", which signs in none of keys/alice.asc, keys/github.asc, keys/old.asc, keys/revoked.asc; "},
		"changed afterwards":    {strings.Replace(alice.Sign(commit, time.Time{}), "Change something", "Change all", 1), alice.Entity.PrimaryKey.KeyIdString() + " of keys/alice.asc, which does not fit the commit"},
		"by an expired key":     {expired.Sign(commit, then.Add(time.Hour)), "keys/old.asc, which has expired; extend it"},
		"by a revoked key":      {byRevoked, "keys/revoked.asc, which is revoked"},
		"twice":                 {signtest.Signed(alice.Sign(commit, time.Time{}), "-----BEGIN PGP SIGNATURE-----"), "has two signatures"},
		"with SSH":              {signtest.Signed(commit, "-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----"), "is signed with SSH, must be signed with OpenPGP"},
		"with S/MIME":           {signtest.Signed(commit, "-----BEGIN SIGNED MESSAGE-----\nMIIC\n-----END SIGNED MESSAGE-----"), "is signed with S/MIME, must be signed with OpenPGP"},
		"with nonsense":         {signtest.Signed(commit, "-----BEGIN PGP SIGNATURE-----\n\nnonsense\n-----END PGP SIGNATURE-----"), "has a signature that cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Verify(c.commit, keys)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "; ")) {
				t.Errorf("not one line with a remedy: %v", err)
			}
		})
	}
	// A file with the key as it is now counts beside one with the key as it was.
	if err := Verify(byRevoked, keysOf(t, map[string]string{"keys/a.asc": revoked.Public(), "keys/b.asc": beforeItWas})); err != nil {
		t.Error(err)
	}
}

// What git signs with gpg, on a machine that has it, is what is verified.
func TestVerifyGit(t *testing.T) {
	gpg, err := exec.LookPath("gpg")
	if err != nil {
		t.Skip("gpg is not on the PATH")
	}
	alice := signtest.New(t, "alice")
	home, err := os.MkdirTemp("", "gpg") // not t.TempDir: its paths are too long for gpg's sockets
	if err != nil {
		t.Fatal(err)
	}
	repo := t.TempDir()
	t.Setenv("GNUPGHOME", home)
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Cleanup(func() {
		if stop, err := exec.LookPath("gpgconf"); err == nil {
			_ = exec.Command(stop, "--homedir", home, "--kill", "all").Run()
		}
		os.RemoveAll(home)
	})
	run := func(stdin, program string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir, cmd.Stdin = repo, strings.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %v: %v", program, args, err)
		}
		return string(out)
	}
	run(alice.Private(), gpg, "--batch", "--quiet", "--import")
	run("", "git", "init", "--quiet")
	run("", "git", "-c", "user.name=Alice", "-c", "user.email=alice@example.com", "-c", "gpg.program="+gpg, "commit", "--quiet", "--allow-empty", "-S", "-m", "Hello")
	signed := run("", "git", "cat-file", "commit", "HEAD")
	if err := Verify(signed, keysOf(t, map[string]string{"keys/alice.asc": alice.Public()})); err != nil {
		t.Errorf("%v\n%s", err, signed)
	}
}

func TestRead(t *testing.T) {
	alice, bob := signtest.New(t, "alice"), signtest.New(t, "bob")
	encrypts := signtest.New(t, "encrypts")
	for _, identity := range encrypts.Entity.Identities {
		identity.SelfSignature.FlagSign = false
		if err := identity.SelfSignature.SignUserId(identity.UserId.Id, encrypts.Entity.PrimaryKey, encrypts.Entity.PrivateKey, nil); err != nil {
			t.Fatal(err)
		}
	}
	root := t.TempDir()
	for name, content := range map[string]string{
		"keys/alice.asc": alice.Public(), "keys/two.asc": "alice\n" + alice.Public() + "bob\n" + bob.Public(), "elsewhere/alice.asc": alice.Public(),
		"keys/private.asc": alice.Private(), "keys/text.asc": "alice", "keys/encrypts.asc": encrypts.Public(), "keys/hidden.asc": disguised(t, alice),
		"keys/ssh.asc": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n", "keys/signature.asc": "-----BEGIN PGP SIGNATURE-----\n\naGVsbG8=\n-----END PGP SIGNATURE-----\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(files ...string) ([]Key, error) {
		return Read(root, config.Repository{Verify: files, Paths: config.Paths{Deploy: []string{"{config,keys}/**"}}})
	}
	for file, want := range map[string]string{
		"keys/private.asc": "must be a public key, got a private one", "keys/hidden.asc": "must be a public key, got a private one",
		"keys/text.asc": "must be an armored OpenPGP public key; ", "keys/ssh.asc": "must be a public key, got a private one",
		"keys/signature.asc": "must be an armored OpenPGP public key, got a block", "keys/encrypts.asc": "must hold keys that sign",
		"keys/missing.asc": "must be a file of the repository", "elsewhere/alice.asc": "must be a file whose change starts a deployment",
	} {
		_, err := read("keys/alice.asc", file)
		if err == nil || !strings.HasPrefix(err.Error(), "context.gitops.repository.verify[1]: "+file+": "+want) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%s: got %v, want %q", file, err, want)
		}
	}
	keys, err := read("keys/alice.asc", "keys/two.asc")
	if err != nil {
		t.Fatal(err)
	}
	secret := Secret(keys)
	if got := slices.Sorted(maps.Keys(secret)); !slices.Equal(got, []string{"alice.asc", "two.asc", "two.asc.2.asc"}) {
		t.Errorf("the Secret has %q", got)
	}
	for name, content := range secret {
		one, err := Parse(name, content)
		if err != nil || len(one.blocks) != 1 {
			t.Errorf("%s: %d blocks, %v", name, len(one.blocks), err)
		}
	}
	if keys, err := read(); err != nil || len(keys) != 0 {
		t.Errorf("none: %v, %v", keys, err)
	}
}

// disguised is a private key that says that it is a public one.
func disguised(t *testing.T, p *signtest.Person) string {
	t.Helper()
	block, err := armor.Decode(strings.NewReader(p.Private()))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	w, err := armor.Encode(&text, "PGP PUBLIC KEY BLOCK", nil)
	if err == nil {
		err = copyAndClose(w, block)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text.String() + "\n"
}

func copyAndClose(w io.WriteCloser, block *armor.Block) error {
	if _, err := io.Copy(w, block.Body); err != nil {
		return err
	}
	return w.Close()
}
