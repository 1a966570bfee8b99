package dashboard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/deployment"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/review/cost"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
	"k8s-plus-aws-gitops/internal/stacks"
	"k8s-plus-aws-gitops/internal/status"
)

// Source is where an environment is read from. A function that is nil stands for a place that could not be reached: Missing
// says why, by the part.
type Source struct {
	Environment config.Environment
	// Status reads the branch, the stacks, the pipeline and Flux; its Commit is found here.
	Status status.Source
	// Commit is one of the clone's.
	Commit func(ctx context.Context, id string) (Commit, error)
	// Executions lists the last ones of the pipeline; nil where the environment has none.
	Executions func(ctx context.Context) ([]deployment.Execution, error)
	// Stacks are CloudFormation's.
	Stacks StacksAPI
	// Fleet is the checkout's.
	Fleet *services.Fleet
	// Tips reads the services' branches.
	Tips func(ctx context.Context, branches []string) (map[string]publish.Tip, error)
	// Missing says why a place was not reached.
	Missing map[string]error
}

// StacksAPI is what the details and the price need of CloudFormation.
type StacksAPI interface {
	cloudformation.ListStackResourcesAPIClient
	stacks.TemplateAPI
}

// ReadCommit reads a commit of a clone.
func ReadCommit(ctx context.Context, dir, id string) (Commit, error) {
	out, err := git.Run(ctx, dir, nil, "log", "-1", "--no-show-signature", "--format=%s%x00%an%x00%aI", "--end-of-options", id)
	if err != nil {
		return Commit{ID: id}, fmt.Errorf("commit %.12s is not in this clone; fetch it", id)
	}
	fields := strings.Split(strings.TrimSuffix(out, "\n"), "\x00")
	if len(fields) != 3 {
		return Commit{ID: id}, fmt.Errorf("commit %.12s: git log answered %q", id, out)
	}
	at, err := time.Parse(time.RFC3339, fields[2])
	return Commit{ID: id, Subject: fields[0], Author: fields[1], Time: at}, err
}

// look collects an environment.
type look struct {
	from Source
	to   *Environment
}

// Look reads an environment once. What cannot be read is among Unread.
func (s Source) Look(ctx context.Context, q Question) *Environment {
	l := look{from: s, to: blank(s.Environment)}
	for part, err := range s.Missing {
		l.lost(part, err)
	}
	l.readStatus(ctx)
	l.readExecutions(ctx)
	l.readServices(ctx)
	l.readWorkloads(ctx)
	if q.Price {
		l.readPrice(ctx)
	}
	for _, name := range q.Applications {
		l.readDetail(ctx, name)
	}
	l.to.Read = time.Now()
	return l.to
}

// blank is an environment before anything is read.
func blank(e config.Environment) *Environment {
	return &Environment{Name: e.Name, Account: e.Account, Region: e.Region, Domain: e.Domain, Branch: e.Branch, Unread: map[string]string{}}
}

// lost notes why a part is missing; the first reason counts.
func (l look) lost(part string, err error) {
	if err != nil && l.to.Unread[part] == "" {
		l.to.Unread[part] = line(err)
	}
}

// line is an error in one line that a page has room for.
func line(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if all := []rune(text); len(all) > 400 {
		return string(all[:399]) + "…"
	}
	return text
}

func (l look) readStatus(ctx context.Context) {
	from := l.from.Status
	tip, tipErr := from.Tip(ctx)
	from.Tip = func(context.Context) (string, error) { return tip, tipErr }
	if from.Commit = tip; tip == "" {
		from.Commit = l.applied(ctx)
	}
	if from.Commit == "" {
		from.Pipeline = nil // it is asked for a commit
	}
	l.to.Status = from.Survey(ctx)
	for part, why := range l.to.Status.Unread {
		if l.to.Unread[string(part)] == "" {
			l.to.Unread[string(part)] = why
		}
	}
	if from.Commit != "" {
		c, err := l.from.Commit(ctx, from.Commit)
		l.lost(partCommit, err)
		l.to.Commit = &c
	}
}

// applied is the commit that Flux has, where the branch does not say which it should have.
func (l look) applied(ctx context.Context) string {
	if l.from.Status.Cluster == nil {
		return ""
	}
	sources, err := l.from.Status.Cluster.GitRepositories(ctx)
	if err != nil {
		return "" // the survey says so
	}
	for _, s := range sources {
		if s.Name == flux.Root {
			_, commit, _ := strings.Cut(s.Revision, "sha1:")
			return commit
		}
	}
	return ""
}

func (l look) readExecutions(ctx context.Context) {
	if l.from.Executions == nil {
		return
	}
	var err error
	l.to.Executions, err = l.from.Executions(ctx)
	l.lost(partExecutions, err)
	if len(l.to.Executions) == 0 {
		return
	}
	last := l.to.Executions[0]
	if last.Commit == "" || last.Commit == l.to.Status.Commit {
		return
	}
	c, err := l.from.Commit(ctx, last.Commit)
	l.lost(partCommit, err)
	l.to.Coming = &Coming{Commit: c}
	if l.from.Status.Pipeline != nil {
		l.to.Coming.Pipeline = l.from.Status.Pipeline(ctx, last.Commit, func(head string) bool { return l.from.Status.Contains(ctx, head, last.Commit) })
	}
}

