package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	environmentName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$`)
	accountID       = regexp.MustCompile(`^[0-9]{12}$`)
	githubOwner     = regexp.MustCompile(`^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}$`)
	githubName      = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	connectionARN   = regexp.MustCompile(`^arn:aws[a-z-]*:(codeconnections|codestar-connections):[a-z0-9-]+:[0-9]{12}:connection/[0-9a-f-]{36}$`)
	branchName      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}$`)
	dnsLabel        = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	zoneID          = regexp.MustCompile(`^Z[A-Z0-9]{1,31}$`)
	principalARN    = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::[0-9]{12}:(role|user)/[A-Za-z0-9+=,.@_/-]{1,512}$`)
	tagText         = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

// repository checks the settings that all environments share.
func (r *report) repository(path string, c Repository) {
	if at := path + ".owner"; !r.under(at) && !r.absentParent(path) && !githubOwner.MatchString(c.Owner) {
		r.add(at, "use letters, digits and single hyphens, at most 39", "%q is no GitHub owner", c.Owner)
	}
	if at := path + ".name"; !r.under(at) && !r.absentParent(path) {
		switch {
		case !githubName.MatchString(c.Name):
			r.add(at, "use letters, digits, '.', '_' and '-', at most 100", "%q is no repository name", c.Name)
		case strings.HasSuffix(c.Name, ".git"):
			r.add(at, "leave \".git\" out", "%q ends in .git", c.Name)
		}
	}
	if at := path + ".connectionArn"; c.ConnectionARN != "" && !connectionARN.MatchString(c.ConnectionARN) {
		r.add(at, "copy it from Developer Tools > Settings > Connections", "%q is no ARN of a connection", c.ConnectionARN)
	}
	known := []string{string(CredentialsNone), string(CredentialsBasic), string(CredentialsGitHubApp), string(CredentialsSSH)}
	r.oneOf(path+".credentials", string(c.Credentials), known)
}

// absentParent tells whether path itself is a problem: then its parts need no further word.
func (r *report) absentParent(path string) bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool { return p.Path == path })
}

// environments checks each environment, and that no two get in each other's way.
func (r *report) environments(path string, c Config) {
	if len(c.Environments) == 0 && !r.absentParent(path) {
		r.add(path, "add at least one, for example \"dev\"", "has no environment")
	}
	for _, name := range c.Names() {
		e, at := c.Environments[name], path+"."+name
		if r.absentParent(at) {
			continue
		}
		if !environmentName.MatchString(name) {
			r.add(at, "use 1 to 20 lower case letters, digits and hyphens, starting with a letter and not ending in a hyphen: it becomes part of stack and bucket names", "%q cannot name an environment", name)
		}
		r.environment(at, e)
	}
	r.rivals(path, c)
}

// rivals checks the environments against each other.
func (r *report) rivals(path string, c Config) {
	names := c.Names()
	for i, first := range names {
		for _, second := range names[i+1:] {
			a, b := c.Environments[first], c.Environments[second]
			if a.Domain != "" && a.Domain == b.Domain {
				r.add(path+"."+second+".domain", "give each environment a domain of its own: the records of one would overwrite the other's", "%q is also the domain of %s", b.Domain, first)
			}
			if a.Account != b.Account || a.Region != b.Region {
				continue
			}
			one, err1 := netip.ParsePrefix(a.Network.CIDR)
			two, err2 := netip.ParsePrefix(b.Network.CIDR)
			if err1 == nil && err2 == nil && one.Overlaps(two) {
				r.add(path+"."+second+".network.cidr", "choose a block that no other environment in this account and region uses, so that they can be peered", "%s overlaps %s of %s", two, one, first)
			}
		}
	}
}

// environment checks one environment.
func (r *report) environment(path string, e Environment) {
	if at := path + ".account"; !r.under(at) && !accountID.MatchString(e.Account) {
		r.add(at, "give 12 digits in quotes", "%q is no AWS account", e.Account)
	}
	if at := path + ".region"; !r.under(at) && !slices.Contains(regions, e.Region) {
		r.add(at, suggest(e.Region, regions), "%q is no AWS region known here", e.Region)
	}
	r.domain(path, e)
	if at := path + ".branch"; !r.under(at) && !isBranch(e.Branch) {
		r.add(at, "name a branch, for example \"main\"", "%q is no branch name", e.Branch)
	}
	r.repositoryURL(path+".repositoryUrl", e)
	r.network(path+".network", e.Network)
	r.cluster(path+".cluster", e)
	r.nodes(path+".nodes", e.Nodes)
	r.between(path+".ghost.keepImages", e.Ghost.KeepImages, 1, 1000)
	r.database(path+".ghost.database", e)
	for key, value := range e.Tags {
		r.tag(path+".tags."+key, key, value)
	}
	r.allowances(path+".allowReplacement", e)
}

// domain checks the environment's domain and zone.
func (r *report) domain(path string, e Environment) {
	at := path + ".domain"
	if !r.under(at) {
		switch {
		case e.Domain != "localhost" && !isDomain(e.Domain):
			r.add(at, "give a lower case DNS name with a dot, without \"*.\", scheme or trailing dot, for example \"dev.example.com\"", "%q is no DNS domain", e.Domain)
		case len(e.Domain) > 62:
			r.add(at, "use at most 62 characters: ACM's limit for the name of a certificate, *.<domain>, is 64", "%q is too long", e.Domain)
		}
	}
	zone := e.HostedZone
	if zone == nil || r.under(path+".hostedZone") {
		return
	}
	if !zoneID.MatchString(zone.ID) {
		r.add(path+".hostedZone.id", "give the id alone, for example \"Z0123456789ABCDEFGHIJ\", without \"/hostedzone/\"", "%q is no id of a Route 53 zone", zone.ID)
	}
	if !r.under(at) && e.Domain != zone.Name && !strings.HasSuffix(e.Domain, "."+zone.Name) {
		r.add(path+".hostedZone.name", "choose the zone that holds the domain, or a domain in the zone", "the domain %q does not lie in the zone %q", e.Domain, zone.Name)
	}
}

// repositoryURL checks the address that Flux clones against the way in which it signs in.
func (r *report) repositoryURL(path string, e Environment) {
	if r.under(path) {
		return
	}
	u, err := url.Parse(e.RepositoryURL)
	switch {
	case err != nil || u.Host == "" || u.Path == "" || u.Path == "/":
		r.add(path, "give https://host/owner/name.git, or ssh://git@host/owner/name.git", "%q is no address of a Git repository", e.RepositoryURL)
	case u.Scheme == "ssh" && e.GitCredentials != CredentialsSSH:
		r.add(path, "set repository.credentials to \"ssh\" and store a read-only deploy key, or use https://", "is ssh without credentials")
	case u.Scheme == "https" && e.GitCredentials == CredentialsSSH:
		r.add(path, "give ssh://git@host/owner/name.git, or change repository.credentials", "is https, but repository.credentials is ssh")
	case u.Scheme == "http" && u.Hostname() != "localhost" && !strings.HasSuffix(u.Hostname(), ".localhost"):
		r.add(path, "use https://; only hosts under .localhost may do without encryption", "is unencrypted")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "ssh":
		r.add(path, "use https:// or ssh://", "Flux has no %s://", u.Scheme)
	}
	if err == nil && u.Scheme != "ssh" && u.User != nil {
		r.add(path, "leave user and password out, they would be readable in the cluster; set repository.credentials to \"basic\"", "contains credentials")
	}
}

// tag checks one tag against the rules of https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html.
func (r *report) tag(path, key, value string) {
	switch {
	case key == "" || len(key) > 128 || !tagText.MatchString(key):
		r.add(path, "use 1 to 128 letters, digits, spaces and _ . : / = + - @", "%q is no tag key", key)
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		r.add(path, "choose another prefix", "tag keys that start with \"aws:\" belong to AWS")
	case key == "environment":
		r.add(path, "leave it out", "every resource has this tag already")
	case len(value) > 256 || !tagText.MatchString(value):
		r.add(path, "use at most 256 letters, digits, spaces and _ . : / = + - @", "is no tag value")
	}
}

// oneOf checks an enumeration.
func (r *report) oneOf(path, value string, known []string) {
	if !r.under(path) && !r.absentAbove(path) && !slices.Contains(known, value) {
		r.add(path, suggest(value, known), "%q is not known", value)
	}
}

// between checks a number.
func (r *report) between(path string, value, low, high int) {
	if !r.under(path) && !r.absentAbove(path) && (value < low || value > high) {
		r.add(path, fmt.Sprintf("use a number from %d to %d", low, high), "is %d", value)
	}
}

// absentAbove tells whether an object above path is missing or of the wrong type, so that path has no value at all.
func (r *report) absentAbove(path string) bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool { return strings.HasPrefix(path, p.Path+".") })
}

// isDomain tells whether name is a DNS name of two or more labels.
func isDomain(name string) bool {
	labels := strings.Split(name, ".")
	return len(name) <= 253 && len(labels) > 1 && !slices.ContainsFunc(labels, func(l string) bool { return !dnsLabel.MatchString(l) })
}

// isBranch tells whether name is a branch as Git and GitHub allow it, less the exotic.
func isBranch(name string) bool {
	return branchName.MatchString(name) && !strings.Contains(name, "..") && !strings.Contains(name, "//") &&
		!strings.HasSuffix(name, "/") && !strings.HasSuffix(name, ".lock") && !strings.HasPrefix(name, "refs/")
}
