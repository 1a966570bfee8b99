package resources

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"k8s-plus-aws-gitops/local/cloud/moto"
)

// One moto serves all tests of the package; TestMain ends it.
var (
	startMoto   sync.Once
	motoURL     string
	motoProblem error
	stopMoto    = func() {}
	motoLog     bytes.Buffer
)

func TestMain(m *testing.M) {
	code := m.Run()
	stopMoto()
	if code != 0 {
		fmt.Fprintf(os.Stderr, "moto's log:\n%s", motoLog.String())
	}
	os.Exit(code)
}

// services returns a connection to the package's moto, and skips the test when
// there is none: without Python or without a package index it cannot be had.
func services(t *testing.T) *Services {
	t.Helper()
	startMoto.Do(func() { motoURL, motoProblem = runMoto() })
	if motoProblem != nil {
		t.Skipf("moto cannot be started: %v", motoProblem)
	}
	return &Services{
		AWS: aws.Config{
			Region: "eu-west-1", BaseEndpoint: aws.String(motoURL),
			Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		},
		Account: "000000000000", Region: "eu-west-1",
		ClusterEndpoint: "https://127.0.0.1:6443", ClusterCA: "Y2E=",
		Database: Database{Host: "127.0.0.1", Port: 3306},
		Log:      slog.New(slog.DiscardHandler),
	}
}

func runMoto() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	python, err := moto.EnsureVenv(context.Background(), filepath.Join(cache, "k8s-plus-aws-gitops"), os.Stderr)
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	dir, err := os.MkdirTemp("", "moto")
	if err != nil {
		return "", err
	}
	cmd, err := moto.Command(python, port, dir)
	if err != nil {
		return "", err
	}
	cmd.Stdout, cmd.Stderr = &motoLog, &motoLog
	if err := cmd.Start(); err != nil {
		return "", err
	}
	stopMoto = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	for range 300 {
		if r, err := http.Get(url + "/_local/healthz"); err == nil {
			_ = r.Body.Close()
			return url, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return "", fmt.Errorf("no answer after 30 s: %s", motoLog.String())
}

// stack creates resources one after the other, as the engine would, and keeps
// what they returned.
type stack struct {
	t        *testing.T
	services *Services
	results  map[string]Result
}

func newStack(t *testing.T) *stack {
	return &stack{t: t, services: services(t), results: map[string]Result{}}
}

func (s *stack) request(kind, id string) *Request {
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(s.t.Name())) + "-" + id
	return &Request{
		Services: s.services, StackName: "test", StackID: "arn:aws:cloudformation:eu-west-1:000000000000:stack/test/1",
		LogicalID: id, Type: kind,
		Tags: map[string]string{"environment": "local", "aws:cloudformation:stack-name": "test", "aws:cloudformation:logical-id": id},
		Name: func(limit int, lower bool) string {
			n := name
			if lower {
				n = strings.ToLower(n)
			}
			return n[:min(len(n), limit)]
		},
	}
}

func (s *stack) find(kind string, p Properties) *Type {
	s.t.Helper()
	typ, ok := Lookup(kind)
	if !ok {
		s.t.Fatalf("%s is not registered", kind)
	}
	for k := range p {
		if typ.Properties != nil && !contains(typ.Properties, k) {
			s.t.Fatalf("%s does not list %s", kind, k)
		}
	}
	return typ
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// create makes a resource, deletes it when the test ends, and returns its Ref.
func (s *stack) create(kind, id string, p Properties) string {
	s.t.Helper()
	typ := s.find(kind, p)
	result, err := typ.Create(s.t.Context(), s.request(kind, id), p)
	if err != nil {
		s.t.Fatalf("create %s: %v", kind, err)
	}
	if result.ID == "" {
		s.t.Fatalf("create %s: no physical ID", kind)
	}
	s.results[id] = result
	s.t.Cleanup(func() {
		ctx := context.Background()
		if err := typ.Delete(ctx, s.request(kind, id), s.results[id].ID, p); err != nil {
			s.t.Errorf("delete %s: %v", kind, err)
		}
		if err := typ.Delete(ctx, s.request(kind, id), s.results[id].ID, p); err != nil {
			s.t.Errorf("delete %s a second time, as after an interruption: %v", kind, err)
		}
	})
	return result.ID
}

func (s *stack) update(kind, id string, old, updated Properties) error {
	s.t.Helper()
	result, err := s.find(kind, updated).Update(s.t.Context(), s.request(kind, id), s.results[id].ID, old, updated)
	if err != nil {
		return err
	}
	if result.ID != s.results[id].ID {
		s.t.Errorf("update %s: ID is %q, was %q", kind, result.ID, s.results[id].ID)
	}
	s.results[id] = result
	return nil
}

func (s *stack) att(id, attribute string) string {
	s.t.Helper()
	v, ok := s.results[id].Attributes[attribute]
	if !ok {
		s.t.Fatalf("%s has no attribute %s", id, attribute)
	}
	return fmt.Sprint(v)
}

// tags makes a Tags property.
func tags(pairs ...string) []any {
	var out []any
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, map[string]any{"Key": pairs[i], "Value": pairs[i+1]})
	}
	return out
}
