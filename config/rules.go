package config

import (
	"net/netip"
	"net/url"
	"path"
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
	factName        = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,62}$`)
	keyFile         = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\.asc$`)
	tagText         = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

// credentialKinds are the values of credentials.
var credentialKinds = []string{string(CredentialsNone), string(CredentialsBasic), string(CredentialsGitHubApp), string(CredentialsSSH)}

// checkRepository checks the settings that all environments share.
func checkRepository(f field, c Repository) {
	if !githubOwner.MatchString(c.Owner) {
		f.key("owner").add("use letters, digits and single hyphens, at most 39", "must be a user or an organization on GitHub, got %q", c.Owner)
	}
	switch {
	case !githubName.MatchString(c.Name):
		f.key("name").add("use letters, digits, '.', '_' and '-', at most 100", "must be the name of a repository on GitHub, got %q", c.Name)
	case strings.HasSuffix(c.Name, ".git"):
		f.key("name").add("leave \".git\" out", "must not end in .git, got %q", c.Name)
	}
	if c.ConnectionARN != "" {
		f.key("connectionArn").connection(c.ConnectionARN)
	}
	f.key("credentials").oneOf(string(c.Credentials), credentialKinds...)
	checkKeys(f.key("verify"), c.Verify)
}

// checkKeys checks the names of key files; what is in them, and that they are there, says whoever reads them.
func checkKeys(f field, files []string) {
	names := map[string]int{}
	for i, file := range files {
		at := f.index(i)
		first, twice := names[path.Base(file)]
		switch {
		case !keyFile.MatchString(file):
			at.add("give the path of an armored key from the root of the repository, for example \"keys/alice.asc\"", "must be the path of a file .asc, got %q", file)
		case twice:
			at.add("rename it: Flux knows a key by the name of its file", "must have a name of its own, got %q, which is also that of verify[%d]", file, first)
		default:
			names[path.Base(file)] = i
		}
	}
}

// checkEnvironments checks each environment, and that no two get in each other's way.
func checkEnvironments(f field, c Config) {
	if len(c.Environments) == 0 {
		f.add("add one, for example \"dev\"", "must hold at least one environment")
	}
	for _, name := range c.Names() {
		if !environmentName.MatchString(name) {
			f.key(name).add("start with a letter and do not end in a hyphen: the name becomes part of stack and bucket names", "must be named by 1 to 20 lower case letters, digits and hyphens, got %q", name)
		}
		checkEnvironment(f.key(name), c.Environments[name])
		if _, here := c.Environments[LocalEnvironment]; c.Environments[name].Rehearses() && !here {
			f.key(name).key("delivery").key("rehearsal").add("add it again, or leave rehearsal out", "must be false without the environment %q, in whose system a rehearsal runs", LocalEnvironment)
		}
	}
	checkRivals(f, c)
}

// checkRivals checks the environments against each other.
func checkRivals(f field, c Config) {
	names := c.Names()
	for i, first := range names {
		for _, second := range names[i+1:] {
			a, b, at := c.Environments[first], c.Environments[second], f.key(second)
			if a.Domain == b.Domain {
				at.key("domain").add("give each environment a domain of its own: the records of one would overwrite the other's", "must not be the domain of another environment, got %q, that of %s", b.Domain, first)
			}
			checkReviewers(at.key("delivery").key("review"), a, b)
			checkMonitors(at.key("cost").key("anomalies"), a, b)
			if a.Account != b.Account || a.Region != b.Region {
				continue
			}
			one, err1 := netip.ParsePrefix(a.Network.CIDR)
			two, err2 := netip.ParsePrefix(b.Network.CIDR)
			if err1 == nil && err2 == nil && one.Overlaps(two) {
				at.key("network").key("cidr").add("choose a block that no other environment in this account and region uses, so that they can be peered", "must not overlap %s of %s, got %s", one, first, two)
			}
		}
	}
}

// checkEnvironment checks one environment.
func checkEnvironment(f field, e Environment) {
	if !accountID.MatchString(e.Account) {
		f.key("account").add("give 12 digits in quotes", "must be an AWS account, got %q", e.Account)
	}
	if regions[e.Region] == "" {
		f.key("region").add(Suggest(e.Region, Regions()), "must be a region of AWS with EKS, got %q", e.Region)
	}
	checkDomain(f, e)
	if !isBranch(e.Branch) {
		f.key("branch").add("name one, for example \"main\"", "must be the name of a branch, got %q", e.Branch)
	}
	if e.GitCredentials != e.Repository.Credentials { // else it is a matter of the repository's
		f.key("credentials").oneOf(string(e.GitCredentials), credentialKinds...)
	}
	checkRepositoryURL(f.key("repositoryUrl"), e)
	checkNetwork(f.key("network"), e)
	checkCluster(f.key("cluster"), e)
	checkNodes(f.key("nodes"), e.Nodes)
	checkVersions(f, e)
	if s := e.Ghost.Snapshot; s != "" && !SnapshotName.MatchString(s) {
		f.key("ghost").key("snapshot").add("give what aws rds describe-db-snapshots shows as DBSnapshotIdentifier or DBSnapshotArn", "must be a snapshot of RDS, got %q", s)
	}
	f.key("ghost").key("keepImages").between(e.Ghost.KeepImages, 1, 1000)
	checkDatabase(f.key("ghost").key("database"), e.Ghost.Database, e.DeletionProtection)
	checkDatabase(f.key("databases").key("mysql"), e.Databases.MySQL, e.DeletionProtection)
	checkDatabase(f.key("databases").key("postgres"), e.Databases.Postgres, e.DeletionProtection)
	checkMail(f, e)
	checkDelivery(f, e)
	checkBackup(f, e)
	checkDrift(f.key("drift"), e)
	checkAlerts(f.key("alerts"), e)
	checkCost(f.key("cost"), e)
	checkRehearsal(f.key("rehearsal"), e.Rehearsal)
	for name, value := range e.Facts {
		checkFact(f.key("facts").key(name), name, value)
	}
	checkTags(f.key("tags"), e.Tags)
	checkAllowances(f.key("allowReplacement"), e)
}

