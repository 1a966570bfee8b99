package resources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

func init() {
	Register(&Type{
		Name: "Custom::DatabaseUser",
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			return r.callFunction(ctx, "Create", "", p, nil)
		},
		Update: func(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
			return r.callFunction(ctx, "Update", id, updated, old)
		},
		Delete: func(ctx context.Context, r *Request, id string, p Properties) error {
			_, err := r.callFunction(ctx, "Delete", id, p, nil)
			return err
		},
	})
}

// callFunction asks a custom resource's function for an operation, and returns what it answers at the address that it is
// given: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
func (r *Request) callFunction(ctx context.Context, operation, id string, p, old Properties) (Result, error) {
	if r.Invoke == nil {
		return Result{}, errors.New("no function runs here")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return Result{}, err
	}
	var answer struct {
		Status, Reason, PhysicalResourceId string //nolint:revive // CloudFormation's names
		Data                               map[string]any
	}
	answered := errors.New("the function answered nothing")
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		answered = json.NewDecoder(io.LimitReader(request.Body, 4<<10)).Decode(&answer) // CloudFormation's limit
	})}
	go func() { _ = server.Serve(listener) }()
	event, err := json.Marshal(map[string]any{
		"RequestType": operation, "ResponseURL": "http://" + listener.Addr().String() + "/", "StackId": r.StackID, "RequestId": r.Name(36, true),
		"ResourceType": r.Type, "LogicalResourceId": r.LogicalID, "PhysicalResourceId": id, "ResourceProperties": p, "OldResourceProperties": old,
	})
	if err == nil {
		_, err = r.Invoke(ctx, p.String("ServiceToken"), event)
	}
	// The answer was written before the function returned; Shutdown waits for its handler.
	if err = errors.Join(err, server.Shutdown(ctx)); err != nil {
		return Result{ID: id}, err
	}
	if answered != nil {
		return Result{ID: id}, answered
	}
	if answer.Status != "SUCCESS" {
		return Result{ID: id}, fmt.Errorf("received response status [%s] from custom resource. Message returned: %s", answer.Status, answer.Reason)
	}
	return Result{ID: answer.PhysicalResourceId, Attributes: answer.Data}, nil
}
