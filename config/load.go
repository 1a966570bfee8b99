package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Root is where the configuration lies in cdk.json; the paths of problems start with it.
const Root = "context.gitops"

// Load reads the configuration from the CDK context. Its error, if any, is a Problems with every mistake.
func Load(context map[string]any) (Config, error) {
	var c Config
	r := &report{}
	in, present := context["gitops"]
	object, ok := in.(map[string]any)
	switch {
	case !present:
		r.add(Root, "run in the folder of cdk.json, or copy context.gitops from docs/configuration.md", "is missing")
		return c, r.err()
	case !ok:
		r.mistyped(Root, "an object", in)
		return c, r.err()
	}
	r.decode(Root, object, reflect.ValueOf(&c).Elem())
	c.complete()
	r.repository(Root+".repository", c.Repository)
	r.environments(Root+".environments", c)
	r.unconnected(Root+".environments", c, object)
	return c, r.err()
}

// Select returns the named environments of a comma separated list, or all if the list is empty.
func (c Config) Select(list string) ([]Environment, error) {
	names := c.Names()
	if strings.TrimSpace(list) != "" {
		names = nil
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			if _, ok := c.Environments[name]; !ok {
				return nil, Problems{{Path: "-c env", What: fmt.Sprintf("there is no environment %q", name), Remedy: suggest(name, c.Names())}}
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	selected := make([]Environment, len(names))
	for i, name := range names {
		selected[i] = c.Environments[name]
	}
	return selected, nil
}

// complete derives what the file may leave out because the rest implies it.
func (c *Config) complete() {
	for name := range maps.Keys(c.Environments) {
		e := c.Environments[name]
		e.Name = name
		e.Repository = c.Repository
		if e.Delivery.ConnectionARN == "" && c.Repository.ConnectionARN != "" {
			e.Delivery.ConnectionARN = c.Repository.ConnectionARN
		}
		e.GitCredentials = c.Repository.Credentials
		if e.RepositoryURL == "" {
			e.RepositoryURL = c.Repository.URL()
		} else if strings.HasPrefix(e.RepositoryURL, "http://") {
			e.GitCredentials = CredentialsNone // never over an unencrypted connection
		}
		if e.HostedZone != nil && e.HostedZone.Name == "" {
			e.HostedZone.Name = e.Domain
		}
		c.Environments[name] = e
	}
}
