package imagefile

import (
	"archive/tar"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"k8s-plus-aws-gitops/local/imagefile/imagefiletest"
)

const (
	repository = "ghcr.io/team/program"
	platform   = "linux/amd64"
	wanted     = "/usr/bin/program"
)

type (
	file  = imagefiletest.File
	files = []file
)

func program(name, content string) file { return file{Name: name, Content: []byte(content)} }
func gone(name string) file             { return file{Name: name} }
func folder(name string) file           { return file{Name: name, Kind: tar.TypeDir} }
func symlink(name, to string) file      { return file{Name: name, Link: to, Kind: tar.TypeSymlink} }
func hardlink(name, to string) file     { return file{Name: name, Link: to, Kind: tar.TypeLink} }

// pushed fills a registry with an image of the layers, the lowest first, and returns its digest.
func pushed(t *testing.T, layers ...files) (*imagefiletest.Registry, string) {
	t.Helper()
	var all []v1.Layer
	for _, l := range layers {
		all = append(all, imagefiletest.Layer(t, l...))
	}
	registry := imagefiletest.New(t)
	digest, _ := registry.Push(t, repository, "v1", imagefiletest.Image(t, platform, all...))
	return registry, digest
}

// take takes the file out of an image and returns its content; nothing may be there after an error.
func take(t *testing.T, r Registries, digest string) (string, error) {
	t.Helper()
	image, err := r.Open(t.Context(), repository, digest, platform)
	if err != nil {
		return "", err
	}
	defer image.Close()
	to := filepath.Join(t.TempDir(), "program")
	err = image.File(wanted, to)
	content, missing := os.ReadFile(to)
	if (err == nil) != (missing == nil) {
		t.Errorf("the file: %v, after %v", missing, err)
	}
	if info, statErr := os.Stat(to); err == nil && (statErr != nil || info.Mode().Perm()&0o111 == 0) {
		t.Errorf("not executable: %v, %v", info, statErr)
	}
	return string(content), err
}

