// Package projection lets an environment of cdk.json run in the laboratory, whose one environment is local: in a checkout it puts
// the wanted environment in the place of local, with its settings, manifests and services. What one machine does not have it
// replaces, and each replacement is a row that people read.
package projection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/rehearsal"
)

// Here is the environment whose place the wanted one takes.
const Here = "local"

// none is how a row shows a setting that is not there.
const none = "none"

// projection is the work on one checkout.
type projection struct {
	dir, name string
	// all are the names of the environments, wanted and here two of them.
	all          []string
	wanted, here config.Environment
	rows         []rehearsal.Substitution
}

// Project changes a checkout so that its environment local is the environment of a name, and its only one. It returns what is
// otherwise than there. An error is one line, and the checkout is then not to be used.
func Project(ctx context.Context, dir, name string) ([]rehearsal.Substitution, error) {
	p := &projection{dir: dir, name: name}
	content, err := os.ReadFile(p.path("cdk.json"))
	if err != nil {
		return nil, err
	}
	if err := p.open(content); err != nil {
		return nil, err
	}
	p.row("name", name, Here, "the laboratory has this one environment: stacks, roles, secrets and images have its name in the place of "+name)
	own, err := p.generatesAlike()
	if err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		func() error { return p.settings(content) }, p.overlay, p.images, p.serviceFiles, p.fleetFile,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p.rows, p.generate(ctx, own)
}

// open finds both environments, and refuses what no substitution helps with.
func (p *projection) open(content []byte) error {
	c, err := config.ParseOld(content) // today's rules are not held against an older base
	if err != nil {
		return err
	}
	var known bool
	p.all = c.Names()
	if p.wanted, known = c.Environments[p.name]; !known {
		return fmt.Errorf("cdk.json has no environment %s: %s", p.name, config.Suggest(p.name, p.all))
	}
	if p.here, known = c.Environments[Here]; !known {
		return fmt.Errorf("cdk.json has no environment %s, whose account, domain and repository a rehearsal takes: add it, as the platform has it",
			Here)
	}
	for _, e := range []config.Environment{p.here, p.wanted} {
		if !e.Delivers() {
			return fmt.Errorf("cdk.json: environment %s has no pipelines, through which a rehearsal merges: give it a delivery.connectionArn", e.Name)
		}
	}
	if p.wanted.Partition() != p.here.Partition() {
		return fmt.Errorf("cdk.json: environment %s is in partition %s, and the laboratory has %s alone: rehearse another",
			p.name, p.wanted.Partition(), p.here.Partition())
	}
	return nil
}

func (p *projection) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

// row notes a replacement, when there is one.
func (p *projection) row(path, from, to, why string) {
	if from != to {
		p.rows = append(p.rows, rehearsal.Substitution{Path: path, From: from, To: to, Why: why})
	}
}

// oneLine is an error without its line breaks: of several problems the first.
func oneLine(err error) error {
	var problems config.Problems
	if errors.As(err, &problems) && len(problems) > 0 {
		return errors.New(problems[0].String())
	}
	return err
}

// shown is a value of cdk.json as a row has it.
func shown(value any) string {
	switch v := value.(type) {
	case nil:
		return none
	case string:
		return v
	}
	text, err := json.Marshal(value)
	if err != nil { // of decoded JSON: it cannot be
		return fmt.Sprint(value)
	}
	return strings.ReplaceAll(string(text), `","`, `", "`)
}
