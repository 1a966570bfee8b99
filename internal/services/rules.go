package services

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/services/assets"
)

// longestName leaves room for what is appended to a service's name within the 63 characters of a label.
const longestName = 50

// Reserved are names that services cannot have: the namespaces of the platform and of Kubernetes itself. A test holds
// the list to k8s/.
var Reserved = []string{"default", "external-dns", "external-secrets", "flux-system", "ghost", "kube-node-lease", "kube-public", "kube-system", "main", "services"}

// ReservedHosts are hosts of the platform.
var ReservedHosts = []string{"flux", "ghost"}

const component = `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`

var (
	// imagePattern is the grammar of image references; its groups are the tag and the digest.
	imagePattern = regexp.MustCompile(`^(?:[a-z0-9]+(?:[.-]+[a-z0-9]+)*(?::\d+)?/)?` + component + `(?:/` + component + `)*(?::(\w[\w.-]{0,127}))?(?:@(sha256:[a-f0-9]{64}))?$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// secretName matches variables whose value would be a secret in Git, in the manifests and in every log of them.
	secretName = regexp.MustCompile(`(?i)(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)$`)
	secretPath = regexp.MustCompile(`^/[A-Za-z0-9/_+=.@-]+$`)
	secretKey  = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	healthPath = regexp.MustCompile(`^/[A-Za-z0-9/_.~%!$&'()*+,;=:@?-]*$`)
)

// rules collects what is wrong with one service.
type rules struct {
	service  Service
	problems config.Problems
}

// line is where a path stands in the file, or the nearest path above it.
func (r *rules) line(at string) int {
	for ; ; at = at[:max(strings.LastIndexByte(at, '.'), 0)] {
		if line, ok := r.service.lines[at]; ok {
			return line
		}
		if at == "" {
			return 1
		}
	}
}

func (r *rules) add(at, remedy, format string, args ...any) {
	r.problems = append(r.problems, config.Problem{File: r.service.File, Line: r.line(at), Path: at, What: fmt.Sprintf(format, args...), Remedy: remedy})
}

// name is also the name of the namespace and of the Service, which is a DNS name that starts with a letter.
func (r *rules) name() {
	name := r.service.Name
	switch {
	case len(validation.IsDNS1035Label(name)) > 0:
		r.add("", "rename the file", "must be named by lower case letters, digits and hyphens, starting with a letter, got %q", name)
	case len(name) > longestName:
		r.add("", "rename the file", "must have a name of at most %d characters, got %d", longestName, len(name))
	case slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, name):
		r.add("", "rename the file", "must not be named by a word that YAML reads as something else, got %q", name)
	case slices.Contains(Reserved, name) || IsSharedApp(name) || strings.HasPrefix(name, "kube-"):
		r.add("", "rename the file", "must not have a name of the platform, got %q", name)
	}
}

// settings checks what is there, each value by itself.
func (r *rules) settings(at string, s Settings) {
	r.image(at, s.Image)
	if s.Port != 0 || r.has(at, "port") {
		if s.Port < 1024 || s.Port > 65535 {
			r.add(join(at, "port"), "choose another: the container runs without root, and clients use port 80 of the Service", "must be from 1024 to 65535, got %d", s.Port)
		}
	}
	if s.User != nil && (*s.User < 1 || *s.User > 65535) {
		r.add(join(at, "user"), "choose another: 0 would be root", "must be from 1 to 65535, got %d", *s.User)
	}
	if s.Replicas != nil && (*s.Replicas < 0 || *s.Replicas > 100) {
		r.add(join(at, "replicas"), "choose another, or use autoscale", "must be from 0 to 100, got %d", *s.Replicas)
	}
	if s.Replicas != nil && s.Autoscale != nil {
		r.add(join(at, "autoscale"), "remove one of them", "must not be there together with replicas")
	}
	r.autoscale(join(at, "autoscale"), s.Autoscale)
	r.health(join(at, "health"), s.Health)
	r.environment(join(at, "environment"), s.Environment)
	for name, secret := range s.Secrets {
		r.secret(join(at, "secrets."+name), name, secret)
	}
	r.host(join(at, "host"), s.Host)
	if s.Resources != nil {
		r.quantity(join(at, "resources.cpu"), s.Resources.CPU, "5m", "64", "100m")
		r.quantity(join(at, "resources.memory"), s.Resources.Memory, "8Mi", "256Gi", "128Mi")
	}
	r.calls(at, s.Calls)
	r.limits(join(at, "limits"), s.Limits)
	r.uses(join(at, "uses"), s.Uses)
	r.migrate(at, s.Migrate)
}

// migrate is the same in every environment: the commits that carry it go from one to the next.
func (r *rules) migrate(at string, m *Migrate) {
	here := join(at, "migrate")
	switch {
	case m == nil:
	case at != "":
		r.add(here, "write it once, beside image", "must not differ between environments")
	case m.Version < 1:
		r.add(join(here, "version"), "begin with 1, and add one for each migration", "must be at least 1, got %d", m.Version)
	case m.Phase != Expand && m.Phase != Contract:
		r.add(join(here, "phase"), "write expand where the version before still works with the schema, else contract", "must be expand or contract, got %q", m.Phase)
	case len(m.Command) == 0 || slices.Contains(m.Command, ""):
		r.add(join(here, "command"), "write it as [node, migrate.js]", "must be a command without empty words")
	case m.Image != "":
		r.image(here, m.Image)
	}
}

func (r *rules) has(at, key string) bool {
	_, ok := r.service.lines[join(at, key)]
	return ok
}

func (r *rules) image(at, image string) {
	if image == "" {
		if r.has(at, "image") {
			r.add(join(at, "image"), "name an image, for example registry.example.com/team/app:1.2.3", "is empty")
		}
		return
	}
	match := imagePattern.FindStringSubmatch(image)
	switch {
	case match == nil || strings.Contains(image, "://"):
		r.add(join(at, "image"), "write it as registry.example.com/team/app:1.2.3", "must be an image reference, got %q", image)
	case match[1] == "latest" && match[2] == "":
		r.add(join(at, "image"), "name a version: what latest means changes without a commit", "must be pinned, got %q", image)
	case match[1] == "" && match[2] == "":
		r.add(join(at, "image"), "append a version, for example :1.2.3, or a digest", "must be pinned, got %q", image)
	}
}

func (r *rules) autoscale(at string, a *Autoscale) {
	switch {
	case a == nil:
	case a.Min < 1:
		r.add(join(at, "min"), "raise it, or use replicas", "must be at least 1, got %d", a.Min)
	case a.Max < a.Min:
		r.add(join(at, "max"), "raise it, or use replicas", "must be at least min, %d, got %d", a.Min, a.Max)
	case a.Max > 100:
		r.add(join(at, "max"), "lower it", "must be at most 100, got %d", a.Max)
	case a.CPU != 0 && (a.CPU < 10 || a.CPU > 100), a.CPU == 0 && r.has(at, "cpu"):
		r.add(join(at, "cpu"), "write it in percent, for example 70", "must be from 10 to 100, got %d", a.CPU)
	}
}

func (r *rules) health(at string, h *Health) {
	switch {
	case h == nil:
	case !healthPath.MatchString(h.Path):
		r.add(join(at, "path"), "write it as /healthz", "must be the path of a URL, got %q", h.Path)
	case h.StartSeconds < 0 || h.StartSeconds > 600 || h.StartSeconds == 0 && r.has(at, "startSeconds"):
		r.add(join(at, "startSeconds"), "write it in seconds, for example 60", "must be from 1 to 600, got %d", h.StartSeconds)
	}
}

func (r *rules) environment(at string, variables map[string]string) {
	for name, value := range variables {
		switch _, unknown := expand(value, Cluster{}.variables()); {
		case name == assets.BucketVariable || name == assets.PrefixVariable:
			r.add(join(at, name), "choose another name", "must not be set here: services with static files get it")
		case !variableName.MatchString(name):
			r.add(join(at, name), "rename it", "must be named by letters, digits and underscores, got %q", name)
		case unknown != "":
			r.add(join(at, name), "use ${ENVIRONMENT}, ${DOMAIN}, ${AWS_REGION} or ${AWS_ACCOUNT_ID}; write $${ for the text itself", "must use known variables, got %s", unknown)
		case secretName.MatchString(name):
			r.add(join(at, name), "move it to secrets, which reads AWS Secrets Manager", "must not be here if it is a secret, as %s seems to be", name)
		}
	}
}

func (r *rules) secret(at, name string, s Secret) {
	expanded, unknown := expand(s.Path, Cluster{Environment: "x"}.variables())
	switch {
	case name == assets.BucketVariable || name == assets.PrefixVariable:
		r.add(at, "choose another name", "must not be set here: services with static files get it")
	case !variableName.MatchString(name):
		r.add(at, "rename it", "must be named by letters, digits and underscores, got %q", name)
	case s.Path == "":
		r.add(at, fmt.Sprintf("write path: /${ENVIRONMENT}/%s/…", r.service.Name), "must have a path")
	case unknown != "" || !secretPath.MatchString(expanded) || path.Clean(expanded) != expanded:
		r.add(join(at, "path"), fmt.Sprintf("write /${ENVIRONMENT}/%s/… without dots and wildcards", r.service.Name), "must be the path of a secret, got %q", s.Path)
	case s.Key != "" && !secretKey.MatchString(s.Key):
		r.add(join(at, "key"), "write the key alone", "must be letters, digits, dots, hyphens and underscores, got %q", s.Key)
	}
}

func (r *rules) host(at, host string) {
	switch {
	case host == "":
	case strings.Contains(host, "${"), strings.HasSuffix(host, "."):
		r.add(at, "write the part before the environment's domain only", "must not name the domain, got %q", host)
	case len(validation.IsDNS1123Subdomain(host)) > 0 || len(host) > 63:
		r.add(at, "use lower case letters, digits and hyphens, without scheme and port", "must be a host name, got %q", host)
	case slices.Contains(ReservedHosts, host):
		r.add(at, "choose another", "must not be a host of the platform, got %q", host)
	}
}

func (r *rules) quantity(at, text, low, high, example string) {
	if text == "" {
		return
	}
	quantity, err := resource.ParseQuantity(text)
	switch {
	case err != nil:
		r.add(at, fmt.Sprintf("write it as %q", example), "must be a quantity, got %q", text)
	case quantity.Cmp(resource.MustParse(low)) < 0 || quantity.Cmp(resource.MustParse(high)) > 0:
		r.add(at, fmt.Sprintf("use for example %q", example), "must be from %s to %s, got %q", low, high, text)
	}
}

func (r *rules) calls(at string, calls []string) {
	for i, name := range calls {
		item := fmt.Sprintf("%s[%d]", join(at, "calls"), i)
		switch {
		case name == r.service.Name:
			r.add(item, "remove it; pods of one service may always connect to each other", "must not be the service itself")
		case slices.Index(calls, name) < i:
			r.add(item, "remove one", "must be there once, got %q twice", name)
		}
	}
}

// merged checks what only shows once an environment's differences are applied.
func (r *rules) merged(c Cluster) {
	at := ""
	if _, ok := r.service.Environments[c.Environment]; ok {
		at = "environments." + c.Environment
	}
	spec := r.service.Resolve(c)
	if spec.Image == "" && !r.service.Registered() {
		r.add("image", "write image: registry.example.com/team/app:1.2.3", "is missing")
	}
	if spec.Port == 0 && !r.service.Registered() && !r.has("", "port") && !r.has(at, "port") {
		r.add("port", "write port: 8080, or what the container listens on", "is missing")
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Secrets)) {
		where := "secrets." + name
		if r.has(at, where) {
			where = join(at, where)
		}
		if _, both := spec.Environment[name]; both {
			r.add(where, "remove one", "must not be in environment and in secrets")
		}
		own := "/" + c.Environment + "/" + r.service.Name + "/"
		if secret := spec.Secrets[name]; !strings.HasPrefix(secret.Path, own) || secret.Path == own {
			r.add(where+".path", fmt.Sprintf("use a path below /${ENVIRONMENT}/%s/", r.service.Name), "must be below %s in environment %s, got %s", own, c.Environment, secret.Path)
		}
	}
	if full := spec.Host + "." + c.Domain; spec.Host != "" && len(full) > 253 {
		r.add(join(at, "host"), "shorten it", "must have at most 253 characters with its domain, got %d in %s", len(full), full)
	}
}

