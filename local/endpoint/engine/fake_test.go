package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"k8s-plus-aws-gitops/internal/httpbody"
	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// world is a fake service whose things the engine makes, with the engine in
// front of it and the real SDK client in front of that.
type world struct {
	t      *testing.T
	mu     sync.Mutex
	things map[string]map[string]any // physical ID -> properties
	log    []string
	block  chan struct{} // when set, Create of Block things waits for it
	killAt string        // the call, as in log, that never returns, as for a killed engine
	killed chan struct{} // closed by that call
	types  map[string]*resources.Type
	dir    string
	engine *Engine
	client *cloudformation.Client
	values fakeValues
}

type fakeValues struct{ parameters, secrets, objects map[string]string }

func (v fakeValues) lookup(m map[string]string, name string) (string, error) {
	if s, ok := m[name]; ok {
		return s, nil
	}
	return "", fmt.Errorf("%s not found", name)
}

func (v fakeValues) Parameter(_ context.Context, name string) (string, error) {
	return v.lookup(v.parameters, name)
}

func (v fakeValues) Secret(_ context.Context, id, _, _ string) (string, error) {
	return v.lookup(v.secrets, id)
}

func (v fakeValues) Object(_ context.Context, bucket, key string) (string, error) {
	return v.lookup(v.objects, bucket+"/"+key)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, things: map[string]map[string]any{}, dir: t.TempDir()}
	w.values = fakeValues{map[string]string{}, map[string]string{}, map[string]string{}}
	w.types = map[string]*resources.Type{}
	for _, name := range []string{"Test::A::Thing", "Test::A::Other", "Test::A::Block"} {
		w.types[name] = &resources.Type{
			Name: name, Properties: []string{"Name", "Value", "Values", "Size", "Tags", "Fail"}, Immutable: []string{"Name"},
			Create: w.create, Update: w.update, Delete: w.delete,
		}
	}
	w.types["Test::A::Named"] = &resources.Type{
		Name: "Test::A::Named", Properties: []string{"Name", "Value", "Values"}, Immutable: []string{"Name", "Value/Size", "Values/*/Key"}, Identifier: []string{"Name"},
		Create: w.create, Update: w.update, Delete: w.delete,
	}
	w.types["Test::A::Fixed"] = &resources.Type{Name: "Test::A::Fixed", Properties: []string{"Value"}, Create: w.create, Delete: w.delete}
	w.start()
	return w
}

func (w *world) start() {
	e, err := New(context.Background(), Options{
		Account: "000000000000", Region: "eu-west-1", Dir: w.dir, Values: w.values,
		Lookup: func(n string) (*resources.Type, bool) { t, ok := w.types[n]; return t, ok },
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewServer(e)
	w.t.Cleanup(func() { server.Close(); e.Close() })
	w.engine = e
	w.client = cloudformation.New(cloudformation.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), RetryMaxAttempts: 1,
		HTTPClient: httpbody.Client(),
	})
}

func (w *world) note(format string, a ...any) { w.log = append(w.log, fmt.Sprintf(format, a...)) }

func (w *world) create(ctx context.Context, r *resources.Request, p resources.Properties) (resources.Result, error) {
	w.mu.Lock()
	block := w.block
	w.mu.Unlock()
	if r.Type == "Test::A::Block" && block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return resources.Result{}, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("create %s", r.LogicalID)
	id := r.Name(64, false)
	if n, ok := p["Name"].(string); ok {
		id = n
	}
	if w.things[id] != nil && !r.Resumed {
		return resources.Result{}, fmt.Errorf("%s already exists", id)
	}
	switch p["Fail"] {
	case "create":
		return resources.Result{}, errors.New("no capacity")
	case "half":
		w.things[id] = p
		return resources.Result{ID: id}, errors.New("half made")
	}
	w.things[id] = p
	w.die("create " + r.LogicalID)
	return resources.Result{ID: id, Attributes: w.attributes(id, p)}, nil
}

// die holds the caller after its work, with the lock given back, if the test kills the engine there.
func (w *world) die(call string) {
	if w.killAt != call {
		return
	}
	w.killAt = ""
	close(w.killed)
	w.mu.Unlock()
	<-w.t.Context().Done()
	w.mu.Lock()
}

