package services

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/services/iam"
)

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

// belongs returns the service whose resource an ARN covers, or the instance that services share, and the kind of the resource.
func belongs(arn, self string, c Cluster, all map[string]Service) (service, what string) {
	env := c.names()
	for _, name := range append(slices.Sorted(maps.Keys(all)), sharedApps()...) {
		if name == self {
			continue
		}
		for _, k := range kinds {
			if slices.ContainsFunc(k.arns(env, name), func(own string) bool { return covers(arn, own) }) {
				return name, k.key
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
