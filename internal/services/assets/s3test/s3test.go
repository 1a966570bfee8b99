// Package s3test stands in for S3 in tests: one server with buckets in memory, and the calls that a store of static files
// makes. It refuses what S3 refuses of them: a bucket that is not there, a file that is not of its checksum.
package s3test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

type object struct {
	content []byte
	header  http.Header
	written time.Time
}

// server answers by path: /<bucket>/<key>.
type server struct {
	mu      sync.Mutex
	buckets map[string]map[string]object
	clock   time.Time
}

// New starts an S3 with buckets and returns its address and a client. It ends with the test.
func New(t *testing.T, buckets ...string) (string, *s3.Client) {
	t.Helper()
	s := &server{buckets: map[string]map[string]object{}, clock: time.Unix(1_000_000_000, 0).UTC()}
	for _, name := range buckets {
		s.buckets[name] = map[string]object{}
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return web.URL, s3.New(s3.Options{
		BaseEndpoint: &web.URL, Region: "eu-west-1", UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	objects, known := s.buckets[bucket]
	switch {
	case !known:
		refuse(w, http.StatusNotFound, "NoSuchBucket")
	case r.Method == http.MethodPut && key != "":
		s.put(w, r, objects, key)
	case r.Method == http.MethodHead && key != "":
		head(w, objects, key)
	case r.Method == http.MethodGet && r.URL.Query().Get("list-type") == "2":
		list(w, objects, r.URL.Query().Get("prefix"))
	case r.Method == http.MethodPost && r.URL.Query().Has("delete"):
		remove(w, r, objects)
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>said by s3test</Message></Error>", code)
}

func (s *server) put(w http.ResponseWriter, r *http.Request, objects map[string]object, key string) {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	sum := sha256.Sum256(content)
	if want := r.Header.Get("X-Amz-Checksum-Sha256"); want != "" && want != base64.StdEncoding.EncodeToString(sum[:]) {
		refuse(w, http.StatusBadRequest, "BadDigest")
		return
	}
	s.clock = s.clock.Add(time.Second) // S3 tells times apart by the second
	objects[key] = object{content, r.Header.Clone(), s.clock}
}

func head(w http.ResponseWriter, objects map[string]object, key string) {
	o, known := objects[key]
	if !known {
		refuse(w, http.StatusNotFound, "NotFound")
		return
	}
	for _, name := range []string{"Content-Type", "Cache-Control"} {
		w.Header().Set(name, o.header.Get(name))
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(o.content)))
}

func list(w http.ResponseWriter, objects map[string]object, prefix string) {
	type entry struct {
		Key          string
		Size         int
		LastModified time.Time
	}
	var answer struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		Contents []entry
	}
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if strings.HasPrefix(key, prefix) {
			answer.Contents = append(answer.Contents, entry{key, len(objects[key].content), objects[key].written})
		}
	}
	_ = xml.NewEncoder(w).Encode(answer) // to a client that has gone, or none
}

func remove(w http.ResponseWriter, r *http.Request, objects map[string]object) {
	var wanted struct {
		Object []struct{ Key string }
	}
	if err := xml.NewDecoder(r.Body).Decode(&wanted); err != nil {
		refuse(w, http.StatusBadRequest, "MalformedXML")
		return
	}
	for _, o := range wanted.Object {
		delete(objects, o.Key)
	}
	io.WriteString(w, "<DeleteResult></DeleteResult>")
}
