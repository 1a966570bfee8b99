package risk

import (
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/review/kubediff"
)

// secretsGroup is the API group of external-secrets.
const secretsGroup = "external-secrets.io"

// secretRules are about secrets outside of the cluster.
var secretRules = []objectRule{
	{
		name: "secret-of-others", kind: Secrets,
		finds:  "an ExternalSecret or PushSecret with a path outside of the agreed `/<environment>/<app>/` of its own environment and application, or from another store",
		means:  "the application gets, or writes, what is not its own",
		remedy: "store the secret under the application's own path, and name that",
		find:   findSecret,
	},
	{
		name: "secret-store-wider", kind: Secrets,
		finds:  "a SecretStore or ClusterSecretStore that is new, reads elsewhere or as somebody else, or that more namespaces may use",
		means:  "more secrets can be read, or by more applications",
		remedy: "name the namespaces that need it, and leave the provider to the controller's own role",
		find:   findStore,
	},
}

// findSecret finds keys that are new and not the application's own.
func findSecret(s *scene, p kubediff.Pair) []string {
	if p.Now == nil || group(p.Now) != secretsGroup || strings.HasSuffix(p.Now.Kind, "SecretStore") {
		return nil
	}
	var old []string
	if p.Old != nil {
		old = keys(p.Old.Values)
	}
	var found []string
	for _, key := range fresh(old, keys(p.Now.Values)) {
		if says := s.foreign(p.Now, key); says != "" {
			found = append(found, fmt.Sprintf("names %q, which %s", key, says))
		}
	}
	if p.Old != nil {
		before, after := field(p.Old.Values, "spec", "secretStoreRef"), field(p.Now.Values, "spec", "secretStoreRef")
		if before != nil && !equal(before, after) {
			found = append(found, fmt.Sprintf("reads from the store %s instead of %s", storeName(after), storeName(before)))
		}
	}
	return found
}

func storeName(ref any) string {
	values, _ := ref.(map[string]any)
	kind, _ := values["kind"].(string)
	name, _ := values["name"].(string)
	return strings.TrimSpace(kind + " " + name)
}

// keyFields are where objects of external-secrets name a secret: the field, and what holds it.
var keyFields = map[string][]string{"key": {"remoteRef", "extract"}, "path": {"find"}, "remoteKey": {"remoteRef"}}

// keys lists the secrets that an object names, wherever it does: another version of the API has them elsewhere. A search
// without a path is one from the root.
func keys(node any) []string {
	var found []string
	var walk func(parent string, node any)
	walk = func(parent string, node any) {
		switch values := node.(type) {
		case map[string]any:
			for name, value := range values {
				if text, ok := value.(string); ok && slices.Contains(keyFields[name], parent) {
					found = append(found, text)
				}
				walk(name, value)
			}
			if parent == "find" && values["path"] == nil {
				found = append(found, "/")
			}
		case []any:
			for _, value := range values {
				walk(parent, value)
			}
		}
	}
	walk("", node)
	slices.Sort(found)
	return slices.Compact(found)
}

// foreign says whose a key is if it is not the object's own. The namespace is the application's name: labels are for whoever
// writes the object to choose. Flux's namespace is flux-system.
func (s *scene) foreign(o *manifests.Object, key string) string {
	environment := config.Environment{Name: s.environment}
	own := environment.SecretName("", "")
	if !strings.HasPrefix(key, strings.TrimSuffix(own, "/")) || strings.Contains(key, "..") {
		return "is not of this environment"
	}
	for _, app := range []string{o.Namespace, strings.TrimSuffix(o.Namespace, "-system")} {
		if app != "" && strings.HasPrefix(key, environment.SecretName(app, "")) {
			return ""
		}
	}
	return "is another application's"
}

// findStore finds a store that is wider.
func findStore(s *scene, p kubediff.Pair) []string {
	if p.Now == nil || !is(p.Now, secretsGroup, "SecretStore", "ClusterSecretStore") {
		return nil
	}
	if p.Old == nil {
		return []string{"is new"}
	}
	var found []string
	if !equal(field(p.Old.Values, "spec", "provider"), field(p.Now.Values, "spec", "provider")) {
		found = append(found, "has another provider, or another way to sign in there")
	}
	old, now := conditions(p.Old), conditions(p.Now)
	switch added := fresh(old, now); {
	case len(old) > 0 && len(now) == 0:
		found = append(found, "may be used in every namespace")
	case len(old) > 0 && len(added) > 0:
		found = append(found, "may also be used in "+strings.Join(added, ", "))
	}
	return found
}

// conditions lists the namespaces that may use a store, in words; none if all may.
func conditions(o *manifests.Object) []string {
	all, _ := field(o.Values, "spec", "conditions").([]any)
	var found []string
	for _, condition := range all {
		values, _ := condition.(map[string]any)
		for name, value := range values {
			one, isList := value.([]any)
			if !isList {
				one = []any{value}
			}
			for _, v := range one {
				if name == "namespaces" {
					found = append(found, fmt.Sprintf("the namespace %v", v))
				} else {
					found = append(found, fmt.Sprintf("namespaces with %s %s", name, compact(v)))
				}
			}
		}
	}
	slices.Sort(found)
	return found
}
