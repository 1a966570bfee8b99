package front

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
)

// connections answers the CodeConnections API. A connection stays PENDING:
// only a person can complete it, in the console.
// https://docs.aws.amazon.com/codeconnections/latest/APIReference/
type connections struct {
	front *Front
	file  string

	mu    sync.Mutex
	ByARN map[string]*connection `json:"connections"`
}

type connection struct {
	Shape object            `json:"connection"`
	Tags  map[string]string `json:"tags,omitempty"`
}

func newConnections(f *Front) (*connections, error) {
	c := &connections{front: f, file: filepath.Join(f.opt.Dir, "codeconnections.json"), ByARN: map[string]*connection{}}
	if err := load(c.file, c); err != nil {
		return nil, fmt.Errorf("CodeConnections state: %w", err)
	}
	return c, nil
}

func (c *connections) serve(w http.ResponseWriter, r *http.Request) {
	in, _, err := readJSON(r)
	if err != nil {
		writeFailure(w, err)
		return
	}
	target := r.Header.Get("X-Amz-Target")
	c.mu.Lock()
	defer c.mu.Unlock()
	out, err := c.answer(target[strings.LastIndexByte(target, '.')+1:], in, service(r))
	if err == nil {
		err = save(c.file, c)
	}
	if err != nil {
		writeFailure(w, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func (c *connections) answer(action string, in object, service string) (any, error) {
	if action == "CreateConnection" {
		return c.create(in, service)
	}
	if action == "ListConnections" {
		list := []any{}
		for _, arn := range sortedKeys(c.ByARN) {
			list = append(list, c.ByARN[arn].Shape)
		}
		return object{"Connections": list}, nil
	}
	arn, _ := in["ConnectionArn"].(string)
	if arn == "" {
		arn, _ = in["ResourceArn"].(string)
	}
	conn := c.ByARN[arn]
	if conn == nil {
		return nil, fail(http.StatusBadRequest, "ResourceNotFoundException", "Connection %s not found", arn)
	}
	switch action {
	case "GetConnection":
		return object{"Connection": conn.Shape}, nil
	case "DeleteConnection":
		delete(c.ByARN, arn)
		return object{}, nil
	case "TagResource":
		addTags(conn.Tags, in["Tags"])
		return object{}, nil
	case "UntagResource":
		keys, _ := in["TagKeys"].([]any)
		for _, k := range keys {
			if s, ok := k.(string); ok {
				delete(conn.Tags, s)
			}
		}
		return object{}, nil
	case "ListTagsForResource":
		tags := []any{}
		for _, k := range sortedKeys(conn.Tags) {
			tags = append(tags, object{"Key": k, "Value": conn.Tags[k]})
		}
		return object{"Tags": tags}, nil
	}
	return nil, fail(http.StatusBadRequest, "UnsupportedOperationException", "%s is not supported by the local CodeConnections API", action)
}

func (c *connections) create(in object, service string) (any, error) {
	name, _ := in["ConnectionName"].(string)
	if name == "" {
		return nil, fail(http.StatusBadRequest, "InvalidInputException", "ConnectionName is required")
	}
	opt := c.front.opt
	arn := fmt.Sprintf("arn:aws:%s:%s:%s:connection/%s", service, opt.Region, opt.Account, randomID(16))
	conn := &connection{Tags: map[string]string{}, Shape: object{
		"ConnectionName": name, "ConnectionArn": arn, "ProviderType": in["ProviderType"], "OwnerAccountId": opt.Account, "ConnectionStatus": "PENDING",
	}}
	if in["HostArn"] != nil {
		conn.Shape["HostArn"] = in["HostArn"]
	}
	addTags(conn.Tags, in["Tags"])
	c.ByARN[arn] = conn
	return object{"ConnectionArn": arn, "Tags": in["Tags"]}, nil
}

func addTags(to map[string]string, tags any) {
	list, _ := tags.([]any)
	for _, t := range list {
		if o, ok := t.(object); ok {
			k, _ := o["Key"].(string)
			v, _ := o["Value"].(string)
			to[k] = v
		}
	}
}
