package services

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/services/iam"
)

// ReservedStacks are the names of the platform's own stacks and roles after the environment, beside those of Reserved.
var ReservedStacks = []string{"network", "cluster", "delivery", "images"}

// Limits of AWS for names.
const (
	longestBucket   = 63 // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
	longestInstance = 63 // https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
	longestRole     = 64 // https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
	longestQueue    = 80 // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
)

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,255}$`)
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
func (r *rules) aws(c Cluster, spec Spec, all map[string]Service) {
	a := spec.AWS
	if a == nil {
		return
	}
	r.awsNames(c, *a)
	r.database(c, a.Database)
	r.bucket(c, a.Bucket)
	r.queue(c, a.Queue, all)
	r.table(c, a.Table)
	r.generated(c, spec)
	for i, s := range a.Policy {
		r.statement(c, fmt.Sprintf("%s[%d]", r.own(c, "aws.policy"), i), s, all)
	}
	for _, name := range slices.Sorted(maps.Keys(spec.given(c))) {
		for _, where := range []string{"environment.", "secrets."} {
			if at := r.own(c, where+name); r.has("", at) {
				r.once(at, "remove it, or choose another name", "must not be set here: aws gives it")
			}
		}
	}
}

// awsNames checks the names that AWS knows the service's resources by.
func (r *rules) awsNames(c Cluster, a AWS) {
	name, env, at := r.service.Name, c.names(), r.own(c, "aws")
	short := func(kind, made string, longest int) {
		if over := len(made) - longest; over > 0 {
			r.once(at, fmt.Sprintf("shorten the file's name by %d", over), "must have a name of at most %d characters for its %s in %s, got %s", longest, kind, c.Environment, made)
		}
	}
	switch {
	case slices.Contains(ReservedStacks, name):
		r.once(at, "rename the file", "must not have the name of a stack of the platform, got %q", name)
	case a.Database != nil && strings.Contains(name, "--"):
		r.once(at, "rename the file", "must not have two hyphens in a row, which RDS refuses, got %q", name)
	}
	short("role", env.RoleName(name), longestRole)
	if a.Database != nil {
		short("database", env.DatabaseIdentifier(name), longestInstance)
	}
	if a.Bucket != nil {
		short("bucket", env.BucketName(name, BucketThing), longestBucket)
	}
	if a.Queue != nil {
		short("queue", env.DeadLetterName(name, a.Queue.IsFIFO()), longestQueue)
	}
}

func (r *rules) database(c Cluster, d *Database) {
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
	for _, p := range d.Size().Check(c.Protected) {
		r.once(r.own(c, "aws.database"+p.Path), p.Remedy, "%s in environment %s", p.What, c.Environment)
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
	things := map[string]string{}
	if spec.AWS.Database != nil {
		things[DatabaseThing] = "aws.database"
	}
	for _, name := range slices.Sorted(maps.Keys(spec.AWS.Secrets)) {
		at, thing := r.own(c, "aws.secrets."+name), SecretThing(name)
		switch taken := things[thing]; {
		case !variableName.MatchString(name):
			r.once(at, "rename it", "must be named by letters, digits and underscores, got %q", name)
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

// statement checks what else the role may do: it is narrow, and nobody else's.
func (r *rules) statement(c Cluster, at string, s Statement, all map[string]Service) {
	if len(s.Actions) == 0 {
		r.once(join(at, "actions"), "write for example actions: [s3:GetObject]", "is missing")
	}
	if len(s.Resources) == 0 {
		r.once(join(at, "resources"), "write the ARNs that it is about", "is missing")
	}
	everything := slices.Equal(s.Resources, []string{"*"})
	for i, action := range s.Actions {
		r.action(fmt.Sprintf("%s.actions[%d]", at, i), action, everything)
	}
	if everything {
		return
	}
	for i, resource := range s.Resources {
		item := fmt.Sprintf("%s.resources[%d]", at, i)
		switch arn, unknown := expand(resource, c.variables()); {
		case unknown != "":
			r.once(item, "use ${ENVIRONMENT}, ${DOMAIN}, ${AWS_REGION} or ${AWS_ACCOUNT_ID}", "must use known variables, got %s", unknown)
		case !resourceARN.MatchString(arn):
			r.once(item, "write an ARN without a wildcard before the resource's name", "must be the ARN of a resource, got %q", resource)
		default:
			if other, what := belongs(arn, r.service.Name, c, all); other != "" {
				r.once(item, "let that service do it, or send it a message", "must not be another service's, got %q, which covers the %s of %s", resource, what, other)
			}
		}
	}
}

// action checks one action of a statement, which is about named resources or about everything.
func (r *rules) action(at, action string, everything bool) {
	service, name, _ := strings.Cut(action, ":")
	narrow, wide := iam.Find(action)
	switch {
	case !actionName.MatchString(action):
		r.once(at, "write it as s3:GetObject", "must be an action of IAM by its name, got %q", action)
	case slices.Contains([]string{"iam", "sts", "organizations", "account"}, service):
		r.once(at, "remove it: a service must not widen its own rights", "must not be an action of %s, got %q", service, action)
	case len(iam.Actions(service)) == 0:
		r.once(at, config.Suggest(service, iam.Prefixes()), "must be an action of a service that IAM has, got %q", action)
	case !narrow && !wide:
		r.once(at, config.Suggest(strings.TrimSuffix(name, "*"), iam.Actions(service)), "must be an action that IAM has, got %q", action)
	case everything && narrow:
		r.once(at, "write the ARNs that it is about", "must not be for all resources, for it can be allowed for some, got %q", action)
	case !everything && !narrow:
		r.once(at, `write it in a statement of its own, with resources: ["*"]`, "must be for all resources, for IAM knows none that it could be allowed for, got %q", action)
	}
}

// belongs returns the service whose resource an ARN covers, and the kind of the resource.
func belongs(arn, self string, c Cluster, all map[string]Service) (service, what string) {
	env := c.names()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if name == self {
			continue
		}
		for _, r := range []struct{ what, arn string }{
			{"secrets", env.ARN("secretsmanager", "secret:"+env.SecretName(name, ""))},
			{"bucket", env.ARN("s3", env.BucketName(name, BucketThing))},
			{"queue", env.ARN("sqs", env.QueueName(name, false))},
			{"dead letters", env.ARN("sqs", env.DeadLetterName(name, false))},
			{"topic", env.ARN("sns", env.TopicName(name, false))},
			{"table", env.ARN("dynamodb", "table/"+env.TableName(name))},
		} {
			if covers(arn, r.arn) {
				return name, r.what
			}
		}
	}
	return "", ""
}

// covers reports whether a pattern may be about a resource or about something in it. What stands before the first wildcard
// decides: what comes after it can be anything, and a key of a bucket is no reason to let a pattern of its name pass.
func covers(pattern, resource string) bool {
	if i := strings.IndexAny(pattern, "*?"); i >= 0 && strings.HasPrefix(resource, pattern[:i]) {
		return true
	}
	rest, in := strings.CutPrefix(pattern, resource)
	return in && (rest == "" || strings.HasSuffix(resource, "/") || strings.ContainsRune("/.*?", rune(rest[0])))
}
