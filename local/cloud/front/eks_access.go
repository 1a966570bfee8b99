package front

import (
	"net/http"
)

// accessEntries answers the API of access entries and their policies.
func (e *clusterAPI) accessEntries(c *call) (any, error) {
	switch {
	case c.key == "" && c.method == http.MethodPost:
		return e.createEntry(c)
	case c.key == "" && c.method == http.MethodGet:
		return object{"accessEntries": sortedKeys(c.cluster.Entries)}, nil
	}
	entry := c.cluster.Entries[c.key]
	if entry == nil {
		return nil, notFound("The specified principalArn could not be found. You may need to create an access entry: %s", c.key)
	}
	if c.sub == "access-policies" {
		return e.accessPolicies(c)
	}
	switch c.method {
	case http.MethodGet:
		return object{"accessEntry": entry}, nil
	case http.MethodPost:
		c.pick(entry, "kubernetesGroups", "username")["modifiedAt"] = epoch()
		return object{"accessEntry": entry}, nil
	case http.MethodDelete:
		delete(c.cluster.Entries, c.key)
		delete(c.cluster.Policies, c.key)
		return object{}, nil
	}
	return nil, unsupported(c)
}

func (e *clusterAPI) createEntry(c *call) (any, error) {
	principal := c.text("principalArn")
	if principal == "" {
		return nil, invalidParameter("principalArn is required")
	}
	if c.cluster.Entries[principal] != nil {
		return nil, fail(http.StatusConflict, "ResourceInUseException", "The specified access entry resource is already in use on this cluster.")
	}
	entry := c.pick(object{
		"clusterName": c.name, "principalArn": principal, "accessEntryArn": e.arn("access-entry", c.name+"/"+randomID(16)),
		"kubernetesGroups": []any{}, "tags": object{}, "username": principal, "type": "STANDARD", "createdAt": epoch(), "modifiedAt": epoch(),
	}, "kubernetesGroups", "tags", "username", "type")
	c.cluster.Entries[principal] = entry
	return object{"accessEntry": entry}, nil
}

func (e *clusterAPI) accessPolicies(c *call) (any, error) {
	list := c.cluster.Policies[c.key]
	arn := c.id
	if arn == "" {
		arn = c.text("policyArn")
	}
	others := []any{}
	for _, p := range list {
		if o, ok := p.(object); ok && o["policyArn"] != arn {
			others = append(others, p)
		}
	}
	switch c.method {
	case http.MethodGet:
		return object{"clusterName": c.name, "principalArn": c.key, "associatedAccessPolicies": append([]any{}, list...)}, nil
	case http.MethodPost:
		policy := object{"policyArn": arn, "accessScope": c.in["accessScope"], "associatedAt": epoch(), "modifiedAt": epoch()}
		c.cluster.Policies[c.key] = append(others, policy)
		return object{"clusterName": c.name, "principalArn": c.key, "associatedAccessPolicy": policy}, nil
	case http.MethodDelete:
		c.cluster.Policies[c.key] = others
		return object{}, nil
	}
	return nil, unsupported(c)
}

// addons answers the API of EKS add-ons. They are recorded: what they would
// install, the local loop brings itself.
func (e *clusterAPI) addons(c *call) (any, error) {
	switch {
	case c.key == "" && c.method == http.MethodPost:
		return e.createAddon(c)
	case c.key == "" && c.method == http.MethodGet:
		return object{"addons": sortedKeys(c.cluster.Addons)}, nil
	}
	addon := c.cluster.Addons[c.key]
	if addon == nil {
		return nil, notFound("No addon: %s found in cluster: %s", c.key, c.name)
	}
	switch {
	case c.method == http.MethodGet:
		return object{"addon": addon}, nil
	case c.method == http.MethodPost && c.sub == "update":
		if err := e.ownAssociations(c, addon); err != nil {
			return nil, err
		}
		c.pick(addon, "addonVersion", "serviceAccountRoleArn", "configurationValues")["modifiedAt"] = epoch()
		return c.update("AddonUpdate"), nil
	case c.method == http.MethodDelete:
		c.dropAssociations(addon)
		delete(c.cluster.Addons, c.key)
		return object{"addon": addon}, nil
	}
	return nil, unsupported(c)
}

// defaultAddonVersion is told for an add-on without a version; which one EKS
// would choose is not known here.
const defaultAddonVersion = "v1.0.0-eksbuild.1"

func (e *clusterAPI) createAddon(c *call) (any, error) {
	name := c.text("addonName")
	if name == "" {
		return nil, invalidParameter("addonName is required")
	}
	if c.cluster.Addons[name] != nil {
		return nil, fail(http.StatusConflict, "ResourceInUseException", "Addon already exists.")
	}
	addon := c.pick(object{
		"addonName": name, "clusterName": c.name, "status": "ACTIVE", "addonVersion": defaultAddonVersion,
		"addonArn": e.arn("addon", c.name+"/"+name+"/"+randomID(16)), "createdAt": epoch(), "modifiedAt": epoch(),
		"health": object{"issues": []any{}}, "tags": object{},
	}, "addonVersion", "serviceAccountRoleArn", "configurationValues", "tags", "namespaceConfig")
	if err := e.ownAssociations(c, addon); err != nil {
		return nil, err
	}
	c.cluster.Addons[name] = addon
	return object{"addon": addon}, nil
}

// addonNamespace is where the ServiceAccounts of EKS's own add-ons are.
const addonNamespace = "kube-system"

// ownAssociations makes the Pod Identity associations that a request gives its
// add-on; they live as long as the add-on names them.
func (e *clusterAPI) ownAssociations(c *call, addon object) error {
	given, ok := c.in["podIdentityAssociations"].([]any)
	if !ok {
		return nil
	}
	c.dropAssociations(addon)
	arns := []any{}
	for _, g := range given {
		in, _ := g.(object)
		own := &call{name: c.name, cluster: c.cluster, in: object{"namespace": addonNamespace, "serviceAccount": in["serviceAccount"], "roleArn": in["roleArn"]}}
		a, err := e.createAssociation(own)
		if err != nil {
			return err
		}
		a["ownerArn"] = addon["addonArn"]
		arns = append(arns, a["associationArn"])
	}
	addon["podIdentityAssociations"] = arns
	return nil
}

func (c *call) dropAssociations(addon object) {
	for id, a := range c.cluster.Associations {
		if a["ownerArn"] != nil && a["ownerArn"] == addon["addonArn"] {
			delete(c.cluster.Associations, id)
		}
	}
}