// What an image shows at the path is what a container would have there.
func TestFile(t *testing.T) {
	const missing = "has no file " + wanted
	old := program("usr/bin/program", "old")
	for what, c := range map[string]struct {
		layers []files
		want   string // content
		err    string
	}{
		"in the one layer":                   {[]files{{folder("usr/"), old}}, "old", ""},
		"named with a dot":                   {[]files{{program("./usr/bin/program", "x")}}, "x", ""},
		"replaced above":                     {[]files{{old}, {program("usr/bin/program", "new")}}, "new", ""},
		"the last of a name in a layer":      {[]files{{old, program("usr/bin/program", "later")}}, "later", ""},
		"something else above":               {[]files{{old}, {program("etc/x", "x")}}, "old", ""},
		"removed above":                      {[]files{{old}, {gone("usr/bin/.wh.program")}}, "", missing},
		"its folder is removed":              {[]files{{old}, {gone(".wh.usr")}}, "", missing},
		"its folder is emptied":              {[]files{{old}, {folder("usr/bin"), gone("usr/bin/.wh..wh..opq")}}, "", missing},
		"all is emptied":                     {[]files{{old}, {gone(".wh..wh..opq")}}, "", missing},
		"emptied and filled in one layer":    {[]files{{old}, {gone("usr/.wh..wh..opq"), program("usr/bin/program", "new")}}, "new", ""},
		"removed and made again":             {[]files{{old}, {gone("usr/bin/.wh.program")}, {program("usr/bin/program", "new")}}, "new", ""},
		"a neighbour is removed":             {[]files{{old}, {gone("usr/bin/.wh.programs")}}, "old", ""},
		"never there":                        {[]files{{program("usr/bin/other", "x")}}, "", missing},
		"a file in the place of a folder":    {[]files{{old}, {program("usr/bin", "x")}}, "", missing},
		"a folder in its place":              {[]files{{folder("usr/bin/program")}}, "", missing},
		"a device in its place":              {[]files{{file{Name: "usr/bin/program", Kind: tar.TypeChar}}}, "", "is no file"},
		"a link":                             {[]files{{program("opt/x", "x"), symlink("usr/bin/program", "/opt/x")}}, "x", ""},
		"a link beside":                      {[]files{{program("usr/lib/x", "x"), symlink("usr/bin/program", "../lib/x")}}, "x", ""},
		"a link to a file above":             {[]files{{symlink("usr/bin/program", "/opt/x")}, {program("opt/x", "x")}}, "x", ""},
		"a link of a folder":                 {[]files{{symlink("usr", "/data/usr")}, {program("data/usr/bin/program", "x")}}, "x", ""},
		"a link out of the image":            {[]files{{symlink("usr/bin/program", "../../../../opt/x"), program("opt/x", "x")}}, "x", ""},
		"a link to nothing":                  {[]files{{symlink("usr/bin/program", "/opt/x")}}, "", "has no file /opt/x"},
		"links in a circle":                  {[]files{{symlink("usr/bin/program", "b"), symlink("usr/bin/b", "program")}}, "", "more than 40 links"},
		"a folder in the place of a link":    {[]files{{program("data/bin/program", "x"), symlink("usr", "data")}, {folder("usr")}}, "", missing},
		"a hard link":                        {[]files{{program("opt/x", "x"), hardlink("usr/bin/program", "opt/x")}}, "x", ""},
		"a hard link to a layer below":       {[]files{{program("opt/x", "x")}, {hardlink("usr/bin/program", "opt/x")}, {gone("opt/.wh.x")}}, "x", ""},
		"a hard link to itself":              {[]files{{hardlink("usr/bin/program", "usr/bin/program")}}, "", "more than 40 links"},
		"a path that leaves the image":       {[]files{{program("../usr/bin/program", "x")}}, "", "leaves the image"},
		"a path that leaves it by a detour":  {[]files{{program("usr/../../usr/bin/program", "x")}}, "", "leaves the image"},
		"a larger file than may be":          {[]files{{program("usr/bin/program", strings.Repeat("x", 5000))}}, "", "at most 4096"},
		"a layer that unpacks to too much":   {[]files{{old}, {program("a", strings.Repeat("x", 20_000))}}, "", "unpacks to more than 16384"},
		"a layer of too many files":          {[]files{{program("1", ""), program("2", ""), program("3", ""), program("4", ""), old}}, "", "more than 4 files"},
		"a layer that is too large as it is": {[]files{{program("a", noise(3000)), old}}, "", "at most 2048"},
	} {
		t.Run(what, func(t *testing.T) {
			limits(t)
			registry, digest := pushed(t, c.layers...)
			got, err := take(t, Registries{Mirror: registry.Host}, digest)
			if got != c.want || (err == nil) != (c.err == "") {
				t.Fatalf("got %q, %v, want %q, %q", got, err, c.want, c.err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), repository)) {
				t.Errorf("must be one line of the image with %q, got: %v", c.err, err)
			}
		})
	}
}

// limits makes the limits small.
func limits(t *testing.T) {
	t.Helper()
	layer, content, file, entries := maxLayer, maxContent, maxFile, maxEntries
	t.Cleanup(func() { maxLayer, maxContent, maxFile, maxEntries = layer, content, file, entries })
	maxLayer, maxContent, maxFile, maxEntries = 2048, 16384, 4096, 4
}

// noise does not get smaller by compression.
func noise(n int) string {
	b, x := make([]byte, n), uint32(1)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return string(b)
}

// The layers below the file are not downloaded.
func TestOnlyWhatIsNeeded(t *testing.T) {
	registry, digest := pushed(t, files{program("etc/base", noise(100))}, files{program("usr/bin/program", "x")}, files{program("etc/x", "x")})
	registry.Before(nil)
	if got, err := take(t, Registries{Mirror: registry.Host}, digest); got != "x" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	blobs := 0
	for _, asked := range registry.Asked() {
		if strings.HasPrefix(asked, http.MethodGet) && strings.Contains(asked, "/blobs/") {
			blobs++
		}
	}
	if blobs != 3 { // the configuration, and two of three layers
		t.Errorf("%d blobs are downloaded: %v", blobs, registry.Asked())
	}
}
