// Package review says what a change does before anybody approves it: in AWS, by comparing the templates that both sides
// synthesize; in Kubernetes, by comparing what Flux would apply; and what it adds to the bill.
//
// It needs no AWS account: both sides are made from the repository alone.
package review

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
	"k8s-plus-aws-gitops/internal/services"
)

// Options say what to compare.
type Options struct {
	// Root is the checkout whose node_modules holds the tools.
	Root string
	// Base is the revision that the change goes to, for example origin/main. It is compared from where the change left it.
	Base string
	// Head is the change: a folder with a checkout, or a revision. Empty: the working tree in Root, as it is.
	Head string
	// Environments to compare; empty: all of both sides.
	Environments []string
	// Deployed returns the templates of those stacks of an environment that exist, by the names that it is given. With it the AWS
	// half is compared with what is deployed and not with what the base synthesizes, and a base may be missing.
	Deployed func(ctx context.Context, stacks []string) (map[string]assembly.Template, error)
	// Display shows progress; nil shows nothing.
	Display *progress.Display
	// Now decides which exceptions have expired; default: the time.
	Now time.Time
	// Charts finds charts, given the checkout of a side; default: manifests.ReleasedCharts.
	Charts func(root string) manifests.Charts
}

// sides is everything that the comparison reads; the rest of the package does no input or output.
type sides struct {
	base, head   Side
	environments []Environment
	// before and after are the stacks by environment and part; nil when the AWS half did not change.
	before, after map[string]map[string]assembly.Stack
	rendered      map[string][2]manifests.Rendered
	allowances    map[string][]config.Allowance
	now           time.Time
}

// Run compares both sides.
func Run(ctx context.Context, o Options) (*Review, error) {
	o.Now = cmp.Or(o.Now, time.Now())
	if o.Charts == nil {
		o.Charts = func(root string) manifests.Charts { return manifests.ReleasedCharts(root, nil) }
	}
	w, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer w.close(context.WithoutCancel(ctx))
	changed, err := w.changed(ctx)
	if err != nil {
		return nil, err
	}
	s := sides{base: w.base.side(), head: w.head.side(), now: o.Now}
	if len(changed) == 0 && o.Deployed == nil {
		return s.compare(ctx, cfndiff.NodeOf(o.Root))
	}
	if s.environments, s.allowances, err = w.environments(o.Environments); err != nil {
		return nil, err
	}
	if err := w.read(ctx, o, &s, o.Deployed != nil || slices.ContainsFunc(changed, ofAWS) || slices.ContainsFunc(changed, w.asksAWS)); err != nil {
		return nil, err
	}
	if f := w.fleets(changed); f != nil {
		if err := (progress.Runner{Display: o.Display}).Run(ctx, []progress.Step{{
			Name: "Render the services",
			Run:  func(ctx context.Context, out *progress.Output) error { return w.renderServices(ctx, o, &s, f, out) },
		}}); err != nil {
			return nil, err
		}
	}
	var review *Review
	err = progress.Runner{Display: o.Display}.Run(ctx, []progress.Step{{
		Name: "Compare",
		Run: func(ctx context.Context, _ *progress.Output) error {
			review, err = s.compare(ctx, cfndiff.NodeOf(o.Root))
			return err
		},
	}})
	return review, err
}

// ofAWS reports whether a file may change what the CDK app synthesizes. Only what certainly does not is left out.
func ofAWS(path string) bool {
	folder, _, inside := strings.Cut(path, "/")
	if !inside {
		return filepath.Ext(path) != ".md"
	}
	return !slices.Contains([]string{"docs", "k8s", services.AppDir}, folder)
}

// asksAWS reports whether a file is that of a service which has something in AWS, on one of the sides, or says which build may
// publish services.
func (w *work) asksAWS(file string) bool {
	if file == services.ConfigFile {
		return true
	}
	if path.Dir(file) != services.FilesDir {
		return false
	}
	return slices.ContainsFunc([]string{w.base.root, w.head.root}, func(root string) bool {
		content, err := os.ReadFile(filepath.Join(root, file))
		return err == nil && bytes.Contains(content, []byte("aws:"))
	})
}

