package plan

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/release"
	"k8s-plus-aws-gitops/internal/signtest"
)

// history is a repository in which people sign commits.
type history struct {
	t    *testing.T
	root string
}

func newHistory(t *testing.T) *history {
	t.Helper()
	for _, name := range []string{"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"} {
		t.Setenv(name, os.DevNull)
	}
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+who+"_NAME", "alice")
		t.Setenv("GIT_"+who+"_EMAIL", "alice@example.com")
	}
	h := &history{t, t.TempDir()}
	h.git("", "init", "--quiet")
	return h
}

func (h *history) git(stdin string, args ...string) string {
	h.t.Helper()
	out, err := git.Run(h.t.Context(), h.root, strings.NewReader(stdin), args...)
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimSuffix(out, "\n")
}

// commit makes HEAD a commit with these files of keys in repository.verify; nobody signs where signer is nil.
func (h *history) commit(keys map[string]string, signer *signtest.Person) string {
	h.t.Helper()
	list := ""
	if len(keys) > 0 {
		list = `, "verify": ["` + strings.Join(slices.Sorted(maps.Keys(keys)), `", "`) + `"]`
	}
	h.git("", "rm", "-r", "--quiet", "--cached", "--ignore-unmatch", ".")
	files := maps.Clone(keys)
	if files == nil {
		files = map[string]string{}
	}
	files["cdk.json"] = `{"context": {"gitops": {"repository": {"owner": "me", "name": "platform"` + list + `}, "environments": {}}}}`
	for name, content := range files {
		file := filepath.Join(h.root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			h.t.Fatal(err)
		}
		h.git("", "add", name)
	}
	h.git("", "commit", "--quiet", "--allow-empty", "-m", "x")
	if signer != nil {
		// The text of a commit ends as its message does.
		text, err := git.Run(h.t.Context(), h.root, nil, "cat-file", "commit", "HEAD")
		if err != nil {
			h.t.Fatal(err)
		}
		h.git("", "update-ref", "HEAD", h.git(signer.Sign(text, time.Time{}), "hash-object", "-t", "commit", "-w", "--stdin"))
	}
	return h.git("", "rev-parse", "HEAD")
}

// The keys of what is released decide, and those by which Flux will verify: nobody lets themselves in, and a key goes in two
// steps.
func TestSigned(t *testing.T) {
	h := newHistory(t)
	alice, bob, mallory := signtest.New(t, "alice"), signtest.New(t, "bob"), signtest.New(t, "mallory")
	none := map[string]string{}
	of := func(people map[string]*signtest.Person) map[string]string {
		keys := map[string]string{}
		for name, p := range people {
			keys["keys/"+name+".asc"] = p.Public()
		}
		return keys
	}
	alices := of(map[string]*signtest.Person{"alice": alice})
	both := of(map[string]*signtest.Person{"alice": alice, "bob": bob})
	bobs := of(map[string]*signtest.Person{"bob": bob})
	mallorys := of(map[string]*signtest.Person{"alice": alice, "mallory": mallory})
	const byReleased, byItself = "repository.verify of the released commit", "repository.verify of the commit itself"
	for name, c := range map[string]struct {
		// released are the keys of the released commit; nil: nothing is released.
		released, now map[string]string
		signer        *signtest.Person
		want          []string
	}{
		"no keys, not signed":              {released: none, now: none},
		"the first release":                {now: alices, signer: alice},
		"the first release, not signed":    {now: alices, want: []string{"is not signed", byItself}},
		"switched on":                      {released: none, now: alices, signer: alice},
		"switched on, not signed":          {released: none, now: alices, want: []string{"is not signed", byItself}},
		"signed":                           {released: alices, now: alices, signer: alice},
		"not signed":                       {released: alices, now: alices, want: []string{"is not signed; put a signed commit on top of it: ", byReleased, "docs/guides/signed.md"}},
		"signed by somebody else":          {released: alices, now: alices, signer: mallory, want: []string{"is signed by key " + mallory.Entity.PrimaryKey.KeyIdString(), "keys/alice.asc", byReleased}},
		"signed by who adds their own key": {released: alices, now: mallorys, signer: mallory, want: []string{mallory.Entity.PrimaryKey.KeyIdString(), byReleased}},
		"another's key replaced":           {released: alices, now: map[string]string{"keys/alice.asc": mallory.Public()}, signer: mallory, want: []string{byReleased}},
		"a new key, first step":            {released: alices, now: both, signer: alice},
		"a new key, second step":           {released: both, now: bobs, signer: bob},
		"a new key, both steps at once":    {released: alices, now: bobs, signer: alice, want: []string{"keys/bob.asc", byItself}},
		"a key that signs its own removal": {released: both, now: bobs, signer: alice, want: []string{"keys/bob.asc", byItself}},
		"switched off":                     {released: alices, now: none, signer: alice},
		"switched off, not signed":         {released: alices, now: none, want: []string{"is not signed", byReleased}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Plan{}
			if c.released != nil {
				p.Release = release.Result{Outcome: release.Moved, Before: h.commit(c.released, nil)}
			}
			commit := h.commit(c.now, c.signer)
			if err := p.signed(t.Context(), Options{Root: h.root}); err != nil {
				t.Fatal(err)
			}
			said := strings.Join(p.Refusals, "\n")
			if (said == "") != (len(c.want) == 0) || len(c.want) > 0 && !strings.HasPrefix(said, "commit "+commit[:12]+" ") {
				t.Fatalf("refusals %q, want %q", said, c.want)
			}
			for _, part := range c.want {
				if !strings.Contains(said, part) {
					t.Errorf("refusals %q, want %q", said, part)
				}
			}
		})
	}
	h.commit(map[string]string{"keys/alice.asc": "alice"}, alice)
	if err := (&Plan{}).signed(t.Context(), Options{Root: h.root}); err == nil || !strings.Contains(err.Error(), "keys/alice.asc: must be an armored OpenPGP public key") {
		t.Errorf("a file without a key: %v", err)
	}
}
