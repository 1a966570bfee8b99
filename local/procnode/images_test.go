package procnode

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLookup(t *testing.T) {
	table := Table{Images: []Image{
		{Repository: "ghcr.io/fluxcd/source-controller", Tags: []string{"v1.9.5"}},
		{Repository: "*/external-secrets/external-secrets"},
		{Repository: "ghost", Tags: []string{"6.65.0"}},
		{Repository: "*/nginx"},
		{Repository: "registry.localhost/*/ghost"},
	}}
	for _, tt := range []struct {
		reference, want string
		unknownTag      bool
	}{
		{"ghcr.io/fluxcd/source-controller:v1.9.5", "ghcr.io/fluxcd/source-controller", false},
		{"ghcr.io/fluxcd/source-controller:v1.9.6", "ghcr.io/fluxcd/source-controller", true},
		{"ghcr.io/fluxcd/source-controller", "ghcr.io/fluxcd/source-controller", true}, // latest
		{"ghcr.io/fluxcd/source-controller@sha256:0123", "ghcr.io/fluxcd/source-controller", false},
		{"ghcr.io/fluxcd/source-controller:v1.9.6@sha256:0123", "ghcr.io/fluxcd/source-controller", true},
		{"other.example/fluxcd/source-controller:v1.9.5", "", false},
		{"ghcr.io/fluxcd/source-controller-extra:v1.9.5", "", false},
		{"oci.external-secrets.io/external-secrets/external-secrets:v0.20.4", "*/external-secrets/external-secrets", false},
		{"localhost:5000/external-secrets/external-secrets", "*/external-secrets/external-secrets", false},
		{"a.example/b/external-secrets/external-secrets:v1", "", false},
		{"ghost:6.65.0", "ghost", false},
		{"docker.io/library/ghost:6.65.0", "ghost", false},
		{"library/ghost:6.65.0", "ghost", false},
		{"docker.io/library/ghost:5", "ghost", true},
		{"nginx:1", "*/nginx", false},
		{"busybox:1", "", false},
		{"registry.localhost/production/ghost:1@sha256:0123", "registry.localhost/*/ghost", false},
		{"registry.localhost/production/more/ghost:1", "", false},
		{"registry.localhost/ghost:1", "", false},
	} {
		t.Run(tt.reference, func(t *testing.T) {
			im, err := table.Lookup(tt.reference)
			got := ""
			if im != nil {
				got = im.Repository
			}
			var unknown *unknownTag
			if got != tt.want || errors.As(err, &unknown) != tt.unknownTag {
				t.Errorf("got %q, %v; want %q, unknown tag %v", got, err, tt.want, tt.unknownTag)
			}
		})
	}
}

func TestReadTableRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"unknown key":      {"images: [{repository: a/b, comand: [/x]}]", "comand"},
		"no repository":    {"images: [{command: [/x]}]", "repository: write a repository"},
		"tag":              {"images: [{repository: 'a/b:1'}]", "without tag"},
		"pattern":          {"images: [{repository: 'a/[b'}]", "syntax error in pattern"},
		"relative command": {"images: [{repository: a/b, command: [x]}]", "no absolute path"},
		"args":             {"images: [{repository: a/b, args: keep}]", "neither pass nor drop"},
		"registry":         {"images: [{repository: a/b, registry: 'registry.localhost'}]", "is no URL"},
		"template":         {"images: [{repository: a/b, env: {A: '${HOST}'}}]", "${HOST} is unknown"},
		"flag":             {"images: [{repository: a/b, flags: {port: '1'}}]", "with its dashes"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "images.yaml")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadTable(file)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v, want %q with the file's name", err, tt.want)
			}
		})
	}
}

func TestImagesFollowTheirFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "images.yaml")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("images: []")
	s, err := newImages(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	look := func() *Image {
		s.checked = time.Time{}
		im, _ := s.lookup("a.example/b:1")
		return im
	}
	if look() != nil {
		t.Error("an empty table knows an image")
	}
	write("images: [{repository: a.example/b}]")
	if look() == nil {
		t.Error("the change was not taken over")
	}
	write("images: [{repository: a.example/b, tags: broken")
	if look() == nil {
		t.Error("a broken table took the place of a good one")
	}
}
