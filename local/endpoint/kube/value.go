package kube

import (
	"bytes"
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/jsonpath"

	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// pollValue is the interval between two looks at an object. The provider on AWS
// looks every 10 s; the local server may be asked more often.
const pollValue = 250 * time.Millisecond

// readValue waits until the JSON path of an object yields something and
// returns it as the attribute Value, as `kubectl get -o jsonpath` prints it.
func (h handlers) readValue(ctx context.Context, r *resources.Request, p resources.Properties) (resources.Result, error) {
	seconds, ok := p.Int("TimeoutSeconds")
	if !ok {
		return resources.Result{}, fmt.Errorf("TimeoutSeconds: got %q, want a number of seconds", p.String("TimeoutSeconds"))
	}
	path := jsonpath.New("value").AllowMissingKeys(true)
	if err := path.Parse("{" + p.String("JsonPath") + "}"); err != nil {
		return resources.Result{}, fmt.Errorf("JsonPath: %w", err)
	}
	c, err := h.connect(r)
	if err != nil {
		return resources.Result{}, err
	}
	object := p.String("ObjectType") + "/" + p.String("ObjectName")
	limit := time.Duration(seconds) * time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s has no %s after %s", object, p.String("JsonPath"), limit))
	defer cancel()

	var value, reason string
	err = poll(ctx, pollValue, func() (bool, error) {
		// Every error may pass: the kind may not exist yet, nor the object.
		value, reason = c.value(ctx, p, path)
		return value != "", nil
	})
	if err != nil {
		return resources.Result{}, fmt.Errorf("%w%s", err, reason)
	}
	return resources.Result{ID: r.Name(255, false), Attributes: map[string]any{"Value": value}}, nil
}

// value reads the path once; without a value it returns the reason.
func (c *cluster) value(ctx context.Context, p resources.Properties, path *jsonpath.JSONPath) (value, reason string) {
	mapping, err := c.mappingFor(p.String("ObjectType"))
	if err != nil {
		c.mapper.Reset()
		return "", ": " + err.Error()
	}
	o, err := c.in(mapping, p.String("ObjectNamespace")).Get(ctx, p.String("ObjectName"), metav1.GetOptions{})
	if err != nil {
		return "", ": " + err.Error()
	}
	var out bytes.Buffer
	if err := path.Execute(&out, o.Object); err != nil {
		return "", ": " + err.Error()
	}
	return out.String(), conditions(o)
}
