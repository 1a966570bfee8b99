package services

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"k8s-plus-aws-gitops/config"
)

// Registration is what the platform's repository holds of a service that has a repository of its own, beside what it may
// have: Settings.Limits, Host and AWS.
type Registration struct {
	// Repository is its address. It makes the file a registration.
	Repository string `yaml:"repository"`
	// Owner answers for it: a team or user of the forge, such as @my-company/orders, or a mail address. Required.
	Owner string `yaml:"owner"`
	// Publisher is what a tag there starts: PublisherGitHub or PublisherCodeBuild. Default for a repository on GitHub:
	// PublisherGitHub. Elsewhere there is none, and its CI publishes with credentials of its own.
	Publisher string `yaml:"publisher"`
}

// What publishes a service of a repository of its own.
const (
	// PublisherGitHub is a workflow there. It signs in to AWS by OpenID Connect, and reads the service's own token for manifests.
	PublisherGitHub = "github"
	// PublisherCodeBuild is a project of the platform, which alone has a token.
	PublisherCodeBuild = "codebuild"
)

// Registered reports whether the service has a repository of its own.
func (r Registration) Registered() bool { return r.Repository != "" }

// github is a repository there.
var github = regexp.MustCompile(`^(?:https|ssh)://(?:[^@/]*@)?github\.com/([A-Za-z0-9-]+/[A-Za-z0-9._-]+?)(?:\.git)?/?$`)

// GitHub is the repository as OWNER/NAME; empty elsewhere.
func (r Registration) GitHub() string {
	if match := github.FindStringSubmatch(r.Repository); match != nil {
		return match[1]
	}
	return ""
}

// PublishedBy is its Publisher, with the default; empty without one.
func (r Registration) PublishedBy() string {
	if r.GitHub() == "" {
		return ""
	}
	return cmp.Or(r.Publisher, PublisherGitHub)
}

// Publishers are the repositories on GitHub, as OWNER/NAME, of the services that are registered in an environment and that
// publisher publishes, by name.
func Publishers(all []Service, environment, publisher string) map[string]string {
	found := map[string]string{}
	for _, s := range all {
		if repository := s.GitHub(); repository != "" && s.PublishedBy() == publisher && s.Enabled(environment) {
			found[s.Name] = repository
		}
	}
	return found
}

// Limits are what a service in a repository of its own may have at most.
type Limits struct {
	// Replicas is the largest number of pods. Default 3.
	Replicas int `yaml:"replicas"`
	// CPU that one pod may request. Default 500m.
	CPU string `yaml:"cpu"`
	// Memory of one pod. Default 512Mi.
	Memory string `yaml:"memory"`
}

// limits are those of a registration, with defaults.
func (s Spec) limits() Limits {
	l := Limits{}
	if s.Limits != nil {
		l = *s.Limits
	}
	return Limits{Replicas: cmp.Or(l.Replicas, 3), CPU: cmp.Or(l.CPU, "500m"), Memory: cmp.Or(l.Memory, "512Mi")}
}

// Quota is what the namespace of a registered service may have, by the keys of a ResourceQuota. It holds for whatever is
// pushed to the service's branch. It is twice the limits: the pods of the old version count until they have drained, while
// those of the new one are there already.
func (s Spec) Quota() map[string]string {
	l := s.limits()
	pods := int64(2 * l.Replicas)
	cpu, memory := resource.MustParse(l.CPU), resource.MustParse(l.Memory) // checked by Load
	return map[string]string{
		"pods":            resource.NewQuantity(pods, resource.DecimalSI).String(),
		"requests.cpu":    resource.NewMilliQuantity(pods*cpu.MilliValue(), resource.DecimalSI).String(),
		"limits.memory":   resource.NewQuantity(pods*memory.Value(), resource.BinarySI).String(),
		"requests.memory": resource.NewQuantity(pods*memory.Value(), resource.BinarySI).String(),
	}
}

