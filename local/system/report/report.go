// Package report gathers the state of a local system and writes it as one
// table for people or as JSON for programs.
package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/platform"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
	"k8s-plus-aws-gitops/local/system/source"
	"k8s-plus-aws-gitops/local/system/supervise"
)

// Status is the state of a local system.
type Status struct {
	State string `json:"state"`
	// Commit is the head of the local repository's branch.
	Commit    string    `json:"commit,omitempty"`
	Processes []Process `json:"processes"`
	// Memory is nil where nothing runs or nothing tells.
	Memory         *supervise.Memory `json:"memory,omitempty"`
	Stacks         []Stack           `json:"stacks"`
	Sources        []observe.Item    `json:"sources"`
	Kustomizations []observe.Item    `json:"kustomizations"`
	HelmReleases   []observe.Item    `json:"helmReleases"`
	Apps           []observe.App     `json:"apps"`
	// Services are the Kustomizations of the services.
	Services []observe.Item `json:"services,omitempty"`
	// Deployment is the bootstrap: the last `cdk deploy` by `up`.
	Deployment *deploy.Result `json:"deployment,omitempty"`
	// Pipelines are the last executions of each.
	Pipelines []*pipelines.Execution `json:"pipelines,omitempty"`
	URLs      []URL                  `json:"urls"`
	// Programs are those that run, and the released images that some were taken out of.
	Programs []programs.Binary `json:"programs,omitempty"`
	// Recorded are the resource types of the stacks that the AWS endpoint only
	// records, without a service behind them.
	Recorded []string `json:"recorded,omitempty"`
	// Warnings are what controllers said lately about Ingresses and secrets;
	// they are asked for only when something is wrong.
	Warnings []string `json:"warnings,omitempty"`
	// Unknown are the questions that got no answer.
	Unknown []string `json:"unknown,omitempty"`
}

// Process is a supervised process.
type Process struct {
	supervise.Record
	// State is ready, starting or stopped.
	State string `json:"state"`
}

// Stack is a CloudFormation stack of the environment.
type Stack = observe.Stack

// URL is an address of the system.
type URL struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// Answer is the HTTP status code of a request, Error why there was no
	// answer; both are empty when nothing was asked.
	Answer string `json:"answer,omitempty"`
	Error  string `json:"error,omitempty"`
}

// OK reports whether the URL answered with success or a redirect.
func (u URL) OK() bool {
	return u.Error == "" && (u.Answer == "" || u.Answer[0] == '2' || u.Answer[0] == '3')
}

// Collect asks everything at once; what does not answer within the limit is
// named in Unknown. It fails only when there is no local system.
func Collect(ctx context.Context, d *layout.Dir, limit time.Duration) (*Status, error) {
	if !d.Ours() {
		return nil, fmt.Errorf("no local system in %s: run `gitops local up`", d.Root)
	}
	ports, err := d.LoadPorts()
	if err != nil {
		return nil, err
	}
	declared, unreadable := platform.Load(d.Repo)
	if unreadable != nil {
		declared = &platform.Platform{}
	}
	s := &Status{State: d.Root, URLs: urls(ports, declared.URLs)}
	for _, r := range supervise.All(d.Path("run")) {
		s.Processes = append(s.Processes, Process{Record: r, State: word(r)})
	}
	s.Memory = supervise.MeasureMemory(d.Path("run"), d.Root)
	if last, ok := deploy.Last(d); ok {
		s.Deployment = &last
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := &collector{status: s}
	if unreadable != nil {
		c.unknown("URLs", unreadable)
	}
	if s.Programs, err = running(d); err != nil {
		c.unknown("programs", err)
	}
	if s.Pipelines, err = pipelines.Last(pipelines.Folder(d)); err != nil {
		c.unknown("pipelines", err)
	}
	if s.Commit, err = source.Head(ctx, d.Repository()); err != nil {
		c.unknown("git repository", err)
	}
	if !supervise.Running(d.Path("run")) {
		return s, nil
	}
	c.ask("stacks", func() error { return c.stacks(ctx, ports.URL(layout.AWS)) })
	c.ask("recorded resource types", func() (err error) { s.Recorded, err = Recorded(ctx, ports.URL(layout.AWS)); return })
	c.ask("URLs", func() error { return answers(ctx, d, ports, declared.URLs, s.URLs) })
	k, err := observe.Open(d.Kubeconfig())
	if err == nil {
		err = k.Ready(ctx)
	}
	if err != nil {
		c.unknown("control plane", err)
		k = nil
	} else {
		c.ask("sources", func() (err error) { s.Sources, err = k.GitRepositories(ctx); return })
		c.ask("Kustomizations", func() (err error) { s.Kustomizations, err = k.Kustomizations(ctx); return })
		c.ask("HelmReleases", func() (err error) { s.HelmReleases, err = k.HelmReleases(ctx); return })
		c.ask("services", func() (err error) { s.Services, err = k.Services(ctx); return })
		c.ask("apps", func() (err error) { s.Apps, err = k.Apps(ctx); return })
	}
	c.wg.Wait()
	if k != nil && len(s.Problems()) > 0 {
		c.ask("warnings", func() (err error) { s.Warnings, err = k.Warnings(ctx, time.Now().Add(-5*time.Minute)); return })
		c.wg.Wait()
	}
	return s, nil
}

type collector struct {
	status *Status
	wg     sync.WaitGroup
	mu     sync.Mutex
}

func (c *collector) ask(what string, f func() error) {
	c.wg.Go(func() {
		if err := f(); err != nil {
			c.unknown(what, err)
		}
	})
}

func (c *collector) unknown(what string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Unknown = append(c.status.Unknown, what+": "+oneLine(err.Error()))
}

func (c *collector) stacks(ctx context.Context, endpoint string) error {
	all, err := observe.Stacks(ctx, deploy.Config(endpoint))
	c.status.Stacks = all
	return err
}

func word(r supervise.Record) string {
	switch {
	case r.Ready:
		return "ready"
	case r.Running:
		return "starting"
	}
	return "stopped"
}

// urls are those of the platform, then those of the laboratory.
func urls(p layout.Ports, declared []platform.URL) []URL {
	if p[layout.HTTPS] == 0 {
		return nil
	}
	var all []URL
	for _, u := range declared {
		all = append(all, URL{Name: u.Name, URL: u.At(p[layout.HTTPS])})
	}
	return append(all,
		URL{Name: "AWS API", URL: p.URL(layout.AWS)},
		URL{Name: "Git", URL: p.URL(layout.Git) + "/platform.git"},
		URL{Name: "Manifests", URL: p.URL(layout.Git) + "/manifests.git"},
	)
}

// answers asks the URLs that tell whether the system is up; all begins with the declared ones.
func answers(ctx context.Context, d *layout.Dir, p layout.Ports, declared []platform.URL, all []URL) error {
	client, err := Client(d, p)
	if err != nil {
		return err
	}
	for i, u := range declared {
		if u.Ready {
			if all[i].Answer, err = answer(ctx, client, all[i].URL); err != nil {
				all[i].Error = oneLine(err.Error())
			}
		}
	}
	return nil
}

func answer(ctx context.Context, c *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	return strconv.Itoa(resp.StatusCode), nil
}

// Recorded asks the AWS endpoint which resource types it only records.
func Recorded(ctx context.Context, endpoint string) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/_local/types", nil)
	if err != nil {
		return nil, err
	}
	resp, err := loopbackClient().Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	var body struct{ Recorded []string }
	return body.Recorded, json.NewDecoder(resp.Body).Decode(&body)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