func (l look) readServices(ctx context.Context) {
	if l.from.Fleet == nil {
		return
	}
	name, to := l.from.Environment.Name, l.from.Fleet.Config.For(l.from.Environment.Name)
	cluster, _ := l.from.Fleet.Cluster(name)
	all := l.from.Fleet.In(name)
	if len(all) == 0 {
		return
	}
	branches := make([]string, len(all))
	for i, s := range all {
		branches[i] = to.Ref(name, s.Name)
	}
	tips, err := l.from.Tips(ctx, branches)
	l.lost(partPublished, err)
	items, itemsErr := l.serviceItems(ctx)
	for i, s := range all {
		spec := s.Resolve(cluster)
		out := Service{Summary: l.from.Fleet.Summary(s, cluster), AWS: has(spec.AWS)}
		if spec.Resources != nil {
			out.CPU, out.Memory = spec.Resources.CPU, spec.Resources.Memory
		}
		item, known := items[s.Name]
		out.State = publish.Describe(s.Name, branches[i], tips[branches[i]], item, known)
		switch {
		case itemsErr != nil: // of a cluster that is not read nothing is claimed
			out.State.Ready, out.State.Message = "Unknown", ""
		case err != nil:
			out.State.Ready, out.State.Message = cmp.Or(item.Ready, "Unknown"), strings.Join(strings.Fields(item.Message), " ")
		}
		l.to.Services = append(l.to.Services, out)
	}
}

func (l look) serviceItems(ctx context.Context) (map[string]flux.Item, error) {
	cluster := l.from.Status.Cluster
	if cluster == nil {
		return nil, errors.New("the cluster is not reached")
	}
	all, err := cluster.Services(ctx)
	l.lost(partServices, err)
	items := map[string]flux.Item{}
	for _, i := range all {
		items[i.Name] = i
	}
	return items, err
}

// has names what a service has in AWS by the keys of its file.
func has(a *services.AWS) []string {
	if a == nil {
		return nil
	}
	var names []string
	v := reflect.ValueOf(*a)
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsNil() && (f.Kind() == reflect.Pointer || f.Len() > 0) {
			names = append(names, v.Type().Field(i).Tag.Get("yaml"))
		}
	}
	return names
}

func (l look) readWorkloads(ctx context.Context) {
	if cluster := l.from.Status.Cluster; cluster != nil {
		var err error
		l.to.Workloads, err = cluster.Workloads(ctx)
		l.lost(partWorkloads, err)
	}
}

// readPrice adds up the templates that are deployed. Load balancers are made by a controller, and are in none.
func (l look) readPrice(ctx context.Context) {
	if l.from.Stacks == nil || len(l.to.Status.Stacks) == 0 {
		return
	}
	prices, err := cost.Table()
	if err != nil {
		l.lost(partPrice, err)
		return
	}
	templates := map[string]assembly.Template{}
	for _, k := range l.to.Status.Stacks {
		if templates[k.Name], err = stacks.Template(ctx, l.from.Stacks, k.Name); err != nil {
			l.lost(partPrice, fmt.Errorf("stack %s: %w", k.Name, err))
			return
		}
	}
	bill := prices.Bill(cost.Input{Stacks: templates})
	l.to.Price = &Price{Monthly: bill.Total(), Currency: prices.Currency, Region: prices.Region, Date: prices.Date, Unknown: len(bill.Unknown)}
}

// readDetail reads the pods and the stack of an application, which have its name.
func (l look) readDetail(ctx context.Context, name string) {
	d := Detail{Unread: map[string]string{}}
	if cluster := l.from.Status.Cluster; cluster != nil {
		var err error
		if d.Pods, err = cluster.Pods(ctx, name); err != nil {
			d.Unread[partPods] = line(err)
		}
	}
	stack := l.from.Environment.StackName(name)
	there := slices.ContainsFunc(l.to.Status.Stacks, func(k status.Stack) bool { return k.Name == stack })
	if there && l.from.Stacks != nil {
		var err error
		if d.Resources, err = resources(ctx, l.from.Stacks, stack); err != nil {
			d.Unread[partResources] = line(err)
		}
	}
	if l.to.Details == nil {
		l.to.Details = map[string]Detail{}
	}
	l.to.Details[name] = d
}

func resources(ctx context.Context, client StacksAPI, stack string) ([]Resource, error) {
	prices, err := cost.Table()
	if err != nil {
		return nil, err
	}
	all, err := stacks.Resources(ctx, client, stack)
	if err != nil {
		return nil, err
	}
	out := make([]Resource, len(all))
	for i, r := range all {
		kind := aws.ToString(r.ResourceType)
		out[i] = Resource{Type: kind, ID: aws.ToString(r.PhysicalResourceId), Status: string(r.ResourceStatus), Cause: aws.ToString(r.ResourceStatusReason), Paid: prices.Paid(kind)}
	}
	slices.SortFunc(out, func(a, b Resource) int { return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.ID, b.ID)) })
	return out, nil
}
