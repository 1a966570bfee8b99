package services

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/services/assets"
)

// ReservedStacks are the names of the platform's own stacks and roles after the environment, beside those of Reserved.
var ReservedStacks = append([]string{"network", "cluster", "delivery", "images"}, sharedApps()...)

// MaxAWS is how many services of an environment can have resources in AWS, where a database counts as one more. Each has an
// association in the cluster's stack, and an access entry for the function of its database. The stack has 57 resources beside
// them, and CloudFormation takes 500:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
// The rest is for applications in Go and for what the platform gets.
const MaxAWS = 400

// longestRole is IAM's limit: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
const longestRole = 64

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,255}$`)
	nodeType      = regexp.MustCompile(`^cache\.(t[2-9]g?|[mr][4-9]g?|c[7-9]gn)\.(micro|small|medium|large|[0-9]*xlarge)$`)
	actionName    = regexp.MustCompile(`^[a-z0-9-]+:[A-Za-z]+\*?$`)
	resourceARN   = regexp.MustCompile(`^arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[A-Za-z0-9].*$`)
)

// own is where a key stands that counts in an environment: in its differences, or above.
func (r *rules) own(c Cluster, key string) string {
	if at := "environments." + c.Environment; r.has(at, key) {
		return join(at, key)
	}
	return key
}

// once notes a problem, but one of a place only once, in however many environments it shows.
func (r *rules) once(at, remedy, format string, args ...any) {
	if !slices.ContainsFunc(r.problems, func(p config.Problem) bool { return p.Path == at }) {
		r.add(at, remedy, format, args...)
	}
}

// between checks a number, if it is set.
func (r *rules) between(at string, value, low, high int, unit string) {
	if value < low || value > high {
		r.once(at, fmt.Sprintf("use a number of %s from %d to %d", unit, low, high), "must be from %d to %d, got %d", low, high, value)
	}
}

// aws checks what a service needs from AWS in an environment.
func (r *rules) aws(c Cluster, spec Spec, all map[string]Service, has owners) {
	a := spec.AWS
	if a == nil {
		return
	}
	r.awsNames(c, *a, has)
	r.database(c, a.Database, all)
	r.cache(c, a.Cache)
	r.bucket(c, a.Bucket)
	r.queue(c, a.Queue, all)
	r.table(c, a.Table)
	r.mail(c, a.Mail)
	r.generated(c, spec)
	for i, s := range a.Policy {
		r.statement(c, fmt.Sprintf("%s[%d]", r.own(c, "aws.policy"), i), s, all)
	}
	given := slices.Sorted(maps.Keys(spec.given(c)))
	for _, name := range slices.AppendSeq(given, maps.Keys(a.Secrets)) {
		for _, where := range []string{"environment.", "secrets."} {
			if at := r.own(c, where+name); r.has("", at) {
				r.once(at, "remove it, or choose another name", "must not be set here: aws gives it")
			}
		}
	}
}

// places are those that the service takes in the cluster's stack.
func (a AWS) places() int {
	if a.Database != nil {
		return 2
	}
	return 1
}

// room checks that the cluster's stack has room for what another service has there.
func (r *rules) room(c Cluster, asking int) {
	if asking > MaxAWS {
		r.once(r.own(c, "aws"), "leave it out of services, or give some a cluster in another environment",
			"must fit into the %d places of services in the cluster's stack of environment %s, got %d: each takes one, and one more with a database", MaxAWS, c.Environment, asking)
	}
}

// awsNames checks the names that AWS knows the service's resources by.
func (r *rules) awsNames(c Cluster, a AWS, has owners) {
	name, env, at := r.service.Name, c.names(), r.own(c, "aws")
	short := func(kind, made string, longest int) {
		if over := len(made) - longest; over > 0 {
			r.once(at, fmt.Sprintf("shorten the file's name by %d", over), "must have a name of at most %d characters for its %s in %s, got %s", longest, kind, c.Environment, made)
		}
	}
	if slices.Contains(ReservedStacks, name) {
		r.once(at, "rename the file", "must not have the name of a stack of the platform, got %q", name)
	}
	short("role", env.RoleName(name), longestRole)
	for _, k := range a.of() {
		if k.singleHyphens && strings.Contains(name, "--") {
			r.once(at, "rename the file", "must not have two hyphens in a row, which AWS refuses for its %s, got %q", k.key, name)
		}
		if k.name != nil {
			short(k.key, k.name(a, env, name), k.longest)
		}
		r.unique(c, k, at, has)
	}
}

// owners are the services of an environment that have a resource, by its kind and ARN.
type owners map[string][]string

// ownersOf finds them for all services, which are in order.
func ownersOf(c Cluster, all []Service) owners {
	has := owners{}
	for _, s := range all {
		a := s.Resolve(c).AWS
		if a == nil || !s.Enabled(c.Environment) {
			continue
		}
		for _, k := range a.of() {
			for _, arn := range k.arns(c.names(), s.Name) {
				has[k.key+" "+arn] = append(has[k.key+" "+arn], s.Name)
			}
		}
	}
	return has
}

// unique checks that no other service has a resource of the same kind by the same name: the dead letters of orders are the
// queue of orders-dead.
func (r *rules) unique(c Cluster, k kind, at string, has owners) {
	for _, arn := range k.arns(c.names(), r.service.Name) {
		for _, name := range has[k.key+" "+arn] {
			if name != r.service.Name {
				r.once(at, "rename one of the files", "must not have a %s by the name of another service's, got %s, which %s has", k.key, arn[strings.LastIndex(arn, ":")+1:], name)
			}
		}
	}
}

func (r *rules) database(c Cluster, d *Database, all map[string]Service) {
	if d == nil {
		return
	}
	at := r.own(c, "aws.database.engine")
	switch engines := slices.Sorted(maps.Keys(Engines)); {
	case d.Engine == "":
		r.once(at, "write engine: mysql or engine: postgres", "is missing")
	case !slices.Contains(engines, d.Engine):
		r.once(at, config.Suggest(d.Engine, engines), "must be mysql or postgres, got %q", d.Engine)
	}
	if !c.DatabaseCA {
		r.once(r.own(c, "aws.database"), "set "+config.DatabaseCAFact+" in the environment's facts: docs/guides/your-application.md#certificates",
			"must be in a region whose certificates of RDS are known, got %s of environment %s", c.Region, c.Environment)
	}
	if d.IsShared() {
		r.shared(c, *d, all)
	}
	if d.Snapshot != "" && !config.SnapshotName.MatchString(d.Snapshot) {
		r.once(r.own(c, "aws.database.snapshot"), "give what aws rds describe-db-snapshots shows as DBSnapshotIdentifier or DBSnapshotArn",
			"must be a snapshot of RDS, got %q", d.Snapshot)
	}
	for _, p := range d.Size().Check(c.Protected) {
		r.once(r.own(c, "aws.database"+p.Path), p.Remedy, "%s in environment %s", p.What, c.Environment)
	}
}

func (r *rules) cache(c Cluster, cache *Cache) {
	if cache == nil {
		return
	}
	if node := cache.Node(); !nodeType.MatchString(node) {
		remedy := "give one of ElastiCache, for example cache.t4g.small"
		if nodeType.MatchString("cache." + node) {
			remedy = "write cache." + node
		}
		r.once(r.own(c, "aws.cache.nodeType"), remedy, "must be a node type of ElastiCache, got %q", node)
	}
	replicas := cache.ReplicaCount()
	r.between(r.own(c, "aws.cache.replicas"), replicas, 0, 5, "replicas")
	if replicas == 0 && cache.FailsOver() {
		r.once(r.own(c, "aws.cache.multiAz"), "write replicas: 1 or more, or multiAz: false", "must have a replica that takes over in environment %s, got none", c.Environment)
	}
}

// mail checks who sends, and that nobody else has the identity.
func (r *rules) mail(c Cluster, m *Mail) {
	if m == nil {
		return
	}
	if at := r.own(c, "aws.mail.user"); r.has("", at) && !config.IsMailUser(m.User) {
		r.once(at, "write what comes before the @, in lower case, for example noreply", "must be the first part of a mail address, got %q", m.User)
	}
	switch env, at := c.names(), r.own(c, "aws.mail"); {
	case !env.HasMail():
		r.once(at, "remove it there, and send through another provider", "must not be there in %s: AWS has no SES in China", c.Region)
	case c.GhostMail == env.MailDomain(r.service.Name):
		r.once(at, "rename the file, or change ghost.mail.from in cdk.json", "must have a domain of its own in environment %s, got %s, which is Ghost's", c.Environment, c.GhostMail)
	}
}

func (r *rules) bucket(c Cluster, b *Bucket) {
	if b == nil {
		return
	}
	if at := r.own(c, "aws.bucket.expireDays"); r.has("", at) {
		r.between(at, b.ExpireDays, 1, 36500, "days")
	}
	for i, origin := range b.Origins {
		u, err := url.Parse(origin)
		if at := fmt.Sprintf("%s[%d]", r.own(c, "aws.bucket.origins"), i); err != nil || u.Host == "" || strings.Contains(origin, "*") ||
			u.Scheme+"://"+u.Host != origin || u.Scheme != "https" && u.Hostname() != "localhost" {
			r.once(at, "write it as https://shop.example.com", "must be an origin without path and wildcard, got %q", origin)
		}
	}
}

func (r *rules) queue(c Cluster, q *Queue, all map[string]Service) {
	if q == nil {
		return
	}
	for _, n := range []struct {
		key       string
		value     int
		low, high int
		unit      string
	}{
		{"visibilitySeconds", q.VisibilitySeconds, 1, 43200, "seconds"},
		{"retentionDays", q.RetentionDays, 1, 14, "days"},
		{"maxReceives", q.MaxReceives, 1, 1000, "times"},
	} {
		if at := r.own(c, "aws.queue."+n.key); r.has("", at) {
			r.between(at, n.value, n.low, n.high, n.unit)
		}
	}
	for i, name := range q.Subscribes {
		at := fmt.Sprintf("%s[%d]", r.own(c, "aws.queue.subscribes"), i)
		other, known := all[name]
		switch {
		case slices.Index(q.Subscribes, name) < i:
			r.once(at, "remove one", "must be there once, got %q twice", name)
		case !known:
			r.once(at, "add it with gitops service add "+name+", or correct the name", "must be the name of a service, got %q", name)
		case !other.Enabled(c.Environment):
			r.once(at, "enable it there, or subscribe elsewhere", "must run in environment %s, got %q", c.Environment, name)
		case other.topic(c) == nil:
			r.once(at, fmt.Sprintf("write aws: {topic: {}} in %s", other.File), "must be a service with a topic, got %q", name)
		case q.IsFIFO() != other.topic(c).IsFIFO():
			r.once(at, "write fifo: true at both, or at none", "must have a topic of the queue's kind, FIFO or not, got %q", name)
		case name != r.service.Name && reaches(other, r.service.Name, c, all, map[string]bool{}):
			r.once(at, "remove one of the subscriptions", "must not lead back to the service: %q subscribes to it, directly or through others", name)
		}
	}
}

// topic is the service's topic in an environment; nil without one.
func (s Service) topic(c Cluster) *Topic {
	if a := s.Resolve(c).AWS; a != nil {
		return a.Topic
	}
	return nil
}

// reaches reports whether a service gets the messages of another, directly or through others.
func reaches(from Service, name string, c Cluster, all map[string]Service, seen map[string]bool) bool {
	a := from.Resolve(c).AWS
	if seen[from.Name] || a == nil || a.Queue == nil {
		return false
	}
	seen[from.Name] = true
	return slices.ContainsFunc(a.Queue.Subscribes, func(next string) bool {
		return next == name || reaches(all[next], name, c, all, seen)
	})
}

func (r *rules) table(c Cluster, t *Table) {
	if t == nil {
		return
	}
	if t.PartitionKey == nil {
		r.once(r.own(c, "aws.table.partitionKey"), "write partitionKey: {name: id}", "is missing")
		return
	}
	seen := map[string]bool{}
	attribute := func(key, name string) {
		switch at := r.own(c, key); {
		case !attributeName.MatchString(name):
			r.once(at, "use letters, digits, underscores, dots and hyphens", "must be the name of an attribute, got %q", name)
		case seen[name]:
			r.once(at, "choose another", "must be an attribute of its own, got %q twice", name)
		}
		seen[name] = true
	}
	for key, k := range map[string]*Key{"aws.table.partitionKey": t.PartitionKey, "aws.table.sortKey": t.SortKey} {
		if k == nil {
			continue
		}
		attribute(key+".name", k.Name)
		if types := []string{"", "string", "number", "binary"}; !slices.Contains(types, k.Type) {
			r.once(r.own(c, key+".type"), config.Suggest(k.Type, types[1:]), "must be string, number or binary, got %q", k.Type)
		}
	}
	if t.Expires != "" {
		attribute("aws.table.expires", t.Expires)
	}
}

// generated checks the secrets that AWS makes.
func (r *rules) generated(c Cluster, spec Spec) {
	things, given := map[string]string{}, spec.given(c)
	for _, k := range spec.AWS.of() {
		for _, thing := range k.secrets {
			things[thing] = "aws." + k.key
		}
	}
	for _, name := range slices.Sorted(maps.Keys(spec.AWS.Secrets)) {
		at, thing := r.own(c, "aws.secrets."+name), SecretThing(name)
		_, twice := given[name]
		switch taken := things[thing]; {
		case !variableName.MatchString(name):
			r.once(at, "rename it", "must be named by letters, digits and underscores, got %q", name)
		case twice || name == assets.BucketVariable || name == assets.PrefixVariable:
			r.once(at, "choose another name", "must be a variable of its own, got %s, which aws gives", name)
		case taken != "":
			r.once(at, "choose another name", "must have a path of its own, got %s, that of %s", c.names().SecretName(r.service.Name, thing), taken)
		default:
			things[thing] = name
		}
		if length := r.own(c, "aws.secrets."+name+".length"); r.has("", length) {
			r.between(length, spec.AWS.Secrets[name].Length, 16, 4096, "characters")
		}
	}
}