// config checks fleet.yaml.
func (d *decoder) config(c Config) {
	if c.URL == "" {
		d.add("url", d.lines[""], "write url: https://github.com/my-company/manifests.git", "is missing")
	}
	d.source("", c.URL, c.SecretRef, c.Interval)
	d.publish("publish", c.Publish, c.For(""))
	for name, e := range c.Environments {
		d.source("environments."+name, e.URL, e.SecretRef, e.Interval)
		if e.Publish != "" || e.Propose != nil {
			d.publish("environments."+name+".publish", e.Publish, c.For(name))
		}
	}
	at := d.lines["branch"]
	branch, unknown := expand(cmp.Or(c.Branch, defaultBranch), map[string]string{"ENVIRONMENT": "dev", "SERVICE": "npm"})
	switch {
	case unknown != "" || !strings.Contains(c.Branch+defaultBranch, "${SERVICE}") || c.Branch != "" && !strings.Contains(c.Branch, "${SERVICE}"):
		d.add("branch", at, "use "+defaultBranch+" or ${SERVICE}", "must name the service, got %q", c.Branch)
	case !regexp.MustCompile(`^[A-Za-z0-9]+([/._-][A-Za-z0-9]+)*$`).MatchString(branch) || strings.HasSuffix(branch, ".lock"):
		d.add("branch", at, "use "+defaultBranch+" or ${SERVICE}", "must be the name of a branch, got %q", c.Branch)
	}
}