// checkDomain checks the environment's domain and zone.
func checkDomain(f field, e Environment) {
	domain := f.key("domain")
	switch {
	case e.Domain != "localhost" && !isDomain(e.Domain):
		domain.add("write it in lower case with a dot, without \"*.\", scheme or trailing dot, for example \"dev.example.com\"", "must be a DNS name, got %q", e.Domain)
	case len(e.Domain) > 62:
		domain.add("shorten it: ACM's limit for the name of a certificate, *.<domain>, is 64", "must have at most 62 characters, got %q", e.Domain)
	}
	zone, at := e.HostedZone, f.key("hostedZone")
	if zone == nil {
		return
	}
	if !zoneID.MatchString(zone.ID) {
		at.key("id").add("give the id alone, for example \"Z0123456789ABCDEFGHIJ\", without \"/hostedzone/\"", "must be the id of a Route 53 zone, got %q", zone.ID)
	}
	if !domain.reported() && e.Domain != zone.Name && !strings.HasSuffix(e.Domain, "."+zone.Name) {
		at.key("name").add("choose the zone that holds the domain, or a domain in the zone", "must be a zone that holds %q, got %q", e.Domain, zone.Name)
	}
}

// checkRepositoryURL checks the address that Flux clones against the way in which it signs in.
func checkRepositoryURL(f field, e Environment) {
	u, err := url.Parse(e.RepositoryURL)
	switch {
	case err != nil || u.Host == "" || u.Path == "" || u.Path == "/":
		f.add("give https://host/owner/name.git, or ssh://git@host/owner/name.git", "must be the address of a Git repository, got %q", e.RepositoryURL)
	case err == nil && u.Scheme != "ssh" && u.User != nil:
		f.add("leave user and password out, they would be readable in the cluster; set repository.credentials to \"basic\"", "must not contain credentials")
	case u.Scheme == "ssh" && e.GitCredentials != CredentialsSSH:
		f.add("set repository.credentials to \"ssh\" and store a read-only deploy key, or use https://", "must be https:// with credentials %q, got ssh://", e.GitCredentials)
	case u.Scheme != "ssh" && e.GitCredentials == CredentialsSSH:
		f.add("give ssh://git@host/owner/name.git, or change repository.credentials", "must be ssh:// with credentials \"ssh\", got %s://", u.Scheme)
	case u.Scheme == "http" && e.GitCredentials == CredentialsGitHubApp:
		f.add("use https://, or set credentials to \"basic\"", "must be https:// with the credentials of a GitHub App, got http://")
	case u.Scheme == "http" && u.Hostname() != "localhost" && !strings.HasSuffix(u.Hostname(), ".localhost"):
		f.add("use https://; only hosts under .localhost may do without encryption", "must be encrypted, got http://")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "ssh":
		f.add("use https:// or ssh://", "must be an address that Flux can clone, got %s://", u.Scheme)
	}
}

// maxTags leaves room, below the 50 tags that AWS takes for a resource, for those that the platform and controllers add.
// https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
const maxTags = 40

// checkTags checks the environment's tags.
func checkTags(f field, tags map[string]string) {
	if len(tags) > maxTags {
		f.add("remove some: AWS takes 50 for a resource, and the platform adds its own", "must have at most %d tags, got %d", maxTags, len(tags))
		return
	}
	for key, value := range tags {
		checkTag(f.key(key), key, value)
	}
}

// checkFact checks a variable for manifests.
func checkFact(f field, name, value string) {
	switch {
	case !factName.MatchString(name):
		f.add("rename it, for example CHARTS_URL", "must be named by capital letters, digits and underscores, starting with a letter, got %q", name)
	case isClusterFact(name):
		f.add("leave it out, or choose another name", "must not be set here: the bootstrap sets it")
	case name == DatabaseCAFact && !isDatabaseCA(value):
		f.add("write what base64 -w0 prints of the file with the certificates", "must be certificates in PEM, as base64")
	}
}

// checkTag checks one tag against the rules of https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html.
func checkTag(f field, key, value string) {
	switch {
	case key == "" || len(key) > 128 || !tagText.MatchString(key):
		f.add("use letters, digits, spaces and _ . : / = + - @", "must have a key of 1 to 128 characters that AWS allows, got %q", key)
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		f.add("choose another prefix", "must not start with \"aws:\": such tags belong to AWS")
	case key == "environment":
		f.add("leave it out", "must not be set here: every resource has this tag")
	case key == BackupTag:
		f.add("leave it out", "must not be set here: it chooses what AWS Backup keeps")
	case len(value) > 256 || !tagText.MatchString(value):
		f.add("use letters, digits, spaces and _ . : / = + - @", "must be at most 256 characters that AWS allows, got %q", value)
	}
}

// isDomain reports whether name is a DNS name of two or more labels.
func isDomain(name string) bool {
	labels := strings.Split(name, ".")
	return len(name) <= 253 && len(labels) > 1 && !slices.ContainsFunc(labels, func(l string) bool { return !dnsLabel.MatchString(l) })
}

// isBranch reports whether name is a branch as Git and GitHub allow it, less the exotic.
func isBranch(name string) bool {
	return branchName.MatchString(name) && !strings.Contains(name, "..") && !strings.Contains(name, "//") &&
		!strings.HasSuffix(name, "/") && !strings.HasSuffix(name, ".lock") && !strings.HasPrefix(name, "refs/")
}
