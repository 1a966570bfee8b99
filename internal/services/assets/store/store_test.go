package store

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"k8s-plus-aws-gitops/internal/services/assets"
	"k8s-plus-aws-gitops/internal/services/assets/s3test"
)

// release makes a release of files on disk; its digest is not that of its content, which the store does not look at.
func release(t *testing.T, service, digest string, names ...string) assets.Release {
	t.Helper()
	root := t.TempDir()
	r := assets.Release{Service: service, Digest: strings.Repeat(digest, 20)}
	for _, name := range names {
		local := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(local), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(local, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		r.Files = append(r.Files, assets.File{Path: name, Local: local, Type: assets.Type(name), Size: int64(len(name)), SHA256: sha256.Sum256([]byte(name))})
	}
	return r
}

func TestStore(t *testing.T) {
	_, client := s3test.New(t, "dev-services-assets")
	s := Store{Client: client, Bucket: "dev-services-assets", Account: "000000000000", Root: "services/"}
	first := release(t, "npm", "a", "index.html", "css/a b.css")
	other := s
	other.Bucket = "not-there"
	if _, err := other.Upload(t.Context(), first); err == nil || !strings.Contains(err.Error(), "deploy <environment>-delivery") {
		t.Errorf("without a bucket: %v", err)
	}
	uploads(t, s, first, 2)
	uploads(t, s, first, 0)
	key := first.Prefix(s.Root) + "/css/a b.css"
	got, err := s.Client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &s.Bucket, Key: &key})
	if err != nil || aws.ToString(got.ContentType) != "text/css; charset=utf-8" || aws.ToString(got.CacheControl) != forever || aws.ToInt64(got.ContentLength) != int64(len("css/a b.css")) {
		t.Errorf("%+v, %v", got, err)
	}
	// One is lost, and comes back.
	if err := s.Remove(t.Context(), []string{key}); err != nil {
		t.Fatal(err)
	}
	uploads(t, s, first, 1)

	uploads(t, s, release(t, "npmx", "a", "x"), 1) // the neighbour, whose name begins with npm's
	if _, err := s.Client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &s.Bucket, Key: aws.String("services/npm/by-hand.txt"), Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	for _, digest := range strings.Split("b c d e f 0 1", " ") {
		uploads(t, s, release(t, "npm", digest, "x"), 1)
	}
	stale, err := s.Stale(t.Context(), "npm", []string{first.Digest, strings.Repeat("1", 20)})
	if err != nil || len(stale) != 1 {
		t.Fatalf("stale %q, %v", stale, err)
	}
	if err := s.Remove(t.Context(), stale); err != nil {
		t.Fatal(err)
	}
	left, err := s.list(t.Context(), "services/")
	if err != nil || len(left) != 2+1+1+7-1 {
		t.Errorf("%d objects are left, %v", len(left), err)
	}
	uploads(t, s, first, 0)
}

func uploads(t *testing.T, s Store, r assets.Release, want int) {
	t.Helper()
	done, err := s.Upload(t.Context(), r)
	if err != nil || len(done) != want {
		t.Errorf("%s: %d uploaded, want %d: %v", r.Prefix(s.Root), len(done), want, err)
	}
	if missing, err := s.Missing(t.Context(), r); err != nil || len(missing) > 0 {
		t.Errorf("%s: missing %v: %v", r.Prefix(s.Root), missing, err)
	}
}

// S3 is told the hash, so that it refuses a file that changed after it was read, and whose bucket it is.
func TestPut(t *testing.T) {
	r := release(t, "npm", "a", "x")
	var checksum, owner string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodGet {
			io.WriteString(w, "<ListBucketResult></ListBucketResult>")
			return
		}
		checksum, owner = q.Header.Get("X-Amz-Checksum-Sha256"), q.Header.Get("X-Amz-Expected-Bucket-Owner")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, "<Error><Code>BadDigest</Code><Message>The SHA256 you specified did not match</Message></Error>")
	}))
	defer server.Close()
	c := s3.New(s3.Options{BaseEndpoint: &server.URL, Region: "eu-west-1", UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	_, err := Store{Client: c, Bucket: "b", Account: "111111111111", Root: "services/"}.Upload(t.Context(), r)
	if err == nil || !strings.Contains(err.Error(), "cannot write services/npm/"+r.Digest+"/x: BadDigest") {
		t.Errorf("%v", err)
	}
	if checksum != base64.StdEncoding.EncodeToString(r.Files[0].SHA256[:]) || owner != "111111111111" {
		t.Errorf("checksum %q, owner %q", checksum, owner)
	}
}

func TestStale(t *testing.T) {
	object := func(digest, name string, at int64) types.Object {
		return types.Object{Key: aws.String("services/npm/" + strings.Repeat(digest, 20) + "/" + name), LastModified: aws.Time(time.Unix(at, 0))}
	}
	all := []types.Object{
		{Key: aws.String("services/npm/readme")}, {Key: aws.String("services/npm/other/file")},
		object("a", "x", 1), object("a", "y", 2), object("b", "x", 3), object("c", "x", 4), object("d", "x", 5),
		object("e", "x", 6), object("f", "x", 7), object("0", "x", 8), object("1", "old", 0), object("1", "new", 9),
	}
	for _, c := range []struct {
		name  string
		named string
		want  string
	}{
		{"the newest stay", "", "ax ay bx cx"}, // d e f 0 1 stay
		{"a named one stays", "a", "bx cx"},
		{"and does not count", "1", "ax ay bx"},
		{"an unknown one", "9", "ax ay bx cx"},
	} {
		var got []string
		for _, key := range stale(all, "services/npm/", []string{strings.Repeat(c.named, 20)}) {
			rest := strings.TrimPrefix(key, "services/npm/")
			got = append(got, rest[:1]+rest[len(rest)-1:])
		}
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
