// Package pipelines stands in for the services CodePipeline and CodeBuild: it
// runs the pipelines that a stack defines, as the stack was deployed. A push
// starts those whose triggers match it; their projects' buildspecs are run by
// bash, in a clean checkout of the commit, against the local AWS API.
//
// What it does not know - a type of action, a condition's rule, a buildspec's
// section - it refuses by name in the execution's result.
package pipelines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"k8s-plus-aws-gitops/internal/httpbody"
	"k8s-plus-aws-gitops/local/system/source"
)

// Config says what Run works on.
type Config struct {
	// Root holds the executions, their logs and the checkouts; see Folder.
	Root string
	// Repository is the bare repository, and GitURL where it is served.
	Repository, GitURL string
	// Suffix ends the names of the CloudFormation stacks with the pipelines.
	Suffix string
	// AWS reaches the API in whose account everything is.
	AWS     aws.Config
	Account string
	// Environ is what every build's environment begins with.
	Environ []string
	// Tools are commands that are put on the PATH of every build, by their names.
	Tools map[string][]string
	// Modules is a checkout whose node_modules a build gets when its
	// package-lock.json is the same, as from CodeBuild's cache. Empty: none.
	Modules string
	// Builds is how many run at once, as CodeBuild has a quota; default 2.
	Builds int
	// Explain makes a failure's cause of the end of a build's log. Nil: the log's
	// own words.
	Explain func(ctx context.Context, since time.Time, log string) string
	// Log defaults to slog.Default().
	Log *slog.Logger

	// load replaces Load in tests.
	load func(context.Context) (*Definitions, error)
	// minute is the unit of the projects' time limits; shorter in tests.
	minute time.Duration
	// now is what the clock says; set in tests.
	now func() time.Time
}

// runner is a running Config.
type runner struct {
	Config
	slots chan int
	jobs  sync.WaitGroup

	mu         sync.Mutex
	state      state
	executions map[string]*Execution
	running    map[string]bool
	builds     map[string]*Execution // that rules started

	// reconciling lets one job at a time compare definitions.
	reconciling sync.Mutex
	known       *Definitions // as last read while the stack was at rest
	looked      time.Time    // when
	complaint   string
}

// interval is how often the definitions are compared when nothing happens.
const interval = 5 * time.Second

// Run starts executions for the events that Record left, and runs them, until
// ctx ends. What ran then goes on at the next Run, with the action that was
// cut off.
func Run(ctx context.Context, c Config) error {
	r, err := newRunner(c)
	if err != nil {
		return err
	}
	r.Log.Info("pipelines ready", "stacks", "*"+r.Suffix, "builds", r.Builds)
	defer r.jobs.Wait()
	for ctx.Err() == nil {
		r.complain(r.turn(ctx))
		if pause(ctx) != nil {
			return nil
		}
	}
	return nil
}

// turn looks once at everything that may start an execution.
func (r *runner) turn(ctx context.Context) error {
	err := r.events(ctx)
	if err == nil && time.Since(r.looked) > interval {
		r.looked = time.Now()
		_, err = r.reconcile(ctx)
	}
	err = errors.Join(err, r.tell(), r.schedule(ctx))
	r.launchBuilds(ctx)
	return err
}

func newRunner(c Config) (*runner, error) {
	c.Builds, c.minute = cmp.Or(c.Builds, 2), cmp.Or(c.minute, time.Minute)
	if c.now == nil {
		c.now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.AWS.HTTPClient == nil {
		c.AWS.HTTPClient = &http.Client{Transport: httpbody.Transport{Base: &http.Transport{}}} // one for all clients, which are made for each question
	}
	if c.load == nil {
		c.load = func(ctx context.Context) (*Definitions, error) { return Load(ctx, c.AWS, c.Suffix) }
	}
	if err := os.MkdirAll(c.Root, 0o700); err != nil {
		return nil, err
	}
	r := &runner{Config: c, slots: make(chan int, c.Builds), executions: map[string]*Execution{}, running: map[string]bool{}, builds: map[string]*Execution{}}
	for i := range c.Builds {
		r.slots <- i
	}
	if err := r.linkTools(); err != nil {
		return nil, err
	}
	var err error
	if r.state, err = loadState(c.Root); err != nil {
		return nil, err
	}
	all, err := List(c.Root)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if !e.Status.Ended() {
			if err := interrupted(c.Root, e); err != nil {
				return nil, err
			}
			r.executions[e.ID] = e
		}
	}
	return r, r.restore(all)
}