// read synthesizes and renders both sides. The working tree is synthesized while the base is checked out.
func (w *work) read(ctx context.Context, o Options, s *sides, aws bool) error {
	s.rendered = map[string][2]manifests.Rendered{}
	var before, after map[string]manifests.Rendered
	steps := []progress.Step{
		{Name: "Render the base", Run: func(ctx context.Context, out *progress.Output) (err error) {
			before, err = render(ctx, o, w.base, s.environments, out)
			return err
		}},
		{Name: "Render the change", Run: func(ctx context.Context, out *progress.Output) (err error) {
			after, err = render(ctx, o, w.head, s.environments, out)
			return err
		}},
	}
	if aws && o.Deployed == nil {
		steps = append(steps, progress.Step{Name: "Synthesize the base", Run: func(ctx context.Context, out *progress.Output) (err error) {
			s.before, err = synthesize(ctx, o.Root, w.base, s.environments, out)
			return err
		}})
	}
	if aws {
		steps = append(steps, progress.Step{Name: "Synthesize the change", Run: func(ctx context.Context, out *progress.Output) (err error) {
			if s.after, err = synthesize(ctx, o.Root, w.head, s.environments, out); err == nil && o.Deployed != nil {
				s.before, err = deployed(ctx, o, s.after)
			}
			return err
		}})
	}
	if err := (progress.Runner{Parallel: 2, Display: o.Display}).Run(ctx, steps); err != nil {
		return err
	}
	for _, e := range s.environments {
		s.rendered[e.Name] = [2]manifests.Rendered{before[e.Name], after[e.Name]}
	}
	return nil
}

// deployed reads the stacks that the change has and that exist. A stack that has left the app is not among them: no deployment
// removes it.
func deployed(ctx context.Context, o Options, after map[string]map[string]assembly.Stack) (map[string]map[string]assembly.Stack, error) {
	before := map[string]map[string]assembly.Stack{}
	for environment, stacks := range after {
		var names []string
		for _, s := range stacks {
			names = append(names, s.Name)
		}
		slices.Sort(names)
		templates, err := o.Deployed(ctx, names)
		if err != nil {
			return nil, err
		}
		before[environment] = map[string]assembly.Stack{}
		for part, s := range stacks {
			if t, exists := templates[s.Name]; exists {
				before[environment][part] = assembly.Stack{Environment: environment, Part: part, Name: s.Name, Template: t}
			}
		}
	}
	return before, nil
}

// render renders the environments of a side; one that the side does not have is empty.
func render(ctx context.Context, o Options, c checkout, environments []Environment, out *progress.Output) (map[string]manifests.Rendered, error) {
	rendered := map[string]manifests.Rendered{}
	for _, e := range environments {
		if !c.has(e.Name) {
			continue
		}
		if _, err := os.Stat(filepath.Join(c.root, "k8s", "clusters", e.Name)); err != nil {
			continue // an environment without Flux; `gitops manifests validate` tells when that is a mistake
		}
		out.Note("%s", e.Name)
		r, err := manifests.Render(ctx, manifests.Options{Root: c.root, Charts: o.Charts(c.root)}, e.Name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.label, err)
		}
		rendered[e.Name] = r
	}
	return rendered, nil
}

// environments are those of both sides, or the wanted ones, and the exceptions that the change brings.
func (w *work) environments(wanted []string) ([]Environment, map[string][]config.Allowance, error) {
	head, err := config.LoadDir(w.head.root)
	if err != nil {
		return nil, nil, err
	}
	all := map[string]Environment{}
	for name, e := range w.base.environments {
		all[name] = Environment{Name: name, Branch: e.Branch, Account: e.Account, Region: e.Region, Status: Removed}
	}
	allowances := map[string][]config.Allowance{}
	for name, e := range head.Environments {
		status := Kept
		if !w.base.has(name) {
			status = Added
		}
		all[name] = Environment{Name: name, Branch: e.Branch, Account: e.Account, Region: e.Region, Status: status}
		allowances[name] = e.AllowReplacement
	}
	names := slices.Sorted(maps.Keys(all))
	for _, name := range wanted {
		if _, known := all[name]; !known {
			return nil, nil, fmt.Errorf("--env %s: cdk.json has no such environment; use one of %s", name, strings.Join(names, ", "))
		}
	}
	var selected []Environment
	for _, name := range names {
		if len(wanted) == 0 || slices.Contains(wanted, name) {
			selected = append(selected, all[name])
		}
	}
	return selected, allowances, nil
}