// owner is a team or user of the forge, or a mail address.
var owner = regexp.MustCompile(`^(@[A-Za-z0-9-]+(/[A-Za-z0-9._-]+)?|[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+\.[A-Za-z]+)$`)

// registrable are the keys that a registration may have. Everything else is of the service's own file.
var registrable = []string{"repository", "owner", "limits", "host", "aws", "environments", "enabled"}

// registration checks that a file is a registration or a service's file, and not some of both.
func (r *rules) registration() {
	if !r.has("", "repository") {
		for _, key := range []string{"owner", "limits", "publisher"} {
			r.misplaced(key, "remove it, or write repository: https://…, where the service's own file is", "must be there together with repository only")
		}
		r.misplaced("uses", "remove it: with aws in the same file, the pods use all of it", "must be in the file of a service in a repository of its own")
		return
	}
	s := r.service
	if what, remedy := checkAddress(s.Repository); what != "" || strings.Contains(s.Repository, "$") {
		what = cmp.Or(what, fmt.Sprintf("must be the address of a repository, got %q", s.Repository)) // Flux replaces variables in the fleet
		r.add("repository", cmp.Or(remedy, "leave them out: CI clones with its own"), "%s", what)
	}
	switch {
	case s.Owner == "" && !r.has("", "owner"):
		r.add("owner", "write owner: @my-company/team, or a mail address", "is missing")
	case !owner.MatchString(s.Owner):
		r.add("owner", `write "@my-company/team", or a mail address`, "must be a team, a user or a mail address, got %q", s.Owner)
	}
	known := []string{PublisherGitHub, PublisherCodeBuild}
	switch set := r.has("", "publisher"); {
	case set && !slices.Contains(known, s.Publisher):
		r.add("publisher", config.Suggest(s.Publisher, known), "must be github or codebuild, got %q", s.Publisher)
	case set && s.GitHub() == "":
		r.add("publisher", "remove it, and publish from the CI of that repository", "must be of a repository on github.com, got %q", s.Repository)
	}
	for _, key := range slices.Sorted(maps.Keys(fields(reflect.ValueOf(&Difference{}).Elem()))) {
		if !slices.Contains(registrable, key) {
			r.misplaced(key, "move it to "+OwnFile+" in that repository", "must not be in a registration: the service's own file says it")
		}
	}
	r.misplaced("aws.assets", "serve them from its image, or upload them to a bucket of its own, aws: {bucket: {}}", "must not be there for a service in a repository of its own")
}

// misplaced notes a problem wherever a key is.
func (r *rules) misplaced(key, remedy, what string) {
	for _, at := range r.everywhere(key) {
		r.add(at, remedy, "%s", what)
	}
}

// everywhere are the places at which a key stands: above, and in environments.
func (r *rules) everywhere(key string) []string {
	var places []string
	if r.has("", key) {
		places = append(places, key)
	}
	for _, environment := range slices.Sorted(maps.Keys(r.service.Environments)) {
		if at := "environments." + environment; r.has(at, key) {
			places = append(places, join(at, key))
		}
	}
	return places
}

func (r *rules) limits(at string, l *Limits) {
	if l == nil {
		return
	}
	if l.Replicas < 0 || l.Replicas > 100 || l.Replicas == 0 && r.has(at, "replicas") {
		r.add(join(at, "replicas"), "choose another", "must be from 1 to 100, got %d", l.Replicas)
	}
	// Less than what a pod gets that asks for nothing would be too little for any.
	r.quantity(join(at, "cpu"), l.CPU, "50m", "64", "500m")
	r.quantity(join(at, "memory"), l.Memory, "128Mi", "256Gi", "512Mi")
}

func (r *rules) uses(at string, uses []string) {
	known := AWSKeys()
	for i, key := range uses {
		item := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case !slices.Contains(known, key):
			r.add(item, config.Suggest(key, known), "must be a key of aws, got %q", key)
		case slices.Index(uses, key) < i:
			r.add(item, "remove one", "must be there once, got %q twice", key)
		}
	}
}
