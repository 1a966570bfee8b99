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

// Load reads the configuration from the CDK context. Its error, if any, is Problems with every mistake; the configuration is then
// as far as it could be read.
func Load(context map[string]any) (Config, error) {
	var c Config
	r := &report{}
	root := r.at(Root)
	in, present := context["gitops"]
	object, ok := in.(map[string]any)
	switch {
	case !present:
		root.add("run in the folder of cdk.json, or copy context.gitops from docs/configuration.md", "is missing")
		return c, r.problems.Err()
	case !ok:
		root.mistyped("an object", "copy context.gitops from docs/configuration.md", in)
		return c, r.problems.Err()
	}
	root.decode(object, reflect.ValueOf(&c).Elem())
	c.complete()
	checkRepository(root.key("repository"), c.Repository)
	checkPaths(root.key("repository").key("paths"), c)
	checkEnvironments(root.key("environments"), c)
	checkImagesFrom(root.key("environments"), c)
	checkConnected(root.key("environments"), c, object)
	return c, r.problems.Err()
}

// Select returns the named environments of a comma separated list, or all if the list is empty.
func (c Config) Select(list string) ([]Environment, error) {
	names := c.Names()
	if strings.TrimSpace(list) != "" {
		names = nil
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			if _, ok := c.Environments[name]; !ok {
				return nil, Problems{{Path: "-c env", What: fmt.Sprintf("there is no environment %q", name), Remedy: Suggest(name, c.Names())}}
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
		if e.RepositoryURL == "" {
			e.RepositoryURL = c.Repository.URL()
		}
		switch {
		case e.GitCredentials != "":
		case strings.HasPrefix(e.RepositoryURL, "http://"):
			e.GitCredentials = CredentialsNone // those of the repository never go over an unencrypted connection
		default:
			e.GitCredentials = c.Repository.Credentials
		}
		if e.Network.Zones == nil {
			e.Network.Zones = defaultZones(e.Region)
		}
		if e.HostedZone != nil && e.HostedZone.Name == "" {
			e.HostedZone.Name = e.Domain
		}
		if e.Ghost.Mail.From == "" {
			e.Ghost.Mail.From = defaultSender(e.Domain)
		}
		if e.Delivery.ImageUpdates == "" {
			e.Delivery.ImageUpdates = ImageUpdatesCommit
			if e.Delivery.ImagesFrom != "" {
				e.Delivery.ImageUpdates = ImageUpdatesNone
			}
		}
		c.Environments[name] = e
	}
	c.connectImages()
}

// connectImages lets each environment know where its images come from, and where they go to.
func (c *Config) connectImages() {
	plain := maps.Clone(c.Environments)
	for _, name := range c.Names() {
		copies := plain[name]
		source, known := plain[copies.Delivery.ImagesFrom]
		if !known || !copies.Delivers() {
			continue
		}
		e := c.Environments[name]
		e.ImageSource = &source
		c.Environments[name] = e
		s := c.Environments[source.Name]
		s.ImageCopies = append(s.ImageCopies, copies)
		c.Environments[source.Name] = s
	}
}
