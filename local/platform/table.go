package platform

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"

	"k8s-plus-aws-gitops/local/npm"
	"k8s-plus-aws-gitops/local/procnode"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/standin"
)

// Installed finds on this machine what images run.
type Installed interface {
	// Binary is the path of a program's binary.
	Binary(program string) string
	// Module is the folder of the Go module that a program is built from.
	Module(program string) (string, error)
	// Package is the installation of an application from npm.
	Package(npm.Application) (npm.Installed, error)
}

// Place is where the system is that the images run in.
type Place struct {
	// Executable is gitops-local, which runs the stand-ins.
	Executable string
	// Endpoint is the AWS endpoint, which is also the registry; Region the environment's.
	Endpoint, Region string
	// Registry is the prefix of the environments' own repositories, as pods name them: "registry.localhost/*".
	Registry string
}

// Table is the image table of the process node.
func (p *Platform) Table(have Installed, at Place) (procnode.Table, error) {
	var table procnode.Table
	for _, i := range p.Images {
		entry, err := i.entry(have, at)
		if err != nil {
			return table, fmt.Errorf("image %s: %w", i.Repository, err)
		}
		table.Images = append(table.Images, entry)
		if i.Builds != "" {
			entry.Repository, entry.Tags, entry.Registry = at.Registry+"/"+i.Builds, nil, at.Endpoint
			table.Images = append(table.Images, entry)
		}
	}
	return table, table.Validate()
}

// entry is the image's line of the table.
func (i Image) entry(have Installed, at Place) (procnode.Image, error) {
	entry, places := i.Image, map[string]func() (string, error){}
	entry.Env = maps.Clone(entry.Env)
	if entry.Env == nil {
		entry.Env = map[string]string{}
	}
	tag := ""
	switch {
	case i.Program != "":
		places["MODULE"] = func() (string, error) { return have.Module(i.Program) }
		entry.Command = append([]string{have.Binary(i.Program)}, i.Command...)
		var err error
		if tag, err = programs.Tag(i.Program); err != nil {
			return entry, err
		}
	case i.NPM != nil:
		installed, err := have.Package(*i.NPM)
		if err != nil {
			return entry, err
		}
		places["PACKAGE"] = func() (string, error) { return installed.Dir, nil }
		places["NODE"] = func() (string, error) { return installed.Node, nil }
		entry.Dir, tag = cmp.Or(i.Dir, installed.Dir), i.NPM.Version
	case i.StandIn != nil:
		definition, err := json.Marshal(i.StandIn)
		if err != nil {
			return entry, err
		}
		entry.Command, entry.Args = []string{at.Executable, "stand-in", "--host", "${IP}"}, "drop"
		entry.Env[standin.Variable] = string(definition)
	}
	if tag != "" && len(i.Tags) == 0 {
		entry.Tags = []string{tag}
	}
	if i.AWS {
		maps.Copy(entry.Env, map[string]string{
			"AWS_ENDPOINT_URL": at.Endpoint, "AWS_ENDPOINT_URL_S3": at.Endpoint,
			"AWS_REGION": at.Region, "AWS_DEFAULT_REGION": at.Region, "AWS_EC2_METADATA_DISABLED": "true",
		})
	}
	return expand(entry, places)
}

// ours are the templates that are filled in here; procnode fills in the others for each pod.
var ours = regexp.MustCompile(`\$\{(MODULE|PACKAGE|NODE)\}`)

// expand fills in the places of what an image runs, each when something names it.
func expand(i procnode.Image, places map[string]func() (string, error)) (procnode.Image, error) {
	var failed error
	fill := func(s string) string {
		return ours.ReplaceAllStringFunc(s, func(m string) string {
			place, known := places[m[2:len(m)-1]]
			if !known {
				return m // procnode refuses it
			}
			path, err := place()
			if failed == nil {
				failed = err
			}
			return path
		})
	}
	each := func(all map[string]string) map[string]string {
		filled := make(map[string]string, len(all))
		for name, value := range all {
			filled[name] = fill(value)
		}
		return filled
	}
	command := make([]string, len(i.Command))
	for n, word := range i.Command {
		command[n] = fill(word)
	}
	i.Command, i.Dir, i.Env, i.Flags = command, fill(i.Dir), each(i.Env), each(i.Flags)
	return i, failed
}

// anywhere stands for a machine on which everything is, so that mistakes are found before anything is installed.
type anywhere struct{}

func (anywhere) Binary(program string) string          { return "/" + program }
func (anywhere) Module(program string) (string, error) { return "/" + program, nil }
func (anywhere) Package(a npm.Application) (npm.Installed, error) {
	return npm.Installed{Dir: "/" + a.Package, Node: "/node"}, nil
}
