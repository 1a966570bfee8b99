package resources

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"k8s-plus-aws-gitops/internal/httpbody"
	"k8s-plus-aws-gitops/local/endpoint/moto/mototest"
	"k8s-plus-aws-gitops/local/internal/freeport"
)

// One moto serves all tests of the package; TestMain ends it.
var (
	startMoto   sync.Once
	runningMoto *mototest.Server
	motoMissing error
	motoProblem error
	motoDir     string
	releasePort = func() {}
)

func TestMain(m *testing.M) {
	code := m.Run()
	if runningMoto != nil {
		runningMoto.Stop()
		_ = os.RemoveAll(motoDir)
		if code != 0 {
			fmt.Fprintf(os.Stderr, "moto's log:\n%s", runningMoto.Log())
		}
	}
	releasePort()
	os.Exit(code)
}

// services returns a connection to the package's moto, and skips the test when
// it cannot be had: without Python or without a package index.
func services(t *testing.T) *Services {
	t.Helper()
	startMoto.Do(func() {
		var python string
		if python, motoMissing = mototest.Python(); motoMissing == nil {
			runningMoto, motoProblem = runMoto(python)
		}
	})
	if motoMissing != nil {
		t.Skipf("moto cannot be had: %v", motoMissing)
	}
	if motoProblem != nil {
		t.Fatal(motoProblem)
	}
	return &Services{
		AWS: aws.Config{
			Region: "eu-west-1", BaseEndpoint: aws.String(runningMoto.URL),
			Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
			HTTPClient:  httpbody.Client(),
		},
		Account: "000000000000", Region: "eu-west-1",
		ClusterEndpoint: "https://127.0.0.1:6443", ClusterCA: "Y2E=",
		Database: Database{Host: "127.0.0.1", Port: 3306},
		Log:      slog.New(slog.DiscardHandler),
	}
}

func runMoto(python string) (*mototest.Server, error) {
	port, release, err := freeport.Reserve()
	if err != nil {
		return nil, err
	}
	releasePort = release
	if motoDir, err = os.MkdirTemp("", "moto"); err != nil {
		return nil, err
	}
	return mototest.Start(python, port, motoDir)
}

// stack creates resources one after the other, as the engine would, and keeps
// what they returned.
type stack struct {
	t        *testing.T
	services *Services
	name     string
	results  map[string]Result
}

// stacks counts them: a test that runs twice must not find what it made before.
var stacks atomic.Int32

func newStack(t *testing.T) *stack {
	return &stack{t: t, services: services(t), name: fmt.Sprintf("test%d", stacks.Add(1)), results: map[string]Result{}}
}

func (s *stack) request(kind, id string) *Request {
	name := s.name + "-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(s.t.Name())) + "-" + id
	return &Request{
		Services: s.services, StackName: s.name, StackID: "arn:aws:cloudformation:eu-west-1:000000000000:stack/" + s.name + "/1",
		LogicalID: id, Type: kind,
		Tags: map[string]string{"environment": "local", "aws:cloudformation:stack-name": s.name, "aws:cloudformation:logical-id": id},
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
		if typ.Properties != nil && !slices.Contains(typ.Properties, k) {
			s.t.Fatalf("%s does not list %s", kind, k)
		}
	}
	return typ
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
	again := s.request(kind, id)
	again.Resumed = true
	if second, err := typ.Create(s.t.Context(), again, p); err != nil || second.ID != result.ID {
		s.t.Errorf("create %s again, after a cut: %s (%v), must be %s", kind, second.ID, err, result.ID)
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
