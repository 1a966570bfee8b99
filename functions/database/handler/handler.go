// Package handler is the function of a database: it makes the users of the application, and changes their password. CloudFormation calls it
// when it makes the database, Secrets Manager for each step of a rotation.
//
// Where it works is in its environment: SECRET (the ARN of the secret that it rotates, and of no other), MASTER_SECRET (the
// ARN of the administrator's), SHARED (the name of the database, where the instance is that of several applications), and
// NAMESPACE, SECRET_NAME and CLUSTER, where the pods are that read the secret.
package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"k8s-plus-aws-gitops/functions/database/announce"
	"k8s-plus-aws-gitops/functions/database/rotation"
	"k8s-plus-aws-gitops/internal/rdsca"
)

// Serve serves the calls of Lambda. It returns only if it cannot start.
func Serve(c aws.Config) error {
	certificates, err := authorities(c.Region)
	if err != nil {
		return err
	}
	h := handler{&rotation.Rotator{
		Secrets: secretsmanager.NewFromConfig(c), Secret: os.Getenv("SECRET"), Master: os.Getenv("MASTER_SECRET"), Authorities: certificates,
		Shared: os.Getenv("SHARED"), Announce: announced(c),
	}}
	lambda.Start(h.handle)
	return nil
}

// authorities are the certificates by which the server is known: Amazon's, or those of the file DATABASE_CA, which stands in
// their place in the laboratory.
func authorities(region string) ([]byte, error) {
	if file := os.Getenv("DATABASE_CA"); file != "" {
		return os.ReadFile(file)
	}
	bundle := rdsca.Bundle(region)
	if len(bundle) == 0 {
		return nil, fmt.Errorf("no certificates of Amazon RDS are known for region %q", region)
	}
	return bundle, nil
}

// announced tells the cluster of a new password.
func announced(c aws.Config) func(context.Context, string) error {
	pods := announce.Pods{AWS: c, Cluster: os.Getenv("CLUSTER"), Namespace: os.Getenv("NAMESPACE"), SecretName: os.Getenv("SECRET_NAME")}
	return pods.Announce
}

type handler struct{ rotator *rotation.Rotator }

// handle tells the two callers by their events.
func (h handler) handle(ctx context.Context, raw json.RawMessage) (any, error) {
	var called struct{ RequestType, Step string }
	if err := json.Unmarshal(raw, &called); err != nil {
		return nil, fmt.Errorf("the event: %w", err)
	}
	if called.RequestType != "" {
		var event cfn.Event
		if err := json.Unmarshal(raw, &event); err != nil {
			return nil, fmt.Errorf("the event of CloudFormation: %w", err)
		}
		return cfn.LambdaWrap(h.resource)(ctx, event)
	}
	var event rotation.Event
	if err := json.Unmarshal(raw, &event); err != nil {
		return nil, fmt.Errorf("the event of Secrets Manager: %w", err)
	}
	return nil, h.rotator.Rotate(ctx, event)
}

// resource makes the user that the secret names. Nothing is to do when the resource goes with its own instance: the user goes
// with it, or stays in one that is kept. On a shared one the property OnDelete says what is to be done: keep or drop.
func (h handler) resource(ctx context.Context, event cfn.Event) (string, map[string]any, error) {
	const id = "database-user"
	switch {
	case event.RequestType != cfn.RequestDelete:
		return id, nil, h.rotator.Ensure(ctx)
	case h.rotator.Shared != "":
		return event.PhysicalResourceID, nil, h.rotator.Remove(ctx, event.ResourceProperties["OnDelete"] == "drop")
	}
	return event.PhysicalResourceID, nil, nil
}