func (w *world) attributes(id string, p map[string]any) map[string]any {
	return map[string]any{"Arn": "arn:" + id, "Endpoint.Address": id + ".local", "Value": text(p["Value"])}
}

func (w *world) update(_ context.Context, r *resources.Request, id string, _, p resources.Properties) (resources.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("update %s", r.LogicalID)
	if w.things[id] == nil {
		return resources.Result{}, fmt.Errorf("%s not found", id)
	}
	switch p["Fail"] {
	case "update":
		return resources.Result{}, errors.New("cannot change")
	case "replace":
		return resources.Result{}, resources.ErrReplace
	}
	w.things[id] = p
	w.die("update " + r.LogicalID)
	return resources.Result{ID: id, Attributes: w.attributes(id, p)}, nil
}

func (w *world) delete(_ context.Context, r *resources.Request, id string, p resources.Properties) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("delete %s", r.LogicalID)
	if p["Fail"] == "delete" {
		return errors.New("not empty")
	}
	delete(w.things, id)
	w.die("delete " + r.LogicalID)
	return nil
}

// kill executes a template and leaves the engine behind in a call: what the service did is not in its state. A second
// engine starts with the files of that moment.
func (w *world) kill(template, call string) {
	w.t.Helper()
	w.killAt, w.killed = call, make(chan struct{})
	w.execute("s", template)
	<-w.killed
	left := w.t.TempDir()
	if err := os.CopyFS(left, os.DirFS(w.dir)); err != nil {
		w.t.Fatal(err)
	}
	w.dir = left
	w.start()
	w.engine.Wait()
}

func (w *world) calls() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := strings.Join(w.log, ", ")
	w.log = nil
	return s
}

func (w *world) ids() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for id := range w.things {
		out = append(out, id)
	}
	sort.Strings(out)
	return out
}

func (w *world) changeSet(stack, template string, kind types.ChangeSetType) (*cloudformation.DescribeChangeSetOutput, error) {
	ctx := context.Background()
	cs, err := w.client.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{
		StackName: &stack, ChangeSetName: aws.String("cs"), ChangeSetType: kind, TemplateBody: &template,
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
	})
	if err != nil {
		return nil, err
	}
	return w.client.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: cs.Id, IncludePropertyValues: aws.Bool(true)})
}

// deploy makes and executes a change set as the CDK CLI does and returns the
// stack's status.
func (w *world) deploy(stack, template string) types.Stack {
	w.t.Helper()
	w.execute(stack, template)
	w.engine.Wait()
	return w.stack(stack)
}

func (w *world) execute(stack, template string) {
	w.t.Helper()
	kind := types.ChangeSetTypeCreate
	if st, err := w.client.DescribeStacks(context.Background(), &cloudformation.DescribeStacksInput{StackName: &stack}); err == nil && st.Stacks[0].StackStatus != types.StackStatusReviewInProgress {
		kind = types.ChangeSetTypeUpdate
	}
	cs, err := w.changeSet(stack, template, kind)
	if err != nil {
		w.t.Fatal(err)
	}
	if cs.Status != types.ChangeSetStatusCreateComplete {
		w.t.Fatalf("change set: %s %s", cs.Status, aws.ToString(cs.StatusReason))
	}
	if _, err := w.client.ExecuteChangeSet(context.Background(), &cloudformation.ExecuteChangeSetInput{ChangeSetName: cs.ChangeSetId}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stack(name string) types.Stack {
	w.t.Helper()
	out, err := w.client.DescribeStacks(context.Background(), &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Stacks[0]
}

// events lists a stack's events, oldest first, as "LogicalId STATUS".
func (w *world) events(name string) []string {
	w.t.Helper()
	var out []string
	pages := cloudformation.NewDescribeStackEventsPaginator(w.client, &cloudformation.DescribeStackEventsInput{StackName: &name})
	for pages.HasMorePages() {
		p, err := pages.NextPage(context.Background())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range p.StackEvents {
			out = append([]string{aws.ToString(e.LogicalResourceId) + " " + string(e.ResourceStatus)}, out...)
		}
	}
	return out
}
