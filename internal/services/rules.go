package services

import (
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
	problems Problems
	// hosts are the paths of hosts that were found to be another's.
	hosts map[string]bool
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
	r.problems = append(r.problems, Problem{File: r.service.File, Line: r.line(at), What: fmt.Sprintf(format, args...), Remedy: remedy})
}

// name is also the name of the namespace and of the Service, which is a DNS name that starts with a letter.
func (r *rules) name() {
	name := r.service.Name
	switch {
	case len(validation.IsDNS1035Label(name)) > 0:
		r.add("", "rename the file: lower case letters, digits and hyphens, starting with a letter", "%q is no name for a service", name)
	case len(name) > longestName:
		r.add("", fmt.Sprintf("rename the file: at most %d characters", longestName), "%q has %d characters", name, len(name))
	case slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, name):
		r.add("", "rename the file", "%q is a word that YAML reads as something else", name)
	case slices.Contains(Reserved, name) || strings.HasPrefix(name, "kube-"):
		r.add("", "rename the file", "%q is a name of the platform", name)
	}
}

// settings checks what is there, each value by itself.
func (r *rules) settings(at string, s Settings) {
	r.image(at, s.Image)
	if s.Port != 0 || r.has(at, "port") {
		if s.Port < 1024 || s.Port > 65535 {
			r.add(join(at, "port"), "use 1024 to 65535; the container runs without root, and clients use port 80 of the Service", "port %d cannot be listened on", s.Port)
		}
	}
	if s.User != nil && (*s.User < 1 || *s.User > 65535) {
		r.add(join(at, "user"), "use a number from 1 to 65535; 0 would be root", "user %d is not allowed", *s.User)
	}
	if s.Replicas != nil && (*s.Replicas < 0 || *s.Replicas > 100) {
		r.add(join(at, "replicas"), "use 0 to 100", "replicas %d is out of range", *s.Replicas)
	}
	if s.Replicas != nil && s.Autoscale != nil {
		r.add(join(at, "autoscale"), "remove one of them", "replicas and autoscale exclude each other")
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
}

func (r *rules) has(at, key string) bool {
	_, ok := r.service.lines[join(at, key)]
	return ok
}

func (r *rules) image(at, image string) {
	if image == "" {
		if r.has(at, "image") {
			r.add(join(at, "image"), "name an image, for example registry.example.com/team/app:1.2.3", "image is empty")
		}
		return
	}
	match := imagePattern.FindStringSubmatch(image)
	switch {
	case match == nil || strings.Contains(image, "://"):
		r.add(join(at, "image"), "write it as registry.example.com/team/app:1.2.3", "image %q is no image reference", image)
	case match[1] == "latest" && match[2] == "":
		r.add(join(at, "image"), "name a version: what latest means changes without a commit", "image %q is not pinned", image)
	case match[1] == "" && match[2] == "":
		r.add(join(at, "image"), "append a version, for example :1.2.3, or a digest", "image %q is not pinned", image)
	}
}

func (r *rules) autoscale(at string, a *Autoscale) {
	switch {
	case a == nil:
	case a.Min < 1:
		r.add(join(at, "min"), "use 1 or more", "autoscale.min %d is too small", a.Min)
	case a.Max < a.Min:
		r.add(join(at, "max"), "make it larger, or use replicas", "autoscale.max %d is below min %d", a.Max, a.Min)
	case a.Max > 100:
		r.add(join(at, "max"), "use at most 100", "autoscale.max %d is out of range", a.Max)
	case a.CPU != 0 && (a.CPU < 10 || a.CPU > 100), a.CPU == 0 && r.has(at, "cpu"):
		r.add(join(at, "cpu"), "use 10 to 100, in percent", "autoscale.cpu %d is out of range", a.CPU)
	}
}

func (r *rules) health(at string, h *Health) {
	switch {
	case h == nil:
	case !healthPath.MatchString(h.Path):
		r.add(join(at, "path"), "write the path of a URL, for example /healthz", "health.path %q is no path", h.Path)
	case h.StartSeconds < 0 || h.StartSeconds > 600 || h.StartSeconds == 0 && r.has(at, "startSeconds"):
		r.add(join(at, "startSeconds"), "use 1 to 600", "health.startSeconds %d is out of range", h.StartSeconds)
	}
}

func (r *rules) environment(at string, variables map[string]string) {
	for name, value := range variables {
		switch _, unknown := expand(value, Cluster{}.variables()); {
		case name == assets.BucketVariable || name == assets.PrefixVariable:
			r.add(join(at, name), "choose another name", "environment %s is set for services with static files", name)
		case !variableName.MatchString(name):
			r.add(join(at, name), "use letters, digits and underscores", "environment %q is no name for a variable", name)
		case unknown != "":
			r.add(join(at, name), "use ${ENVIRONMENT}, ${DOMAIN}, ${AWS_REGION} or ${AWS_ACCOUNT_ID}; write $${ for the text itself", "environment %s: nothing is called %s", name, unknown)
		case secretName.MatchString(name):
			r.add(join(at, name), "move it to secrets, which reads AWS Secrets Manager", "environment %s looks like a secret in Git", name)
		}
	}
}

func (r *rules) secret(at, name string, s Secret) {
	expanded, unknown := expand(s.Path, Cluster{Environment: "x"}.variables())
	switch {
	case name == assets.BucketVariable || name == assets.PrefixVariable:
		r.add(at, "choose another name", "secrets %s is set for services with static files", name)
	case !variableName.MatchString(name):
		r.add(at, "use letters, digits and underscores", "secrets %q is no name for a variable", name)
	case s.Path == "":
		r.add(at, fmt.Sprintf("write path: /${ENVIRONMENT}/%s/…", r.service.Name), "secrets %s has no path", name)
	case unknown != "" || !secretPath.MatchString(expanded) || path.Clean(expanded) != expanded:
		r.add(join(at, "path"), fmt.Sprintf("write /${ENVIRONMENT}/%s/… without dots and wildcards", r.service.Name), "secrets %s: %q is no path of a secret", name, s.Path)
	case s.Key != "" && !secretKey.MatchString(s.Key):
		r.add(join(at, "key"), "use letters, digits, dots, hyphens and underscores", "secrets %s: %q is no key", name, s.Key)
	}
}

func (r *rules) host(at, host string) {
	switch {
	case host == "":
	case strings.Contains(host, "${"), strings.HasSuffix(host, "."):
		r.add(at, "write the part before the environment's domain only", "host %q names the domain", host)
	case len(validation.IsDNS1123Subdomain(host)) > 0 || len(host) > 63:
		r.add(at, "use lower case letters, digits and hyphens, without scheme and port", "host %q is no host name", host)
	case slices.Contains(ReservedHosts, host):
		r.add(at, "choose another", "host %q is the platform's", host)
	}
}

func (r *rules) quantity(at, text, low, high, example string) {
	what := at[strings.LastIndexByte(at, '.')+1:]
	if text == "" {
		return
	}
	quantity, err := resource.ParseQuantity(text)
	switch {
	case err != nil:
		r.add(at, fmt.Sprintf("write it as %q", example), "%s %q is no quantity", what, text)
	case quantity.Cmp(resource.MustParse(low)) < 0 || quantity.Cmp(resource.MustParse(high)) > 0:
		r.add(at, fmt.Sprintf("use %s to %s, for example %s", low, high, example), "%s %q is out of range", what, text)
	}
}

func (r *rules) calls(at string, calls []string) {
	for i, name := range calls {
		item := fmt.Sprintf("%s[%d]", join(at, "calls"), i)
		switch {
		case name == r.service.Name:
			r.add(item, "remove it; pods of one service may always connect to each other", "calls names the service itself")
		case slices.Index(calls, name) < i:
			r.add(item, "remove one", "calls names %q twice", name)
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
	if spec.Image == "" {
		r.add("", "write image: registry.example.com/team/app:1.2.3", "image is missing")
	}
	if spec.Port == 0 && !r.has("", "port") && !r.has(at, "port") {
		r.add("", "write port: 8080, or what the container listens on", "port is missing")
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Secrets)) {
		where := "secrets." + name
		if r.has(at, where) {
			where = join(at, where)
		}
		if _, both := spec.Environment[name]; both {
			r.add(where, "remove one", "%s is in environment and in secrets", name)
		}
		own := "/" + c.Environment + "/" + r.service.Name + "/"
		if secret := spec.Secrets[name]; !strings.HasPrefix(secret.Path, own) || secret.Path == own {
			r.add(where+".path", fmt.Sprintf("use a path below /${ENVIRONMENT}/%s/", r.service.Name), "secrets %s: %s is outside %s in environment %s", name, secret.Path, own, c.Environment)
		}
	}
	if full := spec.Host + "." + c.Domain; spec.Host != "" && len(full) > 253 {
		r.add(join(at, "host"), "shorten it", "host %s has %d characters", full, len(full))
	}
}

// config checks fleet.yaml.
func (d *decoder) config(c Config) {
	if c.URL == "" {
		d.add(d.lines[""], "write url: https://github.com/my-company/manifests.git", "url is missing")
	}
	d.source("", c.URL, c.SecretRef, c.Interval)
	for name, e := range c.Environments {
		d.source("environments."+name, e.URL, e.SecretRef, e.Interval)
	}
	at := d.lines["branch"]
	branch, unknown := expand(first(c.Branch, defaultBranch), map[string]string{"ENVIRONMENT": "dev", "SERVICE": "npm"})
	switch {
	case unknown != "" || !strings.Contains(c.Branch+defaultBranch, "${SERVICE}") || c.Branch != "" && !strings.Contains(c.Branch, "${SERVICE}"):
		d.add(at, "use "+defaultBranch+" or ${SERVICE}", "branch %q does not name the service", c.Branch)
	case !regexp.MustCompile(`^[A-Za-z0-9]+([/._-][A-Za-z0-9]+)*$`).MatchString(branch) || strings.HasSuffix(branch, ".lock"):
		d.add(at, "use "+defaultBranch+" or ${SERVICE}", "branch %q is no name for a branch", c.Branch)
	}
}

func (d *decoder) source(at, address, secret, interval string) {
	if u, err := url.Parse(address); address != "" && (err != nil || !slices.Contains([]string{"https", "http", "ssh"}, u.Scheme) || u.Host == "" || u.Path == "") {
		d.add(d.lines[join(at, "url")], "write https://…, ssh://… or, on this machine, http://…localhost/…", "url %q is no address of a repository", address)
	} else if address != "" && u.User != nil && u.Scheme != "ssh" {
		d.add(d.lines[join(at, "url")], "put the credentials in a Secret and name it in secretRef", "url holds credentials")
	} else if address != "" && u.Scheme == "http" && u.Hostname() != "localhost" && !strings.HasSuffix(u.Hostname(), ".localhost") {
		d.add(d.lines[join(at, "url")], "use https", "url %q is not encrypted", address)
	}
	if secret != "" && len(validation.IsDNS1123Subdomain(secret)) > 0 {
		d.add(d.lines[join(at, "secretRef")], "name a Secret of namespace services", "secretRef %q is no name", secret)
	}
	if interval == "" {
		return
	}
	if parsed, err := time.ParseDuration(interval); err != nil || parsed < 10*time.Second || parsed > 24*time.Hour {
		d.add(d.lines[join(at, "interval")], "use 10s to 24h, for example 30s", "interval %q is out of range", interval)
	}
}