// complain logs an error once, as long as it stays the same.
func (r *runner) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != r.complaint {
		r.Log.Error("pipelines", "error", err)
	}
	r.complaint = text
}

// events reads what was left and starts executions.
func (r *runner) events(ctx context.Context) error {
	all, err := events(r.Root)
	if err != nil || len(all) == 0 {
		return err
	}
	for _, e := range all {
		d, err := r.reconcile(ctx)
		if err != nil {
			return err // the event stays for the next time
		}
		if e.Start != "" {
			err = r.start(ctx, d, e)
		} else {
			err = r.pushed(ctx, d, e)
		}
		if err != nil {
			return err
		}
		if err := os.Remove(e.file); err != nil {
			return err
		}
	}
	return forget(r.Root)
}

// pushed starts the pipelines that a push starts. The range of its changes
// begins where the last push was looked at, so that none is missed.
func (r *runner) pushed(ctx context.Context, d *Definitions, e Event) error {
	last := r.state.Refs[e.Ref]
	if e.After == last {
		return nil // reported twice
	}
	deleted := strings.Trim(e.After, "0") == ""
	before := cmp.Or(last, e.Before)
	created := strings.Trim(before, "0") == ""
	var files, against []string
	tag := strings.HasPrefix(e.Ref, "refs/tags/") // no filter of tags looks at files
	if !deleted && !created && !tag {
		var err error
		if files, err = source.Changed(ctx, r.Repository, before, e.After); err != nil {
			// A rewritten branch whose old end is gone: everything may have changed.
			r.Log.Warn("the pushed range cannot be read", "error", err)
			if files, err = source.Changed(ctx, r.Repository, "", e.After); err != nil {
				return err
			}
		}
	}
	// The branch of an environment is deployed, and no proposal for another one.
	base := source.Branch
	if branch := strings.TrimPrefix(e.Ref, "refs/heads/"); d.deploys(branch) {
		base = branch
	}
	if !deleted && !tag && e.Ref != "refs/heads/"+base {
		against = r.against(ctx, e.After)
	}
	names := slices.Sorted(maps.Keys(d.Pipelines))
	for _, c := range changesOf(e.Ref, base, created, deleted, files, against) {
		for _, name := range names {
			ok, err := d.Pipelines[name].starts(c)
			if err != nil || ok {
				if err := r.enqueue(ctx, d.Pipelines[name], e, c, err); err != nil {
					return err
				}
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Refs[e.Ref] = e.After
	if deleted {
		delete(r.state.Refs, e.Ref)
	}
	return r.state.save(r.Root)
}

// against lists what a branch changes compared with the one it goes to.
func (r *runner) against(ctx context.Context, commit string) []string {
	head, err := source.Head(ctx, r.Repository)
	if err != nil || head == "" {
		return nil
	}
	base, err := source.Base(ctx, r.Repository, head, commit)
	if err != nil {
		return nil
	}
	files, err := source.Changed(ctx, r.Repository, base, commit)
	if err != nil {
		return nil
	}
	return files
}

func (r *runner) enqueue(ctx context.Context, p *Pipeline, e Event, c change, bad error) error {
	kind, commit := "Push", e.After
	switch {
	case c.PullRequest == "CLOSED":
		kind, commit = "PullRequest CLOSED", e.Before
	case c.PullRequest != "":
		kind = "PullRequest " + c.PullRequest
	}
	x := &Execution{ID: executionID(e.file, p.Name, kind), Trigger: kind, Commit: commit}
	if c.Tag == "" {
		_, x.Branch, _ = strings.Cut(strings.TrimPrefix(e.Ref, "refs/"), "/")
		return r.add(ctx, p, x, bad)
	}
	// The source action names its own branch then. An annotated tag is an object; what is built is the commit behind it.
	x.Tag, x.Trigger = c.Tag, "Push "+c.Tag
	if s := p.source(); s != nil {
		x.Branch = s.text("BranchName")
	}
	var err error
	if x.Commit, err = source.Resolve(ctx, r.Repository, commit); err != nil && bad == nil {
		x.Commit, bad = commit, fmt.Errorf("tag %q cannot be read: %w", c.Tag, err)
	}
	return r.add(ctx, p, x, bad)
}

// start runs a pipeline for the end of its branch, as a person asked.
func (r *runner) start(ctx context.Context, d *Definitions, e Event) error {
	p := d.Pipelines[e.Start]
	if p == nil {
		r.Log.Warn("no such pipeline", "pipeline", e.Start)
		return nil
	}
	return r.add(ctx, p, &Execution{ID: executionID(e.file, p.Name), Trigger: "StartPipelineExecution"}, nil)
}

// add queues an execution. One without a commit runs the end of the branch
// that its source names.
func (r *runner) add(ctx context.Context, p *Pipeline, e *Execution, bad error) error {
	e.Pipeline, e.Mode, e.Status, e.Queued, e.Event = p.Name, p.ExecutionMode, Queued, time.Now(), untold
	if e.Commit == "" {
		if s := p.source(); s != nil {
			e.Branch = s.text("BranchName")
		}
		id, err := source.Resolve(ctx, r.Repository, "refs/heads/"+e.Branch)
		if err != nil {
			bad = fmt.Errorf("branch %q cannot be read: %w", e.Branch, err)
		}
		e.Commit = id
	}
	if bad != nil {
		e.Status, e.Reason, e.Ended = Failed, bad.Error(), e.Queued
	} else if subject, err := source.Subject(ctx, r.Repository, e.Commit); err == nil {
		e.Subject = subject
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.executions[e.ID] != nil {
		return nil
	}
	r.Log.Info("execution", "pipeline", e.Pipeline, "execution", e.ID, "trigger", e.Trigger, "commit", e.Commit)
	r.executions[e.ID] = e
	return e.save(r.Root)
}

// reconcile reads the definitions. A pipeline runs once when it was created, for
// the end of its branch, and again when it was updated and says so.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-create.html
func (r *runner) reconcile(ctx context.Context) (*Definitions, error) {
	r.reconciling.Lock()
	defer r.reconciling.Unlock()
	d, err := r.load(ctx)
	if err != nil {
		return nil, err
	}
	if d.Busy && r.known != nil {
		return r.known, nil
	}
	if d.Busy {
		return d, nil // nothing to compare with
	}
	r.known = d
	r.mu.Lock()
	before := maps.Clone(r.state.Definitions)
	r.mu.Unlock()
	now := map[string]string{}
	for name, p := range d.Pipelines {
		now[name] = p.Digest
		var trigger string
		old := before[name]
		switch {
		case old == "":
			trigger = "CreatePipeline"
		case old != p.Digest && p.RestartExecutionOnUpdate:
			trigger = "PipelineUpdated"
		default:
			continue
		}
		e := &Execution{ID: executionID(name, old, p.Digest, time.Now().String()), Trigger: trigger}
		if err := r.add(ctx, p, e, nil); err != nil {
			return nil, err
		}
	}
	if maps.Equal(before, now) {
		return d, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Definitions = now
	return d, r.state.save(r.Root)
}
