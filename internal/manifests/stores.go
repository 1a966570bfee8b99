package manifests

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// secretStore is what is read of a ClusterSecretStore: the namespaces that may use it are those of any condition, or all when
// there is none, see https://external-secrets.io/latest/api/clustersecretstore/.
type secretStore struct {
	Spec struct {
		Conditions []struct {
			Namespaces        []string              `json:"namespaces"`
			NamespaceRegexes  []string              `json:"namespaceRegexes"`
			NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector"`
		} `json:"conditions"`
	} `json:"spec"`
}

// allows reports whether a namespace may use the store. The labels are nil where the repository does not make the namespace:
// then a condition on labels may hold.
func (s secretStore) allows(namespace string, its labels.Set) bool {
	for _, c := range s.Spec.Conditions {
		if slices.Contains(c.Namespaces, namespace) {
			return true
		}
		for _, pattern := range c.NamespaceRegexes {
			if matched, err := regexp.MatchString(pattern, namespace); err == nil && matched {
				return true
			}
		}
		if c.NamespaceSelector == nil {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(c.NamespaceSelector)
		if err != nil || its == nil || selector.Matches(its) {
			return true // what a selector should be like is the schema's to say
		}
	}
	return len(s.Spec.Conditions) == 0
}

// stores reports each ExternalSecret whose namespace may not use its store: external-secrets would say so in the cluster alone,
// while the pods wait for the Secret.
func (c *check) stores() {
	stores, namespaces := map[string]secretStore{}, map[string]labels.Set{}
	for _, a := range c.arrived {
		switch {
		case a.kind() == "ClusterSecretStore":
			var s secretStore
			if content, err := json.Marshal(a.object); err == nil && json.Unmarshal(content, &s) == nil {
				stores[a.name()] = s
			}
		case key(a.object) == "v1/Namespace":
			its := labels.Set{}
			if all, ok := value(a.object, "metadata", "labels").(map[string]any); ok {
				for name := range all {
					its[name] = text(all, name)
				}
			}
			namespaces[a.name()] = its
		}
	}
	for _, a := range c.arrived {
		if a.kind() != "ExternalSecret" || text(a.object, "spec", "secretStoreRef", "kind") != "ClusterSecretStore" {
			continue
		}
		name := text(a.object, "spec", "secretStoreRef", "name")
		if s, made := stores[name]; made && !s.allows(a.namespace(), namespaces[a.namespace()]) {
			c.path, c.files = a.path, a.files
			c.report(a.object, fmt.Sprintf("namespace %s may not use the ClusterSecretStore %s", a.namespace(), name),
				"give the namespace the labels of one of the store's spec.conditions")
		}
	}
}
