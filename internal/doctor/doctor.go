// Package doctor looks at what an environment needs before and after its first deployment: tools, the account, what was made
// in it by hand, the domain, quotas, the cluster and the forge. It reads and changes nothing.
//
// What it may not or cannot look at is unknown, with the right that it lacks. What is missing has the command that mends it.
package doctor

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/forge/setup"
	"k8s-plus-aws-gitops/internal/progress"
)

// State is what is known of a thing.
type State string

// The states.
const (
	OK      State = "ok"
	Missing State = "missing"
	Unknown State = "unknown"
)

// Line is one thing that was looked at.
type Line struct {
	// Check names the thing.
	Check string `json:"check"`
	State State  `json:"state"`
	// Detail is what was found, or why nothing is known.
	Detail string `json:"detail"`
	// Fix mends what is missing: a command, or what a person does.
	Fix string `json:"fix,omitempty"`
}

// Report is what was found, in the order in which to mend it.
type Report struct {
	Environment string `json:"environment"`
	Account     string `json:"account"`
	Region      string `json:"region"`
	Lines       []Line `json:"lines"`
}

// Count returns the number of lines in a state.
func (r Report) Count(state State) int {
	count := 0
	for _, l := range r.Lines {
		if l.State == state {
			count++
		}
	}
	return count
}

// Looked reports whether AWS said whose the credentials are, without which nothing of the account is known.
func (r Report) Looked() bool {
	return !slices.ContainsFunc(r.Lines, func(l Line) bool { return l.Check == account && l.State == Unknown })
}

// Resolver asks the DNS; *net.Resolver does.
type Resolver interface {
	LookupNS(ctx context.Context, name string) ([]*net.NS, error)
}

// Doctor looks at one environment.
type Doctor struct {
	// Root is the checkout.
	Root string
	Env  config.Environment
	// Outside is the plug-in that serves the environment in the place of AWS; empty: it is in AWS.
	Outside string
	// AWS is the caller's account, in the environment's region.
	AWS aws.Config
	// Region that the caller's own configuration names; empty: none.
	Region string
	// Resolver asks the DNS.
	Resolver Resolver
	// Cluster finds the environment's.
	Cluster func(ctx context.Context) (*flux.Cluster, error)
	// Hook finds the receiver of pushes in the environment's manifests.
	Hook func(ctx context.Context) (setup.Hook, error)
	// Tip returns the commit of the branch that Flux follows; empty when it does not exist.
	Tip func(ctx context.Context) (string, error)
	// Forge asks GitHub; without a token it is not asked.
	Forge forge.Client
	// Run runs a program in a folder and returns what it prints.
	Run func(ctx context.Context, dir, name string, args ...string) (string, error)
	// Display shows the progress; nil shows nothing.
	Display *progress.Display
}

// limits of what is done at once, and of one look.
const (
	parallel = 8
	patience = 30 * time.Second
)

// Names of checks that others need.
const (
	account   = "credentials"
	prepared  = "CDK bootstrap"
	zone      = "hosted zone"
	reachable = "cluster"
)

// check is one thing to look at.
type check struct {
	name string
	// needs are the checks without which this one has nothing to look at.
	needs []string
	// inAWS is of what only an account of AWS has.
	inAWS bool
	look  func(context.Context) Line
}

// checks are in the order in which to mend: what others need comes first.
func (d *Doctor) checks() []check {
	of := []string{account}
	return append(d.tools(), []check{
		{name: "clock", look: d.clock},
		{name: account, look: d.credentials},
		{name: "region", look: d.region},
		{name: prepared, needs: of, look: d.bootstrap},
		{name: "execution policies", needs: []string{account, prepared}, inAWS: true, look: d.policies},
		{name: "connection", needs: of, inAWS: true, look: d.connection},
		{name: "quota: VPCs", needs: of, inAWS: true, look: d.networks},
		{name: "quota: elastic IPs", needs: of, inAWS: true, look: d.addresses},
		{name: "quota: vCPUs", needs: of, inAWS: true, look: d.processors},
		{name: "quota: Lambda", needs: of, inAWS: true, look: d.executions},
		{name: "quota: CodeBuild", needs: of, inAWS: true, look: d.builds},
		{name: "Git credentials", needs: of, look: d.gitCredentials},
		{name: "release token", needs: of, inAWS: true, look: d.releaseToken},
		{name: "image tags' token", needs: of, look: d.gitWrite},
		{name: "Flux's branch", look: d.branch},
		{name: zone, needs: of, look: d.zone},
		{name: "delegation", needs: []string{account, zone}, inAWS: true, look: d.delegation},
		{name: "certificate", needs: of, look: d.certificate},
		{name: reachable, needs: of, look: d.cluster},
		{name: "Flux", needs: []string{account, reachable}, look: d.flux},
		{name: "webhook", needs: of, look: d.webhook},
	}...)
}

// Look looks at everything. Its error is that the caller ended it.
func (d *Doctor) Look(ctx context.Context) (Report, error) {
	r := Report{Environment: d.Env.Name, Account: d.Env.Account, Region: d.Env.Region}
	err := progress.Runner{Display: d.Display}.Run(ctx, []progress.Step{{
		Name: "Look at " + d.Env.Name,
		Run: func(ctx context.Context, out *progress.Output) error {
			return d.fill(ctx, &r, out)
		},
	}})
	return r, err
}

// fill runs the checks, those that are ready at once.
func (d *Doctor) fill(ctx context.Context, r *Report, out *progress.Output) error {
	checks := d.checks()
	r.Lines = make([]Line, len(checks))
	at, steps := map[string]int{}, make([]progress.Step, len(checks))
	var done atomic.Int32
	for i, c := range checks {
		at[c.name] = i
		steps[i] = progress.Step{Name: c.name, Needs: c.needs, Run: func(ctx context.Context, _ *progress.Output) error {
			out.Note("%d of %d: %s", done.Add(1), len(checks), c.name)
			// A step begins when those that it needs have ended.
			r.Lines[i] = d.look(ctx, c, func(name string) State { return r.Lines[at[name]].State })
			r.Lines[i].Check = c.name
			return ctx.Err()
		}}
	}
	return progress.Runner{Parallel: parallel}.Run(ctx, steps)
}

func (d *Doctor) look(ctx context.Context, c check, state func(string) State) Line {
	if c.inAWS && d.Outside != "" {
		return unknown("not looked at: %s serves %s, not AWS", d.Outside, d.Env.Name)
	}
	for _, need := range c.needs {
		if s := state(need); s != OK {
			return unknown("not looked at: %s: %s", need, s)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.look(ctx)
}

func ok(format string, args ...any) Line {
	return Line{State: OK, Detail: fmt.Sprintf(format, args...)}
}

func unknown(format string, args ...any) Line {
	return Line{State: Unknown, Detail: fmt.Sprintf(format, args...)}
}

// missing says what is missing and what mends it.
func missing(fix, format string, args ...any) Line {
	return Line{State: Missing, Detail: fmt.Sprintf(format, args...), Fix: fix}
}

// deploy is the command that makes what the stacks have.
func (d *Doctor) deploy() string { return "make deploy ENV=" + d.Env.Name }
