package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/pathfilter"
)

// MaxPatterns is CodePipeline's limit for the file path patterns of a trigger:
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GitFilePathFilterCriteria.html
const MaxPatterns = 8

var (
	makeTargets  = regexp.MustCompile(`^[a-z][a-z0-9-]*( [a-z][a-z0-9-]*)*$`)
	emailAddress = regexp.MustCompile(`^[^@\s"<>]+@[^@\s"<>]+\.[^@\s"<>]+$`)
	pathPattern  = regexp.MustCompile(`^[A-Za-z0-9._*?{}\[\],!+@-]+(/[A-Za-z0-9._*?{}\[\],!+@-]+)*$`)
)

// patterns checks the patterns of one trigger, to which the trigger adds its own.
func (f field) patterns(patterns []string, own ...string) {
	own = slices.DeleteFunc(own, func(p string) bool { return slices.Contains(patterns, p) })
	switch {
	case len(patterns) == 0:
		f.add("give for example \"infrastructure/**\": without a pattern every push would start the pipeline", "must have at least one pattern")
	case len(patterns)+len(own) > MaxPatterns && len(own) > 0:
		f.add("merge some with *, ** or a common folder", "must have at most %d patterns, got %d: CodePipeline takes %d, and delivery.gate or imagesFrom adds %s", MaxPatterns-len(own), len(patterns), MaxPatterns, strings.Join(own, ", "))
	case len(patterns) > MaxPatterns:
		f.add("merge some with *, ** or a common folder", "must have at most %d patterns, got %d", MaxPatterns, len(patterns))
	}
	for i, pattern := range patterns {
		at := f.index(i)
		// CodePipeline refuses a bad one as well, but when the stack is deployed.
		_, err := pathfilter.Compile(pattern)
		switch {
		case len(pattern) > 255:
			at.add("shorten it with * or **", "must have at most 255 characters, got %d", len(pattern))
		case !pathPattern.MatchString(pattern) || strings.HasPrefix(pattern, "./"):
			at.add("give a path from the root of the repository without a leading / or ./, for example \"infrastructure/**\"", "must be a path pattern, got %q", pattern)
		case err != nil:
			at.add("close each [ with ] and each { with }, without nesting, and write ranges upwards", "must be a path pattern, got %q: %s", pattern, err)
		}
		at.once(patterns, i)
	}
}

// checkPaths checks the patterns of the pipelines' triggers.
func checkPaths(f field, c Config) {
	var own []string
	if slices.ContainsFunc(slices.Collect(maps.Values(c.Environments)), Environment.ReadsManifests) {
		own = append(own, ManifestPaths)
	}
	f.key("deploy").patterns(c.Repository.Paths.Deploy, own...)
	f.key("dockerbuild").patterns(c.Repository.Paths.Dockerbuild)
}

// connection checks the ARN of a connection.
func (f field) connection(arn string) {
	if !connectionARN.MatchString(arn) {
		f.add("copy it from Developer Tools > Settings > Connections", "must be the ARN of a connection, got %q", arn)
	}
}

// checkDelivery checks the pipelines of an environment.
func checkDelivery(f field, e Environment) {
	d, at := e.Delivery, f.key("delivery")
	if d.ConnectionARN != "" { // else see checkConnected
		checkConnection(at.key("connectionArn"), f.key("account"), e)
	}
	if d.ImagesFrom != "" && d.ImageUpdates != ImageUpdatesNone {
		at.key("imageUpdates").add("leave it out: images come by promotion, not as Flux finds them", "must not be set beside imagesFrom, got %q", d.ImageUpdates)
	}
	at.key("imageUpdates").oneOf(string(d.ImageUpdates), string(ImageUpdatesCommit), string(ImageUpdatesPullRequest), string(ImageUpdatesNone))
	if d.Rollback && !d.Gate {
		at.key("rollback").add("set gate to true, or leave rollback out", "must be false without the gate, which has no release to take back")
	}
	if d.Rehearsal && !d.Review {
		at.key("rehearsal").add("set review to true, or leave rehearsal out", "must be false without the review, whose pipeline runs it")
	}
	if !makeTargets.MatchString(d.Test) {
		at.key("test").add("name them separated by blanks, for example \"check-product test-product\"", "must be targets of the Makefile, got %q", d.Test)
	}
	for i, address := range d.Notify {
		if !emailAddress.MatchString(address) {
			at.key("notify").index(i).add("give the address alone, for example \"platform@example.com\"", "must be an e-mail address, got %q", address)
		}
		at.key("notify").index(i).once(d.Notify, i)
	}
	at.key("logDays").retention(d.LogDays)
	checkWindow(at.key("window"), d)
}