// publish checks what publishes. A proposal would leave the pods as they are while the deployment goes on to remove what they use.
func (d *decoder) publish(at string, given Publish, of Source) {
	line := cmp.Or(d.lines[at], d.lines[strings.TrimSuffix(at, "publish")+"propose"])
	switch {
	case given != "" && given != PublishMerge && given != PublishTag:
		d.add(at, line, "write one of them", "must be merge or tag, got %q", given)
	case of.ByMerge() && of.Propose:
		d.add(at, line, "leave propose out, because the deployment has been approved, or set publish: tag", "must not be merge where propose is true")
	}
}

func (d *decoder) source(at, address, secret, interval string) {
	if address != "" {
		d.address(join(at, "url"), address)
	}
	if key := join(at, "secretRef"); secret != "" && len(validation.IsDNS1123Subdomain(secret)) > 0 {
		d.add(key, d.lines[key], "name a Secret of namespace services", "must be the name of a Secret, got %q", secret)
	}
	if interval == "" {
		return
	}
	if parsed, err := time.ParseDuration(interval); err != nil || parsed < 10*time.Second || parsed > 24*time.Hour {
		key := join(at, "interval")
		d.add(key, d.lines[key], "write for example 30s", "must be from 10s to 24h, got %q", interval)
	}
}

// address checks the URL of the manifests repository.
func (d *decoder) address(at, address string) {
	if what, remedy := checkAddress(address); what != "" {
		d.add(at, d.lines[at], cmp.Or(remedy, "put the credentials in a Secret and name it in secretRef"), "%s", what)
	}
}

// checkAddress says what is wrong with the URL of a repository. Where credentials have to go, the caller knows.
func checkAddress(address string) (what, remedy string) {
	u, err := url.Parse(address)
	switch {
	case err != nil || !slices.Contains([]string{"https", "http", "ssh"}, u.Scheme) || u.Host == "" || u.Path == "":
		return fmt.Sprintf("must be the address of a repository, got %q", address), "write https://…, ssh://… or, on this machine, http://…localhost/…"
	case u.User != nil && u.Scheme != "ssh":
		return "must not hold credentials", ""
	case u.Scheme == "http" && u.Hostname() != "localhost" && !strings.HasSuffix(u.Hostname(), ".localhost"):
		return fmt.Sprintf("must be encrypted, got %q", address), "use https"
	}
	return "", ""
}
