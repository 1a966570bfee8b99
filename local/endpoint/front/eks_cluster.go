package front

import (
	"encoding/json"
	"maps"
	"net/http"
)

// kept are the fields of CreateCluster that DescribeCluster returns as given.
var kept = []string{
	"version", "resourcesVpcConfig", "kubernetesNetworkConfig", "logging", "encryptionConfig", "accessConfig",
	"upgradePolicy", "zonalShiftConfig", "deletionProtection", "computeConfig", "storageConfig", "controlPlaneScalingConfig",
}

// serveCluster answers CreateCluster, DescribeCluster and DeleteCluster with
// moto's answer, completed.
func (e *clusterAPI) serveCluster(w http.ResponseWriter, r *http.Request, name []string) {
	in, raw, err := readJSON(r)
	if err != nil {
		writeFailure(w, err)
		return
	}
	if r.Method == http.MethodDelete && e.protected(name[0]) {
		writeFailure(w, fail(http.StatusBadRequest, "InvalidRequestException", "Cluster %s has deletion protection enabled", name[0]))
		return
	}
	answer, ok := e.front.ask(w, r, raw)
	if !ok {
		return
	}
	var body struct {
		Cluster object `json:"cluster"`
	}
	if json.Unmarshal(answer, &body) != nil || body.Cluster == nil {
		_, _ = w.Write(answer)
		return
	}
	id, _ := body.Cluster["name"].(string)
	if err := e.remember(r.Method, id, in, body.Cluster); err != nil {
		writeFailure(w, err)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

func (e *clusterAPI) protected(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.Clusters[name]
	return c != nil && c.Given["deletionProtection"] == true
}

// remember keeps what a request said and lays it over moto's answer.
func (e *clusterAPI) remember(method, name string, in, answer object) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.Clusters[name]
	if c == nil || method == http.MethodPost {
		c = newCluster()
		e.Clusters[name] = c
	}
	if method == http.MethodPost {
		for _, k := range kept {
			if v, ok := in[k]; ok {
				c.Given[k] = v
			}
		}
	}
	merge(answer, c.Given)
	answer["status"], answer["endpoint"] = "ACTIVE", e.front.opt.ClusterEndpoint
	answer["certificateAuthority"] = object{"data": e.front.opt.ClusterCA}
	if method == http.MethodDelete {
		answer["status"] = "DELETING"
		delete(e.Clusters, name)
	}
	if method == http.MethodGet {
		return nil
	}
	return e.save()
}

// merge lays b over a, objects field by field.
func merge(a, b object) {
	for k, v := range b {
		into, isObject := a[k].(object)
		from, fromObject := v.(object)
		if isObject && fromObject {
			merge(into, from)
			continue
		}
		if fromObject {
			v = maps.Clone(from)
		}
		a[k] = v
	}
}

// updateConfig answers UpdateClusterConfig: the change is there at once.
func (e *clusterAPI) updateConfig(c *call) (any, error) {
	if c.method != http.MethodPost {
		return nil, unsupported(c)
	}
	kind := "EndpointAccessUpdate"
	for _, k := range kept {
		if v, ok := c.in[k]; ok {
			merge(c.cluster.Given, object{k: v})
			if k != "resourcesVpcConfig" {
				kind = "ConfigUpdate"
			}
		}
	}
	return c.update(kind), nil
}

// updates answers UpdateClusterVersion and DescribeUpdate.
func (e *clusterAPI) updates(c *call) (any, error) {
	switch {
	case c.method == http.MethodPost && c.key == "":
		c.cluster.Given["version"] = c.text("version")
		return c.update("VersionUpdate"), nil
	case c.method == http.MethodGet && c.key == "":
		return object{"updateIds": sortedKeys(c.cluster.Updates)}, nil
	case c.method == http.MethodGet && c.cluster.Updates[c.key] != nil:
		return object{"update": c.cluster.Updates[c.key]}, nil
	}
	return nil, notFound("No update found for ID: %s", c.key)
}

// maxUpdates bounds the history of updates that is kept for DescribeUpdate.
const maxUpdates = 200

func (c *call) update(kind string) object {
	u := object{"id": randomID(16), "status": "Successful", "type": kind, "params": []any{}, "createdAt": epoch(), "errors": []any{}}
	if len(c.cluster.Updates) >= maxUpdates {
		clear(c.cluster.Updates)
	}
	id, _ := u["id"].(string)
	c.cluster.Updates[id] = u
	return object{"update": u}
}
