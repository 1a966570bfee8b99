package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/pathfilter"
)

// maxPatterns is CodePipeline's limit for the file path patterns of a trigger:
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GitFilePathFilterCriteria.html
const maxPatterns = 8

var (
	makeTargets  = regexp.MustCompile(`^[a-z][a-z0-9-]*( [a-z][a-z0-9-]*)*$`)
	emailAddress = regexp.MustCompile(`^[^@\s"<>]+@[^@\s"<>]+\.[^@\s"<>]+$`)
	pathPattern  = regexp.MustCompile(`^[A-Za-z0-9._*?{}\[\],!+@-]+(/[A-Za-z0-9._*?{}\[\],!+@-]+)*$`)
)

// paths checks the patterns of each pipeline.
func (r *report) paths(path string, p Paths) {
	r.patterns(path+".infrastructure", p.Infrastructure)
	r.patterns(path+".appResources", p.AppResources)
	r.patterns(path+".dockerbuild", p.Dockerbuild)
}

// patterns checks the patterns of one trigger.
func (r *report) patterns(path string, patterns []string) {
	if r.under(path) || r.absentAbove(path) {
		return
	}
	switch {
	case len(patterns) == 0:
		r.add(path, "give at least one pattern, for example \"infrastructure/**\": without one every push would start the pipeline", "is empty")
	case len(patterns) > maxPatterns:
		r.add(path, "merge some with *, ** or a common folder", "has %d patterns, CodePipeline takes %d", len(patterns), maxPatterns)
	}
	for i, pattern := range patterns {
		at := fmt.Sprintf("%s[%d]", path, i)
		// CodePipeline refuses a bad one as well, but when the stack is deployed.
		_, err := pathfilter.Compile(pattern)
		switch {
		case len(pattern) > 255:
			r.add(at, "use at most 255 characters", "is too long")
		case !pathPattern.MatchString(pattern) || strings.HasPrefix(pattern, "./"):
			r.add(at, "give a path from the root of the repository without a leading / or ./, for example \"infrastructure/**\"", "%q is no path pattern", pattern)
		case err != nil:
			r.add(at, "close each [ with ] and each { with }, without nesting, and write ranges upwards", "%q is no path pattern: %s", pattern, err)
		case slices.Index(patterns, pattern) < i:
			r.add(at, "name each pattern once", "%q is there twice", pattern)
		}
	}
}

// delivery checks the pipelines of an environment.
func (r *report) delivery(path string, e Environment) {
	d := e.Delivery
	r.connection(path+".connectionArn", e)
	r.oneOf(path+".imageUpdates", string(d.ImageUpdates), []string{string(ImageUpdatesCommit), string(ImageUpdatesPullRequest), string(ImageUpdatesNone)})
	if at := path + ".test"; !r.under(at) && !r.absentAbove(at) && !makeTargets.MatchString(d.Test) {
		r.add(at, "name targets of the Makefile, for example \"check test\"", "%q are no targets", d.Test)
	}
	for i, address := range d.Notify {
		at := fmt.Sprintf("%s.notify[%d]", path, i)
		switch {
		case r.under(at):
		case !emailAddress.MatchString(address):
			r.add(at, "give an address alone, for example \"platform@example.com\"", "%q is no e-mail address", address)
		case slices.Index(d.Notify, address) < i:
			r.add(at, "name each address once", "%q is there twice", address)
		}
	}
	r.retention(path+".logDays", d.LogDays)
}

// connection checks that the environment's pipelines can use the connection: CodePipeline takes one of its own account.
func (r *report) connection(path string, e Environment) {
	arn, shared := e.Delivery.ConnectionARN, e.Delivery.ConnectionARN == e.Repository.ConnectionARN
	switch {
	case r.under(path) || r.absentAbove(path) || shared && r.under(Root+".repository"):
	case arn == "": // see unconnected
	case !connectionARN.MatchString(arn):
		r.add(path, "copy it from Developer Tools > Settings > Connections", "%q is no ARN of a connection", arn)
	case r.under(strings.TrimSuffix(path, ".delivery.connectionArn") + ".account"):
	case strings.Split(arn, ":")[4] != e.Account:
		what := "the connection"
		if shared {
			what = "repository.connectionArn"
		}
		r.add(path, "make a connection in account "+e.Account+" (docs/guides/bootstrap.md) and give its ARN here", "%s belongs to account %s, and a pipeline uses one of its own account", what, strings.Split(arn, ":")[4])
	}
}

// unconnected reports environments whose file says how to deliver and not through which connection: they would have no
// pipeline, without a word.
func (r *report) unconnected(path string, c Config, in map[string]any) {
	environments, _ := in["environments"].(map[string]any)
	for _, name := range c.Names() {
		given, _ := environments[name].(map[string]any)
		delivery, _ := given["delivery"].(map[string]any)
		if at := path + "." + name + ".delivery"; len(delivery) > 0 && !c.Environments[name].Delivers() && !r.under(at) {
			r.add(at+".connectionArn", "make a connection (docs/guides/bootstrap.md) and give its ARN here or in repository.connectionArn, or leave delivery out", "is missing, and without a connection there is no pipeline")
		}
	}
}

// reviewers checks that pull requests towards a branch get one comment and not two.
func (r *report) reviewers(path string, a, b Environment) {
	if a.Delivers() && b.Delivers() && a.Delivery.Review && b.Delivery.Review && a.Branch == b.Branch && a.RepositoryURL == b.RepositoryURL {
		r.add(path, "set it to false here or there: one review covers all environments", "%s already reviews pull requests towards %q", a.Name, a.Branch)
	}
}