// checkConnection checks that the environment's pipelines can use the connection: CodePipeline takes one of its own account.
func checkConnection(f, account field, e Environment) {
	arn, name := e.Delivery.ConnectionARN, "a connection"
	if arn == e.Repository.ConnectionARN {
		name = "repository.connectionArn"
	} else {
		f.connection(arn)
	}
	// A malformed one that is shared is reported where it stands.
	if !connectionARN.MatchString(arn) || account.reported() {
		return
	}
	if owner := strings.Split(arn, ":")[4]; owner != e.Account {
		f.add("make a connection in account "+e.Account+" (docs/guides/bootstrap.md) and give its ARN here", "must belong to the environment's account, got %s of account %s", name, owner)
	}
}

// checkConnected reports environments whose file says how to deliver and not through which connection: they would have no
// pipeline, without a word.
func checkConnected(f field, c Config, in map[string]any) {
	environments, _ := in["environments"].(map[string]any)
	for _, name := range c.Names() {
		given, _ := environments[name].(map[string]any)
		delivery, _ := given["delivery"].(map[string]any)
		if at := f.key(name).key("delivery"); len(delivery) > 0 && !c.Environments[name].Delivers() && !at.reported() {
			at.key("connectionArn").add("make a connection (docs/guides/bootstrap.md) and give its ARN here or in repository.connectionArn, or leave delivery out", "is missing, and without a connection there is no pipeline")
		}
	}
}

// checkReviewers checks that pull requests towards a branch get one comment and not two.
func checkReviewers(f field, a, b Environment) {
	if a.Delivers() && b.Delivers() && a.Delivery.Review && b.Delivery.Review && a.Branch == b.Branch && a.RepositoryURL == b.RepositoryURL {
		f.add("set it to false here or there: one review covers all environments", "must be false, because %s reviews pull requests towards %q", a.Name, a.Branch)
	}
}

// checkImagesFrom checks where the environments get their images from.
func checkImagesFrom(f field, c Config) {
	for _, name := range c.Names() {
		e := c.Environments[name]
		at, from := f.key(name).key("delivery").key("imagesFrom"), e.Delivery.ImagesFrom
		source, known := c.Environments[from]
		builders := slices.DeleteFunc(c.Names(), func(n string) bool { return n == name || !c.Environments[n].BuildsImages() })
		switch {
		case from == "":
		case !known || from == name:
			at.add(Suggest(from, builders), "must name another environment, got %q", from)
		case !source.Delivers():
			at.add("give "+from+" a connection (delivery.connectionArn), or name an environment with one", "must name an environment with pipelines, got %q", from)
		case source.Delivery.ImagesFrom != "":
			at.add("name "+source.Delivery.ImagesFrom+", whose images "+from+" runs", "must name an environment that builds its images, got %q", from)
		case source.RepositoryURL != e.RepositoryURL:
			at.add("name an environment that follows the same repository, or leave it out", "must name an environment of the same repository, got %q, which follows %s", from, source.RepositoryURL)
		case source.Partition() != e.Partition():
			at.add("leave it out, and build the images here", "must name an environment of the same partition of AWS, got %q of %s: no role reaches the other", from, source.Partition())
		}
	}
}
