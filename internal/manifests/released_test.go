package manifests

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
)

// repository serves an index with one chart, demo 1.0.0.
func repository(t *testing.T, digest func([]byte) string) string {
	t.Helper()
	loaded, err := loader.LoadDir("testdata/good/charts/demo")
	if err != nil {
		t.Fatal(err)
	}
	loaded.Metadata.Version = "1.0.0"
	file, err := chartutil.Save(loaded, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	index := fmt.Sprintf("apiVersion: v1\nentries:\n  demo:\n    - {apiVersion: v2, name: demo, version: 1.0.0, urls: [demo.tgz], digest: \"%s\"}\n", digest(archive))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/index.yaml":
			_, _ = w.Write([]byte(index))
		case "/demo.tgz":
			_, _ = w.Write(archive)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func sum(archive []byte) string {
	s := sha256.Sum256(archive)
	return hex.EncodeToString(s[:])
}

func TestDownload(t *testing.T) {
	cache, wanted := t.TempDir(), Chart{Name: "demo", Version: "1.0.0", Repository: repository(t, sum)}
	dir, err := download(cache, wanted)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := loader.LoadDir(dir)
	if err != nil || loaded.Metadata.Version != "1.0.0" {
		t.Errorf("chart %v, %v", loaded.Metadata, err)
	}
	// From the cache, without the repository.
	if again, err := download(cache, Chart{Name: "demo", Version: "1.0.0"}); err != nil || again != dir {
		t.Errorf("%s, %v; want %s", again, err, dir)
	}
}

func TestDownloadRefuses(t *testing.T) {
	good, forged := repository(t, sum), repository(t, func([]byte) string { return strings.Repeat("0", 64) })
	for name, c := range map[string]struct {
		wanted Chart
		want   string
		away   bool
	}{
		"no such version": {Chart{"demo", "1.0.1", good}, "has no chart demo 1.0.1; pin a version", false},
		"another content": {Chart{"demo", "1.0.0", forged}, "the index says 0000", false},
		"no repository":   {Chart{"demo", "1.0.0", good + "/nowhere"}, "404 Not Found; correct the url", false},
		"out of reach":    {Chart{"demo", "1.0.0", "http://127.0.0.1:1"}, "chart demo 1.0.0 cannot be downloaded from http://127.0.0.1:1: ", true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := download(t.TempDir(), c.wanted)
			var away unreachableError
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &away) != c.away {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A version that the local system does not build is the released one, or, without a network, the local one with a word.
func TestReleasedCharts(t *testing.T) {
	cachedCharts(t)
	cache := t.TempDir()
	t.Setenv("GITOPS_CACHE", cache)
	var notices []string
	charts := ReleasedCharts(root, func(s string) { notices = append(notices, s) })
	local, err := charts(Chart{Name: "external-secrets", Version: releases(t, "local")["external-secrets"].Spec.Chart.Spec.Version, Repository: "http://127.0.0.1:1"})
	if err != nil || len(notices) > 0 {
		t.Fatalf("the local version: %v, %q", err, notices)
	}
	other := Chart{Name: "external-secrets", Version: "999.0.0", Repository: "http://127.0.0.1:1"}
	for range 2 {
		if dir, err := charts(other); err != nil || dir != local {
			t.Errorf("out of reach: %s, %v, want %s", dir, err, local)
		}
	}
	if len(notices) != 1 || !strings.Contains(notices[0], "external-secrets 999.0.0 cannot be downloaded") {
		t.Errorf("notices %q", notices)
	}
	kept := cached(filepath.Join(cache, "charts"), other)
	if err := os.CopyFS(kept, os.DirFS("testdata/good/charts/demo")); err != nil {
		t.Fatal(err)
	}
	if dir, err := charts(other); err != nil || dir != kept {
		t.Errorf("in the cache: %s, %v, want %s", dir, err, kept)
	}
}
