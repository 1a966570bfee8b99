package front

import (
	"net/http"
	"strings"
)

// associations answers the API of Pod Identity associations.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html
func (e *clusterAPI) associations(c *call) (any, error) {
	switch {
	case c.key == "" && c.method == http.MethodPost:
		a, err := e.createAssociation(c)
		return object{"association": a}, err
	case c.key == "" && c.method == http.MethodGet:
		list := []any{}
		for _, id := range sortedKeys(c.cluster.Associations) {
			a := c.cluster.Associations[id]
			if matches(c.query.Get("namespace"), a["namespace"]) && matches(c.query.Get("serviceAccount"), a["serviceAccount"]) {
				list = append(list, a)
			}
		}
		return object{"associations": list}, nil
	}
	a := c.cluster.Associations[c.key]
	if a == nil {
		return nil, notFound("Association %s not found in cluster %s", c.key, c.name)
	}
	switch c.method {
	case http.MethodGet:
		return object{"association": a}, nil
	case http.MethodPost:
		c.pick(a, "roleArn", "targetRoleArn", "disableSessionTags")["modifiedAt"] = epoch()
		return object{"association": a}, nil
	case http.MethodDelete:
		delete(c.cluster.Associations, c.key)
		return object{"association": a}, nil
	}
	return nil, unsupported(c)
}

func matches(want string, got any) bool { return want == "" || want == got }

func (e *clusterAPI) createAssociation(c *call) (object, error) {
	for _, k := range []string{"namespace", "serviceAccount", "roleArn"} {
		if c.text(k) == "" {
			return nil, invalidParameter("%s is required", k)
		}
	}
	for _, a := range c.cluster.Associations {
		if a["namespace"] == c.in["namespace"] && a["serviceAccount"] == c.in["serviceAccount"] {
			return nil, fail(http.StatusConflict, "ResourceInUseException", "Association already exists: %v", a["associationId"])
		}
	}
	id := "a-" + randomID(8)
	a := c.pick(object{
		"clusterName": c.name, "associationId": id, "associationArn": e.arn("podidentityassociation", c.name+"/"+id),
		"tags": object{}, "createdAt": epoch(), "modifiedAt": epoch(),
	}, "namespace", "serviceAccount", "roleArn", "targetRoleArn", "tags", "disableSessionTags")
	c.cluster.Associations[id] = a
	return a, nil
}

// role finds the role of a ServiceAccount, "" without an association.
func (e *clusterAPI) role(namespace, serviceAccount string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range sortedKeys(e.Clusters) {
		for _, a := range e.Clusters[name].Associations {
			if a["namespace"] == namespace && a["serviceAccount"] == serviceAccount {
				arn, _ := a["roleArn"].(string)
				return arn
			}
		}
	}
	return ""
}

// podIdentity tells the process node, as the EKS admission webhook would,
// whether a ServiceAccount has a role and where its credentials are.
func (f *Front) podIdentity(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	arn := f.eks.role(q.Get("namespace"), q.Get("serviceaccount"))
	if arn == "" {
		writeFailure(w, notFound("no Pod Identity association for ServiceAccount %s/%s", q.Get("namespace"), q.Get("serviceaccount")))
		return
	}
	writeJSON(w, http.StatusOK, object{"roleArn": arn, "credentialsURL": f.opt.Self + "/_local/credentials"})
}

// credentials is the EKS Pod Identity agent: SDKs call it with the pod's
// ServiceAccount token in Authorization.
func (f *Front) credentials(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimSpace(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if token == "" {
		writeFailure(w, fail(http.StatusBadRequest, "InvalidParameterException", "Service account token cannot be empty"))
		return
	}
	namespace, serviceAccount, err := f.opt.Review(r.Context(), token)
	if err != nil {
		f.opt.Log.Warn("a pod's token was refused", "error", err)
		writeFailure(w, fail(http.StatusUnauthorized, "AccessDeniedException", "%v", err))
		return
	}
	arn := f.eks.role(namespace, serviceAccount)
	if arn == "" {
		writeFailure(w, notFound("no Pod Identity association for ServiceAccount %s/%s", namespace, serviceAccount))
		return
	}
	c, err := f.opt.Assume(r.Context(), arn, "eks-"+serviceAccount+"-"+randomID(6))
	if err != nil {
		f.opt.Log.Warn("a pod's role cannot be assumed", "role", arn, "error", err)
		writeFailure(w, fail(http.StatusServiceUnavailable, "ServiceUnavailableException", "%v", err))
		return
	}
	if err := f.calls.Issued(c.AccessKeyID, arn); err != nil {
		f.opt.Log.Warn("the calls of a role are not noted", "role", arn, "error", err)
	}
	writeJSON(w, http.StatusOK, c)
}
