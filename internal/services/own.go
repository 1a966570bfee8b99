package services

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"k8s-plus-aws-gitops/config"
)

// OwnFile is a service's file in a repository of its own.
const OwnFile = "service.yaml"

// AWSKeys are the keys of aws, in order.
func AWSKeys() []string {
	return slices.Sorted(maps.Keys(fields(reflect.ValueOf(&AWS{}).Elem())))
}

// Own puts together a service of its own file and of its registration, which is in the fleet by the same name, as it is in
// one environment. The error is config.Problems where the file is wrong in any environment in which the service is registered:
// among them, where it asks for more than the registration gives.
func (f Fleet) Own(name string, content []byte, environment string) (Service, error) {
	registered, known := f.Service(name)
	c, place := f.Cluster(environment)
	switch {
	case !known || !registered.Registered():
		return Service{}, fmt.Errorf("%s/%s.yaml of the platform's repository must register the service with repository; add it there by a pull request", FilesDir, name)
	case !place || !registered.Enabled(environment):
		return Service{}, fmt.Errorf("%s: must be registered in environment %s, which must be in cdk.json and enabled; change the registration by a pull request", registered.File, environment)
	}
	d := &decoder{file: OwnFile, lines: map[string]int{}}
	var doc document
	d.document(content, &doc)
	own := Service{Name: name, File: OwnFile, Settings: doc.Settings, Environments: doc.Environments, lines: d.lines}
	r := &rules{service: own, problems: d.problems}
	if len(r.problems) == 0 {
		r.settings("", own.Settings)
		for environment, difference := range own.Environments {
			r.settings("environments."+environment, difference.Settings)
		}
		r.ownKeys(registered, f.Names())
	}
	if len(r.problems) == 0 {
		r.granted(f, own, registered)
	}
	return own.with(registered, c), r.problems.Sorted().Err()
}

// ownKeys refuses what is the registration's to say.
func (r *rules) ownKeys(registered Service, environments []string) {
	for _, key := range []string{"repository", "owner", "limits", "publisher", "enabled"} {
		r.misplaced(key, "change it in "+registered.File+" of the platform's repository", "must not be here: the registration says it")
	}
	r.misplaced("aws", "ask for it in "+registered.File+" of the platform's repository, and write for example uses: [database] here", "must not be here: the registration says what the service has in AWS")
	for name := range r.service.Environments {
		if !slices.Contains(environments, name) {
			r.add("environments."+name, config.Suggest(name, environments), "must be an environment of the platform's cdk.json, got %q", name)
		}
	}
}

// granted checks the own file in each environment against the registration, and as a service of the fleet.
func (r *rules) granted(f Fleet, own, registered Service) {
	all := map[string]Service{}
	for _, s := range f.Services {
		all[s.Name] = s
	}
	for _, c := range f.Clusters {
		if !registered.Enabled(c.Environment) {
			continue
		}
		r.service = own.with(registered, c)
		spec := r.service.Resolve(c)
		r.merged(c)
		r.neighbours(c, all, map[string]string{})
		r.aws(c, spec, all, ownersOf(c, f.Services))
		r.within(c, spec, registered.Resolve(c))
	}
}

// with is the service with those of the registration's resources that it uses in an environment.
func (s Service) with(registered Service, c Cluster) Service {
	uses := s.Settings.merge(s.Environments[c.Environment].Settings).Uses
	s.Settings.AWS = registered.Resolve(c).AWS.only(uses)
	return s
}

// Keys are those of what a service has, in order.
func (a *AWS) Keys() []string {
	return slices.DeleteFunc(AWSKeys(), func(key string) bool { return a.only([]string{key}) == nil })
}

// only has the keys that are named; nil without any.
func (a *AWS) only(keys []string) *AWS {
	if a == nil || len(keys) == 0 {
		return nil
	}
	rest := *a
	for key, field := range fields(reflect.ValueOf(&rest).Elem()) {
		if !slices.Contains(keys, key) {
			field.SetZero()
		}
	}
	if reflect.ValueOf(rest).IsZero() {
		return nil
	}
	return &rest
}

// within checks what a service asks for against what its registration gives in an environment.
func (r *rules) within(c Cluster, spec, registered Spec) {
	file, l := FilesDir+"/"+spec.Name+".yaml", registered.limits()
	more := func(key, remedy, format string, args ...any) {
		r.once(r.own(c, key), fmt.Sprintf("%s, or ask for more in %s of the platform's repository", remedy, file), format, args...)
	}
	switch {
	case spec.Host != "" && registered.Host == "":
		more("host", "remove it", "must be a registered one in environment %s, where there is none, got %q", c.Environment, spec.Host)
	case spec.Host != "" && spec.Host != registered.Host:
		more("host", "write the registered one", "must be %q, as registered in environment %s, got %q", registered.Host, c.Environment, spec.Host)
	}
	switch {
	case spec.Autoscale != nil && spec.Autoscale.Max > l.Replicas:
		more("autoscale.max", "lower it", "must be at most %d, as registered in environment %s, got %d", l.Replicas, c.Environment, spec.Autoscale.Max)
	case spec.Replicas != nil && *spec.Replicas > l.Replicas:
		more("replicas", "lower it", "must be at most %d, as registered in environment %s, got %d", l.Replicas, c.Environment, *spec.Replicas)
	}
	if pod := spec.Resources; pod != nil {
		for key, pair := range map[string][2]string{"resources.cpu": {pod.CPU, l.CPU}, "resources.memory": {pod.Memory, l.Memory}} {
			if beyond(pair[0], pair[1]) {
				more(key, "lower it", "must be at most %s, as registered in environment %s, got %q", pair[1], c.Environment, pair[0])
			}
		}
	}
	for i, key := range spec.Uses {
		if registered.AWS.only([]string{key}) == nil {
			r.once(fmt.Sprintf("%s[%d]", r.own(c, "uses"), i), fmt.Sprintf("write aws: {%s: …} in %s of the platform's repository, or remove it", key, file), "must be in the registration's aws in environment %s, got %q", c.Environment, key)
		}
	}
}

// beyond compares two quantities, of which the first may be left out.
func beyond(asked, limit string) bool {
	if asked == "" {
		return false
	}
	quantity := resource.MustParse(asked) // checked by rules.quantity
	return quantity.Cmp(resource.MustParse(limit)) > 0
}
